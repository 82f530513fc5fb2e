"""The poller on a real event loop, reading kie.ai's wire format from a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from support.patience import HANGS

from monitor import breaker
from monitor.asking import PollJob
from monitor.clock import Clock
from monitor.core.model import (
    Failure,
    MeterFailure,
    MeterReading,
    Observation,
    Reading,
    Reason,
    Unasked,
)
from monitor.limits import Limit
from monitor.poller import Poller
from monitor.providers.base import Provider
from monitor.providers.http import HttpClient
from monitor.providers.kie import KieProvider
from monitor.timers import Timers

SECRET = "sk-do-not-show-me"


@dataclass
class Server:
    """Answers for kie.ai; a key's script is an iterator of (status, body, headers, delay)."""

    port: int = 0
    scripts: dict[str, Iterator[tuple[int, str, str, float]]] = field(default_factory=dict)
    delay: float = 0.0
    starts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    in_flight: int = 0
    most_in_flight: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def close(self) -> None:
        for task in self.connections:
            task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            key = head.split(b"Bearer ")[1].split(b"\r\n")[0].decode()
            self.starts[key].append(time.monotonic())
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.arrived.set()
            try:
                await self.answer(key, writer)
            finally:
                self.in_flight -= 1

    async def until_in_flight(self, count: int) -> None:
        async with asyncio.timeout(HANGS):
            while self.in_flight < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def answer(self, key: str, writer: asyncio.StreamWriter) -> None:
        status, body, headers, delay = next(
            self.scripts.get(key, iter(())), (200, balance("12.5"), "", self.delay)
        )
        await asyncio.sleep(delay)
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()
        )
        await writer.drain()

    def gaps(self, key: str) -> list[float]:
        return [after - before for before, after in pairwise(self.starts[key])]


def balance(amount: str) -> str:
    return f'{{"code":200,"msg":"success","data":{amount}}}'


def refusal(code: int) -> str:
    return json.dumps({"code": code, "msg": "no"})


@dataclass
class Watcher:
    """What the poller told: observations, counted polls and missed times."""

    observations: list[Observation] = field(default_factory=list)
    polls: list[tuple[str, str, float, float]] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, observation: Observation) -> None:
        self.observations.append(observation)
        self.changed.set()

    def polled(self, provider: str, outcome: str, seconds: float, lag: float) -> None:
        self.polls.append((provider, outcome, seconds, lag))

    def missed(self, provider: str) -> None:
        self.misses.append(provider)
        self.changed.set()

    def of(self, key: str) -> list[Observation]:
        return [seen for seen in self.observations if seen.key == key]

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANGS):
            while not happened():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.connect, "0.0.0.0", 0)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()
    await server.close()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


Start = Callable[..., Awaitable[Poller]]


@pytest.fixture
async def start(watcher: Watcher) -> AsyncIterator[Start]:
    """Starts a poller of some jobs that stops when the test ends."""
    stops: list[Callable[[], Awaitable[None]]] = []

    async def begin(
        jobs: Sequence[PollJob],
        *,
        limit: Limit = Limit(),  # noqa: B008 - frozen
        speed: float = 1.0,
        observe: Callable[[Observation], None] = watcher.observe,
    ) -> Poller:
        clock = Clock(speed)
        timers = Timers(clock, failed=pytest.fail)
        http = HttpClient()
        poller = Poller(
            jobs,
            http=http,
            observe=observe,
            listener=watcher,
            limits=lambda _group, _provider: limit,
            clock=clock,
            timers=timers,
            random=Random(11),
        )
        timers.start()
        await poller.start()

        async def end() -> None:
            await poller.stop(0)
            await timers.stop(0)
            await http.aclose()

        stops.append(end)
        return poller

    yield begin
    for stop in stops:
        await stop()


def job(
    server: Server,
    name: str = "studio",
    *,
    host: str = "127.0.0.1",
    interval: float = 0.2,
    timeout: float = 5.0,
) -> PollJob:
    provider = KieProvider(f"http://{host}:{server.port}", name, timeout=timeout + 1)
    return job_of(provider, name, interval=interval, timeout=timeout, label=f"kie@{host}")


def job_of(
    provider: Provider,
    name: str = "studio",
    *,
    interval: float = 0.2,
    timeout: float = 5.0,
    label: str = "kie",
) -> PollJob:
    return PollJob(
        name=name,
        provider_name=label,
        provider=provider,
        interval=timedelta(seconds=interval),
        timeout=timedelta(seconds=timeout),
    )


async def test_every_key_is_read_and_its_reading_handed_over(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.scripts["b"] = iter([(200, balance("0.10"), "", 0.0)])
    await start([job(server, name, interval=60) for name in "abc"])
    await watcher.until(lambda: len(watcher.observations) == 3)
    (seen,) = watcher.of("b")
    assert isinstance(seen, Reading)
    assert seen.meters == (MeterReading(unit="credits", balance=Decimal("0.10")),)
    assert {outcome for _, outcome, _, _ in watcher.polls} == {"ok"}


async def test_three_keys_with_a_long_interval_are_all_read_at_once(
    server: Server, watcher: Watcher, start: Start
) -> None:
    began = time.monotonic()
    await start([job(server, name, interval=3600) for name in "abc"])
    await watcher.until(lambda: len(watcher.observations) == 3)
    assert time.monotonic() - began < 20  # about a second, on a machine that is not busy


async def test_late_answers_do_not_move_the_next_poll(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 0.15
    await start([job(server, name, interval=0.3) for name in "abcd"])
    await watcher.until(lambda: all(len(server.starts[name]) >= 6 for name in "abcd"))
    for name in "abcd":
        begun = server.starts[name]
        assert begun[5] - begun[1] == pytest.approx(4 * 0.3, abs=0.1)
    assert watcher.misses == []


async def test_the_duration_and_lateness_of_a_poll_are_told(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 0.15
    await start([job(server, interval=60)])
    await watcher.until(lambda: bool(watcher.observations))
    ((provider, outcome, seconds, lag),) = watcher.polls
    assert (provider, outcome) == ("kie@127.0.0.1", "ok")
    assert 0.15 <= seconds < 0.6
    assert 0 <= lag < 0.3


async def test_a_hanging_provider_delays_nobody_else(
    server: Server, watcher: Watcher, start: Start
) -> None:
    hanging = [f"dead{n}" for n in range(20)]
    server.scripts.update({name: iter([(200, balance("1"), "", 9.0)] * 99) for name in hanging})
    await start(
        [job(server, name, host="127.0.0.2", timeout=3) for name in hanging]
        + [job(server, "alive", host="127.0.0.1")],
        limit=Limit(concurrency=2),
    )
    await watcher.until(lambda: len(watcher.of("alive")) == 5)
    gaps = server.gaps("alive")
    assert max(gaps) < 0.2 + 0.1
    assert sum(len(server.starts[name]) for name in hanging) == 2
    assert "kie@127.0.0.1" not in watcher.misses


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group is held soon."""
    monkeypatch.setattr(breaker, "PATIENCE", 0.2)
    monkeypatch.setattr(breaker, "PROBE_EVERY", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_while_a_host_hangs_few_keys_are_asked_and_the_others_are_told_so(
    server: Server, watcher: Watcher, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "monitor.poller")
    server.delay = 9.0
    names = [f"k{n}" for n in range(60)]
    await start([job(server, name, interval=60, timeout=0.2) for name in names])
    await watcher.until(lambda: len({seen.key for seen in watcher.observations}) == 60)
    unasked = [seen for seen in watcher.observations if isinstance(seen, Unasked)]
    assert len(unasked) >= 25
    assert len(server.starts) == 60 - len(unasked)
    assert {(seen.reason, seen.detail) for seen in unasked} == {
        (
            Reason.TIMEOUT,
            "not asked, because no other key gets an answer (no answer within 0.2 s)",
        )
    }
    assert watcher.misses == ["kie@127.0.0.1"] * len(unasked)
    told = [r for r in caplog.records if "no key gets an answer, so few are asked" in r.message]
    assert [r.levelname for r in told] == ["DEBUG"], "the outage is the health log's to tell"


@pytest.mark.usefixtures("impatient")
async def test_the_first_answer_calls_back_all_keys_one_after_the_other(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 9.0
    names = [f"k{n}" for n in range(100)]
    jobs = [job(server, name, interval=60, timeout=0.4) for name in names]
    await start(jobs, limit=Limit(rate=50))
    await watcher.until(lambda: len(watcher.misses) >= 20)
    server.delay = 0.0
    began = time.monotonic()

    def read() -> set[str]:
        return {seen.key for seen in watcher.observations if isinstance(seen, Reading)}

    await watcher.until(lambda: len(read()) == 100)
    took = time.monotonic() - began
    assert 0.8 < took < 8, "their times were up to a minute away"
    per_key = [starts for starts in server.starts.values() if len(starts) > 2]
    assert per_key == [], "nobody is asked again and again"
    begun = sorted(moment for starts in server.starts.values() for moment in starts)
    assert all(later - first > 0.25 for first, later in zip(begun, begun[20:], strict=False))


@pytest.mark.usefixtures("impatient")
async def test_keys_that_hang_alone_hold_nobody_back(
    server: Server, watcher: Watcher, start: Start
) -> None:
    hanging = [f"dead{n}" for n in range(30)]
    server.scripts.update({name: iter([(200, balance("1"), "", 9.0)] * 99) for name in hanging})
    jobs = [job(server, name, interval=0.4, timeout=0.1) for name in hanging]
    await start([*jobs, job(server, "alive", interval=0.1)])
    await watcher.until(lambda: len(watcher.of("alive")) == 20)
    assert not any(isinstance(seen, Unasked) for seen in watcher.observations)


async def test_a_key_has_one_poll_in_flight_and_the_times_it_misses_are_counted(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.scripts["studio"] = iter([(200, balance("1"), "", 0.5)])
    await start([job(server, interval=0.1)])
    await watcher.until(lambda: len(watcher.observations) == 2)
    assert server.most_in_flight == 1
    assert len(watcher.misses) in (4, 5)
    assert server.gaps("studio")[0] == pytest.approx(0.1 * (len(watcher.misses) + 1), abs=0.09)


async def test_times_missed_while_waiting_for_the_group_are_counted(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.scripts["slow"] = iter([(200, balance("1"), "", 0.4)])
    await start(
        [job(server, "slow", interval=60), job(server, "quick", interval=0.1)],
        limit=Limit(concurrency=1),
    )
    await watcher.until(lambda: len(watcher.of("quick")) == 3)
    assert len(watcher.misses) >= 2
    assert server.most_in_flight == 1


async def test_a_poll_that_takes_too_long_fails_with_timeout(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 9.0
    await start([job(server, timeout=0.1, interval=60)])
    await watcher.until(lambda: bool(watcher.observations))
    (seen,) = watcher.observations
    assert isinstance(seen, Failure)
    assert seen.reason is Reason.TIMEOUT
    assert seen.detail == "no answer within 0.1 s"


async def test_a_group_never_has_more_polls_in_flight_than_its_concurrency(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 0.02
    await start([job(server, f"k{n}", interval=1.0) for n in range(60)], limit=Limit(concurrency=3))
    await watcher.until(lambda: len(watcher.observations) >= 60)
    assert server.most_in_flight <= 3


async def test_a_group_never_starts_faster_than_its_rate(
    server: Server, watcher: Watcher, start: Start
) -> None:
    await start([job(server, f"k{n}", interval=0.3) for n in range(20)], limit=Limit(rate=25))
    await watcher.until(lambda: len(watcher.observations) >= 25)
    begun = sorted(moment for starts in server.starts.values() for moment in starts)
    assert begun[24] - begun[0] > 0.8  # 25 polls at 25 per second, with a burst of 2


async def test_a_failing_key_backs_off_and_returns_to_its_phase(
    server: Server, watcher: Watcher, start: Start
) -> None:
    fail = (503, "busy", "", 0.0)
    server.scripts["studio"] = iter([fail, fail, fail])
    await start([job(server, interval=20)], speed=200.0)  # 0.1 s on the wall
    await watcher.until(lambda: len(watcher.observations) == 6)
    outcomes = [outcome for _, outcome, _, _ in watcher.polls]
    assert outcomes == ["server_error"] * 3 + ["ok"] * 3
    first, second, third, back, regular = server.gaps("studio")
    assert (first, second, third) == pytest.approx((0.1, 0.2, 0.4), abs=0.11)
    assert second > first
    assert third > second
    assert back <= 0.2 + 0.1
    assert regular == pytest.approx(0.1, abs=0.09)
    assert watcher.misses == []


async def test_a_failing_key_with_a_long_interval_is_asked_again_soon(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.scripts["studio"] = iter([(503, "busy", "", 0.0)])
    await start([job(server, interval=86_400)], speed=200.0)  # 432 s on the wall
    await watcher.until(lambda: len(watcher.observations) == 2)
    (gap,) = server.gaps("studio")
    assert gap == pytest.approx(60 / 200.0, abs=0.15)


async def test_retry_after_is_honoured(server: Server, watcher: Watcher, start: Start) -> None:
    server.scripts["studio"] = iter([(429, refusal(429), "Retry-After: 100\r\n", 0.0)])
    await start([job(server, interval=10), job(server, "other", interval=10)], speed=200.0)
    await watcher.until(lambda: len(watcher.of("studio")) == 2)
    assert server.gaps("studio")[0] >= 0.5
    assert len(watcher.of("other")) >= 8  # one key's limit is not its neighbour's


async def test_the_wait_that_a_capped_key_is_told_is_honoured(
    server: Server, watcher: Watcher, start: Start
) -> None:
    said = "Points used by apiKey has exceeded the hourly limit. Try again in 100 seconds."
    server.scripts["studio"] = iter([(200, refusal(433).replace("no", said), "", 0.0)])
    await start([job(server, interval=10), job(server, "other", interval=10)], speed=200.0)
    await watcher.until(lambda: len(watcher.of("studio")) == 2)
    failure = watcher.of("studio")[0]
    assert isinstance(failure, Failure)
    assert failure.retry_after == timedelta(seconds=100)
    assert failure.detail.startswith("the hourly cap of this key is reached")
    assert server.gaps("studio")[0] >= 0.5
    assert len(watcher.of("other")) >= 8


async def test_a_revoked_key_is_a_failure_and_is_not_asked_more_often(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.scripts["studio"] = iter([(200, refusal(401), "", 0.0)] * 9)
    await start([job(server, interval=20)], speed=200.0)
    await watcher.until(lambda: len(watcher.observations) == 3)
    assert {type(seen) for seen in watcher.observations} == {Failure}
    assert min(server.gaps("studio")) > 0.05
    assert server.gaps("studio")[1] > 0.15


class Buggy:
    """A provider with a bug, whose text holds the key."""

    limit_group = "buggy"

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        raise RuntimeError(f"cannot use {SECRET}")


async def test_a_bug_in_a_provider_is_a_named_failure_and_logged_once_without_secrets(
    server: Server, watcher: Watcher, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await start([job_of(Buggy(), "bad", interval=10), job(server, interval=10)], speed=100.0)
    await watcher.until(lambda: len(watcher.of("bad")) >= 3 and len(watcher.of("studio")) >= 3)
    failures = watcher.of("bad")
    assert {(seen.reason, seen.detail) for seen in failures if isinstance(seen, Failure)} == {
        (Reason.BAD_RESPONSE, "internal error in provider kie")
    }
    bugs = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(bugs) == 1
    assert "RuntimeError" in caplog.text
    assert "in poll" in caplog.text
    assert SECRET not in caplog.text


async def test_a_provider_that_finds_no_amount_has_checked_the_key(
    watcher: Watcher, start: Start
) -> None:
    class Empty:
        limit_group = "empty"

        async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
            return ()

    await start([job_of(Empty())])
    await watcher.until(lambda: bool(watcher.observations))
    (seen,) = watcher.observations
    assert isinstance(seen, Reading)
    assert seen.meters == ()


async def test_an_observation_that_cannot_be_taken_in_does_not_end_the_polling(
    server: Server, watcher: Watcher, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def observe(observation: Observation) -> None:
        watcher.observe(observation)
        raise LookupError("no such key")

    await start([job(server)], observe=observe)
    await watcher.until(lambda: len(watcher.observations) == 3)
    assert "the poll of studio could not be taken in" in caplog.text


async def test_stop_lets_polls_in_flight_end(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 0.3
    poller = await start([job(server, f"k{n}", interval=0.5) for n in range(5)])
    await server.until_in_flight(5)
    assert poller.in_flight == 5
    await poller.stop(5)
    assert poller.in_flight == 0
    assert sorted(seen.key for seen in watcher.observations) == [f"k{n}" for n in range(5)]


async def test_stop_cancels_what_does_not_end_in_time_and_nothing_is_observed_afterwards(
    server: Server, watcher: Watcher, start: Start
) -> None:
    server.delay = 9.0
    jobs = [job(server, f"k{n}", interval=0.5, timeout=60) for n in range(5)]
    poller = await start(jobs)
    await server.until_in_flight(5)
    began = time.monotonic()
    await poller.stop(0.05)
    assert time.monotonic() - began < 5
    assert poller.in_flight == 0
    await asyncio.sleep(0.5)
    assert watcher.observations == []
    assert sum(len(starts) for starts in server.starts.values()) == 5
    await poller.stop(0.05)


async def test_a_poller_without_keys_starts_and_stops(start: Start) -> None:
    poller = await start([])
    assert poller.lag() == 0.0
    await poller.stop(1)


async def test_a_loop_that_stood_still_is_behind_and_counts_what_it_missed(
    server: Server, watcher: Watcher, start: Start
) -> None:
    poller = await start([job(server, interval=0.1)])
    await watcher.until(lambda: len(watcher.observations) == 2)
    assert poller.lag() < 0.1
    time.sleep(0.55)  # noqa: ASYNC251 - the whole process stands still
    assert poller.lag() > 0.3
    await watcher.until(lambda: len(watcher.observations) == 3)
    assert len(watcher.misses) in (4, 5)
    assert poller.lag() < 0.1


async def test_ten_thousand_keys_are_scheduled_in_a_moment(server: Server, start: Start) -> None:
    jobs = [job(server, f"k{n}", interval=3600) for n in range(10_000)]
    began = time.process_time()  # of this process: a busy machine makes it no longer
    poller = await start(jobs)
    assert time.process_time() - began < 1.0
    await poller.stop(0)


async def test_polls_that_end_are_no_stall_however_many_end_together(
    server: Server, watcher: Watcher, start: Start
) -> None:
    poller = await start([job(server, name, interval=60) for name in "abcdefgh"])
    await watcher.until(lambda: len(watcher.observations) == 8)
    await asyncio.sleep(0.1)
    assert poller.stalled() == 0
    assert poller.longest_poll == 5.0


async def test_a_poll_that_does_not_end_is_a_stall_only_while_no_other_ends(
    server: Server, watcher: Watcher, start: Start
) -> None:
    class Endless:
        limit_group = "endless"

        async def poll(self, _http: HttpClient) -> tuple[MeterReading, ...]:
            started.set()
            while not released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await released.wait()
            return (MeterReading(unit="credits", balance=Decimal(1)),)

    started, released = asyncio.Event(), asyncio.Event()
    server.delay = 0.5
    endless = job_of(Endless(), "endless", interval=60, timeout=0.1)
    poller = await start([endless, job(server, interval=60)])
    await started.wait()
    await server.until_in_flight(1)
    await asyncio.sleep(0.2)
    assert poller.stalled() >= 0.15
    await watcher.until(lambda: len(watcher.observations) == 1)
    assert poller.stalled() < 0.1
    await asyncio.sleep(0.2)
    assert poller.stalled() >= 0.15
    released.set()
    await watcher.until(lambda: len(watcher.observations) == 2)
    assert poller.stalled() == 0


async def test_polls_that_cannot_be_taken_in_are_a_stall(
    server: Server, watcher: Watcher, start: Start
) -> None:
    def refuse(observation: Observation) -> None:
        watcher.observe(observation)
        raise RuntimeError

    poller = await start([job(server, interval=0.1)], observe=refuse)
    await watcher.until(lambda: len(watcher.observations) == 3)
    assert poller.stalled() >= 0.15


@dataclass
class Partly:
    """A provider one of whose meters asks to be left alone for a while."""

    wait: timedelta
    polls: int = 0
    limit_group: str = "partly"

    async def poll(self, http: HttpClient) -> tuple[MeterReading | MeterFailure, ...]:
        self.polls += 1
        failure = MeterFailure(meter="b", reason=Reason.RATE_LIMITED, retry_after=self.wait)
        return MeterReading(meter="a", unit="points", balance=Decimal(1)), failure


async def test_a_wait_that_is_asked_for_one_meter_holds_for_the_key(
    server: Server, watcher: Watcher, start: Start
) -> None:
    asked, other = Partly(timedelta(minutes=5)), Partly(timedelta(0))
    await start([job_of(asked, "asked", interval=0.1), job_of(other, "other", interval=0.1)])
    await watcher.until(lambda: other.polls >= 5)
    assert asked.polls == 1
    (seen,) = watcher.of("asked")
    assert isinstance(seen, Reading)
    assert (len(seen.meters), len(seen.failures)) == (1, 1)


async def test_a_key_can_be_polled_before_its_time(
    server: Server, watcher: Watcher, start: Start
) -> None:
    poller = await start([job(server, name, interval=3600) for name in "ab"])
    await watcher.until(lambda: len(watcher.observations) == 2)
    poller.poll_soon("a")
    poller.poll_soon("nobody")
    await watcher.until(lambda: len(watcher.of("a")) == 2)
    assert len(watcher.of("b")) == 1
