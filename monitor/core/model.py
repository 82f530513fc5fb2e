"""The words of the product as values: frozen, keyword-only, aware UTC times, decimal amounts.

Nothing here does I/O or reads a clock.  A failed poll is a :class:`Failure`, never a number, so a
broken answer cannot become a balance anywhere further down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

DEFAULT_METER = "balance"
"""Name of the meter of a key that has only one."""


class Reason(StrEnum):
    """Why a poll gave no reading; the same word is metric label, log field and message text."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    WRONG_KEY_KIND = "wrong_key_kind"
    KEY_CAPPED = "key_capped"
    OUT_OF_CREDITS = "out_of_credits"
    RATE_LIMITED = "rate_limited"
    MAINTENANCE = "maintenance"
    SESSION_BROKEN = "session_broken"
    SUBSCRIPTION_INACTIVE = "subscription_inactive"
    NOT_FOUND = "not_found"
    BAD_RESPONSE = "bad_response"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    SERVER_ERROR = "server_error"

    @property
    def needs_person(self) -> bool:
        """Whether waiting does not help: the provider refused, and somebody has to act."""
        return self in _NEEDS_PERSON


_NEEDS_PERSON = frozenset(
    {
        Reason.UNAUTHORIZED,
        Reason.FORBIDDEN,
        Reason.WRONG_KEY_KIND,
        Reason.KEY_CAPPED,
        Reason.OUT_OF_CREDITS,
        Reason.SESSION_BROKEN,
        Reason.SUBSCRIPTION_INACTIVE,
        Reason.NOT_FOUND,
        Reason.UNSUPPORTED,
    }
)


class Severity(StrEnum):
    """How bad a breach is; compare with :attr:`rank`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


def require_aware(moment: datetime, name: str) -> None:
    """Raise ``ValueError`` if *moment* has no time zone: a naive time is a bug, not a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"{name} must be an aware datetime")


class Kind(StrEnum):
    """What the number of a meter is; only a balance is judged and counted as consumption."""

    BALANCE = "balance"
    COUNT = "count"  # things one has, such as tickets: having none is nothing to warn about
    SESSION = "session"  # no number, but a login with an end
    PART = "part"  # of a balance of the same reading, which is judged in its place
    MANUAL = "manual"  # typed into the configuration by a person, and never read


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """One amount read through a key.

    ``balance`` is None where the provider says there is no cap ("unlimited"): a reading, but not an
    amount, so there is nothing to alert on.  ``limit`` is in the unit of the balance.
    """

    meter: str = DEFAULT_METER
    unit: str
    balance: Decimal | None
    kind: Kind = Kind.BALANCE
    limit: Decimal | None = None
    expires_at: datetime | None = None
    jobs_limit: int | None = None
    jobs_running: int | None = None

    def __post_init__(self) -> None:
        if self.balance is not None and not self.balance.is_finite():
            raise ValueError("a balance must be finite")
        if self.limit is not None and not self.limit.is_finite():
            raise ValueError("a limit must be finite")
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFailure:
    """One meter that gave no reading although its key works, as when one of several linked accounts
    is logged out; the other fields are as in :class:`Failure`.
    """

    meter: str
    reason: Reason
    detail: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A successful poll of key ``key`` that ended at ``at``; it has each meter once, either in
    ``meters`` or in ``failures``.

    Both are empty where a provider shows no balance and only tells that the key works: a key check.
    """

    key: str
    at: datetime
    meters: tuple[MeterReading, ...]
    failures: tuple[MeterFailure, ...] = ()

    def __post_init__(self) -> None:
        require_aware(self.at, "at")
        names = self.names
        if len(names) > 1 and len(set(names)) < len(names):
            raise ValueError("a reading has each meter once")

    @property
    def retry_after(self) -> timedelta | None:
        """The longest wait that the provider asked for of any meter."""
        return max((f.retry_after for f in self.failures if f.retry_after), default=None)

    @property
    def names(self) -> list[str]:
        """All meters that the poll told of, read or not."""
        return [m.meter for m in self.meters] + [f.meter for f in self.failures]

    @classmethod
    def of(cls, key: str, at: datetime, found: Iterable[MeterReading | MeterFailure]) -> Reading:
        """The reading of *key* from what a poll *found*."""
        meters, failures = [], []
        for each in found:
            if isinstance(each, MeterFailure):
                failures.append(each)
            else:
                meters.append(each)
        return cls(key=key, at=at, meters=tuple(meters), failures=tuple(failures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A poll that gave no reading.

    ``detail`` is a short sentence for a person, free of secrets; ``retry_after`` is what the
    provider asked us to wait.
    """

    key: str
    at: datetime
    reason: Reason
    detail: str = ""
    retry_after: timedelta | None = None

    def __post_init__(self) -> None:
        require_aware(self.at, "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """A key that was due at *at* and not polled, because its provider had answered none of the
    polls of other keys.  ``reason`` is that of the last of them.
    """

    key: str
    at: datetime
    reason: Reason
    detail: str = ""

    def __post_init__(self) -> None:
        require_aware(self.at, "at")


Observation = Reading | Failure | Unasked


@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about: a key, an account (``key`` empty) or a provider (both empty).

    With nothing at all it is :data:`HOST`, where this process runs.
    """

    provider: str
    account: str = ""
    key: str = ""

    @property
    def id(self) -> str:
        """A stable identity; moving a key to another account does not change the key's own."""
        if self.key:
            return f"key:{self.key}"
        if self.account:
            return f"account:{self.provider}/{self.account}"
        return f"provider:{self.provider}" if self.provider else "host"

    @property
    def label(self) -> str:
        """What a person calls it, for example ``studio`` or ``account studio-main``."""
        if self.key:
            return self.key
        if self.account:
            return f"account {self.account}"
        return f"provider {self.provider}" if self.provider else "this host"


HOST = Subject("")
"""This host itself: its network, by which all providers are reached, and its store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What is known of a key's health after its last poll.

    ``failing_since`` is the first failed poll after the last success, ``failures`` how many failed
    in a row, ``reason`` that of the last one; all three are empty while the key answers.  A
    key that answered and was left out since (see :class:`Unasked`) has a reason without failures.
    ``refused_since`` is set while the last *definite* answer was a refusal that needs a person;
    a timeout after it does not clear it.
    """

    key: str
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    reason: Reason | None = None
    detail: str = ""
    refused_since: datetime | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether its last poll was good, and it was not asked since although it was due."""
        return self.reason is not None and not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTrouble:
    """A meter that fails while its key works: since when, until when, and in how many polls.

    ``reason`` and ``detail`` are those of the last failure.
    """

    meter: str
    reason: Reason
    detail: str = ""
    since: datetime
    at: datetime
    polls: int = 1


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


class NotificationState(StrEnum):
    """Where a notification is in the outbox; what is ``dropped`` was over before its time."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message for one channel, with the events it tells.

    ``due_at`` ends its group's waiting time; ``next_attempt_at`` is when it may be tried (again).
    ``handed_to`` is the fallback channel that was told instead, ``note`` what the message of a
    fallback says about it.
    ``body`` is a whole message (``messages.encode``) where it tells no events: a report.
    """

    id: int
    channel: str
    event_ids: tuple[int, ...]
    state: NotificationState = NotificationState.PENDING
    created_at: datetime
    due_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    finished_at: datetime | None = None
    error: str = ""
    handed_to: str = ""
    note: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver a notification; ``outcome`` is ``delivered``, ``retry`` or ``refused``."""

    notification_id: int
    number: int
    at: datetime
    outcome: str
    detail: str = ""
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A run of equal balances: first read at ``at``, last read at ``until``.

    ``balance`` None means the provider reported no cap.
    """

    key: str
    meter: str
    at: datetime
    until: datetime
    balance: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A run of failed polls with the same reason, from the first to the last of them."""

    key: str
    at: datetime
    until: datetime
    reason: Reason
    detail: str = ""
    polls: int = 1
