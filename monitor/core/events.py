"""Alerts as values: the episodes, what happens to them, and who is spared of hearing it.

The words of alert, event, silence and acknowledgement; :mod:`monitor.core.alerts` moves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from monitor.core.model import DEFAULT_METER, Reason, Severity, Subject


class Change(StrEnum):
    """What happened to an alert."""

    FIRED = "fired"
    ESCALATED = "escalated"
    EASED = "eased"
    RESOLVED = "resolved"
    OCCURRED = "occurred"  # an event without duration, such as a top-up
    REMINDED = "reminded"  # nothing changed, but it is still open


class Why(StrEnum):
    """Why an event was told to the channels, or was not."""

    NEW = "new"
    WORSE = "worse"
    BETTER = "better"  # recorded, not sent
    RECOVERED = "recovered"
    EVENT = "event"
    COVERED = "covered"  # another alert of the same subject tells the same story
    UNWATCHED = "unwatched"  # key or rule left the configuration
    REPEAT = "repeat"  # the time of a reminder has come
    SILENCE_OVER = "silence_over"  # a silence ended: the alert is still open, or ended within it
    UNCOVERED = "uncovered"  # the alert that told the same story is over, and this one is not
    UNANSWERED = "unanswered"  # nobody acknowledged it in time
    SETTLED = "settled"  # it came and went, and has now stayed the same for a while


class Suppression(StrEnum):
    """Why a channel was not told, or not yet, of an event that it would have heard of."""

    SILENCED = "silenced"
    INHIBITED = "inhibited"  # another alert tells the same story
    FLAPPING = "flapping"  # it comes and goes; told when it has settled
    QUIET = "quiet"  # held until the channel's quiet hours end
    PASSED = "passed"  # over before what was held back could be told
    LIMITED = "limited"  # the channel had its fill for this hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message about an alert needs to know; empty where it does not apply.

    ``amount`` is what a top-up paid in, ``threshold`` the crossed limit in the balance's unit,
    ``share`` the configured percentage behind it, ``keys`` the keys that one alert speaks for,
    ``last_reading_at`` when the balance was last known.  ``burn`` is the consumption per hour,
    ``usual`` the normal one of this hour and ``factor`` how many times that it is;
    ``runs_out_at`` is when the balance is expected to be used up, four of five times between
    ``earliest`` and ``latest``; ``expires_at`` is when it is lost and ``unused`` what will be left
    of it then; ``top_up_at`` is when the next top-up is expected.  ``fired`` is how often an alert
    that flaps has fired within the last hour; 0 for one that does not flap.  ``only_site``: no
    other provider is watched, so that its outage cannot be told from the loss of this host's
    network.
    """

    balance: Decimal | None = None
    unit: str = ""
    threshold: Decimal | None = None
    share: Decimal | None = None
    reference: Decimal | None = None
    amount: Decimal | None = None
    reason: Reason | None = None
    detail: str = ""
    last_reading_at: datetime | None = None
    since: datetime | None = None
    keys: tuple[str, ...] = ()
    top_up_url: str = ""
    fired: int = 0
    only_site: bool = False
    burn: Decimal | None = None
    usual: Decimal | None = None
    factor: Decimal | None = None
    runs_out_at: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    expires_at: datetime | None = None
    unused: Decimal | None = None
    top_up_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode of breach of (subject, meter, rule); open while ``resolved_at`` is None.

    ``severity`` is the present one, ``worst`` the worst of the episode; ``severities`` are those
    that the channels were told, so that whoever heard of the trouble hears of its end;
    ``told_at`` is when they were told last, which is where the time of a reminder counts from, and
    ``escalated_at`` when somebody else was told because nobody acknowledged it.
    """

    id: int
    subject: Subject
    meter: str
    rule: str
    severity: Severity
    worst: Severity
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None = None
    facts: Facts
    severities: tuple[Severity, ...] = ()
    told_at: datetime | None = None
    escalated_at: datetime | None = None

    @property
    def label(self) -> str:
        """What a person calls that which it is about: ``studio``, or ``tools (kling:anna)``."""
        return _label(self.subject, self.meter)

    @property
    def slot(self) -> tuple[str, str, str]:
        """(subject id, meter, rule): at most one open alert each."""
        return (self.subject.id, self.meter, self.rule)


def _label(subject: Subject, meter: str) -> str:
    return subject.label if meter in {"", DEFAULT_METER} else f"{subject.label} ({meter})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one alert, as recorded and as told; self-contained for the message."""

    id: int
    alert_id: int
    subject: Subject
    meter: str
    rule: str
    change: Change
    why: Why
    told: bool
    severity: Severity
    at: datetime
    opened_at: datetime
    facts: Facts

    @property
    def label(self) -> str:
        """As of its alert."""
        return _label(self.subject, self.meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """An event that *channel* (all channels where empty) was not told, or later than others."""

    event_id: int
    channel: str
    at: datetime
    reason: Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Somebody has taken an alert on: no more reminders and no escalation for this episode."""

    alert_id: int
    at: datetime
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No notifications for what all four patterns match, until it expires.

    Patterns are globs (``*``, ``?``) over the names of keys, accounts and providers and over rules;
    ``ended_at`` is set when somebody ended it before ``until``.
    """

    id: int
    keys: str = "*"
    accounts: str = "*"
    providers: str = "*"
    rules: str = "*"
    created_at: datetime
    until: datetime
    by: str = ""
    reason: str = ""
    ended_at: datetime | None = None

    @property
    def scope(self) -> str:
        """What it is about, such as ``key prod-*, rule low_balance``; ``everything`` without."""
        named = {
            "key": self.keys,
            "account": self.accounts,
            "provider": self.providers,
            "rule": self.rules,
        }
        return ", ".join(f"{word} {glob}" for word, glob in named.items() if glob != "*") or (
            "everything"
        )

    def active(self, now: datetime) -> bool:
        """Whether it holds at *now*, the present.

        It holds from its creation, whatever time that was by a clock that was set back since.
        """
        return self.ended_at is None and now < self.until
