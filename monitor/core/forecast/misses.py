"""How far this meter's own forecasts were off lately.

Their mean is how wide its interval has to be; one that is far beyond it is a change of level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.core.forecast.outlook import DAY, Outlook

AHEAD = 12
"""Hours that the forecasts which are checked look ahead."""

HALF = AHEAD // 2
"""Hours from one checked forecast to the next."""

_HALF_LIFE = 96.0
"""Hours after which a miss counts half."""

_FLOOR = 0.1
"""Misses are ratios of consumption; this share of the mean is added to both sides, so that quiet
hours do not make them infinite."""

_PRIOR = 0.4
_PRIOR_WEIGHT = 2.0
"""Without a history of its own, a meter misses by a factor of 1.5."""

_SHIFT = 0.8
_SHIFT_OF_TYPICAL = 10.0
"""A miss by more than a factor of 2.2, and by ten times what is usual for the meter (as
logarithms), in both halves: another level.  For most real meters that is a factor of five and more:
lower limits take every second busy day for a change."""

_DOUBTED_FOR = 96
"""Hours in which a change of level is taken back if the old one explains what comes better."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A forecast made for the ``AHEAD`` hours before hour number ``due``, as consumption of its
    first and second half; ``floor`` is what is added per half.
    """

    due: int
    first: float
    second: float
    floor: float


@dataclass(frozen=True, slots=True)
class Shift:
    """The level changed by ``factor`` at the begin of ``hour``."""

    factor: float
    hour: int


@dataclass(frozen=True, slots=True)
class Misses:
    """``pending``: forecasts whose time is not over; ``total`` and ``weight`` of the misses seen,
    as logarithms; ``hour``: up to where all this was entered; ``shift``: the last change of level.
    """

    pending: tuple[Pending, ...] = ()
    total: float = 0.0
    weight: float = 0.0
    hour: int = 0
    shift: Shift | None = None

    @property
    def typical(self) -> float:
        """The mean miss, as the logarithm of a ratio."""
        return (_PRIOR_WEIGHT * _PRIOR + self.total) / (_PRIOR_WEIGHT + self.weight)

    def checked(self, hours: Sequence[float], present: int) -> tuple[Misses, Shift | None]:
        """After the hours before hour number *present* ended, of which *hours* are the last.

        A change of level makes the pending forecasts worthless: they go.
        """
        fade = 0.5 ** ((present - self.hour) / _HALF_LIFE) if self.weight else 1.0
        after = replace(self, total=self.total * fade, weight=self.weight * fade, hour=present)
        for forecast in self.pending:
            if forecast.due > present:
                continue
            middle, end = forecast.due - HALF - present, forecast.due - present
            first, second = _sum(hours, middle - HALF, middle), _sum(hours, middle, end)
            if math.isnan(first + second):
                continue
            shift = _undone(self.shift, forecast, first, second) or _shift(
                forecast, first, second, after.typical
            )
            miss = abs(_off(first + second, forecast.first + forecast.second, 2 * forecast.floor))
            after = replace(after, total=after.total + miss, weight=after.weight + 1.0)
            if shift is not None:
                is_undone = self.shift is not None and shift.hour == self.shift.hour
                return replace(after, pending=(), shift=None if is_undone else shift), shift
        return replace(after, pending=tuple(f for f in self.pending if f.due > present)), None

    def with_forecast(self, outlook: Outlook, known: int) -> Misses:
        """And one more forecast to check; none while less than a day is *known*.

        It is that of the profile alone: the more it misses, the more the mean counts beside it.
        """
        floor = _FLOOR * HALF * outlook.mean
        if known < DAY or floor <= 0:
            return self
        first = outlook.of_profile_within(HALF)
        second = outlook.of_profile_within(AHEAD) - first
        return replace(
            self, pending=(*self.pending, Pending(self.hour + AHEAD, first, second, floor))
        )


def _shift(forecast: Pending, first: float, second: float, typical: float) -> Shift | None:
    """The rise of the level that a forecast was not told of, if there was one.

    A fall is none: it may as well be a pause, and to follow it slowly errs on the safe side.
    """
    limit = max(_SHIFT, _SHIFT_OF_TYPICAL * typical)
    early = _off(first, forecast.first, forecast.floor)
    late = _off(second, forecast.second, forecast.floor)
    if late <= limit or early < 0:
        return None
    if early > limit / 2:
        both = _off(first + second, forecast.first + forecast.second, 2 * forecast.floor)
        return Shift(math.exp(both), forecast.due - AHEAD)
    return Shift(math.exp(late), forecast.due - HALF)


def _undone(shift: Shift | None, forecast: Pending, first: float, second: float) -> Shift | None:
    """The way back from *shift*, if the level before it explains both halves better."""
    if shift is None or forecast.due - shift.hour > _DOUBTED_FOR:
        return None
    for actual, expected in ((first, forecast.first), (second, forecast.second)):
        now = abs(_off(actual, expected, forecast.floor))
        before = abs(_off(actual, expected / shift.factor, forecast.floor / shift.factor))
        if before >= now:
            return None
    return Shift(1 / shift.factor, shift.hour)


def _off(actual: float, expected: float, floor: float) -> float:
    return math.log((actual + floor) / (expected + floor))


def _sum(hours: Sequence[float], begin: int, end: int) -> float:
    """Sum from *begin* to *end*, both counted from the end of *hours*; NaN if not all are known."""
    if len(hours) + begin < 0:
        return math.nan
    return sum(hours[len(hours) + begin : len(hours) + end])
