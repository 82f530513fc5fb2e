"""What is only shown is not replayed as a balance: no rule has ever judged it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from support import recorded

from monitor.core.model import Kind
from monitor.replay.history import recorded as recorded_polls
from monitor.store.base import Changes, Store
from monitor.world import WatchedKey

TOOLS = WatchedKey(name="tools", provider="useapi", interval=timedelta(minutes=5))


def test_tickets_and_balances_entered_by_hand_are_no_polls(store: Store) -> None:
    points = recorded.reading("5600", "kling:anna")
    tickets = replace(recorded.reading("0", "kling:anna/tickets"), kind=Kind.COUNT)
    entered = replace(recorded.reading("5000", "manual"), kind=Kind.MANUAL)
    samples = [
        recorded.sample(str(each.balance), key="tools", meter=each.meter)
        for each in (points, tickets, entered)
    ]
    store.write([Changes(keys=[recorded.key("tools", points, tickets, entered)], samples=samples)])
    day = timedelta(days=1)
    found = recorded_polls(store, [TOOLS], recorded.NOW - day, recorded.NOW + day)
    assert {seen.meter for seen in found} == {"kling:anna"}
