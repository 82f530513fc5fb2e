"""A provider that hangs for an hour: when the outage is told, and when every key is read again.

Poller, rules and announcer as the daemon joins them, without HTTP and store, on an event loop whose
time passes only while nothing is left to do: an hour takes a minute.  ``without`` is the same with
a breaker that never holds a group.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import monitor.breaker
from benchmarks._process import percentile
from benchmarks._virtual_time import LoopClock, VirtualTimeLoop
from monitor.announcer import Announcer
from monitor.asking import PollJob
from monitor.core.events import Change
from monitor.core.model import MeterReading, Observation, Reading
from monitor.core.rules import Silent
from monitor.limits import Limit
from monitor.pipeline import Pipeline
from monitor.poller import Poller
from monitor.store.base import Changes, Snapshot
from monitor.teller import TellingPolicy
from monitor.timers import GRID
from monitor.world import WatchedKey, restore

TIMEOUT = 10.0
QUIET = 330.0
OUTAGE = 3600.0
AFTERWARDS = 900.0
SWEEP_EVERY = 5.0
ANSWERS_AFTER = 0.2
SCENARIOS = ((200, 300.0), (1_000, 60.0), (10_000, 300.0), (10_000, 30.0))
COLUMNS = (
    "keys",
    "shown as failing, median / last",
    "told after, messages",
    "asked per second",
    "in flight, most",
    "end told after, messages",
    "read again, median / last",
    "read per second, most",
)


class _GridTimers:
    """What the poller asks of :class:`monitor.timers.Timers`, on the time of the loop."""

    def when_due(
        self, _name: str, _due: Callable[[], float], run: Callable[[float], None]
    ) -> _GridTimers:
        self._run = run
        self._task = asyncio.create_task(self._tick())
        return self

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            line = math.floor(loop.time() / GRID + 0.5) * GRID
            self._run(line)
            await asyncio.sleep(line + GRID - loop.time())

    def hasten(self, _due: float) -> None:
        """Every line of the grid is looked at anyway."""

    def remove(self) -> None:
        self._task.cancel()


@dataclass(slots=True)
class Host:
    """Hangs from ``QUIET`` for ``OUTAGE`` seconds; what was asked then is never answered."""

    asked: int = 0
    most: int = 0
    hanging: int = 0
    limit_group: str = "host"

    async def poll(self, _http: Any) -> tuple[MeterReading, ...]:
        """A balance, or nothing at all."""
        now = asyncio.get_running_loop().time()
        if QUIET <= now < QUIET + OUTAGE:
            self.asked += 1
            self.hanging += 1
            self.most = max(self.most, self.hanging)
            try:
                await asyncio.Event().wait()
            finally:
                self.hanging -= 1
        await asyncio.sleep(ANSWERS_AFTER)
        return (MeterReading(unit="credits", balance=Decimal(100)),)


@dataclass(slots=True)
class Run:
    """What one run has shown; times are seconds of the loop."""

    host: Host = field(default_factory=Host)
    told: list[tuple[float, str, int]] = field(default_factory=list)
    shown: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    most_per_second: int = 0
    _second: tuple[int, int] = (0, 0)

    def polled(self, _provider: str, _outcome: str, _seconds: float, _lag: float) -> None:
        """Not of interest here."""

    def missed(self, _provider: str) -> None:
        """Not of interest here."""

    def note(self, seen: Observation, now: float, changes: Changes) -> None:
        """Keep what *seen* says of the host, and what was told because of it."""
        if isinstance(seen, Reading) and now >= QUIET + OUTAGE:
            self.back.setdefault(seen.key, now - QUIET - OUTAGE)
            second, count = self._second
            count = count + 1 if second == int(now) else 1
            self._second = (int(now), count)
            self.most_per_second = max(self.most_per_second, count)
        elif not isinstance(seen, Reading):
            self.shown.setdefault(seen.key, now - QUIET)
        self.tell(now, changes)

    def tell(self, now: float, changes: Changes) -> None:
        """Keep the alerts of the provider among *changes*."""
        for event in changes.events:
            if event.rule == Silent.name and event.told:
                self.told.append((now, event.change.value, len(event.facts.keys)))

    def row(self, keys: int, interval: float, name: str) -> str:
        """The row of the table."""
        fired = [at for at, change, _ in self.told if change == Change.FIRED]
        ended = [at for at, change, _ in self.told if change == Change.RESOLVED]
        back = list(self.back.values())
        named = max((count for _, _, count in self.told), default=0)
        return (
            f"| {keys:,} every {interval:g} s, {name} "
            f"| {percentile(list(self.shown.values()), 0.5):.0f} / {max(self.shown.values()):.0f} s"
            f" ({len(self.shown):,}) | {fired[0] - QUIET:.0f} s, {len(fired)} ({named:,} keys) "
            f"| {self.host.asked / OUTAGE:.1f} | {self.host.most} "
            f"| {ended[0] - QUIET - OUTAGE:.0f} s, {len(ended)} "
            f"| {percentile(back, 0.5):.0f} / {max(back):.0f} s ({len(back):,}) "
            f"| {self.most_per_second} |"
        )


async def measure(keys: int, interval: float) -> Run:
    """Quiet, the outage, and the time after it."""
    run, clock = Run(), LoopClock()
    every = timedelta(seconds=interval)
    names = [f"key-{number}" for number in range(keys)]
    snapshot = Snapshot()
    world = restore([WatchedKey(name=n, provider="kie", interval=every) for n in names], snapshot)
    policy = TellingPolicy(group_wait=timedelta(seconds=10))
    pipeline = Pipeline(world, Announcer(world, (), policy, snapshot), clock.now())

    def observe(seen: Observation) -> None:
        run.note(seen, clock.monotonic(), pipeline.observe(seen))

    poller = Poller(
        [
            PollJob(
                name=name,
                provider_name="kie",
                provider=run.host,
                interval=every,
                timeout=timedelta(seconds=TIMEOUT),
            )
            for name in names
        ],
        http=None,  # type: ignore[arg-type]  # nothing here sends a request
        observe=observe,
        listener=run,
        limits=lambda _group, _provider: Limit(),
        clock=clock,
        timers=_GridTimers(),  # type: ignore[arg-type]  # what the poller needs of it
        random=random.Random(7),
    )
    await poller.start()
    while clock.monotonic() < QUIET + OUTAGE + AFTERWARDS:
        await asyncio.sleep(SWEEP_EVERY)
        run.tell(clock.monotonic(), pipeline.sweep(clock.now()))
    await poller.stop(0)
    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, help="one scenario of so many keys instead of all")
    parser.add_argument("--interval", type=float, default=60.0, help="its seconds between polls")
    options = parser.parse_args()
    logging.disable()
    scenarios = SCENARIOS if options.keys is None else ((options.keys, options.interval),)
    print(f"| {' | '.join(COLUMNS)} |")
    print("| --- | --- | --- | ---: | ---: | --- | --- | ---: |")
    threshold = monitor.breaker.UNANSWERED
    for keys, interval in scenarios:
        for name, held_after in (("without", 10**9), ("with", threshold)):
            monitor.breaker.UNANSWERED = held_after
            with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
                run = runner.run(measure(keys, interval))
            print(run.row(keys, interval, name), flush=True)


if __name__ == "__main__":
    main()
