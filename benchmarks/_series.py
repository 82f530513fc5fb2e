"""Consumption per 5 minutes: generated series of every kind, or traces from a folder."""

from __future__ import annotations

import csv
import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

STEP = 300
PER_HOUR = 12
PER_DAY = 24 * PER_HOUR
_DAYS = 35
_START = 1_767_225_600  # 2026-01-01, a Thursday
_KEYS_OF_A_KIND = 6


@dataclass(frozen=True, slots=True)
class Series:
    """Consumption of one key: ``steps[i]`` is that of the 5 minutes from ``start`` + 300 i on."""

    name: str
    start: int
    steps: list[float]

    @property
    def is_held_out(self) -> bool:
        """Whether it was kept away from development: a third, by a hash of the name."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 3 == 0

    @property
    def kind(self) -> str:
        """``sparse``: over 30 % of the hours idle, or a deviation of the hours over 2.5 times the
        mean; ``steady``: that deviation below 0.8; else ``mixed``.
        """
        hours = self.hours()
        mean = fmean(hours)
        variation = pstdev(hours) / mean if mean else math.inf
        if sum(hour <= 0 for hour in hours) > 0.3 * len(hours) or variation > 2.5:
            return "sparse"
        return "steady" if variation < 0.8 else "mixed"

    def hours(self) -> list[float]:
        """Consumption per hour."""
        whole = range(0, len(self.steps) - PER_HOUR + 1, PER_HOUR)
        return [sum(self.steps[at : at + PER_HOUR]) for at in whole]


def from_folder(folder: Path) -> list[Series]:
    """Every column of every CSV: the first column is Unix seconds, the others a key each."""
    found: list[Series] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        start = int(float(rows[0][0]))
        for column, name in enumerate(header[1:], 1):
            found.append(Series(name, start, [float(row[column] or 0) for row in rows]))
    return found


def generated() -> list[Series]:
    """Five weeks of each kind, six keys a kind, the same ones every time."""
    return [
        _generate(f"{kind}-{number}", rate)
        for kind, rate in KINDS.items()
        for number in range(1, _KEYS_OF_A_KIND + 1)
    ]


Rate = Callable[[random.Random], Iterator[float]]
"""Endless consumption rates per 5 minutes, before the noise of single jobs."""


def _generate(name: str, rate: Rate) -> Series:
    chance = random.Random(name)
    per_day = math.exp(chance.uniform(math.log(300), math.log(50_000)))
    job = per_day / PER_DAY * math.exp(chance.uniform(-2, 1))
    steps = []
    rates = rate(chance)
    for _ in range(_DAYS * PER_DAY):
        jobs = _poisson(chance, next(rates) * per_day / PER_DAY / job)
        steps.append(round(jobs * job, 2))
    return Series(name, _START, steps)


def _poisson(chance: random.Random, mean: float) -> float:
    if mean > 30:
        return max(0.0, chance.gauss(mean, math.sqrt(mean)))
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return float(count)


def _ripple(chance: random.Random) -> Iterator[float]:
    """A level that wanders a little, as all real use does: an autoregressive logarithm."""
    state = 0.0
    while True:
        state = 0.98 * state + chance.gauss(0, 0.05)
        yield math.exp(state)


def _steady(chance: random.Random) -> Iterator[float]:
    yield from _ripple(chance)


def _daily(chance: random.Random) -> Iterator[float]:
    peak, depth = chance.uniform(0, 24), chance.uniform(0.6, 1.0)
    for step, ripple in enumerate(_ripple(chance)):
        hour = step / PER_HOUR
        yield ripple * (1 + depth * math.cos((hour - peak) / 24 * 2 * math.pi))


def _weekdays(chance: random.Random) -> Iterator[float]:
    begin, end = chance.choice((6, 7, 8, 9)), chance.choice((16, 17, 18, 20))
    for step, ripple in enumerate(_ripple(chance)):
        hour = step // PER_HOUR
        weekday = (hour // 24 + 3) % 7  # the first day is a Thursday
        works = weekday < 5 and begin <= hour % 24 < end
        yield ripple * (3.5 if works else 0.02)


def _bursts(chance: random.Random) -> Iterator[float]:
    while True:
        for _ in range(int(chance.expovariate(1 / (6 * PER_HOUR)))):
            yield 0.1
        height = chance.lognormvariate(1.5, 0.8)
        for _ in range(1 + int(chance.expovariate(1 / PER_HOUR))):
            yield height


def _shifts(chance: random.Random) -> Iterator[float]:
    rhythm, level, left = _daily(chance), 1.0, 0
    for value in rhythm:
        if left <= 0:
            left = int(chance.uniform(4, 12) * PER_DAY)
            level = math.exp(chance.uniform(math.log(0.2), math.log(5)))
        left -= 1
        yield level * value


def _sparse(chance: random.Random) -> Iterator[float]:
    while True:
        for _ in range(int(chance.expovariate(1 / (14 * PER_HOUR)))):
            yield 0.0
        for _ in range(1 + int(chance.expovariate(1 / 6))):
            yield 12.0


def _growing(chance: random.Random) -> Iterator[float]:
    per_day = chance.uniform(0.02, 0.08)
    for step, value in enumerate(_daily(chance)):
        yield value * 0.5 * math.exp(per_day * step / PER_DAY)


KINDS: dict[str, Rate] = {
    "steady": _steady,
    "daily": _daily,
    "weekdays": _weekdays,
    "bursts": _bursts,
    "shifts": _shifts,
    "sparse": _sparse,
    "growing": _growing,
}
