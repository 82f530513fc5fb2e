"""The present, from the daemon's memory: newer than what is recorded, and there without a store.

Everything here may run in any thread: each value of the world is replaced whole, and copies of its
collections are made in one step of the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.core.model import Severity
from monitor.core.notifications import NotificationState
from monitor.core.projection import Projection
from monitor.overviews import Overview, Present, assemble, is_current, silenced, subjects
from monitor.store.base import StoredKey, StoredLedger
from monitor.world import LiveKey, World

NO_NOTIFICATIONS: Mapping[NotificationState, int] = dict.fromkeys(NotificationState, 0)

_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 3}
_FAILING, _FINE = 2, 4


def trouble_first(world: World) -> list[LiveKey]:
    """All watched keys: by their worst open alert, then failing ones, then by name."""
    worst: dict[str, int] = {}
    for alert in list(world.alerts.values()):
        rank = _ORDER[alert.severity]
        worst[alert.subject.id] = min(rank, worst.get(alert.subject.id, rank))

    def place(live: LiveKey) -> tuple[int, str]:
        state = live.state
        is_fine = state.last_poll_at is not None and state.reason is None
        rank = _FINE if is_fine else _FAILING
        if worst:
            ranks = [worst[i] for i in subjects(live.watched) if i in worst]
            rank = min(ranks, default=rank)
        return (rank, live.watched.name)

    return sorted(world.keys.values(), key=place)


def overview(
    world: World,
    shown: Sequence[LiveKey],
    now: datetime,
    notifications: Mapping[NotificationState, int] = NO_NOTIFICATIONS,
) -> Overview:
    """The keys *shown*, all open alerts, and whether any watched key is being polled."""
    present = Present(
        keys=[_stored(live) for live in shown],
        ledgers=[ledger for live in shown for ledger in _ledgers(world, live)],
        projections=_projections(world, shown),
        open_alerts=sorted(world.alerts.values(), key=lambda alert: alert.id, reverse=True),
        acks=list(world.acks.values()),
        silences=[silence for silence in world.silences if silence.active(now)],
    )
    some = assemble(present, notifications, now, [live.watched for live in shown])
    polls = [
        (live.state.last_poll_at, live.watched.interval)
        for live in list(world.keys.values())
        if live.state.last_poll_at is not None
    ]
    return replace(
        some,
        silenced=silenced(present, [live.watched for live in list(world.keys.values())], now)
        if present.silences
        else {},
        polling=any(is_current(at, now, interval) for at, interval in polls),
        last_poll_at=max((at for at, _ in polls), default=None),
    )


def _stored(live: LiveKey) -> StoredKey:
    return StoredKey(
        name=live.watched.name,
        provider=live.watched.provider,
        account=live.watched.account,
        state=live.state,
        meters=tuple((meter.reading, meter.at) for meter in list(live.meters.values())),
        troubles=tuple(live.troubles.values()),
    )


def _projections(world: World, shown: Sequence[LiveKey]) -> Mapping[tuple[str, str], Projection]:
    slots = ((k.watched.balance_subject.id, meter) for k in shown for meter in list(k.meters))
    found = ((slot, world.projections.get(slot)) for slot in slots)
    return {slot: made for slot, made in found if made is not None}


def _ledgers(world: World, live: LiveKey) -> list[StoredLedger]:
    subject_id = live.watched.balance_subject.id
    found = ((meter, world.ledger(live.watched, meter)) for meter in list(live.meters))
    return [
        StoredLedger(subject_id=subject_id, meter=meter, state=state)
        for meter, state in found
        if state is not None
    ]
