"""Writing: upserts by identity, one ``executemany`` per table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from monitor.core.events import Ack, Silence
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.store import codec, schema
from monitor.store.base import Changes
from monitor.store.columns import clean
from monitor.store.shapes import Bind

METER_COLUMNS = tuple(c.name for c in schema.meters.c if c.name != "thinned_to")


class MeterNumbers:
    """The number of each meter; new ones are given out in order and wait in ``unsaved``."""

    def __init__(self, connection: Connection) -> None:
        meters = schema.meters.c
        found = connection.execute(select(meters.key, meters.name, meters.id))
        self._known = {(key, name): number for key, name, number in found}
        self._last = max(self._known.values(), default=0)
        self.unsaved: list[Bind] = []

    def of(self, key: str, meter: str) -> int:
        """The number of meter *meter* of *key*."""
        number = self._known.get((key, meter))
        if number is None:
            name = (clean(key), clean(meter))
            number = self._known.get(name) or self._add(name)
            self._known[key, meter] = number
        return number

    def _add(self, name: tuple[str, str]) -> int:
        self._last += 1
        self._known[name] = self._last
        self.unsaved.append({"id": self._last, "key": name[0], "name": name[1]})
        return self._last


class Writer:
    """Writes batches through a connection of *dialect*.

    It relies on being the only one that adds meters; after a failed transaction :meth:`forget`
    makes it look them up again.
    """

    def __init__(self, dialect: str) -> None:
        tables = [t for t in schema.metadata.tables.values() if t is not schema.meters]
        self._upserts = {table: _upsert(table, dialect) for table in tables}
        self._upserts[schema.meters] = _upsert(schema.meters, dialect, METER_COLUMNS)
        self._meters: MeterNumbers | None = None

    def forget(self) -> None:
        """Trust nothing remembered of a transaction that may not have been committed."""
        self._meters = None

    def write(self, connection: Connection, batch: Sequence[Changes]) -> None:
        """Write all of *batch*; of rows with the same identity the last one counts."""
        keys = {k.name: k for changes in batch for k in changes.keys}
        self._put(connection, schema.keys, [codec.key_row(k) for k in keys.values()])
        self._put_meters_and_samples(connection, batch)
        for table, rows in _plain_rows(batch):
            self._put(connection, table, rows)
        notifications = {n.id: n for changes in batch for n in changes.notifications}
        self._put_notifications(connection, list(notifications.values()))

    def acknowledge(
        self, connection: Connection, alert_ids: Sequence[int], at: datetime, by: str, reason: str
    ) -> list[int]:
        """Acknowledge those of these alerts that are open; returns which, by number."""
        table = schema.alerts.c
        still_open = select(table.id).where(table.id.in_(alert_ids), table.resolved_at.is_(None))
        found = sorted(connection.scalars(still_open))
        acks = [Ack(alert_id=number, at=at, by=by, reason=reason) for number in found]
        self._put(connection, schema.acks, [codec.ACK.row(ack) for ack in acks])
        return found

    def _put(self, connection: Connection, table: Table, rows: list[Bind]) -> None:
        if rows:
            connection.execute(self._upserts[table], rows)

    def _put_meters_and_samples(self, connection: Connection, batch: Sequence[Changes]) -> None:
        if self._meters is None:
            self._meters = MeterNumbers(connection)
        readings = _reading_rows(batch, self._meters)
        samples = _sample_rows(batch, self._meters)
        if self._meters.unsaved:
            connection.execute(insert(schema.meters), self._meters.unsaved)
            self._meters.unsaved = []
        self._put(connection, schema.meters, readings)
        self._put(connection, schema.samples, samples)

    def _put_notifications(self, connection: Connection, notifications: list[Notification]) -> None:
        if not notifications:
            return
        self._put(
            connection, schema.notifications, [codec.notification_row(n) for n in notifications]
        )
        links = [
            {"notification_id": n.id, "position": position, "event_id": event_id}
            for n in notifications
            for position, event_id in enumerate(n.event_ids)
        ]
        self._put(connection, schema.notification_events, links)
        bodies = [codec.body_row(n) for n in notifications if n.body]
        self._put(connection, schema.notification_bodies, bodies)
        connection.execute(
            _SURPLUS_LINKS, [{"id_": n.id, "length": len(n.event_ids)} for n in notifications]
        )


_SURPLUS_LINKS = delete(schema.notification_events).where(
    schema.notification_events.c.notification_id == bindparam("id_"),
    schema.notification_events.c.position >= bindparam("length"),
)


def _reading_rows(batch: Sequence[Changes], meters: MeterNumbers) -> list[Bind]:
    """The rows of ``meters``; the last unit of work that names a meter decides about it."""
    found: dict[tuple[str, str], Bind] = {}
    for changes in batch:
        found |= {meter: {} for meter in changes.forgotten}
        for key in changes.keys:
            own = {r.meter: codec.reading_columns(r, at) for r, at in key.meters}
            for trouble in key.troubles:
                own[trouble.meter] = own.get(trouble.meter, {}) | codec.trouble_columns(trouble)
            found |= {(key.name, meter): columns for meter, columns in own.items()}
    return [
        codec.meter_row(meters.of(key, meter), key, meter) | columns
        for (key, meter), columns in found.items()
    ]


def _sample_rows(batch: Sequence[Changes], meters: MeterNumbers) -> list[Bind]:
    samples = {(s.key, s.meter, s.at): s for changes in batch for s in changes.samples}
    return [codec.sample_row(meters.of(s.key, s.meter), s) for s in samples.values()]


_PLAIN: tuple[tuple[Table, str, Callable[[Any], object], Callable[[Any], Bind]], ...] = (
    (schema.ledgers, "ledgers", attrgetter("subject_id", "meter"), codec.ledger_row),
    (schema.forecasts, "forecasts", attrgetter("subject_id", "meter"), codec.forecast_row),
    (schema.outages, "outages", attrgetter("key", "at"), codec.OUTAGE.row),
    (schema.alerts, "alerts", attrgetter("id"), codec.alert_row),
    (schema.events, "events", attrgetter("id"), codec.event_row),
    (schema.attempts, "attempts", attrgetter("notification_id", "number"), codec.ATTEMPT.row),
    (schema.reports, "reports", attrgetter("kind", "period_start"), codec.REPORT.row),
    (schema.configuration, "configurations", lambda _: None, codec.configuration_row),
    (schema.renewals, "renewals", attrgetter("key", "meter"), codec.RENEWAL.row),
    (
        schema.suppressions,
        "suppressed",
        attrgetter("event_id", "channel", "reason"),
        codec.SUPPRESSED.row,
    ),
)
"""Tables of which each row is one value: the field of :class:`Changes`, the value's identity, and
its row."""


def _plain_rows(batch: Sequence[Changes]) -> Iterable[tuple[Table, list[Bind]]]:
    for table, name, identity, row in _PLAIN:
        last = {identity(value): value for changes in batch for value in getattr(changes, name)}
        yield table, [row(value) for value in last.values()]


def _upsert(table: Table, dialect: str, columns: Sequence[str] = ()) -> Insert:
    """``INSERT ... ON CONFLICT (primary key) DO UPDATE``, which both databases know."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    identity = [c.name for c in table.primary_key]
    named = columns or [c.name for c in table.c]
    statement = make(table).values({name: bindparam(name) for name in named})
    return statement.on_conflict_do_update(
        index_elements=identity,
        set_={name: statement.excluded[name] for name in named if name not in identity},
    )


def add_sent(connection: Connection, sent: Notification, attempt: Attempt) -> Notification:
    """Keep what a command has sent itself, under the next number below zero.

    A plain insert: of two commands at the same moment one fails, instead of replacing the other's.
    """
    lowest = connection.scalar(select(func.min(schema.notifications.c.id))) or 0
    kept = replace(sent, id=min(lowest, 0) - 1)
    connection.execute(insert(schema.notifications), codec.notification_row(kept))
    connection.execute(insert(schema.notification_bodies), codec.body_row(kept))
    tried = replace(attempt, notification_id=kept.id)
    connection.execute(insert(schema.attempts), codec.ATTEMPT.row(tried))
    return kept


def revive(connection: Connection, notification_ids: Sequence[int], now: datetime) -> int:
    """Make these dead notifications pending again; their attempts go on counting."""
    table = schema.notifications
    statement = (
        update(table)
        .where(table.c.id.in_(notification_ids), table.c.state == NotificationState.DEAD)
        .values(
            state=NotificationState.PENDING,
            due_at=now,
            next_attempt_at=now,
            finished_at=None,
        )
    )
    return connection.execute(statement).rowcount


def add_silence(connection: Connection, silence: Silence) -> Silence:
    """Keep a new silence; the database gives it its identity."""
    table = schema.silences
    added = connection.execute(insert(table), codec.new_silence_row(silence))
    (number,) = added.inserted_primary_key or (None,)
    return codec.SILENCE.of(connection.execute(select(table).where(table.c.id == number)).one())


def end_silence(connection: Connection, silence_ids: Sequence[int], at: datetime) -> int:
    """End those of these silences that are not over *at*; returns how many were ended."""
    table = schema.silences
    statement = (
        update(table)
        .where(table.c.id.in_(silence_ids), table.c.ended_at.is_(None), table.c.until > at)
        .values(ended_at=at)
    )
    return connection.execute(statement).rowcount
