"""When which key is polled: first times, fixed phases, backoff.  Pure: time is a parameter.

All times are seconds of one monotonic clock, so steps of the wall clock do not matter here.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from monitor.core.model import Reason

K = TypeVar("K")

TRANSIENT_BASE = 60.0
"""First retry after a failure that passes by itself, for keys polled less often than that."""
TRANSIENT_CAP = 300.0
"""Longest wait between retries of such a failure, unless the interval itself is longer."""
PERSON_CAP = 900.0
"""Longest wait between polls of a key that somebody has to put right, unless as above."""
RETRY_AFTER_CAP = 6 * 3600.0
"""A provider's ``Retry-After`` beyond this is taken for a mistake: nobody would be told of less."""
JITTER = 0.1
"""Share by which a backoff varies, so that keys that failed together do not retry together."""
START_SHARE = 0.9
"""Share of the interval that first polls spread over: the last answer, too, falls within it."""


def next_delay(
    *,
    interval: float,
    failures: int,
    reason: Reason,
    retry_after: float | None = None,
    jitter: float = 0.0,
) -> float:
    """Seconds to wait after the *failures*-th failed poll in a row (counted from 1).

    What passes by itself is tried again sooner than a long interval and later than a short one;
    what needs a person is not asked more often than the interval.  *jitter* lies in -1..1.
    """
    if reason.needs_person:
        base, cap = interval, max(interval, PERSON_CAP)
    else:
        base, cap = min(interval, TRANSIENT_BASE), max(interval, TRANSIENT_CAP)
    doublings = min(failures - 1, 32)  # beyond it every cap is reached, and floats stay finite
    delay = min(cap, base * 2.0**doublings) * (1 + JITTER * jitter)
    return max(delay, min(retry_after or 0.0, RETRY_AFTER_CAP))


def spread(
    entries: Sequence[tuple[str, float]],
    rates: Mapping[str, float],
    *,
    spacing: float,
    within: float,
    random: Random,
) -> list[float]:
    """Seconds from start to the first poll of each of *entries*: (limit group, interval).

    Keys of one interval start *spacing* seconds apart, or as far as their group's rate (polls per
    second) demands, but all within the first interval.  The earliest of all starts at a random
    moment *within* seconds, so that several daemons started together do not stay together.
    """
    phases = [0.0] * len(entries)
    for interval, groups in _cohorts(entries).items():
        smear = spacing * sum(len(members) for members in groups.values())
        for group, members in groups.items():
            count = len(members)
            window = min(START_SHARE * interval, max(smear, count / rates[group]))
            offset = random.random()
            for position, index in enumerate(members):
                phases[index] = (position + offset) * window / count
    earliest = min(phases, default=0.0)
    shortest = min((interval for _, interval in entries), default=0.0)
    begin = random.random() * min(within, (1 - START_SHARE) / 2 * shortest)
    return [begin + phase - earliest for phase in phases]


def _cohorts(entries: Sequence[tuple[str, float]]) -> dict[float, dict[str, list[int]]]:
    cohorts: dict[float, dict[str, list[int]]] = {}
    for index, (group, interval) in enumerate(entries):
        cohorts.setdefault(interval, {}).setdefault(group, []).append(index)
    return cohorts


@dataclass(slots=True, eq=False)
class Slot(Generic[K]):
    """The place of one key in the schedule; ``due`` is its next poll."""

    key: K
    interval: float
    phase: float
    due: float


@dataclass(frozen=True, slots=True)
class Due(Generic[K]):
    """A key to poll now: since when, and how many of its later times have passed unused."""

    key: K
    since: float
    missed: int


@dataclass(slots=True)
class Schedule(Generic[K]):
    """All keys by the time of their next poll.

    Every key has a fixed phase: its polls are due at phase + n * interval, however long an answer
    takes, so nothing drifts.  A key that is taken is entered again at once; its owner sees the next
    time come even while the poll still runs, and counts it as missed.
    """

    _heap: list[tuple[float, int, Slot[K]]] = field(default_factory=list)
    _entered: int = 0

    def add(self, key: K, *, first: float, interval: float) -> Slot[K]:
        """Enter *key* with its first poll due at *first*; returns its place for later calls."""
        slot = Slot(key=key, interval=interval, phase=first, due=first)
        self._enter(slot)
        return slot

    def next_due(self) -> float:
        """When the next key is due; infinity without keys."""
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].due:  # moved since: the entry is a leftover
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def take(self, now: float) -> list[Due[K]]:
        """The keys due at *now*, in order; each is entered again for its next time after *now*."""
        taken: list[Due[K]] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            since, _, slot = heapq.heappop(heap)
            if since != slot.due:
                continue
            missed = int((now - since) / slot.interval)
            slot.due = since + (missed + 1) * slot.interval
            self._enter(slot)
            taken.append(Due(slot.key, since, missed))
        return taken

    def move(self, slot: Slot[K], due: float) -> None:
        """Poll the key of *slot* next at *due*."""
        slot.due = due
        self._enter(slot)

    def remove(self, slot: Slot[K]) -> None:
        """Poll the key of *slot* no more."""
        slot.due = math.inf  # its entry in the heap is a leftover now

    def back_to_phase(self, slot: Slot[K], now: float) -> None:
        """After a backoff, poll the key of *slot* at its regular times again.

        The first of them is at least half an interval away: the key has just been read.
        """
        periods = math.ceil((now - slot.phase) / slot.interval + 0.5)
        self.move(slot, slot.phase + periods * slot.interval)

    def _enter(self, slot: Slot[K]) -> None:
        self._entered += 1
        heapq.heappush(self._heap, (slot.due, self._entered, slot))
