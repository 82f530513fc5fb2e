"""Size of a year in the SQLite store, and what a poll costs to write.

The worst case: every poll of every minute finds another balance.  Days are written one after the
other and thinned as the daemon does it; bytes are pages in use, free ones left out.  The size is
measured with few keys and multiplied: a meter's samples lie together whatever the number of keys.
``--days 365`` measures the whole year (with 20 keys: about ten minutes).
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from monitor.core.ledger import LedgerState, advance, open_ledger
from monitor.core.model import KeyState, MeterReading, Sample
from monitor.store import open_store
from monitor.store.base import Changes, Retention, Store, StoredKey, StoredLedger

START = datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MINUTES_PER_DAY = 1440
YEAR_DAYS, YEAR_KEYS = 365, 1000
GIB = 1024**3
RETENTION = Retention()
TOP_UP_EVERY = 5 * MINUTES_PER_DAY
POLLS_PER_BATCH = 80


@dataclass(frozen=True)
class Size:
    """Rows of samples and bytes in use at the end of a day."""

    day: int
    rows: int
    used: int


def balance(number: int) -> Decimal:
    """Falls with every poll, and is paid up every five days."""
    return Decimal(19_999_99 - 137 * (number % TOP_UP_EVERY)) / 100


def polls(day: int, keys: int) -> Iterator[Changes]:
    """A day of samples, an hour in each transaction, in the order in which they are polled."""
    for hour in range(24):
        first = day * MINUTES_PER_DAY + hour * 60
        yield Changes(
            samples=[
                Sample(key=f"key-{key:04}", meter="balance", at=at, until=at, balance=balance(n))
                for n in range(first, first + 60)
                for key in range(keys)
                for at in [START + n * MINUTE + key * timedelta(microseconds=6_007)]
            ]
        )


def size(path: Path, day: int) -> Size:
    """What the store holds, as another process sees it."""
    with sqlite3.connect(path) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        (rows,) = connection.execute("SELECT count(*) FROM samples").fetchone()
    connection.close()
    return Size(day, rows, (pages - free) * page)


def live(store: Store, path: Path, days: int, keys: int) -> Iterator[Size]:
    """Write and thin day by day; yields the size of every day."""
    longest = 0.0
    for day in range(days):
        for changes in polls(day, keys):
            store.write([changes])
        while True:
            begun = time.perf_counter()
            dropped = store.thin(START + (day + 1) * DAY, RETENTION)
            longest = max(longest, time.perf_counter() - begun)
            if not dropped:
                break
        yield size(path, day + 1)
    print(f"longest call of thin(): {longest * 1000:.0f} ms")


def measure_size(days: int, keys: int) -> None:
    """Print bytes per row, full and thinned, and what they make of a year of 1,000 keys."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        store = open_store(f"sqlite://{path}", lock=True)
        sizes = list(live(store, path, days, keys))
        store.close()
    full = sizes[RETENTION.samples.days - 1]
    older, newest = sizes[-1 - (days - RETENTION.samples.days) // 2], sizes[-1]
    per_full = full.used / full.rows
    thinned_rows = newest.rows - older.rows
    per_thinned = (newest.used - older.used) / thinned_rows
    per_key_day = thinned_rows / (newest.day - older.day) / keys
    print(f"{keys} keys, {days} days of one poll a minute, every poll another balance")
    print(f"a full sample             {per_full:8.1f} bytes")
    print(f"a thinned sample          {per_thinned:8.1f} bytes")
    print(f"thinned samples           {per_key_day:8.1f} a day and key (of {MINUTES_PER_DAY})")
    print(f"measured in all           {newest.used / 1024**2:8.1f} MiB, {newest.rows:,} rows")
    full_rows = YEAR_KEYS * MINUTES_PER_DAY * (RETENTION.samples.days + 1)
    year_rows = YEAR_KEYS * per_key_day * (YEAR_DAYS - RETENTION.samples.days - 1)
    total = full_rows * per_full + year_rows * per_thinned
    print(
        f"a year of {YEAR_KEYS:,} keys       {full_rows:,} full + {year_rows:,.0f} thinned"
        f" = {total / GIB:.2f} GiB"
    )


def measure_writing(keys: int, rounds: int) -> None:
    """Print the CPU time of a poll whose key, ledger and sample are written."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite://{folder}/store.db", lock=True)
        ledgers = {key: open_ledger(START, Decimal(20_000), "credits") for key in range(keys)}
        cpu = 0.0
        for number in range(rounds):
            for first in range(0, keys, POLLS_PER_BATCH):
                batch = [
                    _poll(key, number, ledgers)
                    for key in range(first, min(keys, first + POLLS_PER_BATCH))
                ]
                begun = time.process_time()
                store.write(batch)
                cpu += time.process_time() - begun
        store.close()
    cost = cpu / rounds / keys * 1e6
    print(f"a written poll, {keys:6,} keys   {cost:6.1f} us of CPU")


def _poll(key: int, number: int, ledgers: dict[int, LedgerState]) -> Changes:
    at = START + timedelta(minutes=number, microseconds=key)
    ledgers[key], _ = advance(ledgers[key], at, ledgers[key].balance - Decimal("0.37"))
    amount, name = ledgers[key].balance, f"key-{key:05}"
    state = KeyState(key=name, last_poll_at=at, last_success_at=at)
    reading = MeterReading(unit="credits", balance=amount)
    return Changes(
        keys=[StoredKey(name=name, provider="kie", state=state, meters=((reading, at),))],
        samples=[Sample(key=name, meter="balance", at=at, until=at, balance=amount)],
        ledgers=[StoredLedger(subject_id=f"key:{name}", meter="balance", state=ledgers[key])],
    )


def main() -> None:
    """Measure size, then cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=20)
    parser.add_argument("--days", type=int, default=45, help="at least 20")
    options = parser.parse_args()
    if options.days <= RETENTION.samples.days + 5:
        sys.exit("--days must be at least 20, or nothing is thinned")
    measure_size(options.days, options.keys)
    for keys in (1_000, 10_000):
        measure_writing(keys, 10)


if __name__ == "__main__":
    main()
