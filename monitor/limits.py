"""How hard a group of keys may press its provider: starts per second and polls in flight.

Every group has a queue of its own, so a group that waits holds up nobody else; what waits is an
entry in that queue, not a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

LEAST_RATE = 20.0
"""Polls per second that any group may start when no rate is configured."""
HEADROOM = 2.0
"""How much faster than its schedule a group may go when no rate is configured, to catch up."""
BURST_SECONDS = 0.1
"""What a rate allows in this time may start at once: the keys of one tick, not a second's worth."""
ROUNDING = 1e-9
"""Seconds that floats may be off; nobody waits for so little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What one group of keys may do: ``rate`` polls started per second, ``concurrency`` in flight.

    Without a ``rate`` it follows the schedule: twice what that asks for, at least 20 per second.
    """

    rate: float | None = None
    concurrency: int = 100

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise ValueError("a rate is a positive number of polls per second")
        if self.concurrency < 1:
            raise ValueError("a concurrency is at least 1")

    def rate_for(self, demand: float) -> float:
        """Polls per second, for a group whose schedule asks for *demand* of them."""
        return self.rate if self.rate is not None else max(LEAST_RATE, HEADROOM * demand)


class RateLimit:
    """At most *rate* starts per second with short bursts: the generic cell rate algorithm.

    One number of state and no timer: who has to wait is told how long.
    """

    __slots__ = ("_expected", "_gap", "_tolerance")

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._tolerance = max(0.0, BURST_SECONDS - self._gap)
        self._expected = float("-inf")

    def take(self, now: float) -> float:
        """0.0 if a start at *now* is allowed (and then counted), else the seconds to wait."""
        wait = self._expected - self._tolerance - now
        if wait > ROUNDING:
            return wait
        self._expected = max(self._expected, now) + self._gap
        return 0.0


class Gate(Generic[T]):
    """The queue in front of one group: first come, first served, within its limits.

    ``launch`` is called for each item that may start, on the event loop; the item's end has to be
    reported with :meth:`release`.  An item that ``admit`` turns down when its turn has come is let
    go instead.
    """

    def __init__(
        self,
        *,
        rate: float,
        concurrency: int,
        launch: Callable[[T], None],
        admit: Callable[[T], bool] = lambda _: True,
    ) -> None:
        self._rate = RateLimit(rate)
        self._concurrency = concurrency
        self._launch = launch
        self._admit = admit
        self._waiting: deque[T] = deque()
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many items wait for their turn."""
        return len(self._waiting)

    def submit(self, item: T) -> None:
        """Start *item* as soon as the limits allow, behind those that wait already."""
        self._waiting.append(item)
        self._start()

    def release(self) -> None:
        """One item has ended: its place is free."""
        self._running -= 1
        self._start()

    def adjust(self, *, rate: float, concurrency: int) -> None:
        """Go on with other limits; what runs already is not touched."""
        self._rate = RateLimit(rate)
        self._concurrency = concurrency
        self._disarm()
        self._start()

    def withdraw(self, items: Collection[T]) -> None:
        """Let those of *items* that wait not start."""
        self._waiting = deque(item for item in self._waiting if item not in items)

    def close(self) -> None:
        """Forget what waits; nothing is launched any more."""
        self._waiting.clear()
        self._disarm()

    def _start(self) -> None:
        while self._waiting and self._running < self._concurrency and self._timer is None:
            loop = asyncio.get_running_loop()
            wait = self._rate.take(loop.time())
            if wait > 0:
                self._timer = loop.call_later(wait, self._resume)
                return
            item = self._waiting.popleft()
            if self._admit(item):
                self._running += 1
                self._launch(item)

    def _resume(self) -> None:
        self._timer = None
        self._start()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
