"""How far this meter's own forecasts were off lately, which is how wide its interval has to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.forecast.outlook import DAY, Outlook

AHEAD = 12
"""Hours that the forecasts which are checked look ahead."""

_EVERY = 6
"""Hours from one checked forecast to the next."""

_HALF_LIFE = 96.0
"""Hours after which a miss counts half."""

_FLOOR = 0.1
"""Misses are ratios of consumption; this share of the mean is added to both sides, so that quiet
hours do not make them infinite."""

_PRIOR = 0.4
_PRIOR_WEIGHT = 2.0
"""Without a history of its own, a meter misses by a factor of 1.5."""


@dataclass(frozen=True, slots=True)
class Misses:
    """``pending``: forecasts as (hour when due, expected consumption, floor); ``total`` and
    ``weight`` of the misses seen, as logarithms; ``hour``: up to where all this was entered.
    """

    pending: tuple[tuple[int, float, float], ...] = ()
    total: float = 0.0
    weight: float = 0.0
    hour: int = 0

    @property
    def typical(self) -> float:
        """The mean miss, as the logarithm of a ratio."""
        return (_PRIOR_WEIGHT * _PRIOR + self.total) / (_PRIOR_WEIGHT + self.weight)

    def entered(self, hours: Sequence[float], present: int, outlook: Outlook) -> Misses:
        """After the hours before hour number *present* ended, of which *hours* are the last."""
        fade = 0.5 ** ((present - self.hour) / _HALF_LIFE) if self.weight else 1.0
        total, weight = self.total * fade, self.weight * fade
        for due, expected, floor in self.pending:
            if due <= present:
                actual = _sum(hours, due - AHEAD - present, due - present)
                if not math.isnan(actual):
                    total += abs(math.log((actual + floor) / (expected + floor)))
                    weight += 1.0
        pending = tuple(forecast for forecast in self.pending if forecast[0] > present)
        floor = _FLOOR * AHEAD * outlook.mean
        if present // _EVERY != self.hour // _EVERY and len(hours) >= DAY and floor > 0:
            pending += ((present + AHEAD, outlook.consumed_within(AHEAD), floor),)
        return Misses(pending, total, weight, present)


def _sum(hours: Sequence[float], begin: int, end: int) -> float:
    """Sum from *begin* to *end*, both counted from the end of *hours*; NaN if not all are known."""
    if len(hours) + begin < 0:
        return math.nan
    return sum(hours[len(hours) + begin : len(hours) + end])
