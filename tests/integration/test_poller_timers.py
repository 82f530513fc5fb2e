"""The shared jobs on a real APScheduler: steady when the wall clock is not."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Self

import apscheduler.schedulers.base
import pytest
from support.patience import HANGS

import monitor.timers
from monitor.clock import Clock
from monitor.timers import GRID, Timers


class WallClock(datetime):
    """What ``datetime`` is to the scheduler in these tests: a wall clock that can be set."""

    shift = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.shift


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[WallClock]:
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", WallClock)
    monkeypatch.setattr(monitor.timers, "datetime", WallClock)
    monkeypatch.setattr(WallClock, "shift", timedelta())
    return WallClock


class Failed(list[str]):
    """Names of jobs whose runs failed."""


@pytest.fixture
def failed() -> Failed:
    return Failed()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timers(clock: Clock, failed: Failed) -> AsyncIterator[Timers]:
    timers = Timers(clock, failed=failed.append)
    timers.start()
    yield timers
    await timers.stop(1)


class Ticks:
    """Something due every *interval* seconds, and when it was done."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.done: list[float] = []
        self.due = 0.0
        self._grown = asyncio.Event()

    def run(self, until: float) -> None:
        while self.due <= until:
            self.due += self.interval
            self.done.append(time.monotonic())
            self._grown.set()

    async def run_later(self) -> None:
        self.done.append(time.monotonic())
        self._grown.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(HANGS):
            while len(self.done) < count:
                self._grown.clear()
                await self._grown.wait()

    @property
    def longest_gap(self) -> float:
        return max(after - before for before, after in pairwise(self.done))


async def test_a_due_driven_job_runs_when_its_schedule_says_so(timers: Timers) -> None:
    ticks = Ticks(0.2)
    timers.when_due("poll", lambda: ticks.due, ticks.run)
    await ticks.reach(5)
    assert ticks.done[4] - ticks.done[0] == pytest.approx(0.8, abs=0.1)


async def test_what_is_due_between_two_lines_of_the_grid_always_waits_for_the_second(
    timers: Timers, clock: Clock
) -> None:
    lines: list[float] = []
    ticks = Ticks(2 * GRID)

    def run(until: float) -> None:
        time.sleep(0.005)  # so that the run is late by more than what is due after its line
        lines.append(until)
        ticks.run(until)

    ticks.due = (math.floor(clock.monotonic() / GRID) + 2) * GRID + 0.002
    timers.when_due("poll", lambda: ticks.due, run)
    await ticks.reach(6)
    off = [abs(after - before - 2 * GRID) for before, after in pairwise(ticks.done)]
    assert max(off) < GRID / 2
    assert all(abs(line / GRID - round(line / GRID)) < 1e-6 for line in lines)


@pytest.mark.parametrize("hours", [-1, 1, -24 * 365], ids=["back", "forward", "back by a year"])
async def test_setting_the_wall_clock_neither_delays_nor_hastens_polls(
    timers: Timers, wall: type[WallClock], hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks(0.15)
    timers.when_due("poll", lambda: ticks.due, ticks.run)
    await ticks.reach(2)
    monkeypatch.setattr(wall, "shift", timedelta(hours=hours))
    await ticks.reach(6)
    assert ticks.longest_gap < 0.15 + 2 * GRID + 0.1
    assert ticks.done[5] - ticks.done[1] > 4 * 0.15 - GRID - 0.05


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forward"])
async def test_setting_the_wall_clock_neither_delays_nor_hastens_other_jobs(
    timers: Timers, wall: type[WallClock], hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, rare = Ticks(0.2), Ticks(600)
    timers.every("sweep", timedelta(seconds=0.2), sweep.run_later)
    timers.every("rare", timedelta(minutes=10), rare.run_later)
    await sweep.reach(1)
    monkeypatch.setattr(wall, "shift", timedelta(hours=hours))
    await sweep.reach(4)
    assert sweep.longest_gap < 0.3
    assert rare.done == []


async def test_a_job_whose_time_was_moved_up_runs_in_time(timers: Timers, clock: Clock) -> None:
    ticks = Ticks(3600)
    ticks.due = clock.monotonic() + 3600
    timer = timers.when_due("poll", lambda: ticks.due, ticks.run)
    await asyncio.sleep(0.05)
    ticks.due = clock.monotonic() + 0.1
    timer.hasten(ticks.due)
    await ticks.reach(1)
    assert len(ticks.done) == 1


async def test_a_removed_job_runs_no_more(timers: Timers) -> None:
    ticks = Ticks(0.05)
    timer = timers.when_due("poll", lambda: ticks.due, ticks.run)
    await ticks.reach(2)
    timer.remove()
    await asyncio.sleep(0)
    count = len(ticks.done)
    await asyncio.sleep(0.15)
    assert len(ticks.done) <= count + 1


async def test_a_job_that_raises_is_counted_logged_and_runs_again(
    timers: Timers, failed: Failed, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = Ticks(0.05)

    async def run() -> None:
        await ticks.run_later()
        raise LookupError("on purpose")

    timers.every("sweep", timedelta(seconds=0.05), run)
    await ticks.reach(3)
    assert failed[:2] == ["sweep", "sweep"]
    assert "LookupError" in caplog.text


async def test_a_slow_job_is_not_joined_by_a_second_one_and_what_it_skips_is_counted(
    timers: Timers, failed: Failed
) -> None:
    running = most = 0
    ticks = Ticks(0.05)

    async def run() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.18)
        running -= 1
        await ticks.run_later()

    timers.every("thin", timedelta(seconds=0.05), run)
    await ticks.reach(2)
    assert most == 1
    assert failed.count("thin") >= 3


async def test_a_loop_that_was_busy_runs_the_job_late_and_not_never(timers: Timers) -> None:
    ticks = Ticks(0.1)
    timers.every("sweep", timedelta(seconds=0.1), ticks.run_later)
    await ticks.reach(1)
    time.sleep(1.3)  # noqa: ASYNC251 - longer than APScheduler's own grace of one second
    await asyncio.sleep(0.03)
    assert len(ticks.done) == 2


async def test_stop_waits_for_a_running_job(timers: Timers) -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def run() -> None:
        begun.set()
        await asyncio.sleep(0.2)
        ended.set()

    timers.every("thin", timedelta(seconds=0.05), run)
    await begun.wait()
    await timers.stop(5)
    assert ended.is_set()
    await timers.stop(5)


async def test_stop_gives_up_on_a_job_that_does_not_end(timers: Timers) -> None:
    begun = asyncio.Event()

    async def run() -> None:
        begun.set()
        await asyncio.sleep(60)

    timers.every("thin", timedelta(seconds=0.05), run)
    await begun.wait()
    began = time.monotonic()
    await timers.stop(0.05)
    assert time.monotonic() - began < 20


async def test_a_faster_clock_runs_jobs_faster() -> None:
    timers = Timers(Clock(1000.0), failed=pytest.fail)
    timers.start()
    ticks = Ticks(0)
    timers.every("sweep", timedelta(minutes=1), ticks.run_later)
    began = time.monotonic()
    await ticks.reach(5)
    assert 0.2 < time.monotonic() - began < 20  # 0.3 s; by the clock of the wall it were minutes
    await timers.stop(1)
