"""How long the balance lasts, with its interval."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from statistics import median

from monitor.core.forecast.marks import HOUR
from monitor.core.forecast.outlook import DAY, Outlook
from monitor.core.forecast.state import ForecastState, burn_since
from monitor.core.forecast.values import Forecast, Runway

MINIMUM_HISTORY = 6 * HOUR
"""Watched for less than this, a meter has no runway: a burst and a rate look the same."""

LONGEST = 10 * 365 * 24.0
"""Hours beyond which a runway is as good as endless."""

_PAST_DAYS_SHARE = 0.2
_PAST_DAYS_MOST = 0.6
"""The more a meter misses its profile, the more its past days as they were are trusted."""

_FADES = 3.0
"""Hours in which what goes on now, above or below what was expected, fades by a factor of e."""

_HALVINGS = 16

_LATER = 0.025
"""Half of all cases last this much longer (as a logarithm) than the mean consumption says: bursts
raise the mean, and most of the time there is none."""

_BELOW = (-0.08, 0.05, 0.76)
_ABOVE = (1.68, -0.44, 0.69)
"""p10 and p90 lie so far below and above p50, as logarithms: exp(a + b ln(runway in hours)) times
the meter's typical miss to the power of c.  A short runway may last much longer, if what empties it
now comes to an end; a long one hardly, since errors average out.  Fitted by quantile regression on
the development traces of ``benchmarks/backtest``, each kind of key weighed alike, steady ones
twice.
"""

_SHORTEST_FITTED = 3.0
_LONGEST_FITTED = 200.0

_YOUNG = 12.0
_YOUNG_POWER = 1.5
"""A meter watched for so many hours has an interval twice as wide, of six hours four times: what it
does at other hours of the day is not known yet.  After two days, where the fit began, it hardly
matters."""


def forecast(state: ForecastState | None, now: datetime, balance: float) -> Forecast:
    """What is consumed and how long *balance* lasts, counted from *now*."""
    if state is None:
        return Forecast(burn_per_hour=None, expected_per_hour=None, runway=None)
    outlook = state.outlook_made() if state.at - state.since >= MINIMUM_HISTORY else None
    return Forecast(
        burn_per_hour=_last_hour(state),
        expected_per_hour=outlook.consumed_within(DAY) / DAY if outlook else None,
        runway=_runway(state, outlook, now.timestamp(), balance) if outlook else None,
    )


def _last_hour(state: ForecastState) -> float | None:
    length = min(state.at - state.marks[0], HOUR)
    return burn_since(state, state.at - length) * HOUR / length if length > 0 else None


def _runway(state: ForecastState, outlook: Outlook, now: float, balance: float) -> Runway:
    """From the last reading on, less the time that has gone by since."""
    if balance <= 0:
        return Runway(0.0, 0.0, 0.0)
    into = (state.at - state.present_hour * HOUR) / HOUR
    miss = state.misses.typical
    middle = _middle(state, outlook, balance, into, miss)
    young = 1.0 + (_YOUNG * HOUR / (state.at - state.since)) ** _YOUNG_POWER
    earlier, later = (young * _reach(fitted, middle, miss) for fitted in (_BELOW, _ABOVE))
    gone = max(now - state.at, 0.0) / HOUR
    hours = (middle * math.exp(-earlier), middle, middle * math.exp(later))
    return Runway(*(max(h - gone, 0.0) if h <= LONGEST else math.inf for h in hours))


def _middle(
    state: ForecastState, outlook: Outlook, balance: float, into: float, miss: float
) -> float:
    """p50: by the profile, and a little by how long past days would have lasted."""
    expected = _going_on(outlook, balance, into, _excess(state, outlook, into))
    if not 0 < expected < LONGEST:
        return expected
    share = min(_PAST_DAYS_SHARE * miss, _PAST_DAYS_MOST)
    as_before = _as_past_days(outlook, balance, into)
    drawn = math.log(as_before / expected) if as_before < LONGEST else 0.0
    return expected * math.exp(share * drawn + _LATER)


def _excess(state: ForecastState, outlook: Outlook, into: float) -> float:
    """How much more than usual was consumed in the last hour, per hour."""
    burn = _last_hour(state)
    return 0.0 if burn is None else burn - outlook.usual_before(into)


def _going_on(outlook: Outlook, balance: float, into: float, excess: float) -> float:
    """Hours until *balance* is consumed if the *excess* of now goes on, fading, beside the rest."""
    plain = outlook.hours_until(balance, into)
    if not 0 < plain < LONGEST or not excess:
        return plain
    begun = outlook.consumed_within(into)
    low, high = 0.0, plain
    if excess < 0:
        high = outlook.hours_until(balance - excess * _FADES, into)
        low = plain
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        extra = excess * _FADES * (1 - math.exp(-middle / _FADES))
        if outlook.consumed_within(into + middle) - begun + extra < balance:
            low = middle
        else:
            high = middle
    return high


def _as_past_days(outlook: Outlook, balance: float, into: float) -> float:
    """The median over past days: how long *balance* lasts if it goes on as it did from there."""
    lasting = median(_days_as_before(outlook.days, balance) or [math.inf])
    if lasting == math.inf:
        return math.inf
    whole = int(lasting)
    # The part of a day in hours: mornings may be quiet.
    begin = into + DAY * (whole % 7)
    of_day = outlook.consumed_within(begin + DAY) - outlook.consumed_within(begin)
    part = outlook.hours_until(of_day * (lasting - whole), begin) if of_day > 0 else 0.0
    return max(DAY * whole + part, 0.01)


def _days_as_before(days: Sequence[float], balance: float) -> list[float]:
    """For each of *days*, the newest first: days until *balance* is consumed if what followed from
    it on, a week of it at most, came again and again.
    """
    newest = list(accumulate(days, initial=0.0))  # consumed in the newest 0, 1, ... days
    lasting = []
    for day, since in enumerate(newest[1:]):
        end = max(day - 6, 0)
        total = since - newest[end]
        if total <= 0:
            lasting.append(math.inf)
            continue
        rounds, left = divmod(balance, total)
        after = bisect_left(newest, since - left)
        part = (newest[after] - (since - left)) / days[after - 1] if after else 0.0
        lasting.append(rounds * (day + 1 - end) + day + 1 - after + part)
    return lasting


def _reach(fitted: tuple[float, float, float], middle: float, miss: float) -> float:
    """How far the end of the interval is from *middle*, as a logarithm."""
    base, of_runway, of_miss = fitted
    hours = min(max(middle, _SHORTEST_FITTED), _LONGEST_FITTED)
    return math.exp(base + of_runway * math.log(hours) + of_miss * math.log(miss))
