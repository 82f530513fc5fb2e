"""What a group of keys may do: rate, concurrency, order."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.patience import HANGS

from monitor.limits import BURST_SECONDS, Gate, Limit, RateLimit

T = TypeVar("T")


class Launched(list[T]):
    """What a gate has launched, in order; somebody may wait for a number of launches."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self._grown = asyncio.Event()

    def launch(self, item: T) -> None:
        self.append(item)
        self.times.append(asyncio.get_running_loop().time())
        self._grown.set()

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(HANGS):
            while len(self) < count:
                self._grown.clear()
                await self._grown.wait()


@pytest.mark.parametrize(
    ("rate", "concurrency", "says"),
    [
        (0, 1, "positive"),
        (-1, 1, "positive"),
        (float("nan"), 1, "positive"),
        (float("inf"), 1, "positive"),
        (1, 0, "at least 1"),
    ],
)
def test_a_limit_that_lets_nothing_through_is_refused(
    rate: float, concurrency: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Limit(rate=rate, concurrency=concurrency)


@pytest.mark.parametrize(
    ("limit", "demand", "rate"),
    [
        (Limit(), 0.01, 20.0),
        (Limit(), 333.0, 666.0),
        (Limit(rate=2.5), 333.0, 2.5),
    ],
    ids=[
        "few keys may still start quickly",
        "without a rate it is twice what the schedule asks for",
        "a configured rate holds whatever the schedule asks for",
    ],
)
def test_the_rate_of_a_group(limit: Limit, demand: float, rate: float) -> None:
    assert limit.rate_for(demand) == rate


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=300),
)
def test_no_window_of_time_sees_more_starts_than_the_rate_and_one_burst(
    rate: float, steps: list[float]
) -> None:
    limit, now, starts = RateLimit(rate), 1000.0, []
    for step in steps:
        now += step
        while limit.take(now) == 0.0:
            starts.append(now)
    burst = max(1.0, rate * BURST_SECONDS)
    for first, begin in enumerate(starts):
        for last, end in enumerate(starts[first:], start=first):
            assert last - first + 1 <= rate * (end - begin) + burst + 1e-5


def test_who_has_to_wait_is_told_exactly_how_long() -> None:
    limit = RateLimit(2.0)
    assert limit.take(10.0) == 0.0
    assert limit.take(10.1) == pytest.approx(0.4)
    assert limit.take(10.5) == 0.0


def test_a_refused_start_does_not_count() -> None:
    limit = RateLimit(2.0)
    limit.take(10.0)
    for _ in range(100):
        limit.take(10.2)
    assert limit.take(10.5) == 0.0


def test_a_long_rest_saves_up_one_burst_only() -> None:
    limit = RateLimit(100.0)
    limit.take(0.0)
    assert sum(limit.take(5000.0) == 0.0 for _ in range(100)) == 10


async def test_no_more_run_than_the_concurrency_allows() -> None:
    launched = Launched[int]()
    gate = Gate[int](rate=1e6, concurrency=2, launch=launched.launch)
    for item in range(5):
        gate.submit(item)
    assert launched == [0, 1]
    assert gate.waiting == 3
    gate.release()
    assert launched == [0, 1, 2]


async def test_a_place_that_becomes_free_goes_to_who_waits_longest() -> None:
    launched = Launched[str]()
    gate = Gate[str](rate=1e6, concurrency=1, launch=launched.launch)
    for item in "abcde":
        gate.submit(item)
    for _ in range(4):
        gate.release()
    assert launched == list("abcde")


async def test_nobody_overtakes_who_waits_for_the_rate() -> None:
    launched = Launched[str]()
    gate = Gate[str](rate=50.0, concurrency=100, launch=launched.launch)
    for item in "abcdefghij":
        gate.submit(item)
    assert launched == list("abcde")  # the burst of a tenth of a second
    await launched.reach(7)
    gate.submit("k")
    await launched.reach(11)
    assert launched == list("abcdefghijk")


async def test_the_rate_holds_in_real_time() -> None:
    launched = Launched[int]()
    gate = Gate[int](rate=100.0, concurrency=100, launch=launched.launch)
    for item in range(40):
        gate.submit(item)
    await launched.reach(40)
    assert launched.times[-1] - launched.times[9] >= 0.29  # ten at once, then one every 10 ms


async def test_who_is_turned_down_when_its_turn_has_come_takes_no_place() -> None:
    launched, asked = Launched[int](), list[int]()

    def admit(item: int) -> bool:
        asked.append(item)
        return item % 2 == 0

    gate = Gate[int](rate=1e6, concurrency=2, launch=launched.launch, admit=admit)
    for item in range(5_000):
        gate.submit(item)
    assert launched == [0, 2]
    assert asked == [0, 1, 2], "nobody is asked before its turn"
    for _ in range(3_000):
        gate.release()
    assert launched == list(range(0, 5_000, 2))
    assert gate.waiting == 0


async def test_who_is_withdrawn_while_waiting_never_starts_and_the_others_keep_their_order() -> (
    None
):
    launched = Launched[int]()
    gate = Gate[int](rate=1e6, concurrency=1, launch=launched.launch)
    for item in range(6):
        gate.submit(item)
    gate.withdraw({1, 4})
    assert gate.waiting == 3
    for _ in range(4):
        gate.release()
    assert launched == [0, 2, 3, 5]


async def test_a_closed_gate_launches_nothing_more() -> None:
    launched = Launched[int]()
    gate = Gate[int](rate=20.0, concurrency=1, launch=launched.launch)
    for item in range(5):
        gate.submit(item)
    gate.close()
    gate.release()
    await asyncio.sleep(0.12)
    assert launched == [0]
    assert gate.waiting == 0
