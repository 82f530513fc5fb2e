"""How far this meter goes above its normal by itself: what a spike has to exceed.

The limit is the meter's own, so that a steady meter is told of early and a wild one rarely: above
nine in ten of its peaks in a quarter of a day, by what its worse ones differ from its usual ones
and by how far the forecast of this meter is off.  Where the numbers are from: ``docs/decisions``,
"The limit of a spike".
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.forecast.marks import HOUR, consumed_since
from monitor.core.forecast.outlook import Outlook

WINDOW = 15 * 60.0
"""Seconds whose burn is compared with the normal one."""

_BLOCK = 6 * HOUR
_KEPT = 28
"""One peak per quarter of a day, for a week: every hour of the week is among them."""

_FLOOR = 0.5
"""This share of the mean burn is added to both sides, so that a trickle in a quiet hour is none."""

_HIGH = 0.9
_MIDDLE = 0.75
"""The peaks, by rank, that the limit is made of.  Of 28, a leak that nobody was told of may raise
two without moving the higher one."""

_STRETCH = 0.6
"""How far above the high peak the limit is, in units of its distance from the middle one."""

_PER_MISS = 0.8
_MARGIN = -0.02
"""And above that by so much of the typical miss of the meter's forecasts, less a little: what is
hard to foresee goes beyond its peaks sooner.  All are logarithms of ratios."""

_LEAST = 0.6
"""A spike is above normal by at least a factor of 1.8, the floor on both sides; the rule asks for
more."""

_UNTRIED = 1.5
_TRIED_BLOCKS = 12
"""Until three days are known, a spike is above normal by at least a factor of 4.5."""

_FORESEEN = 0.3
_LEARNED_PER_MISS = 2.0
"""A peak counts as no higher than what is beyond the meter, and by so much of the typical miss
above that as it exceeds this one.  In a meter that is well foreseen a spike comes from outside; in
a wild one it is its own and comes again."""

_MINIMUM_BLOCKS = 4
_HIGHEST = math.log(1000.0)


@dataclass(frozen=True, slots=True)
class Peaks:
    """``blocks``: the peaks of whole blocks, oldest first; ``block``: number of the present one,
    ``highest`` its peak so far.
    """

    blocks: array[float]
    block: int
    highest: float

    def limit(self, miss: float) -> float | None:
        """The excess above which it is a spike; None while less than a day is known.

        *miss* is the typical one of the meter's forecasts, as the logarithm of a ratio.
        """
        if len(self.blocks) < _MINIMUM_BLOCKS:
            return None
        return max(self._beyond(miss), _LEAST if len(self.blocks) >= _TRIED_BLOCKS else _UNTRIED)

    def _beyond(self, miss: float) -> float:
        """The excess that is more than the meter's own, as far as its peaks can tell."""
        ordered = sorted(self.blocks)
        high, middle = _ranked(ordered, _HIGH), _ranked(ordered, _MIDDLE)
        return high + _STRETCH * (high - middle) + _PER_MISS * miss + _MARGIN

    def entered(self, at: float, excess: float, miss: float) -> Peaks:
        """After *excess* was seen at *at*."""
        block = int(at // _BLOCK)
        if block == self.block:
            if excess <= self.highest:
                return self
            return Peaks(self.blocks, block, excess)
        highest = self.highest
        if len(self.blocks) >= _MINIMUM_BLOCKS:
            learned = _LEARNED_PER_MISS * max(miss - _FORESEEN, 0.0)
            highest = min(highest, self._beyond(miss) + learned)
        blocks = self.blocks[-(_KEPT - 1) :]
        blocks.append(highest)
        return Peaks(blocks, block, excess)


def no_peaks(at: float) -> Peaks:
    """Of a meter that is watched from *at* on."""
    return Peaks(array("f"), int(at // _BLOCK), 0.0)


def excess(burn: float, outlook: Outlook) -> float:
    """How far *burn* per hour is above normal, as the logarithm of a ratio; 0 at or below it."""
    floor = _FLOOR * outlook.mean
    normal = _normal_about_now(outlook)
    if normal + floor <= 0.0:
        return _HIGHEST if burn > 0 else 0.0
    return min(max(math.log((burn + floor) / (normal + floor)), 0.0), _HIGHEST)


def burn_at_excess(level: float, outlook: Outlook) -> float:
    """The burn per hour that is above normal by *level*: the inverse of :func:`excess`."""
    floor = _FLOOR * outlook.mean
    return (_normal_about_now(outlook) + floor) * math.exp(level) - floor


def latest_burn(marks: array[float]) -> float:
    """Burn per hour of the window before the last reading."""
    return consumed_since(marks, marks[-2] - WINDOW) * HOUR / WINDOW


def _normal_about_now(outlook: Outlook) -> float:
    """Per hour, the most of this hour, the one before and the next: days do not begin on time."""
    steady = outlook.steady
    if steady[1] <= 0.0:
        return max(outlook.usual, steady[2], steady[-1] - steady[-2])
    most = max(steady[1], steady[2] - steady[1], steady[-1] - steady[-2])
    return outlook.usual * most / steady[1]


def _ranked(ordered: Sequence[float], share: float) -> float:
    """The value that *share* of them are at or below, between two of them in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (place - below)
