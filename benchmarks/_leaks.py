"""Leaks: for two hours a key uses 3, 5 or 10 times what it would; who is told, and how soon.

Asked is the rule ``spike`` with its defaults, through the pipeline, as ``replay`` does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from benchmarks._prepaid import Account, account
from benchmarks._series import PER_DAY, PER_HOUR, STEP, Series
from monitor.core.events import Change
from monitor.core.rules import Spike
from monitor.replay import AlertLine, Replay, Sighting, Wanted
from monitor.world import WatchedKey

FACTORS = (3, 5, 10)
LENGTH = 2 * PER_HOUR
_LEARNING = 3 * PER_DAY
APART = round(2.5 * PER_DAY)
ALONE = 10_000 * PER_DAY
"""Steps between two leaks: several in the memory of the meter, or one in all its life."""

PLACEMENTS = 2
_AFTERMATH = PER_HOUR


@dataclass(frozen=True, slots=True)
class Found:
    """One key with leaks: (factor, minutes until told or None) each, and its false alarms."""

    series: Series
    leaks: list[tuple[int, float | None]]
    false_alarms: int
    weeks: float


def find_leaks(series: Series, placement: int, *, apart: int = APART) -> Found:
    """Leaks put into *series*, and which alerts there are, those of the first days left out.

    The leaks are *apart* steps from each other or more; *placement* numbers the ways to place them.
    """
    leaks = _placed(series, placement, apart)
    steps = list(series.steps)
    for begin, factor in leaks:
        for index in range(begin, begin + LENGTH):
            steps[index] *= factor
    told: dict[int, float] = {}
    false_alarms = 0
    for index in _alerts(account(replace(series, steps=steps), 5.0, "automatic")):
        leak = next((b for b, _ in leaks if b <= index < b + LENGTH + _AFTERMATH), None)
        if leak is not None:
            told.setdefault(leak, (index + 1 - leak) * 5.0)
        elif index >= _LEARNING:
            false_alarms += 1
    weeks = (len(steps) - _LEARNING) / (7 * PER_DAY)
    return Found(
        series, [(factor, told.get(begin)) for begin, factor in leaks], false_alarms, weeks
    )


def _alerts(account: Account) -> Iterator[int]:
    """The steps after which an alert of the rule ``spike`` opens."""
    key = WatchedKey(name="key", provider="samples", interval=timedelta(seconds=STEP))
    replay = Replay(lambda _: (key,), Wanted(every=0))
    is_open = False
    for index, is_polled in enumerate(account.is_polled):
        if not is_polled:
            continue
        at = datetime.fromtimestamp(account.at(index), UTC)
        balance = Decimal(str(round(account.balances[index], 2)))
        for line in replay.feed(Sighting(at, key.name, "balance", balance)):
            if isinstance(line, AlertLine) and line.event.rule == Spike.name:
                if line.is_open and not is_open:
                    yield index
                is_open = line.event.change is not Change.RESOLVED


def _placed(series: Series, placement: int, apart: int) -> list[tuple[int, int]]:
    """(first step, factor) of the leaks, all while the key is in use."""
    chance = random.Random(f"leaks in {series.name}, {placement}, {apart}")
    mean = sum(series.steps) / len(series.steps)
    placed: list[tuple[int, int]] = []
    first = chance.randrange(len(FACTORS))
    longest_wait = PER_DAY if apart < len(series.steps) else len(series.steps) // 2
    at = _LEARNING + chance.randrange(longest_wait)
    while at + LENGTH < len(series.steps):
        if sum(series.steps[at : at + LENGTH]) >= 0.1 * mean * LENGTH:
            placed.append((at, FACTORS[(first + len(placed)) % len(FACTORS)]))
            at += apart
        at += 1 + chance.randrange(PER_HOUR)
    return placed
