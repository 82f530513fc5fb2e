"""The daemon's pipeline over the past: one small world for each balance, and its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

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
from monitor.replay.lane import Lane
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey

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

    lane: Lane
    key: str
    meter: str
    due: int
    read_at: float


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
    _lanes: dict[str, Lane] = field(default_factory=dict)
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

    def _lane(self, seen: Sighting) -> Lane:
        lane = self._lanes.get(seen.key)
        if lane is None:
            keys = self.watch(seen.key)
            policy = TellingPolicy(group_wait=timedelta(0), repeat=self.repeat)
            lane = Lane(keys, policy, seen.at)
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

    def _read(self, lane: Lane, seen: Sighting, at: float) -> Iterator[ForecastLine]:
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


def _alert_lines(lane: Lane, seen: Sighting, event: Event) -> Iterator[AlertLine]:
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
    if not beside and first.reason is None:  # nearly always
        return Reading(key=first.key, at=first.at, meters=(_reading(first),))
    if all(one.reason is not None for one in (first, *beside)):
        return Failure(key=first.key, at=first.at, reason=first.reason or Reason.CONNECTION)
    found = (
        _reading(one) if one.reason is None else MeterFailure(meter=one.meter, reason=one.reason)
        for one in (first, *beside)
    )
    return Reading.of(first.key, first.at, found)


def _reading(seen: Sighting) -> MeterReading:
    return MeterReading(meter=seen.meter, unit=seen.unit, balance=seen.balance)


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
