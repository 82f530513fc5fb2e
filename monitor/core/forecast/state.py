"""What a meter's forecast remembers: the last hour in detail, four weeks hour by hour.

A state is never changed; ``advance`` gives a new one that shares what did not change.  A step
without consumption only moves time on, so many of them in a row are the same as one.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace

from monitor.core.forecast.values import Step

HOUR = 3600.0
MEMORY_HOURS = 4 * 168
"""How far back consumption is kept: four times every hour of the week."""

RECENT = 1.25 * HOUR
"""How far back single steps are kept, for the burn of the last hour and of the last minutes."""

_SPACING = 120.0
"""Steps shorter than this are kept together, so that polls every 10 seconds cost no more."""

Marks = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastState:
    """Opaque outside of this package; times are Unix seconds.

    ``marks`` are (time, consumed since the mark before), oldest first.  ``hours`` are the net
    consumptions of whole hours beginning with hour number ``first_hour``, NaN where the meter was
    not watched; ``partial`` is that of the present hour, watched for ``watched`` seconds.
    """

    since: float
    at: float
    marks: Marks
    first_hour: int
    hours: array[float]
    partial: float
    watched: float


def advance(state: ForecastState | None, step: Step) -> ForecastState:
    """The state after *step*; without a state, a new one that begins with the step."""
    since, at = step.since.timestamp(), step.at.timestamp()
    if state is None:
        state = _begin(min(since, at))
    if since > state.at:
        state = _skip(state, since)
    at = max(at, state.at)  # a clock set back brings no time, yet what it brings is consumed
    state = _enter(state, at, step.consumed)
    return _give_back(state, step.refunded) if step.refunded else state


def _begin(at: float) -> ForecastState:
    return ForecastState(
        since=at,
        at=at,
        marks=((at, 0.0),),
        first_hour=int(at // HOUR),
        hours=array("f"),
        partial=0.0,
        watched=0.0,
    )


def _skip(state: ForecastState, until: float) -> ForecastState:
    """Time goes on unwatched: nothing is known about it, which is not "nothing consumed"."""
    after = _close_hours(state, until, math.nan)
    return replace(after, at=until, marks=((until, 0.0),))


def _enter(state: ForecastState, at: float, consumed: float) -> ForecastState:
    """*consumed* since the last reading, spread evenly."""
    length = at - state.at
    marks = _marked(state.marks, at, consumed)
    hour_end = (state.first_hour + len(state.hours) + 1) * HOUR
    if at < hour_end:
        partial, watched = state.partial + consumed, state.watched + length
        return replace(state, at=at, marks=marks, partial=partial, watched=watched)
    rate = consumed / length
    first = hour_end - state.at
    filled = replace(
        state, partial=state.partial + rate * first, watched=state.watched + first, at=hour_end
    )
    after = _close_hours(filled, at, rate * HOUR)
    begin = math.floor(at / HOUR) * HOUR
    return replace(after, at=at, marks=marks, partial=rate * (at - begin), watched=at - begin)


def _close_hours(state: ForecastState, until: float, per_hour: float) -> ForecastState:
    """Close the present hour and whole ones of *per_hour* after it, up to the hour of *until*."""
    present = state.first_hour + len(state.hours)
    count = int(until // HOUR) - present
    if count <= 0:
        return state
    hours = state.hours[-MEMORY_HOURS:]
    # An hour that was watched in part stands for the whole of it, unless it was a mere corner.
    hours.append(state.partial * HOUR / state.watched if state.watched >= HOUR / 2 else math.nan)
    hours.extend([per_hour] * min(count - 1, MEMORY_HOURS))
    del hours[:-MEMORY_HOURS]
    return replace(
        state, first_hour=present + count - len(hours), hours=hours, partial=0.0, watched=0.0
    )


def _marked(marks: Marks, at: float, consumed: float) -> Marks:
    last_at, last_consumed = marks[-1]
    before = marks[-2][0] if len(marks) > 1 else -math.inf
    both_quiet = consumed == 0.0 == last_consumed
    if len(marks) > 1 and (both_quiet or last_at - before < _SPACING or at == last_at):
        marks = (*marks[:-1], (at, last_consumed + consumed))
    else:
        marks = (*marks, (at, consumed))
    drop = 0
    while drop + 2 < len(marks) and marks[drop + 1][0] <= at - RECENT:
        drop += 1
    return marks[drop:]


def _give_back(state: ForecastState, amount: float) -> ForecastState:
    """Take a refund out of what was consumed last, so that the hours hold what it really cost."""
    taken = min(amount, state.partial)
    left, hours = amount - taken, state.hours
    if left > 0 and hours:
        hours = hours[:]
        for index in range(len(hours) - 1, max(len(hours) - 25, -1), -1):
            if left > 0 and hours[index] > 0:
                part = min(left, hours[index])
                hours[index] -= part
                left -= part
    return replace(state, partial=state.partial - taken, hours=hours)


def burn_since(state: ForecastState, begin: float) -> float:
    """Consumption from *begin* to the last reading, as far as it was kept in detail."""
    total, marks = 0.0, state.marks
    for index in range(len(marks) - 1, 0, -1):
        at, consumed = marks[index]
        start = marks[index - 1][0]
        if start >= begin:
            total += consumed
            continue
        if at > begin:
            total += consumed * (at - begin) / (at - start)
        break
    return total
