"""Writes what the pipeline decided: in order, grouped into commits, and never lost while we run.

One writer thread owns the store's writing side.  While the store fails, everything is kept in
memory in its order and tried again; alerts are handed to delivery all the same, because a full
disk must not keep a person from hearing that the credit runs out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from monitor.clock import Clock
from monitor.store.base import Changes, Store, StoreCorruptError, StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHER_SECONDS = 0.1
"""What arrives within this time shares a commit; alerts do not wait for it."""

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits between tries of a store that fails; the last one repeats."""

COALESCE_ABOVE = 1000
"""A backlog of more units of work than this is folded: of equal rows only the last one is kept."""

MAX_SAMPLES = 1_000_000
"""A backlog keeps at most this many samples (about 400 MB); older ones are then given up."""


class Recorder:
    """Takes :class:`Changes`, writes them, and releases each once: when written, or when the store
    has failed once with it.
    """

    def __init__(
        self,
        store: Store,
        *,
        released: Callable[[Changes], None],
        failed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._released = released
        self._failed = failed
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        self._backlog: list[Changes] = []  # tried and failed, already released
        self._fresh: list[Changes] = []
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._settled = asyncio.Condition()
        self._added = self._done = 0
        self._failures = 0
        self._behind_since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.error: str = ""
        self.corruption: str = ""
        """The first word of damage in the store, met by writing or reading; it does not heal."""

    def add(self, changes: Changes) -> None:
        """Take over *changes*; returns at once."""
        if not changes:
            return
        if self._behind_since is None:
            self._behind_since = self._clock.monotonic()
        self._fresh.append(changes)
        self._added += 1
        self._wake.set()
        if changes.events or changes.attempts:
            self._urgent.set()

    @property
    def waiting(self) -> int:
        """Units of work that are not in the store yet."""
        return len(self._backlog) + len(self._fresh)

    def behind(self) -> float:
        """Real seconds for which nothing was written although something waits."""
        if self._behind_since is None:
            return 0.0
        return self._clock.real(self._clock.monotonic() - self._behind_since)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def settled(self) -> None:
        """Wait until everything added so far is written, or has been tried and failed."""
        target = self._added
        self._urgent.set()
        async with self._settled:
            await self._settled.wait_for(lambda: self._done >= target)

    async def call(self, work: Callable[[Store], T]) -> T:
        """Run *work* in the writer thread, between two commits; raises what it raises."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work, self._store)
        except StoreCorruptError as error:
            self.corruption = self.corruption or str(error)
            raise

    async def stop(self, seconds: float) -> int:
        """Write what is left within *seconds* and stop; returns how much could not be written."""
        self._urgent.set()
        self._wake.set()
        if self._task is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self.settled()
            except TimeoutError:
                log.error("the store did not take the last changes within %.0f s", seconds)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self.waiting:
            await self._write_once()
        self._thread.shutdown(wait=False)
        return self.waiting

    async def _run(self) -> None:
        while True:
            await self._wait_for_work()
            await self._write_once()

    async def _wait_for_work(self) -> None:
        """Until there is something to write: at once if urgent, after a pause if failing."""
        if self._failures:
            pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
            await self._pause(pause, self._urgent)
        else:
            await self._wake.wait()
            await self._pause(GATHER_SECONDS, self._urgent)
        self._wake.clear()
        self._urgent.clear()

    @staticmethod
    async def _pause(seconds: float, unless: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(seconds):
                await unless.wait()
        except TimeoutError:
            pass

    async def _write_once(self) -> None:
        """One commit of everything there is."""
        fresh, self._fresh = self._fresh, []
        batch = [*self._backlog, *fresh]
        if not batch:
            return
        try:
            await self._write(batch)
        except StoreError as error:
            self._keep(batch, str(error))
        except Exception as error:
            log.exception("the store rejected a value")
            self._keep(await self._without_poison(batch), type(error).__name__)
        else:
            self._recovered()
        for changes in fresh:
            self._released(changes)
        self._done += len(fresh)
        async with self._settled:
            self._settled.notify_all()

    async def _write(self, batch: Sequence[Changes]) -> None:
        await self.call(lambda store: store.write(batch))

    def _keep(self, batch: list[Changes], cause: str) -> None:
        self._backlog = batch if len(batch) <= COALESCE_ABOVE else [coalesce(batch)]
        self._failures += 1
        self._failed()
        if cause != self.error:
            self.error = cause
            log.error("the store failed, keeping changes in memory: %s", cause)

    def _recovered(self) -> None:
        if self._failures:
            log.warning(
                "the store works again, %d kept units of work are written", len(self._backlog)
            )
        self._backlog = []
        self._failures = 0
        self._behind_since = self._clock.monotonic() if self._fresh else None
        self.error = ""

    async def _without_poison(self, batch: list[Changes]) -> list[Changes]:
        """Write one by one; give up those that are not the store's fault, keep the others."""
        kept: list[Changes] = []
        for changes in batch:
            try:
                await self._write([changes])
            except StoreError:
                kept.append(changes)
            except Exception:
                log.exception("a unit of work cannot be stored and is given up")
        return kept


def coalesce(batch: Sequence[Changes]) -> Changes:
    """*batch* as one unit in which every row occurs once, in its last version."""
    folded = Changes()
    rows: dict[str, Callable[[Any], object]] = {
        "keys": lambda k: k.name,
        "forgotten": lambda pair: pair,
        "ledgers": lambda e: (e.subject_id, e.meter),
        "forecasts": lambda f: (f.subject_id, f.meter),
        "samples": lambda s: (s.key, s.meter, s.at),
        "outages": lambda o: (o.key, o.at),
        "alerts": lambda a: a.id,
        "events": lambda e: e.id,
        "notifications": lambda n: n.id,
        "attempts": lambda a: (a.notification_id, a.number),
        "reports": lambda r: (r.kind, r.period_start),
        "configurations": lambda _: None,
        "renewals": lambda r: (r.key, r.meter),
        "suppressed": lambda s: (s.event_id, s.channel, s.reason),
    }
    for name, identity in rows.items():
        last = {identity(row): row for changes in batch for row in getattr(changes, name)}
        setattr(folded, name, list(last.values()))
    if len(folded.samples) > MAX_SAMPLES:
        log.error("%d samples given up", len(folded.samples) - MAX_SAMPLES)
        folded.samples = folded.samples[-MAX_SAMPLES:]
    return folded
