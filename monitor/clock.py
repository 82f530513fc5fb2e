"""The one source of time of the running parts; the pure core gets ``now`` as a parameter.

A clock can run faster than the wall (``demo``), which is why every wait of the daemon asks the
clock how long it lasts in real seconds.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """UTC time, ``speed`` times as fast as the wall from the moment of construction.

    With ``speed`` 1 it is the system clock, steps of it (NTP, suspend) included.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("the speed of a clock must be positive")
        self.speed = speed
        self._wall = datetime.now(UTC)
        self._started = time.monotonic()

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        if self.speed == 1.0:
            return datetime.now(UTC)
        return self._wall + timedelta(seconds=(time.monotonic() - self._started) * self.speed)

    def monotonic(self) -> float:
        """Seconds that never go back, in this clock's pace: for schedules and durations."""
        return (time.monotonic() - self._started) * self.speed

    def real(self, seconds: float) -> float:
        """How many seconds on the wall *seconds* of this clock last."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* of this clock."""
        await asyncio.sleep(max(0.0, self.real(seconds)))
