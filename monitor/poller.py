"""Polls every key at its times: schedule, limits, backoff, one poll in flight per key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Protocol

from monitor.asking import Asker, PollJob
from monitor.breaker import Breaker
from monitor.clock import Clock
from monitor.core.model import Failure, Observation, Reading, Unasked
from monitor.core.reachability import UNREACHABLE
from monitor.limits import Gate, Limit
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


class PollListener(Protocol):
    """Who counts polls: the metrics."""

    def polled(self, provider: str, outcome: str, seconds: float, lag: float) -> None:
        """A poll ended: ``ok`` or a reason, its real duration, how late it had started."""
        ...

    def missed(self, provider: str) -> None:
        """A key was due and not polled: its poll before still ran or waited, the process stood
        still, or nobody answered the other keys of its group.
        """
        ...


@dataclass(slots=True, eq=False)
class _Group:
    """What keys that share limits have in common; ``rate`` is polls per real second."""

    name: str
    gate: Gate[_Key]
    breaker: Breaker
    rate: float
    keys: dict[str, _Key] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Key:
    """The running state of one job: at most one poll of it is ``busy`` (waiting or in flight).

    ``failures`` counts the polls that failed in a row; the last one got no answer if it is
    ``mute``.  It is ``left_out`` if it was due since and not asked.
    """

    job: PollJob
    group: _Group
    slot: Slot[_Key] = field(init=False)
    busy: bool = False
    since: float = 0.0
    failures: int = 0
    mute: bool = False
    left_out: bool = False
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
        self._asker = Asker(http, clock)
        self._observe = observe
        self._listener = listener
        self._limits = limits
        self._clock = clock
        self._timers = timers
        self._random = random
        self._schedule: Schedule[_Key] = Schedule()
        self._groups: dict[str, _Group] = {}
        self._keys: dict[str, _Key] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: DueTimer | None = None
        self._open = False
        self._under_way = 0
        self._moved: float | None = None  # since when polls run and none has been taken in

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
        self._make_groups()
        self._enter(self._jobs)
        self._timer = self._timers.when_due("poll", self._schedule.next_due, self._tick)

    def replace_jobs(self, jobs: Iterable[PollJob]) -> None:
        """Poll *jobs* from now on, within the limits as they are now.

        A key that is polled as before keeps its times, its backoff and its poll in flight; one
        that is polled otherwise begins anew, and what an old poll still brings is not observed.
        """
        self._jobs = tuple(jobs)
        wanted = {job.name: job for job in self._jobs}
        self._drop(
            key
            for name, key in [*self._keys.items()]
            if name not in wanted or not key.job.polls_like(wanted[name])
        )
        self._make_groups()
        self._enter([job for job in self._jobs if job.name not in self._keys])
        if self._timer is not None:
            self._timer.hasten(self._schedule.next_due())

    def _enter(self, jobs: Sequence[PollJob]) -> None:
        """Schedule the first polls of *jobs*, spread out from now on."""
        speed = self._clock.speed
        first = spread(
            [(job.provider.limit_group, job.interval.total_seconds()) for job in jobs],
            {name: group.rate / speed for name, group in self._groups.items()},
            spacing=START_SPACING * speed,
            within=FIRST_WITHIN * speed,
            random=self._random,
        )
        now = self._clock.monotonic()
        for job, phase in zip(jobs, first, strict=True):
            group = self._groups[job.provider.limit_group]
            key = self._keys[job.name] = _Key(job, group)
            interval = job.interval.total_seconds()
            key.slot = self._schedule.add(key, first=now + phase, interval=interval)
            group.keys[job.name] = key

    def _drop(self, keys: Iterable[_Key]) -> None:
        """Poll *keys* no more."""
        waiting: dict[str, set[_Key]] = {}
        for key in keys:
            del self._keys[key.job.name], key.group.keys[key.job.name]
            self._schedule.remove(key.slot)
            if key.task is not None:
                key.task.cancel()
            elif key.busy:
                waiting.setdefault(key.group.name, set()).add(key)
        for name, withdrawn in waiting.items():
            self._groups[name].gate.withdraw(withdrawn)

    async def stop(self, grace: float) -> None:
        """Start no poll any more, give those in flight *grace* real seconds, then cancel them.

        Nothing is observed after it returned; may be called twice.
        """
        if self._timer is not None:
            self._timer.remove()
            self._timer = None
        for group in self._groups.values():
            group.gate.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._open = False
        if self._tasks:
            log.info("cancelling %d polls that did not end in time", len(self._tasks))
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_GRACE)

    def _make_groups(self) -> None:
        """One group for all keys that share limits; those there are go on with new limits."""
        members: dict[str, list[PollJob]] = {}
        for job in self._jobs:
            members.setdefault(job.provider.limit_group, []).append(job)
        now, speed = self._clock.monotonic(), self._clock.speed
        for name, jobs in members.items():
            limit = self._limits(name, jobs[0].provider_name)
            rate = limit.rate_for(sum(speed / job.interval.total_seconds() for job in jobs))
            group = self._groups.get(name)
            if group is not None:
                group.rate = rate
                group.gate.adjust(rate=rate, concurrency=limit.concurrency)
                continue
            gate = Gate(
                rate=rate, concurrency=limit.concurrency, launch=self._launch, admit=self._admit
            )
            self._groups[name] = _Group(name, gate, Breaker(now, speed=speed), rate)
        for name in self._groups.keys() - members.keys():
            del self._groups[name]

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
            key.group.gate.submit(key)

    def _admit(self, key: _Key) -> bool:
        """Whether to poll *key*, whose turn has come, although nobody may answer; else it is told
        that it was not, and waits for its next time or for the first answer.
        """
        breaker = key.group.breaker
        if breaker.cause is None or breaker.admits(self._clock.monotonic(), mute=key.mute):
            return True
        key.busy, key.left_out = False, True
        reason, detail = breaker.cause.reason, breaker.cause.detail
        detail = f"not asked, because no other key gets an answer ({detail})"
        now = self._clock.now()
        with _taking_in(key):
            self._listener.missed(key.job.provider_name)
            self._observe(Unasked(key=key.job.name, at=now, reason=reason, detail=detail))
        return False

    def _launch(self, key: _Key) -> None:
        key.group.breaker.asked(self._clock.monotonic())
        self._under_way += 1
        if self._moved is None:
            self._moved = self._clock.monotonic()
        task = key.task = asyncio.create_task(self._run(key), name=f"poll {key.job.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: _Key) -> None:
        """One poll from its start to its observation; frees the key and its place at the gate."""
        began = self._clock.monotonic()
        try:
            observation = await self._asker.ask(key.job)
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
            key.group.gate.release()

    def _finish(self, key: _Key, observation: Reading | Failure, began: float) -> None:
        """Set the next time of the key, count the poll and pass on what it saw."""
        ended = self._clock.monotonic()
        if key.group.breaker.take(observation, began=began, ended=ended):
            self._held_or_called_back(key.group, ended)
        self._set_next(key, observation, began, ended)
        outcome = "ok" if isinstance(observation, Reading) else observation.reason.value
        duration = self._clock.real(ended - began)
        log.debug("polled %s: %s in %.3f s", key.job.name, outcome, duration)
        lag = self._clock.real(began - key.since)
        with _taking_in(key):
            self._listener.polled(key.job.provider_name, outcome, duration, lag)
            self._observe(observation)
            self._moved = ended if self._under_way > 1 else None  # the others still run

    def _set_next(
        self, key: _Key, observation: Reading | Failure, began: float, ended: float
    ) -> None:
        """A reading leads back to the regular times, a failure away from them."""
        was_late, key.left_out = key.failures > 0 or key.left_out, False
        if isinstance(observation, Reading):
            key.failures, key.mute = 0, False
            if was_late:
                self._schedule.back_to_phase(key.slot, ended)
            wait = observation.retry_after
            if wait is not None and wait.total_seconds() > key.slot.interval:
                self._schedule.move(key.slot, ended + wait.total_seconds())
            return
        key.failures += 1
        key.mute = observation.reason in UNREACHABLE
        if key.mute and key.group.breaker.is_outdated(began):
            self._poll_at(key, ended)
        else:
            self._back_off(key, observation, ended)

    def _back_off(self, key: _Key, failure: Failure, now: float) -> None:
        wait = failure.retry_after
        delay = next_delay(
            interval=key.slot.interval,
            failures=key.failures,
            reason=failure.reason,
            retry_after=None if wait is None else wait.total_seconds(),
            jitter=self._random.uniform(-1, 1),
        )
        self._poll_at(key, now + delay)

    def _poll_at(self, key: _Key, due: float) -> None:
        self._schedule.move(key.slot, due)
        if self._timer is not None:
            self._timer.hasten(due)

    def _held_or_called_back(self, group: _Group, now: float) -> None:
        """*group* has just been held, or somebody answers again: then whoever was left out or got
        no answer is asked soon, one after the other at the rate of the group.

        The outage itself is the health log's to tell, once when it begins and once when it ends.
        """
        if group.breaker.cause is not None:
            detail = group.breaker.cause.detail
            log.debug("%s: no key gets an answer, so few are asked: %s", group.name, detail)
            return
        waiting = [
            key for key in group.keys.values() if (key.mute or key.left_out) and not key.busy
        ]
        log.debug("%s: answers again, %d more keys are asked", group.name, len(waiting))
        for position, key in enumerate(waiting):
            due = now + position / group.rate * self._clock.speed
            if due < key.slot.due:
                self._poll_at(key, due)


@contextmanager
def _taking_in(key: _Key) -> Iterator[None]:
    try:
        yield
    except Exception:  # boundary: one observation that cannot be taken in, the rest polls on
        log.exception("the poll of %s could not be taken in", key.job.name)
