"""Pings an outside dead man's switch, but only while all of our parts get on with their work.

Whoever is pinged (healthchecks.io, Uptime Kuma and their like take a GET) raises the alarm when the
pings stay away: the one message that a monitor which is down or stuck can still send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

from monitor.clock import Clock
from monitor.delivery.address import Address
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient

log = logging.getLogger(__name__)

FIRST_AFTER = timedelta(seconds=30)
"""The first ping comes so long after the start: a daemon that dies again and again sends none."""

PING_TIMEOUT = 10.0
"""Seconds a ping may take."""

GRACE = 60.0
"""Real seconds that a part may be behind before it counts as stuck."""


class HeartbeatListener(Protocol):
    """Who is told of pings: the metrics."""

    def heartbeat(self, at: datetime) -> None:
        """A ping was taken at *at*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far behind each part is, in real seconds; 0 where nothing is late.

    ``schedule_lag``: polls should have started.  ``polls_stalled``: polls run and none has ended
    and been taken in, though each ends within ``longest_poll``.  ``evaluation_behind``: what time
    alone brings about (silence, reminders) should have been judged.  ``store_behind``: the oldest
    change that is not written; ``store_error``: why the last write failed.  ``channels_behind``:
    by channel, how late it is without an outage of the service to blame; a send may take
    ``longest_send``.
    """

    schedule_lag: float = 0.0
    polls_stalled: float = 0.0
    longest_poll: float
    evaluation_behind: float = 0.0
    store_behind: float = 0.0
    store_error: str = ""
    channels_behind: Mapping[str, float]
    longest_send: float


def stalls(progress: Progress) -> list[str]:
    """Which parts have stopped getting on though nothing outside holds them up, in words.

    A store that answers with errors is no stall: the recorder keeps what it cannot write, and
    a restart would lose that.
    """
    found = []
    if progress.schedule_lag > GRACE:
        found.append(f"polls are {progress.schedule_lag:.0f} s behind their schedule")
    if progress.polls_stalled > progress.longest_poll + GRACE:
        found.append(f"no poll has come to an end for {progress.polls_stalled:.0f} s")
    if progress.evaluation_behind > GRACE:
        found.append(f"alerts have not been judged for {progress.evaluation_behind:.0f} s")
    if progress.store_behind > GRACE and not progress.store_error:
        found.append(f"the store has not taken a change for {progress.store_behind:.0f} s")
    limit = progress.longest_send + GRACE
    stuck = sorted(name for name, late in progress.channels_behind.items() if late > limit)
    if stuck:
        found.append(f"delivery is stuck: {', '.join(stuck)}")
    return found


def obstacles(progress: Progress) -> list[str]:
    """What does not get on, in words, a failing store included; empty while all is well."""
    failing = [f"the store fails: {progress.store_error}"] if progress.store_error else []
    return failing + stalls(progress)


class Heartbeat:
    """Pings *address* every *every* of the clock while *progress* shows no obstacle."""

    def __init__(
        self,
        address: Address,
        every: timedelta,
        *,
        http: HttpClient,
        progress: Callable[[], Progress],
        listener: HeartbeatListener,
        clock: Clock,
        first_after: timedelta = FIRST_AFTER,
    ) -> None:
        self._address = address
        self._every = every
        self._http = http
        self._progress = progress
        self._listener = listener
        self._clock = clock
        self._first_after = min(first_after, every)
        self._held_back = False
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs the running event loop."""
        self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def stop(self) -> None:
        """Ping no more; one under way is abandoned."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def beat(self) -> None:
        """One ping, or none if something does not get on."""
        found = obstacles(self._progress())
        self._log_obstacles(found)
        if not found:
            self._log_ping(await self._ping())

    async def _run(self) -> None:
        due = self._clock.monotonic() + self._first_after.total_seconds()
        while True:
            await self._clock.sleep(due - self._clock.monotonic())
            try:
                await self.beat()
            except Exception:  # boundary: silence here says that something is wrong, as it should
                log.exception("heartbeat: internal error")
            # From the time it was due, so that pings keep their pace; none is caught up with.
            due = max(due + self._every.total_seconds(), self._clock.monotonic())

    async def _ping(self) -> str:
        """Why the ping was not taken; empty if it was."""
        try:
            answer = await self._http.fetch(self._address.get(), timeout=PING_TIMEOUT)
        except PollError as error:
            return error.detail
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return f"HTTP {answer.status}"
        self._listener.heartbeat(self._clock.now())
        return ""

    def _log_obstacles(self, found: list[str]) -> None:
        if found and not self._held_back:
            log.error("heartbeat: held back: %s", "; ".join(found))
        elif not found and self._held_back:
            log.warning("heartbeat: goes on")
        self._held_back = bool(found)

    def _log_ping(self, failure: str) -> None:
        if failure and not self._failing:
            log.warning("heartbeat: not taken, trying again in time: %s", failure)
        elif not failure and self._failing:
            log.warning("heartbeat: taken again")
        self._failing = bool(failure)
