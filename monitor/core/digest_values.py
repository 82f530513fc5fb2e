"""The report of a day or week as values; what is known beforehand, and what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.core.events import Alert
from monitor.core.ledger import ZERO
from monitor.core.model import DEFAULT_METER, Outage, Sample, Severity, Subject
from monitor.core.notifications import Notification
from monitor.core.periods import Period

GAP = timedelta(hours=2)
"""Readings further apart leave a gap, as samples are given by the hour: a fall across it happened
nobody knows when, and after it another key may speak for the account."""

GAP_INTERVALS = 3
"""Likewise in poll intervals, where those are long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long the balance lasts from now on: as forecast, or else at the period's mean pace.

    ``lasts`` None: nothing was used, or ``known`` is False because there is not enough history.
    """

    known: bool
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMeter:
    """One balance and what is known of it now: an account's, or that of a key without one.

    ``keys`` read it.  ``balance`` None means no cap, or never read if ``read_at`` is None too.
    ``reference`` is the ledger's level that percentages refer to, ``interval`` the time between
    polls.  ``forecast`` None: there is not enough history for one.
    """

    subject: Subject
    meter: str
    keys: tuple[str, ...]
    unit: str = ""
    balance: Decimal | None = None
    read_at: datetime | None = None
    reference: Decimal | None = None
    interval: timedelta = timedelta(0)
    forecast: Outlook | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        label = self.subject.label
        return label if self.meter == DEFAULT_METER else f"{label} ({self.meter})"

    @property
    def gap(self) -> timedelta:
        """How far apart readings are that leave a gap."""
        return max(GAP, GAP_INTERVALS * self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What is recorded of the period and, as for samples, of the one before it."""

    samples: Sequence[Sample] = ()
    outages: Sequence[Outage] = ()
    alerts: Sequence[Alert] = ()
    notifications: Sequence[Notification] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """How many top-ups or refunds there were, and how much together."""

    count: int = 0
    amount: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An amount and when: the lowest balance, or the hour in which most was used."""

    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceDigest:
    """One balance over the period; amounts are in ``known.unit``.

    ``consumed`` None: it was not read.  ``consumed_before`` None: not read over the whole period
    before; ``change_share`` is the change as a share of that.  ``gaps`` is the time in which it was
    not read, ``observed_since`` when readings began if that was within the period.
    """

    known: KnownMeter
    consumed: Decimal | None
    consumed_before: Decimal | None
    change_share: Decimal | None
    topped_up: Payments
    refunded: Payments
    lowest: Mark | None
    worst_hour: Mark | None
    outlook: Outlook
    gaps: timedelta
    observed_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All balances of one unit together; ``consumed_before`` None unless known of all of them."""

    unit: str
    consumed: Decimal
    consumed_before: Decimal | None
    change_share: Decimal | None
    topped_up: Payments
    refunded: Payments


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPolls:
    """Polls that gave no reading: how many, of how many keys, for how long (all keys together).

    ``longest`` is the longest run of one reason of one key, within the period.
    """

    count: int = 0
    keys: int = 0
    total: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)
    longest_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCounts:
    """Alerts without those that only tell of an event; ``still_open`` when the period ended."""

    opened: Mapping[Severity, int]
    resolved: int
    still_open: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDigest:
    """What one channel was sent in the period and how that went, reports included.

    ``median_delay`` is from when a notification was due to its delivery.
    """

    name: str
    delivered: int
    retries: int
    dead: int
    pending: int
    median_delay: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The whole report, made at ``at``; balances that end soonest come first."""

    period: Period
    at: datetime
    totals: tuple[Total, ...]
    balances: tuple[BalanceDigest, ...]
    failed_polls: FailedPolls
    alerts: AlertCounts
    channels: tuple[ChannelDigest, ...]
    unread_keys: tuple[str, ...]
