"""Retention of records: closed alerts, what was sent about them, outages, and silences.

The newest of each kind stays, so that no identity is given out twice.  An alert stays as long as
a notification that tells of it, a notification as long as it is pending.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, delete, func, or_, select, tuple_

from monitor.core.notifications import NotificationState
from monitor.store import schema
from monitor.store.base import Retention
from monitor.store.columns import one_of

RECORDS_PER_CALL = 500
"""Alerts, notifications, outages and silences dropped in one call, of each."""

EVERY = timedelta(hours=1)
"""Records are few, and looking for old ones reads whole tables: now and then is enough."""


class Pruner:
    """Prunes when it is time to, by the clock of the caller."""

    def __init__(self) -> None:
        self._due: datetime | None = None

    def prune(self, connection: Connection, now: datetime, retention: Retention) -> None:
        """Drop old records, at most once in :data:`EVERY` unless more are left."""
        if self._due is not None and now < self._due <= now + EVERY:
            return  # a due time further ahead is from before the clock was set back
        counts = prune_records(connection, now, retention)
        self._due = now if max(counts) == RECORDS_PER_CALL else now + EVERY


def prune_records(connection: Connection, now: datetime, retention: Retention) -> tuple[int, ...]:
    """Drop up to :data:`RECORDS_PER_CALL` old records of each kind; how many of each went."""
    cutoff = now - retention.records
    return (
        _prune_notifications(connection, cutoff),
        _prune_alerts(connection, cutoff),
        _prune_outages(connection, cutoff),
        _prune_silences(connection, cutoff),
    )


def _prune_notifications(connection: Connection, cutoff: datetime) -> int:
    table = schema.notifications.c
    old = select(table.id).where(
        table.state != NotificationState.PENDING,
        func.coalesce(table.finished_at, table.created_at) < cutoff,
        table.id < select(func.max(table.id)).scalar_subquery(),
    )
    ids = list(connection.scalars(old.order_by(table.id).limit(RECORDS_PER_CALL)))
    _delete(connection, schema.attempts.c.notification_id, ids)
    _delete(connection, schema.notification_events.c.notification_id, ids)
    _delete(connection, schema.notification_bodies.c.notification_id, ids)
    _delete(connection, table.id, ids)
    return len(ids)


def _prune_alerts(connection: Connection, cutoff: datetime) -> int:
    table, events, links = schema.alerts.c, schema.events.c, schema.notification_events.c
    told = select(links.event_id).where(links.event_id == events.id).exists()
    newest = events.id == select(func.max(schema.events.alias().c.id)).scalar_subquery()
    needed = select(events.id).where(events.alert_id == table.id, or_(told, newest)).exists()
    old = select(table.id).where(
        table.resolved_at < cutoff,
        table.id < select(func.max(schema.alerts.alias().c.id)).scalar_subquery(),
        ~needed,
    )
    ids = list(connection.scalars(old.order_by(table.id).limit(RECORDS_PER_CALL)))
    of_these = select(events.id).where(one_of(events.alert_id, ids))
    suppressions = schema.suppressions
    connection.execute(delete(suppressions).where(suppressions.c.event_id.in_(of_these)))
    _delete(connection, schema.acks.c.alert_id, ids)
    _delete(connection, events.alert_id, ids)
    _delete(connection, table.id, ids)
    return len(ids)


def _prune_outages(connection: Connection, cutoff: datetime) -> int:
    table, other = schema.outages.c, schema.outages.alias().c
    newest = select(func.max(other.at)).where(other.key == table.key).scalar_subquery()
    old = select(table.key, table.at).where(table.until < cutoff, table.at < newest)
    found = [(row.key, row.at) for row in connection.execute(old.limit(RECORDS_PER_CALL))]
    if found:
        connection.execute(delete(schema.outages).where(one_of(tuple_(table.key, table.at), found)))
    return len(found)


def _prune_silences(connection: Connection, cutoff: datetime) -> int:
    table = schema.silences.c
    old = select(table.id).where(
        func.coalesce(table.ended_at, table.until) < cutoff,
        table.id < select(func.max(schema.silences.alias().c.id)).scalar_subquery(),
    )
    ids = list(connection.scalars(old.order_by(table.id).limit(RECORDS_PER_CALL)))
    _delete(connection, table.id, ids)
    return len(ids)


def _delete(connection: Connection, column: Column[int], ids: list[int]) -> None:
    if ids:
        connection.execute(delete(column.table).where(one_of(column, ids)))
