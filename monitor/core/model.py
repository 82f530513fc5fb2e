"""What is watched and what a poll found, as values: frozen, keyword-only, aware UTC times, decimal
amounts.  What becomes of it stands in :mod:`monitor.core.events` and
:mod:`monitor.core.notifications`.

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
