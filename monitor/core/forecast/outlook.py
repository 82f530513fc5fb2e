"""The consumption to be expected in each of the next 168 hours, made anew at the end of an hour.

Expected is a weekly profile times a level.  The profile is that of the hour of the day, times that
of the day of the week, drawn towards the single hour of the week as it is seen again; the level is
a slow one, which two fast ones lead for a day or two.  The less a meter keeps to its profile, the
more the plain mean counts beside it.  Why so: ``docs/decisions``, "The forecast".
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, pairwise, repeat
from operator import add, eq, mul

WEEK = 168
DAY = 24
WEEKS = 4
"""How many weeks the profile and the level are made of."""

_POWER = 0.6
"""Means of the profile are power means: one wild hour counts for less than in a plain mean."""

_NEIGHBOUR = 0.3
"""How much the hours before and after count for an hour of the profile."""

_PER_HOUR_OF_DAY = 0.3
_PER_DAY_OF_WEEK = 0.2 * DAY
_PER_HOUR_OF_WEEK = 3.0
"""How many hours of history the coarser profile weighs beside the finer one."""

_PROFILE_HALF_LIFE = 2 * WEEK
_SLOW_HALF_LIFE = WEEK
_FAST_HOLDS = 48.0
"""Hours in which the fast levels give way to the slow one (by a factor of e)."""

_FAST_HOURS = 48
_LEAST_LEAD = 0.02
"""However quiet the last hours were, this share of the usual is expected next."""

_MEAN_SHARE = 0.4
_MEAN_MOST = 0.4
"""The share of the plain mean in what is expected, per typical miss of the meter; at most."""

# The oldest hour first, as hours are kept.
_SLOW_WEIGHT = [0.5 ** (age / _SLOW_HALF_LIFE) for age in reversed(range(WEEKS * WEEK))]
_PROFILE_WEIGHT = [0.5 ** (age / _PROFILE_HALF_LIFE) for age in reversed(range(WEEKS * WEEK))]
_LEAD = [math.exp(-(ahead + 0.5) / _FAST_HOLDS) for ahead in range(WEEK)]


class _Fast:
    """A level of the last hours: its half-life and how many hours of "as usual" it begins with."""

    def __init__(self, half_life: float, prior: float) -> None:
        self.weights = [0.5 ** (age / half_life) for age in range(_FAST_HOURS)]
        self.prior = prior


_EIGHT_HOURS = _Fast(half_life=8.0, prior=2.0)
_THREE_HOURS = _Fast(half_life=3.0, prior=1.0)
_THREE_HOURS_MOST = 0.6
"""The eight hours lead as they are; the three hours by the typical miss of the meter, so much at
most: what a regular meter does within three hours is chance, what a wild one does goes on."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected from the end of the last whole hour on.

    ``cumulated``: expected consumption of the first 0, 1, ... 168 hours; ``steady``: of a later
    week, by the profile and its slow level alone.  ``plain`` per hour of the first week is not of
    the profile but of the mean, whose share is ``share``.  ``usual``: what is normal for the first
    hour, which a burst of the last three hours does not raise much.  ``days``: consumption of the
    last days, 24 hours each, the newest first.  ``mean``: per hour, lately.
    """

    cumulated: array[float]
    steady: array[float]
    plain: float
    share: float
    usual: float
    days: array[float]
    mean: float

    def hours_until(self, amount: float, later: float = 0.0) -> float:
        """Hours from *later* hours on until *amount* is consumed; inf if never."""
        if self.steady[-1] <= 0.0:
            return math.inf
        amount += self.consumed_within(later)
        first = self.cumulated[-1]
        if amount <= first:
            return _crossing(self.cumulated, amount) - later
        weeks, rest = divmod(amount - first, self.steady[-1])
        return WEEK * (weeks + 1) + _crossing(self.steady, rest) - later

    def consumed_within(self, hours: float) -> float:
        """Expected consumption of the first *hours*."""
        weeks, rest = divmod(hours, WEEK)
        curve = self.steady if weeks else self.cumulated
        before = self.cumulated[-1] + (weeks - 1) * self.steady[-1] if weeks else 0.0
        whole = int(rest)
        part = (curve[whole + 1] - curve[whole]) * (rest - whole) if rest > whole else 0.0
        return before + curve[whole] + part

    def of_profile_within(self, hours: int) -> float:
        """What the profile alone expects of the first *hours*, a week at most."""
        return (self.cumulated[hours] - hours * self.plain) / (1.0 - self.share)

    def usual_before(self, into: float) -> float:
        """What is usual per hour in the hour that ends *into* the first one."""
        # The hour before is, as an hour of the week, the last one ahead.
        return into * self.steady[1] + (1 - into) * (self.steady[-1] - self.steady[-2])


def look_ahead(hours: Sequence[float], first_hour: int, miss: float) -> Outlook | None:
    """The outlook from *hours*, the first of which is hour number *first_hour* since 1970.

    NaN stands for an hour that nobody watched; *miss* is the typical miss of the meter's forecasts.
    None while no hour is known.
    """
    known, watched = list(hours), b"\x01" * len(hours)
    if math.isnan(sum(known)):
        watched = bytes(map(eq, known, known))  # NaN is not equal to itself
        known = [value if seen else 0.0 for value, seen in zip(known, watched, strict=True)]
    if not any(watched):
        return None
    profile = _Profile(known, watched, (first_hour + len(hours)) % WEEK)
    slow = profile.level()
    steady = [slow * value for value in profile.ahead]
    eight = profile.fast_level(slow, _EIGHT_HOURS) - 1.0
    three = profile.fast_level(slow, _THREE_HOURS) - 1.0
    lead = eight + min(miss, _THREE_HOURS_MOST) * three
    share = min(_MEAN_SHARE * miss, _MEAN_MOST)
    plain = share * sum(steady) / WEEK
    lately, seen = sum(known[-WEEK:]), watched[-WEEK:].count(1)
    overall = sum(known) / watched.count(1)
    return Outlook(
        cumulated=_cumulated(
            plain + (1.0 - share) * value * max(1.0 + lead * holds, _LEAST_LEAD)
            for value, holds in zip(steady, _LEAD, strict=True)
        ),
        steady=_cumulated(steady),
        plain=plain,
        share=share,
        usual=steady[0] * (1.0 + eight),
        days=_days(known, watched),
        mean=max(lately / seen, overall) if seen else overall,
    )


class _Profile:
    """The weekly profile, in the order of what lies ahead: ``ahead[0]`` is the present hour."""

    def __init__(self, known: list[float], watched: bytes, present: int) -> None:
        self._known, self._watched = known, watched
        self._counts = _counted(watched)
        total = _folded(map(pow, known, repeat(_POWER)), _PROFILE_WEIGHT[-len(known) :])
        self.ahead = [v ** (1 / _POWER) for v in _shrunk(total, self._counts, present)]

    def level(self) -> float:
        """How far above its profile the meter was lately, with a half-life of a week."""
        actual: float = sum(map(mul, self._known, _SLOW_WEIGHT[-len(self._known) :]))
        expected: float = sum(map(mul, self._counts.lately, self.ahead))
        return actual / expected if expected > 0 else 0.0

    def fast_level(self, slow: float, fast: _Fast) -> float:
        """The same for the last hours, beside the slow level; 1.0 is "as the slow one says"."""
        recent = range(-1, -1 - min(len(self._known), _FAST_HOURS), -1)
        prior: float = fast.prior * slow * sum(self.ahead) / WEEK
        if prior <= 0:
            return 1.0
        actual = expected = prior
        for weight, index in zip(fast.weights, recent, strict=False):
            actual += weight * self._known[index]
            expected += weight * self._watched[index] * slow * self.ahead[index]
        return actual / expected


@dataclass(frozen=True, slots=True)
class _Counts:
    """How much was seen of each hour of the week (weighted as the profile is, the same with its
    neighbours, and weighted as the level is), and of each hour of the day.
    """

    seen: list[float]
    near: list[float]
    lately: list[float]
    of_day: list[float]


@lru_cache(maxsize=32)
def _counted(watched: bytes) -> _Counts:
    """The counts of a meter: nearly always those of one that was watched all the time."""
    seen = _folded(watched, _PROFILE_WEIGHT[-len(watched) :])
    return _Counts(
        seen=seen,
        near=_with_neighbours(seen),
        lately=_folded(watched, _SLOW_WEIGHT[-len(watched) :]),
        of_day=_per_hour_of_day(seen),
    )


def _folded(values: Iterable[float], weights: Sequence[float]) -> list[float]:
    """Weighted sums per hour of the week, the oldest hour of the last week first."""
    weighted = [0.0] * (-len(weights) % WEEK)
    weighted += map(mul, values, weights)
    folded = weighted[:WEEK]
    for begin in range(WEEK, len(weighted), WEEK):
        folded = list(map(add, folded, weighted[begin : begin + WEEK]))
    return folded


def _shrunk(total: list[float], counts: _Counts, present: int) -> list[float]:
    """Mean per hour of the week, drawn towards hour of the day times day of the week."""
    overall = sum(total) / sum(counts.seen)
    base = [
        (t + _PER_HOUR_OF_DAY * overall) / (c + _PER_HOUR_OF_DAY)
        for t, c in zip(_per_hour_of_day(total), counts.of_day, strict=True)
    ] * 7
    factors = _weekday_factors(total, list(map(mul, counts.seen, base)), overall, present)
    coarse = map(mul, base, factors)
    return [
        (t + _PER_HOUR_OF_WEEK * c) / (n + _PER_HOUR_OF_WEEK)
        for t, n, c in zip(_with_neighbours(total), counts.near, coarse, strict=True)
    ]


def _per_hour_of_day(values: list[float]) -> list[float]:
    """Sums over the days, each with its neighbours."""
    return _with_neighbours([sum(values[hour::DAY]) for hour in range(DAY)])


def _weekday_factors(
    total: list[float], expected: list[float], overall: float, present: int
) -> list[float]:
    """Per hour of the week: how its weekday compares with what the hours of its day let expect."""
    prior = _PER_DAY_OF_WEEK * overall
    to_midnight = -present % DAY
    bounds = [*range(to_midnight - DAY, WEEK + DAY, DAY)]
    factors: list[float] = []
    for begin, end in pairwise(bounds):
        # A day that the present hour cuts in two lies at both ends of the week.
        actual = _cut(total, begin, end)
        usual = _cut(expected, begin, end)
        factor = (actual + prior) / (usual + prior) if prior > 0 else 1.0
        factors.extend([factor] * (min(end, WEEK) - max(begin, 0)))
    return factors


def _cut(values: list[float], begin: int, end: int) -> float:
    total = sum(values[max(begin, 0) : end])
    if begin < 0:
        total += sum(values[begin:])
    if end > WEEK:
        total += sum(values[: end - WEEK])
    return total


def _with_neighbours(values: list[float]) -> list[float]:
    before, after = values[-1:] + values[:-1], values[1:] + values[:1]
    return [v + _NEIGHBOUR * (b + a) for v, b, a in zip(values, before, after, strict=True)]


def _cumulated(values: Iterable[float]) -> array[float]:
    return array("f", accumulate(chain((0.0,), values)))


def _days(known: list[float], watched: bytes) -> array[float]:
    """Consumption of the last days of 24 hours, the newest first, those well watched only."""
    days: array[float] = array("f")
    for end in range(len(known), DAY - 1, -DAY):
        seen = watched[end - DAY : end].count(1)
        if seen >= DAY / 2:
            days.append(sum(known[end - DAY : end]) * DAY / seen)
    return days


def _crossing(curve: array[float], amount: float) -> float:
    """Where *curve*, which rises from 0 per hour, reaches *amount*."""
    after = bisect_left(curve, amount)
    if after == 0:
        return 0.0
    if after == len(curve):
        return float(WEEK)
    low, high = curve[after - 1], curve[after]
    return after - 1 + (amount - low) / (high - low)
