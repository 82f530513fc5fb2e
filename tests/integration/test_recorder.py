"""The recorder over a real SQLite store, and over one that stops working for a while."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import recorded
from support.patience import HANGS

from monitor import recorder
from monitor.clock import Clock
from monitor.core.model import KeyState, Sample
from monitor.core.renewals import Outcome, Renewal
from monitor.recorder import Recorder, coalesce
from monitor.store import open_store
from monitor.store.base import Changes, Store, StoredConfiguration, StoredKey, StoreError

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Gate:
    """A real store behind a door that can be shut, or that refuses single values."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.shut = False
        self.hung = threading.Event()  # cleared: a write does not come back
        self.hung.set()
        self.poison = ""
        self.writes = 0

    def write(self, batch: Sequence[Changes]) -> None:
        self.writes += 1
        self.hung.wait(20)
        if self.shut:
            raise StoreError("no space left on device")
        if any(s.key == self.poison for changes in batch for s in changes.samples):
            raise TypeError("cannot adapt")
        self.store.write(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def sample(number: int, key: str = "studio") -> Changes:
    at = NOW + timedelta(minutes=number)
    known = StoredKey(name=key, provider="kie", state=KeyState(key=key, last_poll_at=at))
    return Changes(
        keys=[known],
        samples=[Sample(key=key, meter="balance", at=at, until=at, balance=Decimal(number))],
    )


class World:
    def __init__(self, path: Path) -> None:
        self.gate = Gate(open_store(f"sqlite:///{path}/test.db"))
        self.released: list[Changes] = []
        self.errors = 0
        self.recorder = Recorder(
            self.gate,
            released=self.released.append,
            failed=self._failed,
            clock=Clock(speed=100),
        )

    def _failed(self) -> None:
        self.errors += 1

    def stored(self, key: str = "studio") -> list[int]:
        span = (NOW - timedelta(days=1), NOW + timedelta(days=30))
        found = self.gate.store.samples(key, None, *span)
        return [int(s.balance) for s in found if s.balance is not None]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.recorder.start()
    yield made
    await made.recorder.stop(5)
    made.gate.store.close()


async def test_what_arrives_together_shares_a_commit(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        world.recorder.add(sample(number))
    await world.recorder.settled()
    assert world.stored() == list(range(50))
    assert world.gate.writes == 1
    assert len(world.released) == 50
    assert caplog.messages == []


async def test_while_the_store_fails_everything_is_kept_in_order_and_released_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.gate.shut = True
    for number in range(3):
        world.recorder.add(sample(number))
        await world.recorder.settled()
    assert world.recorder.waiting == 3
    assert world.recorder.error == "no space left on device"
    assert world.errors >= 3
    assert len(world.released) == 3, "alerts do not wait for a disk"
    assert world.stored() == []
    world.gate.shut = False
    world.recorder.add(sample(3))
    await world.recorder.settled()
    assert world.stored() == [0, 1, 2, 3]
    assert (world.recorder.waiting, world.recorder.error) == (0, "")
    assert len(world.released) == 4
    told = [r.getMessage() for r in caplog.records]
    assert told == [
        "the store failed, keeping changes in memory: no space left on device",
        "the store works again, 3 kept units of work are written",
    ]


async def test_a_failing_store_is_tried_again_without_anything_new(world: World) -> None:
    world.gate.shut = True
    world.recorder.add(sample(1))
    await world.recorder.settled()
    world.gate.shut = False
    async with asyncio.timeout(HANGS):
        while world.recorder.waiting:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
    assert world.stored() == [1]


async def test_a_value_that_cannot_be_stored_does_not_take_others_with_it(world: World) -> None:
    world.gate.poison = "bad"
    for number in range(3):
        world.recorder.add(sample(number))
    world.recorder.add(sample(9, key="bad"))
    await world.recorder.settled()
    world.recorder.add(sample(3))
    await world.recorder.settled()
    assert world.stored() == [0, 1, 2, 3]
    assert world.stored("bad") == []
    assert world.recorder.waiting == 0


async def test_stop_writes_what_is_left_and_says_what_could_not_be_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.recorder.start()
    world.recorder.add(sample(1))
    assert await world.recorder.stop(5) == 0
    assert world.stored() == [1]
    assert "recorder" not in {task.get_name() for task in asyncio.all_tasks()}
    world.gate.store.close()
    broken = World(tmp_path)
    broken.gate.shut = True
    broken.recorder.start()
    broken.recorder.add(sample(2))
    assert await broken.recorder.stop(0.5) == 1
    broken.gate.store.close()


def test_coalescing_keeps_the_last_version_of_every_row() -> None:
    later = sample(1)
    later.samples[0] = Sample(
        key="studio",
        meter="balance",
        at=NOW + timedelta(minutes=1),
        until=NOW + timedelta(minutes=9),
        balance=Decimal(1),
    )
    folded = coalesce([sample(0), sample(1), later])
    assert [s.until for s in folded.samples] == [NOW, NOW + timedelta(minutes=9)]
    assert len(folded.keys) == 1


def test_of_a_store_that_fails_for_long_the_newest_samples_are_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder, "MAX_SAMPLES", 3)
    folded = coalesce([sample(number) for number in range(5)])
    assert [s.balance for s in folded.samples] == [2, 3, 4]
    assert caplog.messages == ["2 samples given up"]
    assert coalesce([sample(1), sample(2)]).samples == [*sample(1).samples, *sample(2).samples]


def test_folding_forgets_no_kind_of_row() -> None:
    everything = Changes(
        keys=[recorded.key()],
        forgotten=[("studio", "balance")],
        ledgers=[recorded.ledger()],
        forecasts=[recorded.forecast()],
        samples=[recorded.sample("1")],
        outages=[recorded.outage()],
        alerts=[recorded.alert()],
        events=[recorded.event()],
        notifications=[recorded.notification()],
        attempts=[recorded.attempt()],
        suppressed=[recorded.suppressed(), recorded.suppressed(channel="mail")],
        reports=[recorded.report()],
        renewals=[Renewal(key="tools", meter="kling:anna", at=recorded.NOW, outcome=Outcome.BEGUN)],
        configurations=[StoredConfiguration(read_at=recorded.NOW)],
    )
    assert all(getattr(everything, field.name) for field in fields(Changes))
    assert coalesce([everything, everything]) == everything


async def test_it_is_not_behind_while_the_store_takes_everything(world: World) -> None:
    assert world.recorder.behind() == 0
    world.recorder.add(sample(1))
    await world.recorder.settled()
    assert world.recorder.behind() == 0


async def test_it_is_behind_from_the_first_change_that_is_not_written(world: World) -> None:
    world.gate.shut = True
    began = time.monotonic()
    world.recorder.add(sample(1))
    await world.recorder.settled()
    await asyncio.sleep(0.1)
    assert 0.1 <= world.recorder.behind() <= time.monotonic() - began
    world.gate.shut = False
    world.recorder.add(sample(2))
    await world.recorder.settled()
    assert world.recorder.behind() == 0


async def test_a_store_that_hangs_is_behind_too_although_it_tells_no_error(world: World) -> None:
    world.gate.hung.clear()
    world.recorder.add(sample(1))
    async with asyncio.timeout(HANGS):
        while world.recorder.behind() < 0.3:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
    assert world.recorder.error == ""
    world.gate.hung.set()
    await world.recorder.settled()
    assert world.recorder.behind() == 0
