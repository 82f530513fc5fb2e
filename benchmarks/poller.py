"""The poller alone: CPU per poll of schedule, limits and tasks, without HTTP, rules or store.

The provider answers from memory, at once or after 200 ms; what is measured is what the poller adds
to a poll.  The last table compares our rate limit with aiolimiter's, both in front of 10,000 keys.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from aiolimiter import AsyncLimiter

from benchmarks._process import MEASURED, percentile
from monitor.asking import PollJob
from monitor.clock import Clock
from monitor.core.model import MeterReading
from monitor.limits import Gate, Limit
from monitor.poller import Poller
from monitor.timers import Timers

ANSWER = (MeterReading(unit="credits", balance=Decimal("1234.5")),)
SCENARIOS = ((1_000, 10.0, 0.0), (1_000, 10.0, 0.2), (10_000, 30.0, 0.0), (10_000, 30.0, 0.2))


@dataclass(slots=True)
class Instant:
    """A provider without a network."""

    delay: float
    starts: list[float] = field(default_factory=list)
    limit_group: str = "instant"

    async def poll(self, _http: Any) -> tuple[MeterReading, ...]:
        """The same balance every time."""
        self.starts.append(time.monotonic())
        if self.delay:
            await asyncio.sleep(self.delay)
        return ANSWER


@dataclass(slots=True)
class Count:
    """Counts what the poller tells, and does nothing with it."""

    polls: int = 0
    misses: int = 0

    def polled(self, _provider: str, _outcome: str, _seconds: float, _lag: float) -> None:
        """One more poll."""
        self.polls += 1

    def missed(self, _provider: str) -> None:
        """One more missed time."""
        self.misses += 1


async def measure(keys: int, interval: float, delay: float) -> str:
    """One row of the table: two intervals after one to start."""
    providers = [Instant(delay) for _ in range(keys)]
    count, clock = Count(), Clock()
    timers = Timers(clock, failed=print)
    poller = Poller(
        [
            PollJob(
                name=f"key-{number}",
                provider_name="kie",
                provider=provider,
                interval=timedelta(seconds=interval),
                timeout=timedelta(seconds=10),
            )
            for number, provider in enumerate(providers)
        ],
        http=None,  # type: ignore[arg-type]  # nothing here sends a request
        observe=lambda _: None,
        listener=count,
        limits=lambda _group, _provider: Limit(),
        clock=clock,
        timers=timers,
        random=random.Random(),
    )
    began = time.process_time()
    timers.start()
    await poller.start()
    added = time.process_time() - began
    await asyncio.sleep(interval + 0.5)
    before, polls_before = time.process_time(), count.polls
    await asyncio.sleep(2 * interval)
    cpu, polls = time.process_time() - before, count.polls - polls_before
    await poller.stop(1)
    await timers.stop(1)
    gaps = [
        abs(after - before - interval)
        for provider in providers
        for before, after in pairwise(provider.starts)
    ]
    return (
        f"| {keys:,} every {interval:g} s, answers after {delay * 1000:.0f} ms "
        f"| {cpu / polls * 1e6:.0f} µs | {added * 1000:.0f} ms "
        f"| {percentile(gaps, 0.99) * 1000:.1f} ms | {count.misses} |"
    )


Contender = Callable[[int, float], Coroutine[Any, Any, None]]


async def with_gate(items: int, rate: float) -> None:
    """*items* through our gate, each freeing its place at once."""
    done, left = asyncio.Event(), items

    def launch(_item: int) -> None:
        nonlocal left
        left -= 1
        loop.call_soon(gate.release)
        if left == 0:
            done.set()

    loop = asyncio.get_running_loop()
    gate = Gate[int](rate=rate, concurrency=100, launch=launch)
    for item in range(items):
        gate.submit(item)
    await done.wait()


async def with_aiolimiter(items: int, rate: float) -> None:
    """The same by aiolimiter and a semaphore, with one task that starts what waits in order."""
    limiter, places = AsyncLimiter(max(1.0, rate / 10), max(1.0, rate / 10) / rate), 100
    semaphore, waiting = asyncio.Semaphore(places), deque(range(items))
    loop = asyncio.get_running_loop()
    while waiting:
        await semaphore.acquire()
        await limiter.acquire()
        waiting.popleft()
        loop.call_soon(semaphore.release)


async def with_a_task_per_key(items: int, rate: float) -> None:
    """The same with a task per waiting key."""
    limiter = AsyncLimiter(max(1.0, rate / 10), max(1.0, rate / 10) / rate)
    semaphore = asyncio.Semaphore(100)

    async def one() -> None:
        async with semaphore, limiter:
            pass

    async with asyncio.TaskGroup() as tasks:
        for _ in range(items):
            tasks.create_task(one())


CONTENDERS: dict[str, Contender] = {
    "our gate": with_gate,
    "aiolimiter, one task that starts the others": with_aiolimiter,
    "aiolimiter, a task per key": with_a_task_per_key,
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits-only", action="store_true", help="only the second table")
    options = parser.parse_args()
    os.sched_setaffinity(0, {MEASURED})
    if not options.limits_only:
        print("| keys | CPU per poll | to start | gap off, p99 | missed |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for scenario in SCENARIOS:
            print(asyncio.run(measure(*scenario)), flush=True)
        print()
    print("| 10,000 starts through a limit | CPU at 2,000 per second | CPU unlimited |")
    print("| --- | ---: | ---: |")
    for name, contender in CONTENDERS.items():
        cells = []
        for rate in (2_000.0, 1e7):
            began = time.process_time()
            asyncio.run(contender(10_000, rate))
            cells.append(f"{(time.process_time() - began) * 100:.1f} µs")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
