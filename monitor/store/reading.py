"""Reading: each question of the store's contract as one or two statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, and_, func, or_, select

from monitor.core.events import Ack, Alert, Change, Event, Silence, Suppressed, Suppression, Why
from monitor.core.model import MeterReading, MeterTrouble, Outage, Sample
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.store import codec, schema
from monitor.store.base import (
    Snapshot,
    StoredConfiguration,
    StoredForecast,
    StoredKey,
    StoredLedger,
)
from monitor.store.columns import one_of

VALUES_PER_STATEMENT = 1_024
"""SQLite takes 32,766 parameters in a statement and PostgreSQL 65,535; but see :func:`one_of`."""


def snapshot(connection: Connection) -> Snapshot:
    """All that a start needs, as of one moment."""
    pending = notifications(connection, [NotificationState.PENDING], None)
    told = sorted({event for notification in pending for event in notification.event_ids})
    kept = _silenced_ends(connection)
    ending = {alert.id for alert, _ in kept} | {e.alert_id for e in events_by_id(connection, told)}
    return Snapshot(
        keys=tuple(keys(connection)),
        ledgers=tuple(ledgers(connection)),
        forecasts=tuple(forecasts(connection)),
        runs=tuple(_newest_samples(connection)),
        outages=tuple(_newest_outages(connection)),
        alerts=tuple(alerts(connection, only_open=True, limit=None)),
        notifications=tuple(pending),
        events=tuple(events_by_id(connection, told)),
        silences=tuple(_silences_not_ended(connection)),
        acks=tuple(_acks_of_open_alerts(connection)),
        renewals=tuple(
            codec.RENEWAL.of(row) for row in connection.execute(select(schema.renewals))
        ),
        recent=tuple(_recent_events(connection)),
        silenced_ends=tuple(kept),
        withheld=tuple(_withheld(connection)),
        handed=tuple(_handed(connection, ending)),
        last_alert_id=connection.scalar(select(func.max(schema.alerts.c.id))) or 0,
        last_event_id=connection.scalar(select(func.max(schema.events.c.id))) or 0,
        last_notification_id=max(
            connection.scalar(select(func.max(schema.notifications.c.id))) or 0, 0
        ),
    )


def _silenced_ends(connection: Connection) -> list[tuple[Alert, Event]]:
    """Told alerts whose end a silence kept back, and still does; oldest first."""
    event, alert, kept = schema.events, schema.alerts, schema.suppressions.c
    statement = (
        select(event)
        .join(schema.suppressions, kept.event_id == event.c.id)
        .join(alert, alert.c.id == event.c.alert_id)
        .where(
            kept.channel == "",
            kept.reason == Suppression.SILENCED,
            event.c.change == Change.RESOLVED,
            event.c.told.is_(False),
            event.c.why != Why.SILENCE_OVER,
            alert.c.severities != "",
        )
    )
    ends = [codec.event_of(row) for row in connection.execute(statement.order_by(event.c.id))]
    rows = _having(connection, select(alert), alert.c.id, [end.alert_id for end in ends])
    ended = {row.id: codec.alert_of(row) for row in rows}
    return [(ended[end.alert_id], end) for end in ends]


def _withheld(connection: Connection) -> list[int]:
    """Open alerts that were silenced while a message of them waited, after they were told last."""
    event, alert, kept = schema.events.c, schema.alerts.c, schema.suppressions.c
    statement = (
        select(alert.id)
        .join(schema.events, event.alert_id == alert.id)
        .join(schema.suppressions, kept.event_id == event.id)
        .where(
            alert.resolved_at.is_(None),
            kept.reason == Suppression.SILENCED,
            kept.channel != "",
            kept.at >= alert.told_at,
        )
    )
    return sorted(set(connection.scalars(statement)))


def _handed(connection: Connection, ending: set[int]) -> list[tuple[str, int]]:
    """By channel, the alerts that its fallback was told of: open ones, and those of *ending*."""
    sent, link, event = schema.notifications.c, schema.notification_events.c, schema.events.c
    statement = (
        select(sent.channel, event.alert_id, schema.alerts.c.resolved_at)
        .join(schema.notification_events, link.notification_id == sent.id)
        .join(schema.events, event.id == link.event_id)
        .join(schema.alerts, schema.alerts.c.id == event.alert_id)
        .where(sent.handed_to != "")
    )
    rows = connection.execute(statement)
    return sorted(
        {(r.channel, r.alert_id) for r in rows if not r.resolved_at or r.alert_id in ending}
    )


RECENT = timedelta(hours=2)
"""What may still count as flapping, with room for a clock that was set."""


def _recent_events(connection: Connection) -> list[Event]:
    """The changes of the alerts that opened last, as far as they lie close together."""
    table = schema.alerts
    newest = connection.scalar(select(func.max(table.c.opened_at)))
    if newest is None:
        return []
    recent = select(table.c.id).where(table.c.opened_at >= newest - RECENT)
    return events(connection, connection.scalars(recent).all())


def keys(connection: Connection) -> list[StoredKey]:
    """All keys ever seen, by name; meters in the order in which they were first seen."""
    meters: dict[str, list[tuple[MeterReading, datetime]]] = defaultdict(list)
    troubles: dict[str, list[MeterTrouble]] = defaultdict(list)
    table = schema.meters
    known = select(table).where(or_(table.c.at.is_not(None), table.c.reason.is_not(None)))
    for row in connection.execute(known.order_by(table.c.id)):
        if row.at is not None:
            meters[row.key].append((codec.reading_of(row), row.at))
        if row.reason is not None:
            troubles[row.key].append(codec.trouble_of(row))
    found = connection.execute(select(schema.keys))
    stored = [
        codec.key_of(row, tuple(meters.get(row.name, ())), tuple(troubles.get(row.name, ())))
        for row in found
    ]
    return sorted(stored, key=lambda key: key.name)


def ledgers(connection: Connection) -> list[StoredLedger]:
    """All ledgers, by subject and meter."""
    table = schema.ledgers
    statement = select(table).order_by(table.c.subject_id, table.c.meter)
    return [codec.ledger_of(row) for row in connection.execute(statement)]


def forecasts(connection: Connection) -> list[StoredForecast]:
    """All that was learned of consumption, by subject and meter; what cannot be read is left out:
    it is learned anew.
    """
    table = schema.forecasts
    statement = select(table).order_by(table.c.subject_id, table.c.meter)
    found = (codec.forecast_of(row) for row in connection.execute(statement))
    return [stored for stored in found if stored is not None]


_samples = select(schema.samples, schema.meters.c.key, schema.meters.c.name).join(
    schema.meters, schema.meters.c.id == schema.samples.c.meter
)


def samples(
    connection: Connection, key: str, meter: str | None, since: datetime, until: datetime
) -> list[Sample]:
    """Samples of one meter, or all of a key, that overlap [since, until], oldest first."""
    numbers = select(schema.meters.c.id).where(schema.meters.c.key == key)
    if meter is not None:
        numbers = numbers.where(schema.meters.c.name == meter)
    found = [
        codec.sample_of(row)
        for number in connection.scalars(numbers).all()
        for row in _overlapping(connection, number, since, until)
    ]
    return sorted(found, key=lambda sample: (sample.at, sample.meter))


def _overlapping(
    connection: Connection, number: int, since: datetime, until: datetime
) -> Iterator[Row[Any]]:
    """The runs of one meter: those that begin in time, and the one that was running before."""
    table = schema.samples.c
    of_meter = _samples.where(table.meter == number)
    before = of_meter.where(table.at < since).order_by(table.at.desc()).limit(1)
    yield from (r for r in connection.execute(before) if r.at + r.lasted >= since)
    yield from connection.execute(
        of_meter.where(table.at >= since, table.at <= until).order_by(table.at)
    )


def _newest_samples(connection: Connection) -> list[Sample]:
    other = schema.samples.alias()
    newest = select(func.max(other.c.at)).where(other.c.meter == schema.meters.c.id)
    statement = _samples.where(schema.samples.c.at == newest.scalar_subquery())
    return [
        codec.sample_of(row) for row in connection.execute(statement.order_by(schema.meters.c.id))
    ]


def outages(connection: Connection, key: str, since: datetime, until: datetime) -> list[Outage]:
    """Outages of a key that overlap [since, until], oldest first."""
    table = schema.outages.c
    statement = select(schema.outages).where(
        table.key == key, table.at <= until, table.until >= since
    )
    return [codec.OUTAGE.of(row) for row in connection.execute(statement.order_by(table.at))]


def _newest_outages(connection: Connection) -> list[Outage]:
    table = schema.outages
    newest = select(table.c.key, func.max(table.c.at).label("at")).group_by(table.c.key).subquery()
    statement = select(table).join(
        newest, and_(newest.c.key == table.c.key, newest.c.at == table.c.at)
    )
    return [codec.OUTAGE.of(row) for row in connection.execute(statement.order_by(table.c.key))]


def alerts(connection: Connection, *, only_open: bool, limit: int | None) -> list[Alert]:
    """Alerts, newest first."""
    table = schema.alerts
    statement = select(table).order_by(table.c.id.desc()).limit(limit)
    if only_open:
        statement = statement.where(table.c.resolved_at.is_(None))
    return [codec.alert_of(row) for row in connection.execute(statement)]


def events(connection: Connection, alert_ids: Sequence[int]) -> list[Event]:
    """The recorded changes of these alerts, oldest first."""
    rows = _having(connection, select(schema.events), schema.events.c.alert_id, alert_ids)
    return sorted((codec.event_of(row) for row in rows), key=lambda event: event.id)


def events_by_id(connection: Connection, event_ids: Sequence[int]) -> list[Event]:
    """Events by identity, oldest first."""
    rows = _having(connection, select(schema.events), schema.events.c.id, event_ids)
    return sorted((codec.event_of(row) for row in rows), key=lambda event: event.id)


def notifications(
    connection: Connection, states: Sequence[NotificationState], limit: int | None
) -> list[Notification]:
    """Notifications in these states (all when empty), newest first."""
    table = schema.notifications
    newest_first = table.c.created_at.desc(), table.c.id.desc()
    statement = select(table).order_by(*newest_first).limit(limit)
    if states:
        statement = statement.where(table.c.state.in_(states))
    return with_events(connection, connection.execute(statement).all())


def notifications_of(connection: Connection, event_ids: Sequence[int]) -> list[Notification]:
    """The notifications that tell any of these events, oldest first."""
    links, table = schema.notification_events, schema.notifications
    telling = _having(connection, select(links.c.notification_id), links.c.event_id, event_ids)
    ids = sorted({row.notification_id for row in telling})
    rows = list(_having(connection, select(table), table.c.id, ids))
    return sorted(with_events(connection, rows), key=lambda notification: notification.id)


def count_notifications(connection: Connection) -> dict[NotificationState, int]:
    """How many notifications are in each state; every state is in the answer."""
    state = schema.notifications.c.state
    rows = connection.execute(select(state, func.count()).group_by(state))
    return dict.fromkeys(NotificationState, 0) | dict(rows.all())


def with_events(connection: Connection, rows: Sequence[Row[Any]]) -> list[Notification]:
    """The notifications of *rows*, each with what it tells."""
    ids = [row.id for row in rows]
    told, bodies = _links(connection, ids), _bodies(connection, ids)
    return [codec.notification_of(row, tuple(told[row.id]), bodies.get(row.id, "")) for row in rows]


def _bodies(connection: Connection, notification_ids: Sequence[int]) -> dict[int, str]:
    table = schema.notification_bodies
    rows = _having(connection, select(table), table.c.notification_id, notification_ids)
    return {row.notification_id: row.body for row in rows}


def _links(connection: Connection, notification_ids: Sequence[int]) -> dict[int, list[int]]:
    table = schema.notification_events.c
    statement = select(schema.notification_events).order_by(table.notification_id, table.position)
    told: dict[int, list[int]] = defaultdict(list)
    for row in _having(connection, statement, table.notification_id, notification_ids):
        told[row.notification_id].append(row.event_id)
    return told


def attempts(connection: Connection, notification_ids: Sequence[int]) -> list[Attempt]:
    """The tries of these notifications, oldest first."""
    table = schema.attempts
    rows = _having(connection, select(table), table.c.notification_id, notification_ids)
    found = [codec.ATTEMPT.of(row) for row in rows]
    return sorted(found, key=lambda a: (a.at, a.notification_id, a.number))


def silences(
    connection: Connection, active_at: datetime | None, limit: int | None
) -> list[Silence]:
    """Silences, newest first; only those that hold at *active_at* unless it is None."""
    table = schema.silences.c
    statement = select(schema.silences).order_by(table.id.desc()).limit(limit)
    if active_at is not None:
        statement = statement.where(table.ended_at.is_(None), table.until > active_at)
    return [codec.SILENCE.of(row) for row in connection.execute(statement)]


def _silences_not_ended(connection: Connection) -> list[Silence]:
    table = schema.silences.c
    statement = select(schema.silences).where(table.ended_at.is_(None)).order_by(table.id.desc())
    return [codec.SILENCE.of(row) for row in connection.execute(statement)]


def acks(connection: Connection, alert_ids: Sequence[int]) -> list[Ack]:
    """The acknowledgements of these alerts, by alert."""
    rows = _having(connection, select(schema.acks), schema.acks.c.alert_id, alert_ids)
    return sorted((codec.ACK.of(row) for row in rows), key=lambda ack: ack.alert_id)


def _acks_of_open_alerts(connection: Connection) -> list[Ack]:
    table, alert = schema.acks, schema.alerts.c
    statement = (
        select(table)
        .join(schema.alerts, alert.id == table.c.alert_id)
        .where(alert.resolved_at.is_(None))
        .order_by(table.c.alert_id)
    )
    return [codec.ACK.of(row) for row in connection.execute(statement)]


def suppressed(connection: Connection, event_ids: Sequence[int]) -> list[Suppressed]:
    """What channels were not told of these events, by event, time and channel."""
    table = schema.suppressions
    rows = _having(connection, select(table), table.c.event_id, event_ids)
    found = [codec.SUPPRESSED.of(row) for row in rows]
    return sorted(found, key=lambda s: (s.event_id, s.at, s.channel, s.reason))


def _having(
    connection: Connection, statement: Select[Any], column: Column[Any], values: Sequence[int]
) -> Iterator[Row[Any]]:
    """The rows whose *column* has one of *values*, which may be more than a statement takes."""
    for start in range(0, len(values), VALUES_PER_STATEMENT):
        part = values[start : start + VALUES_PER_STATEMENT]
        yield from connection.execute(statement.where(one_of(column, part)))


def configuration(connection: Connection) -> StoredConfiguration | None:
    """What the daemon that ran last read; None before the first."""
    row = connection.execute(select(schema.configuration)).first()
    return None if row is None else codec.configuration_of(row)
