"""Turns consumption into the balance of a prepaid account, as a monitor would see it.

No public record of a prepaid balance exists.  Top-ups are made by hand (below 12 to 35 % of the
usual amount, after a delay around 4 hours), by the provider (below 4 to 10 %, at once) or on
schedule, and in an emergency at zero.  About 2 % of the consumption comes back 5 to 30 minutes
later.  Polls come every 5 minutes; 0.5 % are missed, and an outage of 5 minutes to 12 hours comes
about every 3.5 days.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate

from benchmarks._series import PER_DAY, PER_HOUR, STEP, Series

_MODES = ("hand", "automatic", "schedule")
_REFUNDED = 0.02
_MISSED = 0.005
_OUTAGE_EVERY = 3.5 * PER_DAY
_OUTAGE_AT_MOST = 12 * PER_HOUR


@dataclass(frozen=True, slots=True)
class Account:
    """A prepaid balance: index i stands for the end of the series' step i.

    ``net`` is consumption less refunds; ``emptied`` are the steps in which the balance ran out.
    """

    series: Series
    days: float
    mode: str
    balances: list[float]
    net: list[float]
    is_polled: list[bool]
    top_ups: list[int]
    emptied: list[int]
    _cumulated: list[float] = field(default_factory=list, repr=False)
    _highest: list[float] = field(default_factory=list, repr=False)

    def at(self, index: int) -> int:
        """Unix seconds."""
        return self.series.start + (index + 1) * STEP

    def hours_to_empty(self, index: int) -> float | None:
        """How long the balance lasts from *index* on if nobody pays in; None: the series ends."""
        balance = self.balances[index]
        if balance <= 0:
            return 0.0
        target = self._cumulated[index + 1] + balance
        after = bisect_left(self._highest, target, lo=index + 1)
        if after == len(self._highest):
            return None
        before, reached = self._cumulated[after - 1], self._cumulated[after]
        part = min(max((target - before) / max(reached - before, 1e-9), 0.0), 1.0)
        return max((after - 2 - index + part) / PER_HOUR, 1 / 60)

    def hours_left(self, index: int) -> float:
        """How much of the series lies after *index*."""
        return (len(self.net) - 1 - index) / PER_HOUR

    def mean_burn(self, index: int, days: float) -> float:
        """Net consumption per hour over the *days* before *index*."""
        begin = max(0, index + 1 - round(days * PER_DAY))
        used = self._cumulated[index + 1] - self._cumulated[begin]
        return used / (index + 1 - begin) * PER_HOUR


def accounts(series: Series) -> list[Account]:
    """Accounts of different size and habit on the same consumption; long series get more."""
    sizes = (1.5, 3.0, 5.0, 9.0, 14.0) if len(series.steps) > 20 * PER_DAY else (1.5, 3.0, 5.0)
    first = random.Random(series.name).randrange(3)
    return [
        account(series, days, _MODES[(first + number) % 3]) for number, days in enumerate(sizes)
    ]


def account(series: Series, days: float, mode: str) -> Account:
    """*series* as an account whose usual top-up lasts about *days*."""
    chance = random.Random(f"{series.name}/{days}/{mode}")
    net = _with_refunds(series.steps, chance)
    amount = _round(sum(series.steps) / len(series.steps) * PER_DAY * days)
    balances, top_ups, emptied = _paid(series, net, _Habit(amount, days, mode), chance)
    cumulated = [0.0, *accumulate(net)]
    return Account(
        series,
        days,
        mode,
        balances,
        net,
        _polls(len(net), chance),
        top_ups,
        emptied,
        cumulated,
        list(accumulate(cumulated, max)),
    )


def _with_refunds(steps: list[float], chance: random.Random) -> list[float]:
    net = list(steps)
    for index, amount in enumerate(steps):
        if amount > 0 and chance.random() < _REFUNDED:
            later = index + chance.randint(1, 6)
            if later < len(net):
                net[later] -= amount
    return net


@dataclass(frozen=True, slots=True)
class _Habit:
    """Pays *amount*, which lasts *days*, in a *mode*."""

    amount: float
    days: float
    mode: str

    def is_scheduled(self, at: int) -> bool:
        """Whether the top-up of every so many days comes in the step that begins *at*."""
        day, second = divmod(at, 86_400)
        return self.mode == "schedule" and second == 9 * 3600 and day % round(self.days) == 0

    def low(self, chance: random.Random) -> float:
        """Below which balance somebody, or the provider, does something."""
        if self.mode == "schedule":
            return -math.inf
        share = chance.uniform(0.12, 0.35) if self.mode == "hand" else chance.uniform(0.04, 0.10)
        return share * self.amount

    def delay(self, chance: random.Random) -> int:
        """Steps from there until it is done."""
        return int(chance.lognormvariate(math.log(4), 0.8) * PER_HOUR) if self.mode == "hand" else 0


def _paid(
    series: Series, net: list[float], habit: _Habit, chance: random.Random
) -> tuple[list[float], list[int], list[int]]:
    """The balance after every step, when it was topped up, and when it ran out."""
    balance = habit.amount * chance.uniform(0.5, 1.0)
    low = habit.low(chance)
    balances: list[float] = []
    top_ups: list[int] = []
    emptied: list[int] = []
    due: int | None = None
    for index, used in enumerate(net):
        balance -= used
        if due is None and balance < low:
            due = index + habit.delay(chance)
        is_due = due is not None and index >= due
        if balance <= 0:
            emptied.append(index)
        if is_due or balance <= 0 or habit.is_scheduled(series.start + index * STEP):
            balance += habit.amount * (1 + max(0, math.ceil(-balance / habit.amount)))
            top_ups.append(index)
            due = None
        balances.append(balance)
    return balances, top_ups, emptied


def _polls(count: int, chance: random.Random) -> list[bool]:
    polled = [chance.random() >= _MISSED for _ in range(count)]
    at = int(chance.expovariate(1 / _OUTAGE_EVERY))
    while at < count:
        length = int(chance.lognormvariate(math.log(40 / 5), 1.0))
        end = min(at + min(max(length, 1), _OUTAGE_AT_MOST), count)
        polled[at:end] = [False] * (end - at)
        at = end + int(chance.expovariate(1 / _OUTAGE_EVERY))
    polled[0] = True
    return polled


def _round(amount: float) -> float:
    """A number that people pay in: 1, 1.5, 2, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(amount))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return min((step * power for step in steps), key=lambda value: abs(math.log(value / amount)))
