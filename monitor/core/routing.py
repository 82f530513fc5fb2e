"""Who hears of what, and when: the pure part of a channel's filters and quiet hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from monitor.core.events import Silence
from monitor.core.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What an event is about: a rule, and the keys, tags, account and provider it speaks for.

    ``other_providers`` and ``other_accounts`` are those of its keys, where it is about something
    wider: the outage of a site, or of the network, concerns each of them.  ``sites`` are where its
    keys are asked, which may be called otherwise than their providers.
    """

    rule: str
    provider: str
    account: str = ""
    other_providers: tuple[str, ...] = ()
    other_accounts: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a channel wants to hear; patterns are globs (``*``, ``?``)."""

    severities: Sequence[Severity]
    keys: Sequence[str] = ("*",)
    accounts: Sequence[str] = ("*",)
    providers: Sequence[str] = ("*",)
    rules: Sequence[str] = ("*",)
    tags: Sequence[str] = ()

    def why_not(self, severity: Severity, concern: Concern) -> str:
        """The first reason why the channel is not told, in words; empty when it is.

        One matching key is enough: an alert of an account or a provider speaks for several.
        """
        if severity not in self.severities:
            return f"takes severity {' and '.join(self.severities)} only"
        if self.tags and not set(self.tags).intersection(concern.tags):
            return f"takes keys with tag {' or '.join(self.tags)} only"
        pairs = (
            ("rules", self.rules, (concern.rule,)),
            ("providers", self.providers, _providers(concern)),
            ("accounts", self.accounts, (concern.account, *concern.other_accounts)),
            ("keys", self.keys, concern.keys),
        )
        for word, globs, names in pairs:
            if not any(fnmatchcase(name, glob) for glob in globs for name in names):
                return f"takes {word} named {' or '.join(globs)} only"
        return ""


def _providers(concern: Concern) -> tuple[str, ...]:
    return (concern.provider, *concern.other_providers, *concern.sites)


def is_silenced(concern: Concern, silence: Silence) -> bool:
    """Whether the patterns of *silence* match *concern*, whenever it holds.

    Of what speaks for several keys, every key has to match: what one of them needs is not kept
    back because of another.  A provider may be called by its name or by that of its site.
    """
    providers = ((concern.provider,), concern.other_providers, concern.sites)
    return (
        fnmatchcase(concern.rule, silence.rules)
        and any(names and _all_match(names, silence.providers) for names in providers)
        and _all_match(concern.other_accounts or (concern.account,), silence.accounts)
        and _all_match(concern.keys or ("",), silence.keys)
    )


def _all_match(names: Sequence[str], glob: str) -> bool:
    return all(fnmatchcase(name, glob) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A time of day during which a channel is not disturbed, except by some severities."""

    begin: time
    end: time
    zone: ZoneInfo
    excepted: Sequence[Severity] = (Severity.CRITICAL,)

    def until(self, severity: Severity, now: datetime) -> datetime | None:
        """When what happens at *now* may be told; None: at once.

        The end is a time on the wall of the zone, so a night with a change of daylight saving is
        an hour longer or shorter.
        """
        if severity in self.excepted:
            return None
        local = now.astimezone(self.zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begin = datetime.combine(day, self.begin, self.zone)
            last_day = day if self.begin < self.end else day + timedelta(days=1)
            end = datetime.combine(last_day, self.end, self.zone)
            if begin <= local < end:
                return end.astimezone(now.tzinfo)
        return None
