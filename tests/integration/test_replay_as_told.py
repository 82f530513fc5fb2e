"""A replay of what was recorded says what the daemon said then.

Ten days of polls go through the daemon's pipeline into a real store, with sweeps as the daemon does
them; what the store has kept of them is replayed and held against what was told.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from monitor.announcer import Announcer
from monitor.core.events import Change, Event
from monitor.core.model import Failure, MeterReading, Observation, Reading, Reason
from monitor.pipeline import Pipeline
from monitor.replay import AlertLine, Replay, Wanted, polls, recorded
from monitor.store import open_store
from monitor.store.base import Snapshot, Store
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, restore

START = datetime(2026, 5, 4, tzinfo=UTC)
STEP = timedelta(minutes=5)
SWEEP = timedelta(seconds=15)
DAY = 288
DAYS = 10
SLACK = timedelta(minutes=10)
"""Equal balances are recorded as their first and last poll, so what time brings about may be a poll
or two off; what a poll brings about is exact."""

KEYS = [
    WatchedKey(name=name, provider=provider, account=account, interval=STEP)
    for name, provider, account in (
        ("studio", "kie", ""),
        ("relay-a", "kie", "relay"),
        ("relay-b", "kie", "relay"),
        ("render", "other", ""),
        ("tools", "other", ""),
    )
]


@dataclass
class Accounts:
    """What the providers would answer at each step, the same for every run."""

    rng: random.Random = field(default_factory=lambda: random.Random(6))
    studio: float = 20_000.0
    relay: float = 3_500.0
    render: float = 600.0
    tools: float = 90.0

    def use(self, step: int) -> None:
        """Five minutes of work: by day, around the clock, at random; a leak on the eighth day."""
        by_day = max(0.0, math.sin((step % DAY - 72) / DAY * 2 * math.pi))
        leak = 8.0 if 7 * DAY + 130 <= step < 7 * DAY + 154 else 1.0
        self.studio -= by_day * self.rng.uniform(20, 40) * leak
        self.relay -= 3.5 if step % 3 == 0 else 0.0
        self.render = max(self.render - self.rng.uniform(0.2, 0.5), 0.0)
        self.tools -= 0.02
        if self.studio < 900:
            self.studio += 20_000
        if step == 8 * DAY:
            self.render += 1_000

    def answer(self, key: str, step: int, at: datetime) -> Observation:
        reason = self._refused(key, step)
        if reason is not None:
            return Failure(key=key, at=at, reason=reason)
        name = key.partition("-")[0]
        amounts = {"balance": getattr(self, name)}
        if key == "tools":  # nobody has ever paid in the other currency
            amounts = {"USD": self.tools, "CNY": 0.0}
        read = (
            MeterReading(meter=meter, unit="credits", balance=Decimal(f"{amount:.2f}"))
            for meter, amount in amounts.items()
        )
        return Reading(key=key, at=at, meters=tuple(read))

    def _refused(self, key: str, step: int) -> Reason | None:
        kie = key == "studio" or key.startswith("relay")
        if kie and 3 * DAY + 120 <= step < 3 * DAY + 144:
            return Reason.SERVER_ERROR
        if key == "render" and 4 * DAY + 60 <= step < 4 * DAY + 68:
            return Reason.TIMEOUT
        if key == "studio" and 5 * DAY + 100 <= step < 5 * DAY + 112:
            return Reason.UNAUTHORIZED
        return Reason.TIMEOUT if self.rng.random() < 0.002 else None


def daemon(store: Store) -> list[Event]:
    """All events of ten days, recorded in *store*."""
    snapshot = Snapshot()
    world = restore(KEYS, snapshot)
    announcer = Announcer(world, (), TellingPolicy(group_wait=timedelta(seconds=10)), snapshot)
    pipeline = Pipeline(world, announcer, START)
    done = [pipeline.start(START)]
    swept = START
    for at, observation in observations():
        while swept + SWEEP <= at:
            swept += SWEEP
            done.append(pipeline.sweep(swept))
        done.append(pipeline.observe(observation))
    done.append(pipeline.finish())
    written = [changes for changes in done if changes]
    for begin in range(0, len(written), 1000):
        store.write(written[begin : begin + 1000])
    return [event for changes in done for event in changes.events]


def observations() -> Iterator[tuple[datetime, Observation]]:
    accounts, rng = Accounts(), random.Random(2)
    for step in range(DAYS * DAY):
        accounts.use(step)
        for place, key in enumerate(KEYS):
            late = timedelta(seconds=40 * place, milliseconds=rng.randrange(400))
            at = START + STEP * step + late
            yield at, accounts.answer(key.name, step, at)


def replayed(store: Store) -> list[Event]:
    replay = Replay(lambda _: KEYS, Wanted(every=0))
    seen = recorded(store, KEYS, START, START + timedelta(days=DAYS))
    found = {
        line.event.id: line.event
        for poll in polls(seen)
        for line in replay.feed(*poll)
        if isinstance(line, AlertLine)
    }
    return list(found.values())


def by_slot(events: Sequence[Event]) -> dict[tuple[str, str, str], list[Event]]:
    slots: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    for event in events:
        if event.change is not Change.REMINDED:
            slots[event.subject.label, event.meter, event.rule].append(event)
    return slots


def test_a_replay_of_what_was_recorded_says_what_the_daemon_said(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    try:
        then, now = by_slot(daemon(store)), by_slot(replayed(store))
    finally:
        store.close()
    assert {("provider kie", "", "silent"), ("render", "", "silent")} <= then.keys()
    assert {("studio", "", "rejected"), ("studio", "balance", "spike")} <= then.keys()
    assert {
        ("render", "balance", "exhausted"),
        ("account relay", "balance", "runway"),
    } <= then.keys()
    assert not any(meter == "CNY" for _, meter, _ in then)
    assert now.keys() == then.keys()
    for slot, told in then.items():
        again = now[slot]
        assert [(e.change, e.severity, e.told) for e in again] == [
            (e.change, e.severity, e.told) for e in told
        ], slot
        apart = [abs(a.at - b.at) for a, b in zip(told, again, strict=True)]
        assert max(apart) <= SLACK, slot
