"""What goes into a forecast and what comes out.

Amounts are floats in the meter's unit from here on: they are estimates, the ledger keeps the exact
ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_TAIL = _NORMAL.inv_cdf(0.9)
"""How many standard deviations p10 and p90 are away from p50."""


@lru_cache(maxsize=16)
def _reach(share: float) -> float:
    """How far the quantile *share* is away from p50, in units of the way to p10 or p90."""
    return abs(_NORMAL.inv_cdf(share)) / _TAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the ledger says about the time between two readings entered in it.

    A gap is a long step: its consumption is spread over all of it.
    """

    since: datetime
    at: datetime
    consumed: float = 0.0
    topped_up: float = 0.0
    refunded: float = 0.0


@dataclass(frozen=True, slots=True)
class Runway:
    """Hours until the balance is used up: one in ten ends before ``p10``, half before ``p50``.

    ``inf`` where nothing is consumed.
    """

    p10: float
    p50: float
    p90: float

    def quantile(self, share: float) -> float:
        """Hours before which the *share* of cases (0 < share < 1) is empty."""
        if self.p50 in (0.0, math.inf):
            return self.p50
        far = self.p10 if share < 0.5 else self.p90  # noqa: PLR2004 - the median
        if far == math.inf:
            return math.inf
        reach = _reach(share)
        if far <= 0:
            return max(self.p50 * (1 - reach), 0.0)
        return self.p50 * math.exp(reach * math.log(far / self.p50))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is consumed now, and how long the balance lasts.

    ``burn_per_hour`` is the consumption of the last hour before the last reading (of the time
    watched, if that is shorter), None before the second reading.  ``expected_per_hour`` is the mean
    over the day to come.  ``runway`` is None while there is not enough history, see
    ``runway.MINIMUM_HISTORY``.
    """

    burn_per_hour: float | None
    expected_per_hour: float | None
    runway: Runway | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """The burn of the last minutes beside what is normal for this meter at this hour of the week.

    ``factor`` is how many times normal it is.  ``limit_per_hour`` is the burn from which on it is
    more than this meter does by itself; ``surprise`` measures the excess in units of that limit (as
    logarithms), so 1 and above is a spike for this meter, be its factor 2 or 20.
    """

    window: timedelta
    burn_per_hour: float
    normal_per_hour: float
    limit_per_hour: float
    factor: float
    surprise: float
