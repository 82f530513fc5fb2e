"""Keeps Python's garbage collector from stopping the daemon again and again.

A full collection walks through every object that may be part of a cycle, and none of our hundred
thousands ever is: at 10,000 keys that stops the loop for 140 ms, every five seconds.  Objects that
are set aside are not walked through; they are still freed as soon as nothing refers to them.
Measurements: ``docs/decisions/0012-garbage-collector-and-memory.md``.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager


class Collector:
    """The garbage collector of this process, as the daemon wants it while it runs.

    One daemon at a time: what is set aside is so for the whole process.
    """

    def __init__(self) -> None:
        self._later: asyncio.TimerHandle | None = None

    def tidy_up(self) -> None:
        """Collect what building the daemon has left behind; takes 0.1 s at 10,000 keys."""
        gc.collect()

    def set_aside(self, again_after: float) -> None:
        """Set aside what exists now, and after *again_after* seconds what has come to it by then.

        The second time is for what first polls bring: readings, ledgers, connections.  Nothing is
        collected before it, so that it takes no time; a cycle that is just then garbage stays.
        """
        gc.freeze()
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(again_after, gc.freeze)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Collect nothing meanwhile: for what makes many objects in a few seconds, all of them
        needed until it is done, as reading a configuration does.
        """
        gc.disable()
        try:
            yield
        finally:
            gc.enable()

    def release(self) -> None:
        """Collect everything again, as before."""
        if self._later is not None:
            self._later.cancel()
        gc.unfreeze()
