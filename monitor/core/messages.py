"""From events to what a person reads: structured, without markup; ``core/markup.py`` renders it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from monitor.core import wording
from monitor.core.model import DEFAULT_METER, Event, Severity
from monitor.core.stories import Story, tell

__all__ = ["Lateness", "Message", "Story", "compose", "decode", "encode", "recall", "trial_message"]

LATE_AFTER = timedelta(minutes=1)
"""A message that comes no later than this says nothing about it."""

TITLE_LENGTH = 160
"""Longest title: what a lock screen and a mail list still show of it is its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one channel: a title that stands alone on a lock screen, and its stories.

    ``severity`` is the worst of the stories (None: only good news); ``notes`` are about the message
    itself, such as that it comes late; ``source`` is the command that shows what did not fit.
    """

    title: str
    severity: Severity | None
    stories: tuple[Story, ...]
    notes: tuple[str, ...] = ()
    source: str = "credit-monitor alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """When a message should have left, and what kept it (a sentence without secrets)."""

    due_at: datetime
    cause: str = ""


def compose(
    events: Sequence[Event],
    *,
    now: datetime,
    late: Lateness | None = None,
    timezone: tzinfo = UTC,
) -> Message:
    """One message that tells *events* as of *now*, worst first, times in *timezone*.

    Events of one subject and meter are one story.  Raises ``ValueError`` without any event.
    """
    if not events:
        raise ValueError("a message needs at least one event")
    stories = sorted((tell(group, now, timezone) for group in _groups(events)), key=_worst_first)
    return Message(
        title=_title(stories),
        severity=stories[0].severity,
        stories=tuple(stories),
        notes=_notes(late, now, timezone),
    )


def encode(message: Message) -> str:
    """*message* as text that :func:`decode` reads, for the time it waits in the outbox."""
    return json.dumps(asdict(message), separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Message:
    """The message that :func:`encode` wrote; fields that are unknown here are left out."""
    found = _known(Message, json.loads(text))
    stories = [_known(Story, story) for story in found.pop("stories")]
    return Message(
        **found | {"severity": _severity(found["severity"]), "notes": tuple(found["notes"])},
        stories=tuple(
            Story(
                **story
                | {
                    "severity": _severity(story["severity"]),
                    "facts": tuple((label, value) for label, value in story["facts"]),
                }
            )
            for story in stories
        ),
    )


def _known(kind: type[Message | Story], values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _severity(word: str | None) -> Severity | None:
    return None if word is None else Severity(word)


def recall(text: str, now: datetime, late: Lateness | None, timezone: tzinfo = UTC) -> Message:
    """The message of an encoded *text* as it is sent at *now*: with a note if it comes late."""
    message = decode(text)
    return replace(message, notes=(*message.notes, *_notes(late, now, timezone)))


def trial_message(channel: str, *, now: datetime, timezone: tzinfo = UTC) -> Message:
    """What ``notify test`` sends through *channel*: harmless, and with what real ones carry."""
    story = Story(
        name=channel,
        headline=f"The channel {channel} works",
        severity=Severity.INFO,
        facts=(("Channel", channel), ("Sent", wording.clock(now, timezone))),
        advice="Nothing to do: alerts of credit-monitor will arrive here.",
    )
    return Message(
        title=f"Test message through {channel}", severity=Severity.INFO, stories=(story,)
    )


def _groups(events: Iterable[Event]) -> list[list[Event]]:
    """Events by subject and meter, each oldest first.

    A key's health has no meter of its own: it belongs to the same story as its only balance.
    """
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        groups.setdefault((event.subject.id, event.meter or DEFAULT_METER), []).append(event)
    return list(groups.values())


def _worst_first(story: Story) -> tuple[int, str]:
    return (-1 if story.severity is None else story.severity.rank) * -1, story.name


def _notes(late: Lateness | None, now: datetime, timezone: tzinfo) -> tuple[str, ...]:
    if late is None or now - late.due_at < LATE_AFTER:
        return ()
    cause = f" ({late.cause.rstrip('.')})" if late.cause else ""
    text = (
        f"This message comes {wording.span(now - late.due_at)} late: it was due at "
        f"{wording.clock(late.due_at, timezone)} and could not be delivered before{cause}."
    )
    return (text,)


# -- the title ------------------------------------------------------------------------------


def _title(stories: Sequence[Story]) -> str:
    if len(stories) == 1:
        return wording.clip(stories[0].title, TITLE_LENGTH)
    bad = [s for s in stories if s.severity in (Severity.CRITICAL, Severity.WARNING)]
    good = [s for s in stories if s.severity is None]
    info = [s for s in stories if s.severity is Severity.INFO]
    parts = []
    if bad:
        parts.append(_title_of_bad(bad))
    if good:
        parts.append(("OK again: ", [s.name for s in good]))
    if info:
        parts.append(("Topped up: ", [s.name for s in info]))
    return _fit(parts)


def _title_of_bad(bad: Sequence[Story]) -> tuple[str, list[str]]:
    severity = bad[0].severity
    if len(bad) == 1:
        return (f"{severity}: ".upper(), [bad[0].headline])
    noun = "keys" if all(s.about_key for s in bad) else "alerts"
    verb = " need attention" if noun == "keys" else ""
    return (f"{severity}: ".upper() + f"{len(bad)} {noun}{verb}: ", [s.name for s in bad])


def _fit(parts: Sequence[tuple[str, list[str]]]) -> str:
    room = TITLE_LENGTH // len(parts)
    texts = [heading + wording.listing(names, room - len(heading)) for heading, names in parts]
    return wording.clip("; ".join(texts), TITLE_LENGTH)
