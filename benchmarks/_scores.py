"""How good forecasts were: errors, intervals, alerts, burn, top-ups, leaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from benchmarks._drive import Point, Run
from benchmarks._leaks import FACTORS, LENGTH, Found
from benchmarks._runway_alerts import LIMITS
from benchmarks._series import PER_DAY, PER_HOUR, STEP

OURS = "credit-monitor"
_AFTER_TOP_UP = 6.0


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of |ln(predicted / true hours)| at the cuts: an error of 0.22 is 25 % too long or short."""

    count: int
    median: float
    p90: float
    within: float
    after_top_up: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Share of cuts whose truth lay from p10 to p90, and how wide that was (p90 / p10, median)."""

    cover: float
    width: float


@dataclass(frozen=True, slots=True)
class Alerting:
    """Of "empty within H hours", hour by hour; ``flaps``: alerts raised, as multiple of the
    perfect one's; ``missed``: share of run-outs without one in the day before.
    """

    recall: float
    precision: float
    flaps: float
    missed: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Leaks:
    """Share found within the two hours, the median delay, and false alarms per key and week."""

    recall: float
    by_factor: dict[int, float]
    minutes: float
    false_alarms: float


def quantile(values: Iterable[float], share: float) -> float:
    """The value that *share* of *values* is below."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def methods(runs: Sequence[Run]) -> list[str]:
    """What was compared, ours last."""
    names = next((list(p.others) for run in runs for p in run.points if p.is_cut), [])
    return [*names, OURS]


def accuracy(runs: Iterable[Run], method: str) -> Accuracy:
    """Errors of *method* at all cuts whose truth is known."""
    errors = [
        (abs(math.log(_bounded(_predicted(point, method)) / truth)), point)
        for point, truth in _cuts(runs)
    ]
    values = [error for error, _ in errors]
    fresh = [error for error, point in errors if point.since_top_up <= _AFTER_TOP_UP]
    return Accuracy(
        count=len(values),
        median=quantile(values, 0.5),
        p90=quantile(values, 0.9),
        within=fmean(error < math.log(1.5) for error in values) if values else math.nan,
        after_top_up=quantile(fresh, 0.5),
    )


def interval(runs: Iterable[Run]) -> Interval:
    """How often p10 to p90 held what came true."""
    inside: list[bool] = []
    widths: list[float] = []
    for point, truth in _cuts(runs):
        runway = point.found.runway
        if runway is not None:
            inside.append(runway.p10 <= truth <= runway.p90)
            widths.append(runway.p90 / max(runway.p10, 1 / 60))
    return Interval(fmean(inside) if inside else math.nan, quantile(widths, 0.5))


def alerting(runs: Iterable[Run], hours: int) -> Alerting:
    """The rule ``runway`` as it is by default, with the alert of that limit."""
    least = LIMITS[hours]
    return _alerting(
        runs,
        hours,
        lambda run: [s is not None and s.rank >= least.rank for s in run.open_alerts],
    )


def alerting_linear(runs: Iterable[Run], hours: int) -> Alerting:
    """What people write: ``predict_linear(balance[6h], H * 3600) < 0``, asked every hour."""

    def states(run: Run) -> list[bool]:
        found = [False] * len(run.account.net)
        for point in run.points:  # it has no memory, which is why it flaps
            is_open = point.others["predict_linear 6 h"] <= hours
            found[point.index : point.index + PER_HOUR] = [is_open] * PER_HOUR
        return found[: len(run.account.net)]

    return _alerting(runs, hours, states)


def _alerting(
    runs: Iterable[Run], hours: float, is_open: Callable[[Run], Sequence[bool]]
) -> Alerting:
    """*is_open*: after each step of a run, whether there was an alert."""
    hits = false = missed = raised = perfect = emptied = unseen = 0
    for run in runs:
        if not run.points:
            continue
        states = is_open(run)
        truths = [_is_within(run, point, hours) for point in run.points]
        for point, is_true in zip(run.points, truths, strict=True):
            now = states[point.index]
            hits += now and is_true is True
            false += now and is_true is False
            missed += not now and is_true is True
        begin = run.points[0].index
        raised += _raised(states[begin:])
        perfect += _raised([is_true is True for is_true in truths])
        for index in run.account.emptied:
            if index - begin >= PER_DAY:
                emptied += 1
                unseen += not any(states[index - PER_DAY : index])
    return Alerting(
        recall=_share(hits, missed),
        precision=_share(hits, false),
        flaps=raised / perfect if perfect else math.nan,
        missed=unseen / emptied if emptied else math.nan,
    )


def _raised(states: Sequence[bool]) -> int:
    return sum(now and not before for before, now in pairwise([False, *states]))


def _is_within(run: Run, point: Point, hours: float) -> bool | None:
    """Whether the balance would be used up within *hours*; None where the series ends before."""
    if point.truth is not None:
        return point.truth <= hours
    return False if run.account.hours_left(point.index) >= hours else None


def burn_error(runs: Iterable[Run]) -> float:
    """Median relative error of the burn of the last hour, where anything was consumed."""
    return quantile(
        [
            abs((point.found.burn_per_hour or 0.0) / point.used_last_hour - 1)
            for run in runs
            for point in run.points
            if point.used_last_hour > 0
        ],
        0.5,
    )


def top_ups_right(runs: Sequence[Run]) -> float:
    """Share of accounts with as many top-ups as there were (those between two polls are one)."""
    return fmean(run.top_ups_seen == run.top_ups_visible for run in runs) if runs else math.nan


def leaks(found: Sequence[Found]) -> Leaks:
    """Over all leaks of all keys."""
    longest = LENGTH * STEP / 60
    told = [
        (factor, minutes if minutes is not None and minutes <= longest else None)
        for key in found
        for factor, minutes in key.leaks
    ]
    return Leaks(
        recall=_mean([minutes is not None for _, minutes in told]),
        by_factor={
            factor: _mean([minutes is not None for f, minutes in told if f == factor])
            for factor in FACTORS
        },
        minutes=median([m for _, m in told if m is not None] or [math.nan]),
        false_alarms=_mean([key.false_alarms / key.weeks for key in found]),
    )


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def _cuts(runs: Iterable[Run]) -> Iterable[tuple[Point, float]]:
    return ((p, p.truth) for run in runs for p in run.points if p.is_cut and p.truth)


def _predicted(point: Point, method: str) -> float:
    if method != OURS:
        return point.others[method]
    return point.found.runway.p50 if point.found.runway else math.inf


def _bounded(hours: float) -> float:
    """A year stands for "never", a minute for "now": errors are logarithms."""
    return min(max(hours, 1 / 60), 365 * 24.0)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else math.nan
