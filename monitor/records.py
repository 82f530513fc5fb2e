"""What ``alerts``, ``notify list``, the pages and the JSON API show of alerts and deliveries.

Every function raises :class:`~monitor.store.base.StoreError` when the store does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.core.events import Ack, Alert, Event, Silence, Suppressed
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.silencing import NO_SILENCES, Silencing
from monitor.store.base import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One notification with every try to deliver it."""

    notification: Notification
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """One alert with all its changes and with the notifications that told them.

    ``ack`` is who has taken it on, None if nobody has; ``silence`` what keeps it quiet now;
    ``suppressed`` which channels were not told of which change, or later than others, and why.
    """

    alert: Alert
    ack: Ack | None
    silence: Silence | None
    events: tuple[Event, ...]
    deliveries: tuple[DeliveryRecord, ...]
    suppressed: tuple[Suppressed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRecord:
    """One notification with the events it tells and every try to deliver it."""

    notification: Notification
    events: tuple[Event, ...]
    attempts: tuple[Attempt, ...]


def alerts(
    store: Store,
    *,
    only_open: bool = False,
    limit: int = 100,
    silencing: Silencing = NO_SILENCES,
) -> tuple[AlertRecord, ...]:
    """The newest alerts, newest first, each with its changes, deliveries and suppressions."""
    found = store.alerts(only_open=only_open, limit=limit)
    alert_ids = [alert.id for alert in found]
    events = store.events(alert_ids)
    event_ids = [event.id for event in events]
    deliveries = _deliveries(store, store.notifications_of(event_ids))
    acks = {ack.alert_id: ack for ack in store.acks(alert_ids)}
    suppressed = store.suppressed(event_ids)
    return tuple(
        replace(
            _alert_record(alert, acks.get(alert.id), events, deliveries, suppressed),
            silence=silencing.of(alert),
        )
        for alert in found
    )


def _alert_record(
    alert: Alert,
    ack: Ack | None,
    events: Sequence[Event],
    deliveries: Sequence[DeliveryRecord],
    suppressed: Sequence[Suppressed],
) -> AlertRecord:
    own = tuple(event for event in events if event.alert_id == alert.id)
    ids = {event.id for event in own}
    return AlertRecord(
        alert=alert,
        ack=ack,
        silence=None,
        events=own,
        deliveries=tuple(d for d in deliveries if not ids.isdisjoint(d.notification.event_ids)),
        suppressed=tuple(s for s in suppressed if s.event_id in ids),
    )


def _deliveries(store: Store, notifications: Sequence[Notification]) -> tuple[DeliveryRecord, ...]:
    attempts = store.attempts([notification.id for notification in notifications])
    by_notification: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        by_notification.setdefault(attempt.notification_id, []).append(attempt)
    return tuple(
        DeliveryRecord(notification=n, attempts=tuple(by_notification.get(n.id, ())))
        for n in notifications
    )


def notifications(
    store: Store, *, states: Sequence[NotificationState] = (), limit: int = 100
) -> tuple[NotificationRecord, ...]:
    """The newest notifications in these states (all when empty), newest first."""
    found = store.notifications(states=states, limit=limit)
    wanted = sorted({event_id for n in found for event_id in n.event_ids})
    events = {event.id: event for event in store.events_by_id(wanted)}
    return tuple(
        NotificationRecord(
            notification=record.notification,
            events=tuple(events[i] for i in record.notification.event_ids if i in events),
            attempts=record.attempts,
        )
        for record in _deliveries(store, found)
    )
