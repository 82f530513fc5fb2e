"""An event loop whose time passes only when everything waits: days of waiting take no time."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

from monitor.clock import Clock

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class _Jumping(selectors.SelectSelector):
    """Instead of waiting for what may come, goes on to when the next timer is due."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.passed += timeout
            timeout = 0
        return super().select(timeout)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For ``asyncio.Runner(loop_factory=VirtualTimeLoop)``; work in threads takes no time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


class LoopClock(Clock):
    """The loop's time as a clock of the daemon, with a wall clock that can be set."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__()
        self._start = start
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic()) + self.offset

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
