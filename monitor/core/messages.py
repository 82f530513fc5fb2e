"""From events to what a person reads: structured, without markup; ``core/markup.py`` renders it."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One subject's news: a headline, facts as (label, value), what to do, and where.

    ``severity`` None marks good news (resolved).  All texts are plain, not escaped.
    """

    headline: str
    severity: Severity | None
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one channel: a title that stands alone on a lock screen, and its stories.

    ``severity`` is the worst of the stories (None: only good news); ``notes`` are about the message
    itself, such as that it comes late.
    """

    title: str
    severity: Severity | None
    stories: tuple[Story, ...]
    notes: tuple[str, ...] = ()
