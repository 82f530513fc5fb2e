"""Writing: upserts by identity, one ``executemany`` per table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from monitor.core.model import Notification, NotificationState
from monitor.store import codec, schema
from monitor.store.base import Changes
from monitor.store.codec import Bind
from monitor.store.columns import clean

METER_COLUMNS = tuple(c.name for c in schema.meters.c if c.name != "thinned_to")


class Writer:
    """Writes batches through a connection of *dialect*, and knows the number of each meter.

    It relies on being the only writer of new meters; after a failed transaction :meth:`forget`
    makes it look them up again.
    """

    def __init__(self, dialect: str) -> None:
        self._upserts = {
            table: _upsert(table, dialect)
            for table in (*schema.metadata.sorted_tables,)
            if table is not schema.meters
        }
        self._upserts[schema.meters] = _upsert(schema.meters, dialect, METER_COLUMNS)
        self._numbers: dict[tuple[str, str], int] | None = None

    def forget(self) -> None:
        """Trust nothing remembered of a transaction that may not have been committed."""
        self._numbers = None

    def write(self, connection: Connection, batch: Sequence[Changes]) -> None:
        """Write all of *batch*; of rows with the same identity the last one counts."""
        keys = {k.name: k for changes in batch for k in changes.keys}
        self._put(connection, schema.keys, [codec.key_row(k) for k in keys.values()])
        self._put(connection, schema.meters, self._meter_rows(connection, batch))
        self._put(connection, schema.samples, self._sample_rows(connection, batch))
        for table, rows in _plain_rows(batch):
            self._put(connection, table, rows)
        notifications = {n.id: n for changes in batch for n in changes.notifications}
        self._put_notifications(connection, list(notifications.values()))

    def _put(self, connection: Connection, table: Table, rows: list[Bind]) -> None:
        if rows:
            connection.execute(self._upserts[table], rows)

    def _meter_rows(self, connection: Connection, batch: Sequence[Changes]) -> list[Bind]:
        rows = {
            (key.name, reading.meter): (reading, at)
            for changes in batch
            for key in changes.keys
            for reading, at in key.meters
        }
        number = self._number
        return [
            codec.meter_row(number(connection, key, meter), key, reading, at)
            for (key, meter), (reading, at) in rows.items()
        ]

    def _sample_rows(self, connection: Connection, batch: Sequence[Changes]) -> list[Bind]:
        samples = {(s.key, s.meter, s.at): s for changes in batch for s in changes.samples}
        number = self._number
        return [codec.sample_row(number(connection, s.key, s.meter), s) for s in samples.values()]

    def _number(self, connection: Connection, key: str, meter: str) -> int:
        """The number of a meter; a new one gets the next, and its row."""
        if self._numbers is None:
            self._numbers = _numbers(connection)
        number = self._numbers.get((key, meter))
        if number is not None:
            return number
        name = (clean(key), clean(meter))
        number = self._numbers.get(name)
        if number is None:
            number = max(self._numbers.values(), default=0) + 1
            connection.execute(
                schema.meters.insert(), {"id": number, "key": name[0], "name": name[1]}
            )
        self._numbers[name] = self._numbers[key, meter] = number
        return number

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
        connection.execute(
            _SURPLUS_LINKS, [{"id_": n.id, "length": len(n.event_ids)} for n in notifications]
        )


_SURPLUS_LINKS = delete(schema.notification_events).where(
    schema.notification_events.c.notification_id == bindparam("id_"),
    schema.notification_events.c.position >= bindparam("length"),
)


def _plain_rows(batch: Sequence[Changes]) -> Iterable[tuple[Table, list[Bind]]]:
    ledgers = {(x.subject_id, x.meter): x for changes in batch for x in changes.ledgers}
    yield schema.ledgers, [codec.ledger_row(x) for x in ledgers.values()]
    outages = {(x.key, x.at): x for changes in batch for x in changes.outages}
    yield schema.outages, [codec.outage_row(x) for x in outages.values()]
    alerts = {x.id: x for changes in batch for x in changes.alerts}
    yield schema.alerts, [codec.alert_row(x) for x in alerts.values()]
    events = {x.id: x for changes in batch for x in changes.events}
    yield schema.events, [codec.event_row(x) for x in events.values()]
    attempts = {(x.notification_id, x.number): x for changes in batch for x in changes.attempts}
    yield schema.attempts, [codec.attempt_row(x) for x in attempts.values()]


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


def _numbers(connection: Connection) -> dict[tuple[str, str], int]:
    meters = schema.meters.c
    found = connection.execute(select(meters.key, meters.name, meters.id))
    return {(key, name): number for key, name, number in found}


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
