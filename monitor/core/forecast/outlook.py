"""The consumption to be expected hour by hour: a weekly profile times a fading level."""

from __future__ import annotations

import math
from array import array
from itertools import accumulate

from monitor.core.forecast.state import ForecastState

WEEK = 168
_DAY = 24


def week_ahead(state: ForecastState) -> array[float] | None:
    """Expected consumption of each of the next 168 hours, from the present hour on.

    None while no whole hour is known.
    """
    known = [(n, v) for n, v in enumerate(state.hours, state.first_hour) if not math.isnan(v)]
    if not known:
        return None
    profile = _profile(known)
    level = _level(known, profile)
    present = state.first_hour + len(state.hours)
    return array("d", (level * profile[(present + ahead) % WEEK] for ahead in range(WEEK)))


def hours_until(balance: float, week: array[float], into_hour: float) -> float:
    """Hours until *balance* is consumed, *into_hour* (0 to 1) of the first hour being over."""
    if balance <= 0:
        return 0.0
    total = sum(week)
    if total <= 0:
        return math.inf
    balance += week[0] * into_hour
    weeks, balance = divmod(balance, total)
    for hour, cumulated in enumerate(accumulate(week)):
        if cumulated >= balance:
            rest = (cumulated - balance) / week[hour] if week[hour] else 0.0
            return weeks * WEEK + hour + 1 - rest - into_hour
    return (weeks + 1) * WEEK - into_hour


def _profile(known: list[tuple[int, float]]) -> list[float]:
    """Mean consumption per hour of the week, drawn towards that of the hour of day and of all."""
    overall = sum(value for _, value in known) / len(known)
    by_day, by_week = [[0.0, 0.0] for _ in range(_DAY)], [[0.0, 0.0] for _ in range(WEEK)]
    for hour, value in known:
        for slot in (by_day[hour % _DAY], by_week[hour % WEEK]):
            slot[0] += value
            slot[1] += 1
    days = [(total + 1.0 * overall) / (count + 1.0) for total, count in by_day]
    return [
        (total + 2.0 * days[hour % _DAY]) / (count + 2.0)
        for hour, (total, count) in enumerate(by_week)
    ]


def _level(known: list[tuple[int, float]], profile: list[float]) -> float:
    """How far above its profile the meter was lately, with a half-life of two days."""
    last = known[-1][0]
    actual = expected = 1e-12
    for hour, value in known:
        weight = 0.5 ** ((last - hour) / 48)
        actual += weight * value
        expected += weight * profile[hour % WEEK]
    return actual / expected
