"""How far this meter goes above its normal by itself: what a spike has to exceed.

The limit is the meter's own, so that a steady meter is told of early and a wild one rarely: above
what it reached in one of ten quarters of a day, by as much as its better and worse ones differ.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from monitor.core.forecast.marks import HOUR, consumed_since
from monitor.core.forecast.outlook import Outlook

WINDOW = 20 * 60.0
"""Seconds whose burn is compared with the normal one."""

_BLOCK = 6 * HOUR
_KEPT = 40
"""One peak per quarter of a day, for ten days."""

_FLOOR = 0.5
"""This share of the mean burn is added to both sides, so that a trickle in a quiet hour is none."""

_RANK = 3
"""The limit begins at the highest peak but three: two leaks of ten days do not hide a third."""

_STRETCH = 0.7
"""How far above that peak the limit is, in units of its distance from the median peak."""

_MARGIN = 0.1
_LEAST = 0.7
"""A spike is above normal by at least a factor of 2 (as a logarithm)."""

_UNTRIED = 1.5
_TRIED_BLOCKS = 12
"""Until three days are known, a spike is above normal by at least a factor of 4.5."""

_MINIMUM_BLOCKS = 4
_HIGHEST = math.log(1000.0)

_LEARNED_AT_ONCE = 1.0
"""A peak counts as no higher than so far above the limit, be it normal for the meter or a leak."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """``blocks``: the peaks of whole blocks, oldest first; ``block``: number of the present one,
    ``highest`` its peak so far.
    """

    blocks: array[float]
    block: int
    highest: float

    @property
    def limit(self) -> float | None:
        """The excess above which it is a spike; None while less than a day is known."""
        if len(self.blocks) < _MINIMUM_BLOCKS:
            return None
        ordered = sorted(self.blocks, reverse=True)
        high, middle = ordered[_RANK], ordered[len(ordered) // 2]
        least = _LEAST if len(ordered) >= _TRIED_BLOCKS else _UNTRIED
        return max(high + _STRETCH * (high - middle) + _MARGIN, least)

    def entered(self, at: float, excess: float) -> Peaks:
        """After *excess* was seen at *at*."""
        block = int(at // _BLOCK)
        if block == self.block:
            if excess <= self.highest:
                return self
            return Peaks(self.blocks, block, excess)
        limit = self.limit
        highest = self.highest if limit is None else min(self.highest, limit + _LEARNED_AT_ONCE)
        blocks = self.blocks[-(_KEPT - 1) :]
        blocks.append(highest)
        return Peaks(blocks, block, excess)


def no_peaks(at: float) -> Peaks:
    """Of a meter that is watched from *at* on."""
    return Peaks(array("f"), int(at // _BLOCK), 0.0)


def excess(burn: float, outlook: Outlook) -> float:
    """How far *burn* per hour is above normal, as the logarithm of a ratio; 0 at or below it."""
    floor = _FLOOR * outlook.mean
    normal = outlook.usual
    if normal + floor <= 0.0:
        return _HIGHEST if burn > 0 else 0.0
    return min(max(math.log((burn + floor) / (normal + floor)), 0.0), _HIGHEST)


def burn_at_excess(level: float, outlook: Outlook) -> float:
    """The burn per hour that is above normal by *level*: the inverse of :func:`excess`."""
    floor = _FLOOR * outlook.mean
    return (outlook.usual + floor) * math.exp(level) - floor


def latest_burn(marks: array[float]) -> float:
    """Burn per hour of the window before the last reading."""
    return consumed_since(marks, marks[-2] - WINDOW) * HOUR / WINDOW
