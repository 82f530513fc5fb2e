"""Burn far above this meter's own normal for this hour of the week."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from monitor.core.forecast.outlook import week_ahead
from monitor.core.forecast.runway import MINIMUM_HISTORY
from monitor.core.forecast.state import HOUR, ForecastState, burn_since
from monitor.core.forecast.values import Usual

_WINDOW = timedelta(minutes=20)


def usual(state: ForecastState | None, now: datetime) -> Usual | None:
    """The burn of the last minutes beside the normal one; None while too little is known.

    Too little: watched for less than a runway needs, or no reading within the window.
    """
    window = _WINDOW.total_seconds()
    if state is None or state.at - state.since < MINIMUM_HISTORY:
        return None
    if now.timestamp() - state.at > window:
        return None
    week = week_ahead(state)
    if week is None:
        return None
    burn = burn_since(state, state.at - window) * HOUR / window
    normal = week[0]
    known = [value for value in state.hours if not math.isnan(value)]
    high = max(sorted(known)[int(0.9 * len(known))], normal)
    factor = burn / normal if normal > 0 else (math.inf if burn > 0 else 1.0)
    surprise = burn / (2.5 * high) if high > 0 else (math.inf if burn > 0 else 0.0)
    return Usual(
        window=_WINDOW,
        burn_per_hour=burn,
        normal_per_hour=normal,
        low=min(sorted(known)[int(0.1 * len(known))], normal),
        high=high,
        factor=factor,
        surprise=surprise,
    )
