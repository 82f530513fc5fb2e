"""A thread of its own for each blocking send, so that a hanging channel holds up nobody."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_ABANDONED = 4
"""So many sends of one channel may hang at a time; then it waits until one of them ends."""


class StuckError(Exception):
    """Too many earlier sends of this channel still hang."""


class Worker(Generic[T]):
    """Runs one channel's blocking jobs, each in a fresh daemon thread.

    A thread cannot be stopped from outside: a job that outlives its time is abandoned.  Being a
    daemon, it does not hold up the end of the process; nor does it use up a pool that others need.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._abandoned: list[threading.Thread] = []

    async def run(self, job: Callable[[], T], timeout: float) -> T:  # noqa: ASYNC109 - the point
        """The result of *job*, or its exception; ``TimeoutError`` after *timeout* seconds.

        Raises :class:`StuckError` without starting *job* while too many earlier ones hang.
        """
        self._abandoned = [t for t in self._abandoned if t.is_alive()]
        if len(self._abandoned) >= MOST_ABANDONED:
            raise StuckError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=_work, args=(job, loop, future), name=f"channel-{self._name}", daemon=True
        )
        thread.start()
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            if not future.done() or future.cancelled():
                self._abandoned.append(thread)


def _work(job: Callable[[], T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> None:
    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # no error: there is a result

    try:
        outcome: tuple[T | None, BaseException | None] = (job(), None)
    except BaseException as error:  # noqa: BLE001 - carried over to whoever awaits the job
        outcome = (None, error)
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(settle, *outcome)
