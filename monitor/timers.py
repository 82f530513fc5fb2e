"""The one door to APScheduler: the few jobs that everything periodic shares.

APScheduler keeps due times on the wall clock and costs up to a millisecond per run of a job.  So
there is one job for all polls and one per housekeeping task, and their triggers and the scheduler
below follow the monotonic clock: setting the wall clock neither delays nor hastens anything.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.clock import Clock

GRID = 0.05
"""Real seconds between two runs of a due-driven job at most: what is due then starts together."""
STEP = 0.2
"""A change between wall and monotonic clock, in seconds, that is a step and no slewing."""


class _SteadyScheduler(AsyncIOScheduler):  # type: ignore[misc]  # APScheduler 3 has no types
    """Moves all jobs along when the wall clock was set, before it looks for what is due.

    The timer that wakes the scheduler counts real seconds, so it fires at the right moment; but
    after the wall clock was set back by an hour, no job would look due for that hour.
    """

    def __init__(self) -> None:
        super().__init__(timezone=UTC)
        self._offset = _wall().timestamp() - time.monotonic()

    def wakeup(self) -> None:
        """Called by the timer and after every change of a job."""
        offset = _wall().timestamp() - time.monotonic()
        step, self._offset = offset - self._offset, offset
        if abs(step) > STEP:
            for job in self.get_jobs():
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=step))
        super().wakeup()


class _WhenDue(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Fires when ``due()`` says so, on a grid: at most every :data:`GRID` real seconds.

    It is asked before the job has taken what is due now, so a time that has passed means the next
    line of the grid.
    """

    def __init__(self, due: Callable[[], float], clock: Clock) -> None:
        self._due = due
        self._clock = clock
        self._grid = GRID * clock.speed
        self.armed = math.inf

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The wall time at which the job runs next, seen from the wall time *now*."""
        present = self._clock.monotonic()
        following = math.floor(present / self._grid) + 1
        self.armed = max(following, math.ceil(self._due() / self._grid)) * self._grid
        return now + timedelta(seconds=self._clock.real(self.armed - present))

    def line(self) -> float:
        """The last line of the grid that has passed.

        A run that is late by a millisecond must not take what is due in that millisecond, or that
        key would come one line earlier now and then.
        """
        return math.floor(self._clock.monotonic() / self._grid) * self._grid


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Fires every *interval* seconds of the clock, at fixed multiples from its creation."""

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._begin = clock.monotonic()

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The wall time at which the job runs next, seen from the wall time *now*."""
        present = self._clock.monotonic()
        # Rounded: a timer may fire a hair early, and must not fire twice for the same time.
        passed = round((present - self._begin) / self._interval)
        following = self._begin + (passed + 1) * self._interval
        return now + timedelta(seconds=self._clock.real(following - present))


class DueTimer:
    """A job that runs when its schedule says so; made by :meth:`Timers.when_due`."""

    def __init__(self, job: Any, trigger: _WhenDue) -> None:
        self._job = job
        self._trigger = trigger

    def hasten(self, due: float) -> None:
        """Something becomes due at *due* on the clock: run no later than that."""
        if due < self._trigger.armed:
            self._job.modify(next_run_time=self._trigger.get_next_fire_time(None, _wall()))

    def remove(self) -> None:
        """Run no more."""
        self._job.remove()


class Timers:
    """Runs the periodic work of the daemon on its event loop.

    A job that raises runs again at its next time; APScheduler logs the traceback, and *failed* is
    called with the job's name, also for a run that did not take place.
    """

    def __init__(self, clock: Clock, *, failed: Callable[[str], None]) -> None:
        self._clock = clock
        self._failed = failed
        self._running: set[asyncio.Task[Any]] = set()
        self._scheduler = _SteadyScheduler()
        self._scheduler.add_listener(
            self._report, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES
        )

    def start(self) -> None:
        """Begin; must be called on the event loop.  Jobs may be added before and after."""
        self._scheduler.start()

    def every(self, name: str, interval: timedelta, run: Callable[[], Awaitable[None]]) -> None:
        """Run *run* every *interval* of the clock, the first time one interval from now.

        A run that takes longer than the interval is not joined by a second one.
        """

        async def job() -> None:
            await self._tracked(run())

        self._add(name, job, _Every(interval.total_seconds(), self._clock))

    def when_due(
        self, name: str, due: Callable[[], float], run: Callable[[float], None]
    ) -> DueTimer:
        """Run *run* when the time that *due* returns has come, in ``clock.monotonic()`` seconds.

        *run* is given the time up to which it shall take from its schedule what is due.
        """
        trigger = _WhenDue(due, self._clock)

        async def job() -> None:
            run(trigger.line())

        return DueTimer(self._add(name, job, trigger), trigger)

    async def stop(self, grace: float) -> None:
        """Start no job any more and give running ones *grace* real seconds; may be called twice.

        APScheduler cancels running coroutines when it shuts down, so they are awaited before.
        """
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # APScheduler shuts down in a callback of the loop

    def _add(self, name: str, job: Callable[[], Awaitable[None]], trigger: BaseTrigger) -> Any:
        return self._scheduler.add_job(
            job, trigger, id=name, misfire_grace_time=None, coalesce=True, max_instances=1
        )

    async def _tracked(self, work: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._running.add(task)
        try:
            await work
        finally:
            self._running.discard(task)

    def _report(self, event: Any) -> None:
        self._failed(event.job_id)


def _wall() -> datetime:
    """The wall clock as APScheduler reads it, whatever the speed of ours."""
    return datetime.now(UTC)
