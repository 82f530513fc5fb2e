"""What the service manager is told, and when the signs of life stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from support.manager import ListeningManager
from support.patience import HANGS

from monitor.clock import Clock
from monitor.config import load
from monitor.daemon import Daemon
from monitor.delivery.heartbeat import stalls
from monitor.plan import Plan
from monitor.providers.simulator import Account, SimulatedServer
from monitor.service import Herald
from monitor.systemd import Manager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[ListeningManager]:
    with ListeningManager(tmp_path / "notify") as listening:
        yield listening


@pytest.mark.parametrize("abstract", [False, True], ids=["a file", "an abstract socket"])
def test_the_start_and_its_status_are_told(tmp_path: Path, *, abstract: bool) -> None:
    address = f"@credit-monitor-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with ListeningManager(address) as listener:
        Manager(address).ready("3 keys")
        assert listener.read() == [{"READY": "1", "STATUS": "3 keys"}]


def test_a_reload_tells_its_time_on_the_clock_of_the_manager(listener: ListeningManager) -> None:
    Manager(listener.address).reloading()
    [told] = listener.read()
    assert told["RELOADING"] == "1"
    assert int(told["MONOTONIC_USEC"]) > 0


def test_a_status_is_told_when_it_changes_and_on_one_line(listener: ListeningManager) -> None:
    manager = Manager(listener.address)
    manager.ready("3 keys")
    manager.status("3 keys")
    manager.status("stuck:\nREADY=1")
    assert listener.read()[1:] == [{"STATUS": "stuck: READY=1"}]


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        pytest.param({"WATCHDOG_USEC": "60000000"}, 60.0, id="for whoever reads it"),
        pytest.param(
            {"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5, id="for us"
        ),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None, id="for another"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="none"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no number"),
        pytest.param({}, None, id="not asked for"),
    ],
)
def test_the_watchdog_is_taken_from_the_environment(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Manager.of({"NOTIFY_SOCKET": "/run/notify", **environ}).watchdog == seconds


def test_without_a_manager_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    manager = Manager.of({"WATCHDOG_USEC": "1000000"})
    manager.ready("3 keys")
    manager.alive()
    assert manager.watchdog is None
    assert not caplog.records


def test_a_manager_that_went_away_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = Manager(str(tmp_path / "nobody"), watchdog=1.0)
    for _ in range(3):
        manager.alive()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "No such file or directory" in record.getMessage()


# -- the watchdog ---------------------------------------------------------------------------


class LeapClock(Clock):
    """A clock that the test moves on, as if so much time had passed."""

    leap = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leap


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    account = Account(token="sk-studio", balance=Decimal(5000))
    async with SimulatedServer([account]) as provider:
        key = {"name": "studio", "provider": "simulated", "url": provider.url, "key": "sk-studio"}
        document = {
            "defaults": {"interval": "1s", "timeout": "1s"},
            "keys": [key],
            "channels": [{"name": "ops", "url": "console:"}],
            "store": f"sqlite:///{tmp_path}/test.db",
            "web": "off",
        }
        file = tmp_path / "config.yaml"
        file.write_text(json.dumps(document))
        async with Daemon(Plan.of(load(file, {}).settings), clock=LeapClock()) as running:
            yield running


def beat(daemon: Daemon, listener: ListeningManager, *, seconds_on: float = 0.0) -> dict[str, str]:
    """All that one beat tells, *seconds_on* after the present."""
    assert isinstance(daemon.clock, LeapClock)
    daemon.clock.leap += seconds_on
    manager = Manager(listener.address, watchdog=60.0)
    Herald(manager, daemon.progress, daemon.summary).beat()
    return {name: value for message in listener.read() for name, value in message.items()}


async def test_a_daemon_that_gets_on_gives_signs_of_life_and_says_how_things_stand(
    daemon: Daemon, listener: ListeningManager
) -> None:
    told = beat(daemon, listener)
    assert told == {
        "WATCHDOG": "1",
        "STATUS": "1 key, 0 open alerts, 0 notifications undelivered",
    }


def stop_polling(daemon: Daemon) -> None:
    assert daemon._poller._timer is not None
    daemon._poller._timer.remove()


def stop_judging(daemon: Daemon) -> None:
    daemon._timers._scheduler.get_job("sweep").remove()


def stop_delivery(daemon: Daemon) -> None:
    task = daemon._dispatch._outbox._workers["ops"]._task
    assert task is not None
    task.cancel()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(stop_polling, "behind their schedule", id="no poll starts any more"),
        pytest.param(stop_judging, "alerts have not been judged for", id="nothing is judged"),
        pytest.param(stop_delivery, "delivery is stuck: ops", id="a channel's worker is gone"),
    ],
)
async def test_a_part_that_stops_ends_the_signs_of_life(
    daemon: Daemon, listener: ListeningManager, fault: Callable[[Daemon], None], words: str
) -> None:
    fault(daemon)
    await asyncio.sleep(0)
    told = beat(daemon, listener, seconds_on=130)
    assert "WATCHDOG" not in told
    assert words in told["STATUS"]


async def test_a_store_that_hangs_ends_the_signs_of_life_until_it_goes_on(
    daemon: Daemon, listener: ListeningManager
) -> None:
    go_on = threading.Event()
    await daemon._recorder.settled()
    daemon._recorder._thread.submit(go_on.wait, 30)
    daemon._recorder.add(daemon._pipeline.start(daemon.clock.now()))
    told = beat(daemon, listener, seconds_on=130)
    assert "WATCHDOG" not in told
    assert "the store has not taken a change for" in told["STATUS"]
    go_on.set()
    await daemon._recorder.settled()
    assert "the store" not in beat(daemon, listener)["STATUS"]


async def test_a_store_that_only_fails_is_no_reason_for_a_restart(
    daemon: Daemon, listener: ListeningManager
) -> None:
    daemon._recorder.error = "no space left"
    assert beat(daemon, listener)["WATCHDOG"] == "1"


async def test_a_stall_is_logged_once_and_so_is_its_end(
    daemon: Daemon, listener: ListeningManager, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(daemon.clock, LeapClock)
    herald = Herald(Manager(listener.address, watchdog=60.0), daemon.progress, daemon.summary)
    job = daemon._timers._scheduler.get_job("sweep")
    job.pause()
    daemon.clock.leap = 130
    herald.beat()
    herald.beat()
    await daemon._housekeeping.sweep()
    async with asyncio.timeout(HANGS):
        while stalls(daemon.progress()):  # noqa: ASYNC110 - the other parts make it true
            await asyncio.sleep(0.02)
    herald.beat()
    lines = [r.getMessage() for r in caplog.records if r.name == "monitor.service"]
    assert [line.split(":")[0] for line in lines] == ["stuck", "no longer stuck"]


@pytest.mark.parametrize(("watchdog", "pulse"), [(None, 5.0), (60.0, 5.0), (3.0, 1.0)])
def test_the_pulse_is_a_third_of_what_the_watchdog_wants_at_most(
    watchdog: float | None, pulse: float
) -> None:
    manager = Manager("/run/notify", watchdog)
    herald = Herald(manager, lambda: pytest.fail("not asked"), lambda: "")
    assert herald.pulse == pulse
