"""Polls every key at its times: schedule, limits, timeout, backoff, one poll in flight per key."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Protocol

from monitor.clock import Clock
from monitor.core.model import Failure, Observation, Reading, Reason
from monitor.limits import Gate, Limit
from monitor.providers import access
from monitor.providers.base import PollError, Provider
from monitor.schedule import Due, Schedule, Slot, next_delay, spread
from monitor.timers import DueTimer, Timers

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

log = logging.getLogger(__name__)

START_SPACING = 0.05
"""Real seconds between the first polls of two keys, where the intervals leave room for that."""
FIRST_WITHIN = 0.5
"""Real seconds within which the very first poll starts."""
CANCEL_GRACE = 1.0
"""Real seconds a cancelled poll has to end; one that ignores its cancellation is left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollJob:
    """One key to poll; ``interval`` in the clock's time, ``timeout`` of a whole poll in real time.

    ``provider_name`` is the label under which the poll is counted; ``fingerprint`` differs where
    what is asked, or with which credential, differs.
    """

    name: str
    provider_name: str
    provider: Provider
    interval: timedelta
    timeout: timedelta
    fingerprint: bytes = b""

    def polls_like(self, other: PollJob) -> bool:
        """Whether both ask the same at the same pace."""
        return (self.provider_name, self.fingerprint) == (
            other.provider_name,
            other.fingerprint,
        ) and (self.interval, self.timeout) == (other.interval, other.timeout)


class PollListener(Protocol):
    """Who counts polls: the metrics."""

    def polled(self, provider: str, outcome: str, seconds: float, lag: float) -> None:
        """A poll ended: ``ok`` or a reason, its real duration, how late it had started."""
        ...

    def missed(self, provider: str) -> None:
        """A key was due while its poll before still ran or waited, or the process stood still."""
        ...


@dataclass(slots=True, eq=False)
class _Key:
    """The running state of one job: at most one poll of it is ``busy`` (waiting or in flight)."""

    job: PollJob
    gate: Gate[_Key]
    slot: Slot[_Key] = field(init=False)
    busy: bool = False
    since: float = 0.0
    failures: int = 0
    task: asyncio.Task[None] | None = None


class Poller:
    """Polls all *jobs* until stopped and hands every observation to *observe*.

    ``limits(group, provider_name)`` says how hard a group of keys may press; groups do not wait
    for each other.  Nothing that a provider, *observe* or *listener* raises ends the polling.
    """

    def __init__(
        self,
        jobs: Iterable[PollJob],
        *,
        http: HttpClient,
        observe: Callable[[Observation], None],
        listener: PollListener,
        limits: Callable[[str, str], Limit],
        clock: Clock,
        timers: Timers,
        random: Random,
    ) -> None:
        self._jobs = tuple(jobs)
        self._http = http
        self._observe = observe
        self._listener = listener
        self._limits = limits
        self._clock = clock
        self._timers = timers
        self._random = random
        self._schedule: Schedule[_Key] = Schedule()
        self._gates: dict[str, Gate[_Key]] = {}
        self._keys: dict[str, _Key] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: DueTimer | None = None
        self._open = False
        self._under_way = 0
        self._moved: float | None = None  # since when polls run and none has been taken in
        self._bugs: set[tuple[str, type[BaseException]]] = set()

    @property
    def in_flight(self) -> int:
        """How many polls run now."""
        return len(self._tasks)

    def poll_soon(self, name: str) -> None:
        """Poll the key *name* at once and not at its next time, unless its poll runs already."""
        key = self._keys.get(name)
        if key is None or key.busy or self._timer is None:
            return
        now = self._clock.monotonic()
        self._schedule.move(key.slot, now)
        self._timer.hasten(now)

    def lag(self) -> float:
        """Real seconds by which the schedule itself is late; keys held by limits do not count."""
        late = self._clock.monotonic() - self._schedule.next_due()
        return self._clock.real(late) if late > 0 else 0.0

    def stalled(self) -> float:
        """Real seconds for which polls have run without one that ended and was taken in."""
        if self._moved is None:
            return 0.0
        return self._clock.real(self._clock.monotonic() - self._moved)

    @property
    def longest_poll(self) -> float:
        """Real seconds within which every poll ends."""
        return max((job.timeout.total_seconds() for job in self._jobs), default=0.0)

    async def start(self) -> None:
        """Schedule all keys and begin to poll; needs the running event loop."""
        self._open = True
        if not self._jobs:
            return
        self._enter(self._jobs, self._make_gates())
        self._timer = self._timers.when_due("poll", self._schedule.next_due, self._tick)

    def replace_jobs(self, jobs: Iterable[PollJob]) -> None:
        """Poll *jobs* from now on, within the limits as they are now.

        A key that is polled as before keeps its times, its backoff and its poll in flight; one
        that is polled otherwise begins anew, and what an old poll still brings is not observed.
        """
        self._jobs = tuple(jobs)
        wanted = {job.name: job for job in self._jobs}
        gone = {
            name: key
            for name, key in self._keys.items()
            if name not in wanted or not key.job.polls_like(wanted[name])
        }
        for name, key in gone.items():
            del self._keys[name]
            self._drop(key)
        rates = self._make_gates()
        self._enter([job for job in self._jobs if job.name not in self._keys], rates)
        if self._timer is not None:
            self._timer.hasten(self._schedule.next_due())

    def _enter(self, jobs: Sequence[PollJob], rates: Mapping[str, float]) -> None:
        """Schedule the first polls of *jobs*, spread out from now on."""
        speed = self._clock.speed
        first = spread(
            [(job.provider.limit_group, job.interval.total_seconds()) for job in jobs],
            {group: rate / speed for group, rate in rates.items()},
            spacing=START_SPACING * speed,
            within=FIRST_WITHIN * speed,
            random=self._random,
        )
        now = self._clock.monotonic()
        for job, phase in zip(jobs, first, strict=True):
            key = _Key(job, self._gates[job.provider.limit_group])
            interval = job.interval.total_seconds()
            key.slot = self._schedule.add(key, first=now + phase, interval=interval)
            self._keys[job.name] = key

    def _drop(self, key: _Key) -> None:
        self._schedule.remove(key.slot)
        if key.task is not None:
            key.task.cancel()
        elif key.busy:
            key.gate.withdraw(key)

    async def stop(self, grace: float) -> None:
        """Start no poll any more, give those in flight *grace* real seconds, then cancel them.

        Nothing is observed after it returned; may be called twice.
        """
        if self._timer is not None:
            self._timer.remove()
            self._timer = None
        for gate in self._gates.values():
            gate.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._open = False
        if self._tasks:
            log.info("cancelling %d polls that did not end in time", len(self._tasks))
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_GRACE)

    def _make_gates(self) -> dict[str, float]:
        """One gate per limit group, those there are included; returns the polls per second that
        each lets through.
        """
        members: dict[str, list[PollJob]] = {}
        for job in self._jobs:
            members.setdefault(job.provider.limit_group, []).append(job)
        rates = {}
        for group, jobs in members.items():
            limit = self._limits(group, jobs[0].provider_name)
            demand = sum(self._clock.speed / job.interval.total_seconds() for job in jobs)
            rates[group] = limit.rate_for(demand)
            gate = self._gates.get(group)
            if gate is not None:
                gate.adjust(rate=rates[group], concurrency=limit.concurrency)
                continue
            self._gates[group] = Gate(
                rate=rates[group], concurrency=limit.concurrency, launch=self._launch
            )
        for group in self._gates.keys() - members.keys():
            del self._gates[group]
        return rates

    def _tick(self, until: float) -> None:
        """Send every key that is due at *until* to its gate; count what was missed."""
        if self._timer is None:  # a run that APScheduler had begun when the poller stopped
            return
        for due in self._schedule.take(until):
            self._dispatch(due)

    def _dispatch(self, due: Due[_Key]) -> None:
        key = due.key
        for _ in range(due.missed + key.busy):
            self._listener.missed(key.job.provider_name)
        if not key.busy:
            key.busy = True
            key.since = due.since
            key.gate.submit(key)

    def _launch(self, key: _Key) -> None:
        self._under_way += 1
        if self._moved is None:
            self._moved = self._clock.monotonic()
        task = key.task = asyncio.create_task(self._run(key), name=f"poll {key.job.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: _Key) -> None:
        """One poll from its start to its observation; frees the key and its place at the gate."""
        began = self._clock.monotonic()
        access.asking.set(key.job.name)
        try:
            observation = await self._poll(key.job)
            if self._open:
                self._finish(key, observation, began)
        except asyncio.CancelledError:
            if self._under_way == 1:
                self._moved = None  # the key was dropped; nothing is stuck
            raise
        finally:
            key.busy = False
            key.task = None
            self._under_way -= 1
            key.gate.release()

    async def _poll(self, job: PollJob) -> Observation:
        try:
            async with asyncio.timeout(job.timeout.total_seconds()):
                found = await job.provider.poll(self._http)
            return Reading.of(job.name, self._clock.now(), found)
        except PollError as error:
            return self._failure(job, error.reason, error.detail, error.retry_after)
        except TimeoutError:
            seconds = job.timeout.total_seconds()
            return self._failure(job, Reason.TIMEOUT, f"no answer within {seconds:g} s")
        except Exception as error:  # noqa: BLE001 - boundary: a bug in one provider, the rest polls on
            self._report_bug(job, error)
            detail = f"internal error in provider {job.provider_name}"
            return self._failure(job, Reason.BAD_RESPONSE, detail)

    def _failure(
        self,
        job: PollJob,
        reason: Reason,
        detail: str,
        retry_after: timedelta | None = None,
    ) -> Failure:
        now = self._clock.now()
        return Failure(key=job.name, at=now, reason=reason, detail=detail, retry_after=retry_after)

    def _finish(self, key: _Key, observation: Observation, began: float) -> None:
        """Set the next time of the key, count the poll and pass on what it saw."""
        ended = self._clock.monotonic()
        if isinstance(observation, Reading):
            outcome = "ok"
            if key.failures:
                key.failures = 0
                self._schedule.back_to_phase(key.slot, ended)
            wait = observation.retry_after
            if wait is not None and wait.total_seconds() > key.slot.interval:
                self._schedule.move(key.slot, ended + wait.total_seconds())
        else:
            outcome = observation.reason.value
            self._back_off(key, observation, ended)
        duration = self._clock.real(ended - began)
        log.debug("polled %s: %s in %.3f s", key.job.name, outcome, duration)
        try:
            lag = self._clock.real(began - key.since)
            self._listener.polled(key.job.provider_name, outcome, duration, lag)
            self._observe(observation)
            self._moved = ended if self._under_way > 1 else None  # the others still run
        except Exception:  # boundary: one observation that cannot be taken in, the rest polls on
            log.exception("the poll of %s could not be taken in", key.job.name)

    def _back_off(self, key: _Key, failure: Failure, now: float) -> None:
        key.failures += 1
        wait = failure.retry_after
        delay = next_delay(
            interval=key.slot.interval,
            failures=key.failures,
            reason=failure.reason,
            retry_after=None if wait is None else wait.total_seconds(),
            jitter=self._random.uniform(-1, 1),
        )
        self._schedule.move(key.slot, now + delay)
        if self._timer is not None:
            self._timer.hasten(now + delay)

    def _report_bug(self, job: PollJob, error: Exception) -> None:
        """Log where *error* came from, once per provider and kind.

        Neither its text nor values are logged: they may hold the key.
        """
        kind = (job.provider_name, type(error))
        if kind in self._bugs:
            return
        self._bugs.add(kind)
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error(
            "bug in provider %s: %s while polling %s\n%s",
            job.provider_name,
            type(error).__name__,
            job.name,
            frames,
        )
