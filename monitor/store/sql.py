"""The store in SQL, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol, Self

from sqlalchemy import Connection, Engine, text

from monitor.core.events import Ack, Alert, Event, Silence, Suppressed
from monitor.core.model import Outage, Sample
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.store import periods, reading, writing
from monitor.store.address import Address
from monitor.store.base import (
    Changes,
    PeriodRecords,
    Retention,
    Snapshot,
    StoredConfiguration,
    StoredForecast,
    StoredKey,
    StoredLedger,
    StoredReport,
    StoreError,
)
from monitor.store.errors import translated
from monitor.store.layout import Layout
from monitor.store.pruning import Pruner
from monitor.store.thinning import thin_samples

OURS = Layout()


class Backend(Protocol):
    """What SQLite and PostgreSQL do differently."""

    label: str
    dialect: str

    def prepare(self) -> None:
        """Refuse what is not ours; else create or upgrade it, unless opened to read only."""
        ...

    def writer(self) -> Engine:
        """An engine with one connection, for transactions that write."""
        ...

    def reader(self) -> Engine:
        """An engine whose connections cannot write."""
        ...

    def release(self) -> None:
        """Give up the claim of one daemon; may be called twice."""
        ...


class SqlStore:
    """A :class:`~monitor.store.base.Store` on a database; made by :meth:`open`.

    Any thread may call any method: writes take turns, reads go on beside them.
    """

    def __init__(self, backend: Backend, *, readonly: bool) -> None:
        self._backend = backend
        self._label = backend.label
        self._reader = backend.reader()
        self._writer = None if readonly else backend.writer()
        self._turn = threading.Lock()
        self._writing = writing.Writer(backend.dialect)
        self._pruner = Pruner()
        self._closed = False

    @classmethod
    def open(
        cls, url: str, *, readonly: bool = False, lock: bool = False, layout: Layout = OURS
    ) -> Self:
        """See :func:`monitor.store.open_store`; *layout* is what the tables shall be."""
        address = Address.parse(url)
        with translated(address.label):
            backend = address.backend(layout, readonly=readonly, lock=lock)
            backend.prepare()
            return cls(backend, readonly=readonly)

    def load(self) -> Snapshot:
        """All that a start needs."""
        with self._read() as connection:
            return reading.snapshot(connection)

    def write(self, batch: Sequence[Changes]) -> None:
        """Write all of *batch* in one transaction."""
        with self._write() as connection:
            self._writing.write(connection, batch)

    def keys(self) -> list[StoredKey]:
        """All keys ever seen, by name."""
        with self._read() as connection:
            return reading.keys(connection)

    def ledgers(self) -> list[StoredLedger]:
        """All ledgers."""
        with self._read() as connection:
            return reading.ledgers(connection)

    def forecasts(self) -> list[StoredForecast]:
        """All that was learned of consumption."""
        with self._read() as connection:
            return reading.forecasts(connection)

    def samples(
        self, key: str, meter: str | None, since: datetime, until: datetime
    ) -> list[Sample]:
        """Samples that overlap [since, until], oldest first."""
        with self._read() as connection:
            return reading.samples(connection, key, meter, since, until)

    def outages(self, key: str, since: datetime, until: datetime) -> list[Outage]:
        """Outages that overlap [since, until], oldest first."""
        with self._read() as connection:
            return reading.outages(connection, key, since, until)

    def period(self, before: datetime, since: datetime, until: datetime) -> PeriodRecords:
        """Samples of [before, until); outages, alerts and notifications of [since, until)."""
        with self._read() as connection:
            return periods.records(connection, before, since, until)

    def configuration(self) -> StoredConfiguration | None:
        """What the daemon that ran last read; None before the first."""
        with self._read() as connection:
            return reading.configuration(connection)

    def last_report(self, kind: str) -> StoredReport | None:
        """The report of this kind whose period ends last."""
        with self._read() as connection:
            return periods.last_report(connection, kind)

    def alerts(self, *, only_open: bool = False, limit: int = 100) -> list[Alert]:
        """Alerts, newest first."""
        with self._read() as connection:
            return reading.alerts(connection, only_open=only_open, limit=limit)

    def events(self, alert_ids: Sequence[int]) -> list[Event]:
        """The recorded changes of these alerts, oldest first."""
        with self._read() as connection:
            return reading.events(connection, alert_ids)

    def events_by_id(self, event_ids: Sequence[int]) -> list[Event]:
        """Events by identity, oldest first."""
        with self._read() as connection:
            return reading.events_by_id(connection, event_ids)

    def notifications(
        self, *, states: Sequence[NotificationState] = (), limit: int = 100
    ) -> list[Notification]:
        """Notifications in these states (all when empty), newest first."""
        with self._read() as connection:
            return reading.notifications(connection, states, limit)

    def notifications_of(self, event_ids: Sequence[int]) -> list[Notification]:
        """The notifications that tell any of these events, oldest first."""
        with self._read() as connection:
            return reading.notifications_of(connection, event_ids)

    def count_notifications(self) -> dict[NotificationState, int]:
        """How many notifications are in each state; every state is in the answer."""
        with self._read() as connection:
            return reading.count_notifications(connection)

    def attempts(self, notification_ids: Sequence[int]) -> list[Attempt]:
        """The tries of these notifications, oldest first."""
        with self._read() as connection:
            return reading.attempts(connection, notification_ids)

    def add_sent(self, sent: Notification, attempt: Attempt) -> Notification:
        """Keep what a command has sent itself; returns it with an identity below zero."""
        with self._write() as connection:
            return writing.add_sent(connection, sent, attempt)

    def revive(self, notification_ids: Sequence[int], now: datetime) -> int:
        """Make these dead notifications pending again, due *now*; returns how many were."""
        with self._write() as connection:
            return writing.revive(connection, notification_ids, now)

    def add_silence(self, silence: Silence) -> Silence:
        """Keep a new silence; returns it with the identity that the store gave it."""
        with self._write() as connection:
            return writing.add_silence(connection, silence)

    def end_silence(self, silence_ids: Sequence[int], at: datetime) -> int:
        """End those of these silences that are not over *at*; returns how many were ended."""
        with self._write() as connection:
            return writing.end_silence(connection, silence_ids, at)

    def silences(
        self, *, active_at: datetime | None = None, limit: int | None = None
    ) -> list[Silence]:
        """Silences, newest first: those that hold at *active_at*, or all kept."""
        with self._read() as connection:
            return reading.silences(connection, active_at, limit)

    def acknowledge(
        self, alert_ids: Sequence[int], at: datetime, by: str, reason: str
    ) -> list[int]:
        """Acknowledge those of these alerts that are open; returns which, by number."""
        with self._write() as connection:
            return self._writing.acknowledge(connection, alert_ids, at, by, reason)

    def acks(self, alert_ids: Sequence[int]) -> list[Ack]:
        """The acknowledgements of these alerts, by alert."""
        with self._read() as connection:
            return reading.acks(connection, alert_ids)

    def suppressed(self, event_ids: Sequence[int]) -> list[Suppressed]:
        """What channels were not told of these events, by event, time and channel."""
        with self._read() as connection:
            return reading.suppressed(connection, event_ids)

    def ping(self) -> None:
        """Raise :class:`StoreError` unless the store answers."""
        with self._read() as connection:
            connection.execute(text("SELECT 1"))

    def thin(self, now: datetime, retention: Retention) -> int:
        """Drop what retention no longer keeps; returns the number of samples dropped."""
        with self._write() as connection:
            self._pruner.prune(connection, now, retention)
            return thin_samples(connection, now, retention)

    def close(self) -> None:
        """Let go of all connections; may be called twice."""
        self._closed = True
        with self._turn, translated(self._label):
            self._reader.dispose()
            if self._writer is not None:
                self._writer.dispose()
            self._backend.release()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store throughout."""
        self._require_open()
        with translated(self._label), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that is committed, or undone by whatever is raised."""
        self._require_open()
        if self._writer is None:
            raise StoreError(f"store {self._label}: it was opened to read only")
        with self._turn, translated(self._label):
            try:
                with self._writer.begin() as connection:
                    yield connection
            except BaseException:
                self._writing.forget()
                raise

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"store {self._label}: it is closed")
