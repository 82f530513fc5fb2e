"""What the web side is given, and how it reads the store without holding up the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from monitor.clock import Clock
from monitor.metrics import Metrics
from monitor.store.base import Store, StoredConfiguration, StoreError
from monitor.world import World

_Result = TypeVar("_Result")

READERS = 4
"""Queries that may run at once; they share the interpreter with the polls."""

READ_TIMEOUT = 15.0
"""Real seconds after which a page gives the store up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """The running parts that pages and metrics read.

    ``health`` gives what is wrong right now, one sentence each; empty means ready.
    ``configuration`` gives when the one in use was read, and why a later one was refused.
    """

    store: Store
    world: World
    metrics: Metrics
    clock: Clock
    health: Callable[[], list[str]]
    configuration: Callable[[], StoredConfiguration]
    version: str


class Reader:
    """Runs queries, and what is made of their answers, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="web")

    async def run(self, query: Callable[[], _Result]) -> _Result:
        """The result of *query*; raises ``StoreError`` when it takes too long."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, query)
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                return await work
        except TimeoutError:
            raise StoreError(
                f"the store did not answer within {READ_TIMEOUT:.0f} s; it may be busy or locked"
            ) from None

    def close(self) -> None:
        """Take no more work; a query that still runs is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
