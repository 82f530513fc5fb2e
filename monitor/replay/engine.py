"""The daemon's pipeline over the past: one small world for each balance, and its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from monitor.announcer import Announcer
from monitor.core.events import Change, Event
from monitor.core.forecast import Forecast, forecast
from monitor.core.model import (
    Failure,
    MeterFailure,
    MeterReading,
    Observation,
    Reading,
    Reason,
    Severity,
)
from monitor.pipeline import Pipeline
from monitor.store.base import Snapshot
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, World, restore

SWEEP_EVERY = timedelta(minutes=1)
"""How often time alone is looked at, at least, while polls come."""

CALM_AFTER = timedelta(hours=2)
"""Without an alert or a failed poll for so long, time alone brings nothing about: what flapped has
settled."""

UNASKED_INTERVALS = 2
"""A key without polls for so many intervals is one that nobody asks, and so not silent."""

FORECAST_KEPT = 2 * 86400
"""Seconds after which a balance that nobody reads any more has no forecast."""


class Sighting(NamedTuple):
    """One poll of the past: a balance (None: no cap), or the reason why there was none."""

    at: datetime
    key: str
    meter: str
    balance: Decimal | None
    reason: Reason | None = None
    unit: str = ""


class ForecastLine(NamedTuple):
    """What was forecast for *key*'s meter at a moment, from the readings up to it.

    *reference* is the level that thresholds in percent refer to.
    """

    at: datetime
    key: str
    meter: str
    balance: Decimal
    forecast: Forecast
    reference: Decimal


class AlertLine(NamedTuple):
    """An alert is open at *severity*, or no longer; *event* has all that a message would say."""

    at: datetime
    key: str
    meter: str
    event: Event
    is_open: bool
    severity: Severity


Line = ForecastLine | AlertLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a replay is asked for: forecasts every so many seconds (0: none), alerts or not."""

    every: int = 3600
    alerts: bool = True


@dataclass(slots=True)
class _Meter:
    """A meter that has been read: whose forecast is due, and when next (Unix seconds)."""

    lane: _Lane
    key: str
    meter: str
    due: int
    read_at: float


class _Lane:
    """The keys of one balance, or any that belong together, in a world of their own."""

    def __init__(self, keys: Iterable[WatchedKey], policy: TellingPolicy, now: datetime) -> None:
        snapshot = Snapshot()
        self.world: World = restore(keys, snapshot)
        self.pipeline = Pipeline(self.world, Announcer(self.world, (), policy, snapshot), now)
        self.open: dict[int, tuple[str, tuple[Severity, ...]]] = {}
        """By alert: the key through which it was raised, and the severities it is open at."""
        self._silent_at: dict[str, datetime] = {}  # by failing key: when that is to be told
        self._swept_at = self._calm_from = now

    def observe(self, observation: Observation) -> Sequence[Event]:
        """The events of one poll, and of the time that has passed until then.

        A daemon looks every few seconds for what time alone brings about.  Here that is done when a
        silence is to be told, and otherwise with the polls.
        """
        at = observation.at
        events: list[Event] = []
        for due in sorted(due for due in self._silent_at.values() if due < at):
            events += self._sweep(due)
        events += self.pipeline.observe(observation).events
        self._note_silence(observation)
        if events or self._silent_at or self.world.alerts:
            self._calm_from = at + CALM_AFTER
        is_due = any(due <= at for due in self._silent_at.values())
        if is_due or (at < self._calm_from and at - self._swept_at >= SWEEP_EVERY):
            events += self._sweep(at)
        return events

    def _note_silence(self, observation: Observation) -> None:
        if not isinstance(observation, Failure):
            self._silent_at.pop(observation.key, None)
        elif observation.key not in self._silent_at:
            live = self.world.keys[observation.key]
            rule = live.watched.rules.silent
            since = live.state.failing_since or observation.at
            if rule is not None and since + rule.after >= observation.at:
                self._silent_at[observation.key] = since + rule.after

    def _sweep(self, now: datetime) -> Sequence[Event]:
        """What time has brought about; nobody asks a key of which there were no polls lately."""
        self._swept_at = now
        self._silent_at = {key: due for key, due in self._silent_at.items() if due > now}
        for live in self.world.keys.values():
            polled = live.state.last_poll_at
            if polled is None or now - polled > UNASKED_INTERVALS * live.watched.interval:
                live.since = now
        return self.pipeline.sweep(now).events


@dataclass(slots=True)
class Replay:
    """Feeds polls of the past to the pipeline, and says what it says.

    *watch* gives the keys that are watched together with the named one, itself included: those of
    an account, which are one balance, or all whose polls come in one order of time, so that the
    outage of a provider is told once.  *repeat* is as in :class:`~monitor.teller.TellingPolicy`.
    Polls of keys that are not watched together need no common order.  Forecasts are for whole
    multiples of ``wanted.every`` since 1970.
    """

    watch: Callable[[str], Sequence[WatchedKey]]
    wanted: Wanted
    repeat: Mapping[Severity, timedelta] = field(default_factory=dict)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _meters: dict[tuple[str, str], _Meter] = field(default_factory=dict)
    _now: float = 0.0
    _next_due: float = 0.0

    def feed(self, seen: Sighting, *beside: Sighting) -> Iterator[Line]:
        """All that follows from one poll, and the forecasts that became due before it.

        *beside* are the other meters that the same poll has read.
        """
        at = seen.at.timestamp()
        if self.wanted.every:
            yield from self._due_before((seen, *beside), at)
        lane = self._lane(seen)
        for event in lane.observe(_observation(seen, *beside)):
            if self.wanted.alerts:
                yield from _alert_lines(lane, seen, event)
        if self.wanted.every:
            for one in (seen, *beside):
                if one.reason is None:
                    yield from self._read(lane, one, at)

    def finish(self) -> Iterator[Line]:
        """The forecasts that are due until the last poll of all."""
        yield from self._all_forecasts(self._now)

    def _lane(self, seen: Sighting) -> _Lane:
        lane = self._lanes.get(seen.key)
        if lane is None:
            keys = self.watch(seen.key)
            policy = TellingPolicy(group_wait=timedelta(0), repeat=self.repeat)
            lane = _Lane(keys, policy, seen.at)
            for key in keys:
                self._lanes[key.name] = lane
        return lane

    # -- forecasts ------------------------------------------------------------------------------

    def _due_before(self, poll: Sequence[Sighting], at: float) -> Iterator[ForecastLine]:
        """What became due before *at*: of all meters where time moves on, else of these."""
        if at > self._now:
            self._now = at
            if at > self._next_due:
                yield from self._all_forecasts(at, inclusive=False)
                self._next_due = min((m.due for m in self._meters.values()), default=0)
        else:
            for seen in poll:
                meter = self._meters.get((seen.key, seen.meter))
                if meter is not None:
                    yield from self._forecasts(meter, at, inclusive=False)

    def _all_forecasts(self, until: float, *, inclusive: bool = True) -> list[ForecastLine]:
        """What is due of all meters, in the order of time."""
        found = [
            line
            for meter in self._meters.values()
            for line in self._forecasts(meter, until, inclusive=inclusive)
        ]
        return sorted(found, key=lambda line: line.at)

    def _read(self, lane: _Lane, seen: Sighting, at: float) -> Iterator[ForecastLine]:
        slot = (seen.key, seen.meter)
        meter = self._meters.get(slot)
        if meter is None:
            due = _first_due(at, self.wanted.every)
            meter = self._meters[slot] = _Meter(lane, *slot, due=due, read_at=at)
            self._next_due = min(self._next_due, due)
        meter.read_at = at
        yield from self._forecasts(meter, at)

    def _forecasts(
        self, meter: _Meter, until: float, *, inclusive: bool = True
    ) -> Iterator[ForecastLine]:
        while meter.due < until or (inclusive and meter.due == until):
            if meter.due - meter.read_at > FORECAST_KEPT:
                meter.due = max(_first_due(until, self.wanted.every), meter.due + self.wanted.every)
                continue
            line = _forecast(meter)
            meter.due += self.wanted.every
            if line is not None:
                yield line


def _alert_lines(lane: _Lane, seen: Sighting, event: Event) -> Iterator[AlertLine]:
    """What opens and what ends by *event*, severity by severity.

    An alert that gets worse is open at both severities; one that gets better ends at the worse
    one; an event without duration opens and ends.  That of an account keeps the key it came with,
    that of a provider has its name.
    """
    if event.change is Change.REMINDED:
        return
    subject = event.subject
    name = subject.key or (seen.key if subject.account else subject.label)
    key, was = lane.open.pop(event.alert_id, (name, ()))
    over = event.change in (Change.RESOLVED, Change.OCCURRED)
    now = event.severity
    if event.change is Change.OCCURRED:
        was = (now,)
        yield AlertLine(event.at, key, event.meter, event, is_open=True, severity=now)
    for severity in reversed(was):
        if over or severity.rank > now.rank:
            yield AlertLine(event.at, key, event.meter, event, is_open=False, severity=severity)
    if not over:
        kept = tuple(s for s in was if s.rank < now.rank)
        lane.open[event.alert_id] = (key, (*kept, now))
        yield AlertLine(event.at, key, event.meter, event, is_open=True, severity=now)


def _first_due(at: float, every: int) -> int:
    """The first multiple of *every* from *at* on."""
    return -int(-at // every) * every


def _observation(first: Sighting, *beside: Sighting) -> Observation:
    """The poll as the daemon saw it: failed where it read nothing."""
    if first.reason is not None and all(one.reason is not None for one in beside):
        return Failure(key=first.key, at=first.at, reason=first.reason)
    found: list[MeterReading | MeterFailure] = []
    for one in (first, *beside):
        if one.reason is not None:
            found.append(MeterFailure(meter=one.meter, reason=one.reason))
        else:
            found.append(MeterReading(meter=one.meter, unit=one.unit, balance=one.balance))
    return Reading.of(first.key, first.at, found)


def polls(seen: Iterable[Sighting]) -> Iterator[list[Sighting]]:
    """*seen*, which are in the order of time, as polls: the meters of a key at one moment."""
    for _, group in groupby(sorted(seen, key=_moment), key=_moment):
        poll: dict[str, Sighting] = {}
        for one in group:
            if one.meter in poll:  # twice at the same moment: the later one counts last
                yield list(poll.values())
                poll = {}
            poll[one.meter] = one
        yield list(poll.values())


def _moment(one: Sighting) -> tuple[datetime, str]:
    return one.at, one.key


def _forecast(meter: _Meter) -> ForecastLine | None:
    """What is forecast at ``due``; None for a meter without a cap, or that is forgotten."""
    world = meter.lane.world
    live = world.keys[meter.key]
    slot = (live.watched.balance_subject.id, meter.meter)
    known = live.meters.get(meter.meter)
    balance = known.reading.balance if known else None
    if balance is None:
        return None
    at = datetime.fromtimestamp(meter.due, UTC)
    made = forecast(world.forecasts.get(slot), at, float(balance))
    reference = world.ledgers[slot].reference
    return ForecastLine(at, meter.key, meter.meter, balance, made, reference)
