"""CPU per reading of ledger, forecast and rules, and how long a replay of a year takes.

A year of readings every 5 minutes of one key with a daily rhythm and top-ups goes through the same
pipeline that the daemon runs, once without and once with a forecast an hour.
"""

from __future__ import annotations

import argparse
import logging
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.replay import Replay, Sighting, Wanted
from monitor.world import WatchedKey

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
A_DAY = 288
FULL = 50_000.0


def readings(days: int) -> Iterator[Sighting]:
    """A balance that falls by some thousands a day and is topped up when little is left."""
    rng = random.Random(1)
    balance = FULL
    for number in range(days * A_DAY):
        rhythm = 1 + math.sin(2 * math.pi * number / A_DAY)
        balance -= max(0.0, rng.gauss(8, 6)) * rhythm
        if balance < FULL / 20:
            balance += FULL
        amount = Decimal(f"{balance:.2f}")
        yield Sighting(START + STEP * number, "studio", "balance", amount)


def measure(seen: list[Sighting], every: int) -> None:
    """Play them all and print what it took."""
    key = (WatchedKey(name="studio", provider="samples", interval=STEP),)
    replay = Replay(lambda _: key, Wanted(every=every))
    began, wall = time.process_time(), time.perf_counter()
    lines = sum(1 for one in seen for _ in replay.feed(one))
    cpu, passed = time.process_time() - began, time.perf_counter() - wall
    what = f"with a forecast every {every} s" if every else "alerts only"
    print(
        f"{what}: {len(seen):,} readings, {lines:,} lines, {passed:.1f} s, "
        f"{cpu / len(seen) * 1e6:.0f} us of CPU per reading"
    )


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foresight")
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    logging.getLogger("monitor").setLevel(logging.CRITICAL)
    seen = list(readings(options.days))
    measure(seen, 0)
    measure(seen, 3600)


if __name__ == "__main__":
    main()
