"""Leaks: for two hours a key uses 3, 5 or 10 times what it would; who notices, and how soon."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from benchmarks._drive import polls
from benchmarks._prepaid import account
from benchmarks._series import PER_DAY, PER_HOUR, Series
from monitor.core.forecast import usual

FACTORS = (3, 5, 10)
LENGTH = 2 * PER_HOUR
_LEARNING = 3 * PER_DAY
_APART = 2.5 * PER_DAY
_AFTERMATH = PER_HOUR
_OVER_BELOW = 0.7


@dataclass(frozen=True, slots=True)
class Found:
    """One key with leaks: (factor, minutes until told or None) each, and its false alarms."""

    series: Series
    leaks: list[tuple[int, float | None]]
    false_alarms: int
    weeks: float


def find_leaks(series: Series) -> Found:
    """Leaks put into *series*, and when ``usual`` says so, poll by poll."""
    leaks = _placed(series)
    steps = list(series.steps)
    for begin, factor in leaks:
        for index in range(begin, begin + LENGTH):
            steps[index] *= factor
    told: dict[int, float] = {}
    false_alarms, firing = 0, False
    for poll in polls(account(replace(series, steps=steps), 5.0, "automatic")):
        if poll.index < _LEARNING:
            continue
        found = usual(poll.state, poll.ledger.at)
        surprise = found.surprise if found else 0.0
        leak = next((b for b, _ in leaks if b <= poll.index < b + LENGTH + _AFTERMATH), None)
        if surprise >= (_OVER_BELOW if firing else 1.0):
            if leak is not None:
                told.setdefault(leak, (poll.index + 1 - leak) * 5.0)
            elif not firing:
                false_alarms += 1
            firing = True
        else:
            firing = False
    weeks = (len(steps) - _LEARNING) / (7 * PER_DAY)
    return Found(
        series, [(factor, told.get(begin)) for begin, factor in leaks], false_alarms, weeks
    )


def _placed(series: Series) -> list[tuple[int, int]]:
    """(first step, factor) of leaks 2.5 days apart or more, while the key is in use."""
    chance = random.Random(f"leaks in {series.name}")
    mean = sum(series.steps) / len(series.steps)
    placed: list[tuple[int, int]] = []
    first = chance.randrange(len(FACTORS))
    at = _LEARNING + chance.randrange(PER_DAY)
    while at + LENGTH < len(series.steps):
        if sum(series.steps[at : at + LENGTH]) >= 0.1 * mean * LENGTH:
            placed.append((at, FACTORS[(first + len(placed)) % len(FACTORS)]))
            at += int(_APART)
        at += 1 + chance.randrange(PER_HOUR)
    return placed
