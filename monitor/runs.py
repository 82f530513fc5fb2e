"""Runs of equal balances, and how often what stays as it is gets written."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.core.model import MeterReading, Sample
from monitor.store.base import Changes
from monitor.world import LiveKey, LiveMeter

SAVE_EVERY = timedelta(minutes=1)
"""Times alone (a key that goes on answering the same) are written at most this often; what a
``kill -9`` can lose is the last minute of "still the same", never a change."""

RUN_GAP_INTERVALS = 3
"""Equal balances belong to one run while no more than this many intervals lie between them."""


def sample(key: str, reading: MeterReading, at: datetime, until: datetime) -> Sample:
    """The run of *reading*'s balance from *at* to *until*."""
    return Sample(key=key, meter=reading.meter, at=at, until=until, balance=reading.balance)


def extend(
    live: LiveKey,
    meter: LiveMeter,
    reading: MeterReading,
    at: datetime,
    changes: Changes,
    *,
    unbroken: bool,
) -> None:
    """Lengthen the run of equal balances, or begin a new one; an outage ends a run."""
    run = meter.run
    gap = RUN_GAP_INTERVALS * live.watched.interval
    if run and unbroken and run.balance == reading.balance and within(run.until, at, gap):
        meter.run = sample(live.watched.name, reading, run.at, at)
        if within(live.saved_at, at, SAVE_EVERY):
            return
    else:
        if run and run.until > (live.saved_at or run.at):
            changes.samples.append(run)
        meter.run = sample(live.watched.name, reading, at, at)
    changes.samples.append(meter.run)


def within(since: datetime | None, now: datetime, span: timedelta) -> bool:
    """Whether *since* lies less than *span* back; the future (a clock set back) does not."""
    return since is not None and timedelta(0) <= now - since < span
