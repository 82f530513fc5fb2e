"""The present, from the daemon's memory: newer than what is recorded, and there without a store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from monitor.core.model import NotificationState
from monitor.queries import Overview, Present, assemble
from monitor.store.base import StoredKey, StoredLedger
from monitor.world import LiveKey, WatchedKey, World

NO_NOTIFICATIONS: Mapping[NotificationState, int] = dict.fromkeys(NotificationState, 0)


def overview(
    world: World,
    now: datetime,
    notifications: Mapping[NotificationState, int] = NO_NOTIFICATIONS,
    *,
    only: WatchedKey | None = None,
) -> Overview:
    """All watched keys, or *only* one, as the daemon knows them.

    It may run in any thread: each value of the world is replaced whole, and the copies of its
    collections are made in one step of the interpreter.
    """
    live = [world.keys[only.name]] if only else list(world.keys.values())
    ledgers = list(world.ledgers.items())
    present = Present(
        keys=[_stored(key) for key in live],
        ledgers=[StoredLedger(subject_id=s, meter=m, state=state) for (s, m), state in ledgers],
        open_alerts=sorted(world.alerts.values(), key=lambda alert: alert.id, reverse=True),
    )
    return assemble(present, notifications, now, [key.watched for key in live])


def _stored(key: LiveKey) -> StoredKey:
    return StoredKey(
        name=key.watched.name,
        provider=key.watched.provider,
        account=key.watched.account,
        state=key.state,
        meters=tuple((meter.reading, meter.at) for meter in list(key.meters.values())),
    )
