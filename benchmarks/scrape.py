"""A scrape of /metrics: CPU, size, memory, and the longest piece nothing else can interrupt."""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import time
from datetime import timedelta
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.clock import Clock
from monitor.core.ledger import open_ledger
from monitor.core.model import KeyState, MeterReading
from monitor.metrics import Format, Metrics, Scrape
from monitor.metrics.families import STATES
from monitor.world import LiveKey, LiveMeter, WatchedKey, World

ROUNDS = 5


def world_of(count: int, clock: Clock) -> World:
    """*count* keys of one meter each, all read just now."""
    world, now = World(), clock.now()
    for number in range(count):
        watched = WatchedKey(
            name=f"customer-{number:05}", provider="kie", interval=timedelta(minutes=5)
        )
        state = KeyState(key=watched.name, last_poll_at=now, last_success_at=now)
        reading = MeterReading(unit="credits", balance=Decimal(number) / 4)
        meters = {"balance": LiveMeter(reading=reading, at=now)}
        world.keys[watched.name] = LiveKey(watched=watched, state=state, meters=meters)
        ledger = open_ledger(now, Decimal(number), "credits")
        world.ledgers[watched.balance_subject.id, "balance"] = ledger
    return world


class Library(Collector):
    """As many samples through prometheus_client's own objects, for comparison."""

    def __init__(self, count: int) -> None:
        self._names = [f"customer-{number:05}" for number in range(count)]

    def collect(self) -> list[Metric]:
        """Eight amounts per key, and its states."""
        names = ("key", "provider", "account", "meter", "unit")
        found: list[Metric] = []
        for number in range(8):
            family = GaugeMetricFamily(f"amount_{number}", "An amount.", labels=names)
            for key in self._names:
                family.add_metric((key, "kie", "", "balance", "credits"), 1.25)
            found.append(family)
        states = GaugeMetricFamily("state", "A state.", labels=(*names[:3], "state"))
        for key in self._names:
            for state in STATES:
                states.add_metric((key, "kie", "", state), 0)
        return [*found, states]


async def measure(scrape: Scrape) -> tuple[float, float, int, int]:
    """CPU seconds, the longest turn of the loop, bytes and lines of one scrape."""
    longest, size, lines = 0.0, 0, 0

    async def watch() -> None:
        nonlocal longest
        while True:
            started = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - started)

    watcher = asyncio.create_task(watch())
    started = time.thread_time()
    async for piece in scrape.stream(Format.OPENMETRICS):
        size += len(piece)
        lines += piece.count(b"\n")
    used = time.thread_time() - started
    watcher.cancel()
    return used, longest, size, lines


def memory() -> float:
    """Peak resident memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> None:
    """Print a row per number of keys, and what the library takes for the largest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[100, 1000, 10_000])
    options = parser.parse_args()
    print(
        "| keys | lines | MB of text | CPU s | longest piece ms | memory MB | more by scraping MB |"
    )
    print("|---|---|---|---|---|---|---|")
    for count in options.keys:
        clock = Clock()
        scrape = Scrape(Metrics("0"), world_of(count, clock), clock)
        gc.collect()
        before = memory()
        rounds = [await measure(scrape) for _ in range(ROUNDS)]
        cpu, longest = (
            sorted(values)[ROUNDS // 2] for values in list(zip(*rounds, strict=True))[:2]
        )
        _, _, size, lines = rounds[0]
        print(
            f"| {count} | {lines} | {size / 1e6:.1f} | {cpu:.3f} | {longest * 1000:.1f} | "
            f"{before:.0f} | {memory() - before:.0f} |"
        )
    registry = CollectorRegistry()
    registry.register(Library(options.keys[-1]))
    started = time.thread_time()
    generate_latest(registry)
    used = time.thread_time() - started
    print(
        f"\nprometheus_client, custom collector, {options.keys[-1]} keys: {used:.2f} s of CPU in "
        f"one piece, {memory():.0f} MB"
    )


if __name__ == "__main__":
    asyncio.run(main())
