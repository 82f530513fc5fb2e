"""What a meter's forecast remembers: the last hour in detail, four weeks hour by hour.

A state is never changed; ``advance`` gives a new one that shares what did not change.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field, replace

from monitor.core.forecast.marks import HOUR, consumed_since, first_mark, marked
from monitor.core.forecast.misses import HALF, Misses
from monitor.core.forecast.outlook import DAY, WEEK, WEEKS, Outlook, look_ahead
from monitor.core.forecast.peaks import Peaks, excess, latest_burn, no_peaks
from monitor.core.forecast.values import Step

MEMORY_HOURS = WEEKS * WEEK
"""How far back consumption is kept: four times every hour of the week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastState:
    """Opaque outside of this package; times are Unix seconds.

    ``hours`` are the net consumptions of whole hours beginning with hour number ``first_hour``, NaN
    where the meter was not watched; those before a change of level are scaled to the new one.
    ``partial`` is the consumption of the present hour, watched for ``watched`` seconds.
    ``outlook`` follows from ``hours`` and ``misses``, and is made when it is needed.
    """

    since: float
    at: float
    marks: array[float]
    first_hour: int
    hours: array[float]
    partial: float
    watched: float
    misses: Misses
    peaks: Peaks
    outlook: Outlook | None = field(default=None, repr=False, compare=False)

    @property
    def present_hour(self) -> int:
        """Number of the hour of the last reading, since 1970."""
        return self.first_hour + len(self.hours)

    def outlook_made(self) -> Outlook | None:
        """What is expected from the present hour on; None while no whole hour is known."""
        return self.outlook or look_ahead(self.hours, self.first_hour, self.misses.typical)


def advance(state: ForecastState | None, step: Step) -> ForecastState:
    """The state after *step*; without a state, a new one that begins with the step.

    Time between the last step and this one was not watched.  A clock set back brings no time, yet
    what it brings is consumed.
    """
    since, at = step.since.timestamp(), step.at.timestamp()
    if state is None:
        state = _begin(min(since, at))
    if since > state.at:
        state = _skip(state, since)
    state = _enter(state, max(at, state.at), step.consumed)
    if step.refunded:
        state = _give_back(state, step.refunded)
    return _learn(state)


def burn_since(state: ForecastState, begin: float) -> float:
    """Consumption from *begin* (Unix seconds) to the last reading; the last hour is kept."""
    return consumed_since(state.marks, begin)


def _begin(at: float) -> ForecastState:
    return ForecastState(
        since=at,
        at=at,
        marks=first_mark(at),
        first_hour=int(at // HOUR),
        hours=array("f"),
        partial=0.0,
        watched=0.0,
        misses=Misses(),
        peaks=no_peaks(at),
    )


def _skip(state: ForecastState, until: float) -> ForecastState:
    """Time goes on unwatched: nothing is known about it, which is not "nothing consumed"."""
    after = _close_hours(state, until, math.nan)
    return replace(after, at=until, marks=first_mark(until))


def _enter(state: ForecastState, at: float, consumed: float) -> ForecastState:
    """*consumed* since the last reading, spread evenly."""
    length = at - state.at
    marks = marked(state.marks, at, consumed)
    hour_end = (state.present_hour + 1) * HOUR
    if at < hour_end:
        partial, watched = state.partial + consumed, state.watched + length
        return replace(state, at=at, marks=marks, partial=partial, watched=watched)
    rate = consumed / length
    rest = hour_end - state.at
    filled = replace(state, partial=state.partial + rate * rest, watched=state.watched + rest)
    after = _close_hours(filled, at, rate * HOUR)
    begun = at % HOUR
    return replace(after, at=at, marks=marks, partial=rate * begun, watched=begun)


def _close_hours(state: ForecastState, until: float, per_hour: float) -> ForecastState:
    """Close the present hour and whole ones of *per_hour* after it, up to the hour of *until*."""
    count = int(until // HOUR) - state.present_hour
    if count <= 0:
        return state
    hours = state.hours[-MEMORY_HOURS:]
    # An hour that was watched in part stands for the whole of it, unless it was a mere corner.
    hours.append(state.partial * HOUR / state.watched if state.watched >= HOUR / 2 else math.nan)
    hours.extend([per_hour] * min(count - 1, MEMORY_HOURS))
    del hours[:-MEMORY_HOURS]
    first_hour = state.present_hour + count - len(hours)
    return replace(
        state, first_hour=first_hour, hours=hours, partial=0.0, watched=0.0, outlook=None
    )


def _give_back(state: ForecastState, amount: float) -> ForecastState:
    """Take a refund out of what was consumed last, so that the hours hold what it really cost."""
    taken = min(amount, state.partial)
    left, state = amount - taken, replace(state, partial=state.partial - taken)
    if left <= 0 or not state.hours:
        return state
    hours = state.hours[:]
    for index in range(len(hours) - 1, max(len(hours) - DAY, 0) - 1, -1):
        part = min(left, hours[index]) if hours[index] > 0 else 0.0
        hours[index] -= part
        left -= part
    return replace(state, hours=hours, outlook=None)


def _learn(state: ForecastState) -> ForecastState:
    """Compare what came with what was expected."""
    if state.misses.hour != state.present_hour:
        state = _check(state)
    outlook = state.outlook_made()
    if outlook is None:
        return state
    above = excess(latest_burn(state.marks), outlook)
    peaks = state.peaks.entered(state.at, above, state.misses.typical)
    if outlook is state.outlook and peaks is state.peaks:
        return state
    return replace(state, outlook=outlook, peaks=peaks)


def _check(state: ForecastState) -> ForecastState:
    """At the end of an hour: enter the misses, move the past to a new level, forecast anew."""
    before = state.misses.hour
    misses, shift = state.misses.checked(state.hours, state.present_hour)
    hours = state.hours
    if shift is not None:
        hours = hours[:]
        for index in range(min(shift.hour - state.first_hour, len(hours))):
            hours[index] *= shift.factor
    state = replace(state, hours=hours, misses=misses, outlook=None)
    outlook = state.outlook_made()
    if outlook is not None and before // HALF != state.present_hour // HALF:
        misses = misses.with_forecast(outlook, len(hours))
    return replace(state, misses=misses, outlook=outlook)
