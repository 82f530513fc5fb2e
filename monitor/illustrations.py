"""Which charts go with a message: chosen from memory, filled from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from monitor.core.charts import Chart
from monitor.core.events import Event
from monitor.core.model import DEFAULT_METER, Sample, Severity, Subject
from monitor.core.projection import Outlook
from monitor.store.base import Store
from monitor.world import STALE_AFTER_INTERVALS, LiveKey, World

MOST_CHARTS = 3
"""So many charts go with one message; a phone shows no more without scrolling for long."""

SHOWN = timedelta(days=7)
"""How far a chart looks back, if there are readings for so long."""

_SHORTEST = timedelta(hours=1)
_GAP_SHARE = 50  # without a reading for this part of the chart, the line is broken off


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A chart without its samples; one of ``keys`` has them, since all read the same balance."""

    name: str
    unit: str
    meter: str
    keys: tuple[str, ...]
    interval: timedelta
    thresholds: tuple[tuple[Severity, Decimal], ...]
    ahead: Outlook


def sketches(events: Sequence[Event], world: World) -> list[Sketch]:
    """The charts that *events* ask for, worst first: one for each balance that they are about."""
    about: dict[tuple[Subject, str], Event] = {}
    for event in sorted(events, key=lambda e: -e.severity.rank):
        if event.meter and event.facts.balance is not None:
            about.setdefault((event.subject, event.meter), event)
    found = (_sketch(event, world) for event in about.values())
    return [sketch for sketch in found if sketch is not None][:MOST_CHARTS]


def read_charts(
    store: Store, wanted: Sequence[Sketch], now: datetime, timezone: tzinfo
) -> tuple[Chart, ...]:
    """*wanted* with their samples up to *now*; without those that have none.

    Raises :class:`~monitor.store.base.StoreError`.
    """
    return tuple(_charts(store, wanted, now, timezone))


def _sketch(event: Event, world: World) -> Sketch | None:
    keys = _keys(event.subject, world)
    if not keys:
        return None
    return Sketch(
        name=_name(event),
        unit=event.facts.unit,
        meter=event.meter,
        keys=tuple(key.watched.name for key in keys),
        interval=keys[0].watched.interval,
        thresholds=_thresholds(keys[0], event.meter, world),
        ahead=Outlook(
            runs_out_at=event.facts.runs_out_at,
            earliest=event.facts.earliest,
            latest=event.facts.latest,
        ),
    )


def _name(event: Event) -> str:
    named = event.meter not in ("", DEFAULT_METER)
    return f"{event.subject.label} ({event.meter})" if named else event.subject.label


def _keys(subject: Subject, world: World) -> list[LiveKey]:
    if subject.key:
        return [world.keys[subject.key]] if subject.key in world.keys else []
    return list(world.keys_of_account(subject))


def _thresholds(key: LiveKey, meter: str, world: World) -> tuple[tuple[Severity, Decimal], ...]:
    rule, ledger = key.watched.rules.low_balance, world.ledger(key.watched, meter)
    if rule is None or ledger is None:
        return ()
    return tuple((severity, amount) for severity, _, amount in rule.thresholds(ledger.reference))


def _charts(
    store: Store, wanted: Sequence[Sketch], now: datetime, timezone: tzinfo
) -> Iterator[Chart]:
    for sketch in wanted:
        samples = _samples(store, sketch, now)
        if not samples:
            continue
        since = min(max(samples[0].at, now - SHOWN), now - _SHORTEST)
        yield Chart(
            name=sketch.name,
            unit=sketch.unit,
            samples=samples,
            since=since,
            until=now,
            longest_gap=max(STALE_AFTER_INTERVALS * sketch.interval, (now - since) / _GAP_SHARE),
            thresholds=sketch.thresholds,
            timezone=timezone,
            ahead=sketch.ahead,
        )


def _samples(store: Store, sketch: Sketch, now: datetime) -> tuple[Sample, ...]:
    """The samples of the first key that has amounts."""
    for key in sketch.keys:
        samples = store.samples(key, sketch.meter, now - SHOWN, now)
        if any(sample.balance is not None for sample in samples):
            return tuple(samples)
    return ()
