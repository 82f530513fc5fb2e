"""Feeds accounts to the daemon's own ledger and forecast, and asks them what they expect."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from benchmarks._comparators import DoubleExponential, mean_burn, predict_linear
from benchmarks._prepaid import Account
from benchmarks._runway_alerts import open_alerts
from benchmarks._series import PER_DAY, PER_HOUR
from monitor.core.forecast import Forecast, ForecastState, Step, advance, forecast
from monitor.core.ledger import LedgerState, MovementKind, open_ledger
from monitor.core.ledger import advance as enter
from monitor.core.model import Severity

WARM_UP = 2 * PER_DAY
CUT_EVERY = 3 * PER_HOUR
WINDOWS = {"1 h": 1, "6 h": 6, "24 h": 24, "7 d": 168}


@dataclass(frozen=True, slots=True)
class Poll:
    """After one reading: its step of the series, and what is known by then."""

    index: int
    ledger: LedgerState
    state: ForecastState | None
    is_top_up: bool


@dataclass(frozen=True, slots=True)
class Point:
    """What was forecast on the hour at the end of step ``index``, and what came true.

    ``truth``: hours, None where the series ends before the balance does.  ``is_cut``: whether the
    accuracy is scored here, which does not depend on the outcome.
    """

    index: int
    truth: float | None
    is_cut: bool
    since_top_up: float
    found: Forecast
    used_last_hour: float
    others: dict[str, float]


@dataclass(frozen=True, slots=True)
class Run:
    """One account with all its points, and the alert of the runway after each of its steps."""

    account: Account
    points: list[Point]
    open_alerts: list[Severity | None]
    top_ups_seen: int
    top_ups_visible: int


def polls(account: Account) -> Iterator[Poll]:
    """The readings of *account* one after another, entered as the daemon enters them."""
    ledger: LedgerState | None = None
    state: ForecastState | None = None
    for index, is_polled in enumerate(account.is_polled):
        if not is_polled:
            continue
        at = datetime.fromtimestamp(account.at(index), UTC)
        balance = Decimal(str(round(account.balances[index], 2)))
        is_top_up = False
        if ledger is None:
            ledger = open_ledger(at, balance, "credits")
        else:
            before = ledger
            ledger, movement = enter(ledger, at, balance)
            is_top_up = movement is not None and movement.kind is MovementKind.TOP_UP
            state = advance(state, step_between(before, ledger))
        yield Poll(index, ledger, state, is_top_up)


def step_between(before: LedgerState, after: LedgerState) -> Step:
    """What a reading brought, from the ledgers before and after it."""
    return Step(
        since=before.at,
        at=after.at,
        consumed=float(after.consumed_total - before.consumed_total),
        topped_up=float(after.topped_up_total - before.topped_up_total),
        refunded=float(after.refunded_total - before.refunded_total),
    )


def run(account: Account) -> Run:
    """Forecasts of *account* on every full hour after the warm-up."""
    seen = _Seen()
    points: list[Point] = []
    top_ups = visible = 0
    readings = polls(account)
    latest = next(readings)
    coming = next(readings, None)
    for index in range(len(account.net)):
        while coming is not None and coming.index <= index:
            visible += any(latest.index < paid <= coming.index for paid in account.top_ups)
            top_ups += coming.is_top_up
            latest, coming = coming, next(readings, None)
            seen.add(account.at(latest.index), float(latest.ledger.balance), latest.ledger)
        if (index + 1) % PER_HOUR == 0:
            seen.close_hour()
            if index + 1 >= WARM_UP:
                points.append(_point(account, index, latest, seen))
    return Run(account, points, open_alerts(account), top_ups, visible)


class _Seen:
    """What the comparators see: the polls of a week, and the consumption per hour."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.balances: list[float] = []
        self.hours: list[float] = []
        self.smooth = DoubleExponential()
        self._entered = self._total = 0.0

    def add(self, at: float, balance: float, ledger: LedgerState) -> None:
        self.times.append(at)
        self.balances.append(balance)
        self._total = float(ledger.consumed_total - ledger.refunded_total)

    def close_hour(self) -> None:
        hour = max(self._total - self._entered, 0.0)
        self._entered = self._total
        self.hours.append(hour)
        self.smooth.add(hour)

    def window(self, at: float, hours: float) -> tuple[list[float], list[float]]:
        """Polls of the *hours* before *at*."""
        begin = max(len(self.times) - round(hours * PER_HOUR) - 1, 0)
        while begin < len(self.times) and self.times[begin] <= at - hours * 3600:
            begin += 1
        return self.times[begin:], self.balances[begin:]


def _point(account: Account, index: int, latest: Poll, seen: _Seen) -> Point:
    balance = float(latest.ledger.balance)
    at = account.at(index)
    now = datetime.fromtimestamp(at, UTC)
    burn = account.mean_burn(index, 7)
    is_cut = (
        (index + 1) % CUT_EVERY == 0
        and account.balances[index] > 0 < burn
        and account.hours_left(index) >= 2 * account.balances[index] / burn
    )
    paid = [step for step in account.top_ups if step <= index]
    return Point(
        index=index,
        truth=account.hours_to_empty(index),
        is_cut=is_cut,
        since_top_up=(index - paid[-1]) / PER_HOUR if paid else math.inf,
        found=forecast(latest.state, now, balance),
        used_last_hour=sum(account.series.steps[index + 1 - PER_HOUR : index + 1]),
        others=_others(seen, at, balance) if is_cut else _alerting(seen, at),
    )


def _alerting(seen: _Seen, at: float) -> dict[str, float]:
    return {"predict_linear 6 h": predict_linear(*seen.window(at, 6), at)}


def _others(seen: _Seen, at: float, balance: float) -> dict[str, float]:
    found = {
        f"predict_linear {name}": predict_linear(*seen.window(at, hours), at)
        for name, hours in WINDOWS.items()
    }
    found["mean burn 24 h"] = mean_burn(seen.hours[-24:], balance)
    found["mean burn 7 d"] = mean_burn(seen.hours[-168:], balance)
    found["double exponential"] = seen.smooth.hours(balance)
    return found
