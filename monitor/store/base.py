"""The store's contract: what is written in one transaction, what is loaded, what can be asked.

Every value carries its own identity, so writing the same :class:`Changes` twice leaves the store
as after once.  The store never decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from monitor.core.events import Ack, Alert, Event, Silence, Suppressed
from monitor.core.forecast import ForecastState
from monitor.core.ledger import LedgerState
from monitor.core.model import KeyState, MeterReading, MeterTrouble, Outage, Sample
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.core.renewals import Renewal


class StoreError(Exception):
    """The store did not answer or refused; the text names the cause and what to do."""


class StoreUnusableError(StoreError):
    """The store must not be used: not ours, corrupt, written by a newer version, or in use."""


class StoreCorruptError(StoreUnusableError):
    """The store is ours and damaged, so that nothing in it can be relied on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as last seen: identity, health, last reading of each meter with its time, and those
    meters that fail although the key works.
    """

    name: str
    provider: str
    account: str = ""
    state: KeyState
    meters: tuple[tuple[MeterReading, datetime], ...] = ()
    troubles: tuple[MeterTrouble, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLedger:
    """The ledger of one meter of one balance (an account's, or a key's that has none)."""

    subject_id: str
    meter: str
    state: LedgerState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForecast:
    """What was learned of one balance's consumption, up to these totals of its ledger."""

    subject_id: str
    meter: str
    consumed_total: Decimal
    refunded_total: Decimal
    state: ForecastState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """The report of [period_start, period_end) was given to the outbox at ``enqueued_at``.

    ``kind`` is ``day`` or ``week``.  ``enqueued_at`` None: nothing was sent, reports begin after
    this period.
    """

    kind: str
    period_start: datetime
    period_end: datetime
    enqueued_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConfiguration:
    """The configuration in use was read at ``read_at``; a later one had ``problems``.

    ``refused_at`` is when; None: none was refused since.
    """

    read_at: datetime
    refused_at: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRecords:
    """What is recorded of a stretch of time, for reports.

    ``samples`` hold of each meter the last one before it, the last of each hour, and both sides of
    every rise: falls, rises and the lowest balance add up as they do over all samples.  By key and
    meter, oldest first.  ``alerts`` were open at some time in it.
    """

    samples: tuple[Sample, ...] = ()
    outages: tuple[Outage, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notifications: tuple[Notification, ...] = ()


@dataclass(slots=True)
class Changes:
    """What one unit of work has to write, all or nothing; every list holds upserts.

    ``forgotten`` are meters, as (key, meter), that no longer exist; their history stays.
    """

    keys: list[StoredKey] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    ledgers: list[StoredLedger] = field(default_factory=list)
    forecasts: list[StoredForecast] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    renewals: list[Renewal] = field(default_factory=list)
    reports: list[StoredReport] = field(default_factory=list)
    configurations: list[StoredConfiguration] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the daemon needs to go on where the last one stopped.

    ``alerts`` are the open ones, ``notifications`` the pending ones with ``events`` they tell,
    ``runs`` the newest sample of each (key, meter), ``outages`` the newest of each key,
    ``silences`` those that nobody has ended (the time of some may have run out, which the store
    has no clock to tell), ``acks`` those of the open alerts, ``renewals`` the last of each meter,
    ``recent`` the events of alerts that opened within two hours before the newest, or later.
    ``silenced_ends`` are told alerts that ended within a silence, each with the end that nobody was
    told of yet; ``withheld`` the open alerts of which some channel was not told because they were
    silenced while its message waited; ``handed`` the alerts whose beginning a channel's fallback
    was told, by channel and number, as far as their end is still to be told.
    """

    keys: tuple[StoredKey, ...] = ()
    ledgers: tuple[StoredLedger, ...] = ()
    forecasts: tuple[StoredForecast, ...] = ()
    runs: tuple[Sample, ...] = ()
    outages: tuple[Outage, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notifications: tuple[Notification, ...] = ()
    events: tuple[Event, ...] = ()
    silences: tuple[Silence, ...] = ()
    acks: tuple[Ack, ...] = ()
    renewals: tuple[Renewal, ...] = ()
    recent: tuple[Event, ...] = ()
    silenced_ends: tuple[tuple[Alert, Event], ...] = ()
    withheld: tuple[int, ...] = ()
    handed: tuple[tuple[str, int], ...] = ()
    last_alert_id: int = 0
    last_event_id: int = 0
    last_notification_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept: full samples, thinned samples, closed alerts and deliveries."""

    samples: timedelta = timedelta(days=14)
    thinned: timedelta = timedelta(days=400)
    records: timedelta = timedelta(days=400)


class Store(Protocol):
    """A synchronous store; the daemon calls it from one writer thread and from reader threads.

    Every method raises :class:`StoreError` and no foreign exception.
    """

    def load(self) -> Snapshot:
        """All that a start needs."""
        ...

    def write(self, batch: Sequence[Changes]) -> None:
        """Write all of *batch* in one transaction."""
        ...

    def keys(self) -> list[StoredKey]:
        """All keys ever seen, by name."""
        ...

    def ledgers(self) -> list[StoredLedger]:
        """All ledgers."""
        ...

    def forecasts(self) -> list[StoredForecast]:
        """All that was learned of consumption; what cannot be read is left out."""
        ...

    def samples(
        self, key: str, meter: str | None, since: datetime, until: datetime
    ) -> list[Sample]:
        """Samples that overlap [since, until], oldest first."""
        ...

    def outages(self, key: str, since: datetime, until: datetime) -> list[Outage]:
        """Outages that overlap [since, until], oldest first."""
        ...

    def period(self, before: datetime, since: datetime, until: datetime) -> PeriodRecords:
        """Samples of [before, until); outages, alerts and notifications of [since, until)."""
        ...

    def configuration(self) -> StoredConfiguration | None:
        """What the daemon that ran last read; None before the first."""
        ...

    def last_report(self, kind: str) -> StoredReport | None:
        """The report of this kind whose period ends last."""
        ...

    def alerts(self, *, only_open: bool = False, limit: int = 100) -> list[Alert]:
        """Alerts, newest first."""
        ...

    def events(self, alert_ids: Sequence[int]) -> list[Event]:
        """The recorded changes of these alerts, oldest first."""
        ...

    def events_by_id(self, event_ids: Sequence[int]) -> list[Event]:
        """Events by identity, oldest first."""
        ...

    def notifications(
        self, *, states: Sequence[NotificationState] = (), limit: int = 100
    ) -> list[Notification]:
        """Notifications in these states (all when empty), newest first."""
        ...

    def notifications_of(self, event_ids: Sequence[int]) -> list[Notification]:
        """The notifications that tell any of these events, oldest first."""
        ...

    def count_notifications(self) -> dict[NotificationState, int]:
        """How many notifications are in each state; every state is in the answer."""
        ...

    def attempts(self, notification_ids: Sequence[int]) -> list[Attempt]:
        """The tries of these notifications, oldest first."""
        ...

    def add_sent(self, sent: Notification, attempt: Attempt) -> Notification:
        """Keep what a command has sent itself, and the one try; returns it with its identity.

        Identities that the store gives are below zero: those above are the daemon's, which does
        not ask the store for the next one.
        """
        ...

    def revive(self, notification_ids: Sequence[int], now: datetime) -> int:
        """Make these dead notifications pending again, due *now*; returns how many were."""
        ...

    def add_silence(self, silence: Silence) -> Silence:
        """Keep a new silence; returns it with the identity that the store gave it."""
        ...

    def end_silence(self, silence_ids: Sequence[int], at: datetime) -> int:
        """End those of these silences that are not over *at*; returns how many were ended."""
        ...

    def silences(
        self, *, active_at: datetime | None = None, limit: int | None = None
    ) -> list[Silence]:
        """Silences, newest first: those that hold at *active_at*, or all kept."""
        ...

    def acknowledge(
        self, alert_ids: Sequence[int], at: datetime, by: str, reason: str
    ) -> list[int]:
        """Acknowledge those of these alerts that are open; returns which, by number.

        An acknowledgement replaces an earlier one of the same alert.
        """
        ...

    def acks(self, alert_ids: Sequence[int]) -> list[Ack]:
        """The acknowledgements of these alerts, by alert."""
        ...

    def suppressed(self, event_ids: Sequence[int]) -> list[Suppressed]:
        """What channels were not told of these events, by event, time and channel."""
        ...

    def ping(self) -> None:
        """Raise :class:`StoreError` unless the store answers."""
        ...

    def thin(self, now: datetime, retention: Retention) -> int:
        """Drop what retention no longer keeps; returns the number of samples dropped."""
        ...

    def close(self) -> None:
        """Let go of all connections; may be called twice."""
        ...
