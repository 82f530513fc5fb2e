"""Burn far above this meter's own normal for this hour of the week."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from monitor.core.forecast.peaks import WINDOW, burn_at_excess, excess, latest_burn
from monitor.core.forecast.state import ForecastState
from monitor.core.forecast.values import Usual


def usual(state: ForecastState | None, now: datetime) -> Usual | None:
    """The burn of the last minutes beside the normal one; None while too little is known.

    Too little: watched for less than a day, or no reading within the window before *now*.
    """
    if state is None or now.timestamp() - state.at > WINDOW:
        return None
    outlook, limit = state.outlook_made(), state.peaks.limit(state.misses.typical)
    if outlook is None or limit is None:
        return None
    burn, normal = latest_burn(state.marks), outlook.usual
    return Usual(
        window=timedelta(seconds=WINDOW),
        burn_per_hour=burn,
        normal_per_hour=normal,
        limit_per_hour=burn_at_excess(limit, outlook),
        factor=burn / normal if normal > 0 else (math.inf if burn > 0 else 1.0),
        surprise=excess(burn, outlook) / limit,
    )
