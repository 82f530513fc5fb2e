"""What the daemon sets aside from the garbage collector, and that it lets go of it again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from monitor.memory import Collector

FAR = 3600.0


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.release()


def is_walked_through(value: object) -> bool:
    return any(each is value for each in gc.get_objects())


async def test_what_exists_is_set_aside_at_once_and_what_comes_later_is_not(
    collector: Collector,
) -> None:
    before: list[object] = [[]]
    collector.set_aside(again_after=FAR)
    after: list[object] = [[]]
    assert not is_walked_through(before)
    assert is_walked_through(after)


async def test_what_the_first_round_brought_is_set_aside_too(collector: Collector) -> None:
    collector.set_aside(again_after=0.0)
    after: list[object] = [[]]
    await asyncio.sleep(0.01)
    assert not is_walked_through(after)


async def test_setting_aside_anew_puts_off_the_second_time(collector: Collector) -> None:
    collector.set_aside(again_after=0.01)
    collector.set_aside(again_after=FAR)
    after: list[object] = [[]]
    await asyncio.sleep(0.03)
    assert is_walked_through(after)


def test_nothing_is_collected_during_a_pause_whatever_ends_it(collector: Collector) -> None:
    with suppress(ValueError), collector.paused():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


async def test_after_the_release_everything_is_collected_as_before(collector: Collector) -> None:
    before: list[object] = [[]]
    collector.set_aside(again_after=0.01)
    collector.release()
    await asyncio.sleep(0.03)
    assert is_walked_through(before)
    assert gc.get_freeze_count() == 0


def test_garbage_of_the_start_is_gone_after_tidying_up(collector: Collector) -> None:
    class Part:
        alive = 0

        def __init__(self) -> None:
            self.itself = self
            Part.alive += 1

        def __del__(self) -> None:
            Part.alive -= 1

    for _ in range(10):
        Part()
    collector.tidy_up()
    assert Part.alive == 0
