"""What people use today, for comparison: hours until a balance is used up, inf for "never"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

_LEVEL, _TREND = 0.1, 0.02


def linear_regression(
    times: Sequence[float], values: Sequence[float], at: float
) -> tuple[float, float]:
    """Slope per second and value at *at*: least squares as Prometheus' ``linearRegression``.

    https://github.com/prometheus/prometheus/blob/main/promql/functions.go: x is the time since
    *at*, and values that are all the same have slope 0.
    """
    first = values[0]
    if all(value == first for value in values):
        return 0.0, first
    count = len(values)
    x = [time - at for time in times]
    sum_x, sum_y = math.fsum(x), math.fsum(values)
    covariance = math.fsum(map(mul, x, values)) - sum_x * sum_y / count
    variance = math.fsum(map(mul, x, x)) - sum_x * sum_x / count
    slope = covariance / variance
    return slope, sum_y / count - slope * sum_x / count


def predict_linear(times: Sequence[float], values: Sequence[float], at: float) -> float:
    """When ``predict_linear(balance[range], h * 3600)`` reaches 0; the window's samples are given.

    Prometheus' windows are open to the left: a sample exactly one range old is not in it.
    """
    if len(values) < 2:
        return math.inf
    slope, intercept = linear_regression(times, values, at)
    if intercept <= 0:
        return 0.0
    return -intercept / slope / 3600 if slope < 0 else math.inf


def mean_burn(hours: Sequence[float], balance: float) -> float:
    """By the mean of the given hours of consumption; top-ups are not in it."""
    used = sum(hours)
    return balance * len(hours) / used if used > 0 else math.inf


class DoubleExponential:
    """Holt's double exponential smoothing of the consumption per hour, with level and trend."""

    def __init__(self) -> None:
        self._level: float | None = None
        self._trend = 0.0

    def add(self, hour: float) -> None:
        """One more hour of consumption."""
        if self._level is None:
            self._level = hour
            return
        level = _LEVEL * hour + (1 - _LEVEL) * (self._level + self._trend)
        self._trend = _TREND * (level - self._level) + (1 - _TREND) * self._trend
        self._level = level

    def hours(self, balance: float) -> float:
        """How long *balance* lasts if level and trend go on: b = level h + trend h^2 / 2."""
        level, trend = self._level or 0.0, self._trend
        root = level * level + 2 * trend * balance
        if root < 0 or (level <= 0 and trend <= 0):
            return math.inf
        return 2 * balance / (level + math.sqrt(root)) if level + math.sqrt(root) > 0 else math.inf
