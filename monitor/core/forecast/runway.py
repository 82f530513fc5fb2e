"""How long the balance lasts, with its interval."""

from __future__ import annotations

import math
from array import array
from datetime import datetime

from monitor.core.forecast.outlook import hours_until, week_ahead
from monitor.core.forecast.state import HOUR, ForecastState, burn_since
from monitor.core.forecast.values import Forecast, Runway

MINIMUM_HISTORY = 6 * HOUR
"""Watched for less than this, a meter has no runway: a burst and a rate look the same."""


def forecast(state: ForecastState | None, now: datetime, balance: float) -> Forecast:
    """What is consumed and how long *balance* lasts, counted from *now*."""
    if state is None:
        return Forecast(burn_per_hour=None, expected_per_hour=None, runway=None)
    week = week_ahead(state) if state.at - state.since >= MINIMUM_HISTORY else None
    return Forecast(
        burn_per_hour=_last_hour(state),
        expected_per_hour=sum(week[:24]) / 24 if week else None,
        runway=_runway(state, week, now.timestamp(), balance) if week else None,
    )


def _last_hour(state: ForecastState) -> float | None:
    length = min(state.at - state.marks[0][0], HOUR)
    return burn_since(state, state.at - length) * HOUR / length if length > 0 else None


def _runway(state: ForecastState, week: array[float], now: float, balance: float) -> Runway:
    present = (state.first_hour + len(state.hours)) * HOUR
    hours = hours_until(balance, week, min((state.at - present) / HOUR, 1.0))
    hours = max(hours - max(now - state.at, 0.0) / HOUR, 0.0)
    spread = 0.45
    return Runway(p10=hours * math.exp(-spread), p50=hours, p90=hours * math.exp(spread))
