"""The installed service in a booted Debian: what systemd does with it, and it with systemd.

One machine for all tests of this module, in their order: install, start, trouble, upgrade, removal.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from support import booted
from support.booted import SOURCE, Machine
from support.process import Hook

from monitor.providers.simulator import Account, SimulatedServer
from monitor.store.sql import OURS
from monitor.store.upgrade import upgrade

pytestmark = [
    pytest.mark.skipif(bool(booted.missing()), reason=booted.missing()),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("booted"),
]

Result = TypeVar("Result")

UNIT = "credit-monitor"
CONFIG = "/etc/credit-monitor/config.yaml"
DROP_IN = f"/etc/systemd/system/{UNIT}.service.d/test.conf"
STATE = "/var/lib/credit-monitor"
FIXTURES = Path(__file__).parents[1] / "fixtures"


class World:
    """A provider with two accounts and a web hook, on a loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self.provider: SimulatedServer
        self.hook: Hook

    def __enter__(self) -> Self:
        self._thread.start()
        accounts = [Account(token=f"sk-{n}-s3cret", balance=Decimal(5000)) for n in ("a", "b")]
        self.provider = self.run(self._stack.enter_async_context(SimulatedServer(accounts)))
        self.hook = self.run(self._stack.enter_async_context(Hook()))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def told(self, text: str) -> str:
        return self.run(self.hook.until(text))

    def spend(self, name: str, balance: int) -> None:
        self.provider.accounts[f"sk-{name}-s3cret"].balance = Decimal(balance)

    def settings(self, *names: str) -> dict[str, Any]:
        common = {"provider": "simulated", "url": self.provider.url, "interval": "1s"}
        return {
            "keys": [{"name": n, "key_credential": n, "timeout": "1s"} | common for n in names],
            "channels": [{"name": "hook", "url_credential": "hook"}],
            "rules": {"low_balance": {"warning": 1000, "critical": 100}},
            "notify": {"group_wait": "0.2s"},
            "web": {"listen": "127.0.0.1:0"},
        }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted.booted(tmp_path_factory.mktemp("machine")) as running:
        yield running


def configure(machine: Machine, settings: dict[str, Any]) -> None:
    machine.write(CONFIG, json.dumps(settings), mode=0o640)
    machine.ok("chgrp", "credit-monitor", CONFIG)


def test_make_install_puts_it_in_place_and_systemd_finds_nothing_to_complain_about(
    machine: Machine, world: World
) -> None:
    told = machine.ok("make", "-C", SOURCE, "install", seconds=600)
    assert "systemctl enable --now credit-monitor" in told
    assert "version" in machine.ok("credit-monitor", "--version")
    machine.ok("getent", "passwd", "credit-monitor")
    units = [f"{UNIT}.service", f"{UNIT}-check.service", f"{UNIT}-check.timer"]
    assert machine.ok("systemd-analyze", "verify", *units) == ""
    for name in ("a", "b"):
        machine.write(f"/etc/credit-monitor/credentials/{name}", f"sk-{name}-s3cret\n", 0o600)
    hook = f"json://127.0.0.1:{world.hook.port}/s3cret"
    machine.write("/etc/credit-monitor/credentials/hook", f"{hook}\n", 0o600)
    loads = [f"LoadCredential={n}:/etc/credit-monitor/credentials/{n}" for n in ("a", "b", "hook")]
    machine.write(DROP_IN, "\n".join(["[Service]", *loads, ""]))
    machine.ok("systemctl", "daemon-reload")


def test_a_broken_configuration_fails_once_and_is_not_started_again(
    machine: Machine, world: World
) -> None:
    configure(machine, world.settings("a") | {"keyz": []})
    code, _ = machine.run("systemctl", "start", UNIT)
    assert code != 0
    assert machine.show(UNIT, "ExecMainStatus") == "78"
    assert machine.show(UNIT, "ActiveState") == "failed"
    assert machine.show(UNIT, "NRestarts") == "0"
    assert "did you mean keys?" in machine.log(UNIT)
    machine.ok("systemctl", "reset-failed", UNIT)


def test_it_is_started_when_the_page_answers_and_tells_how_things_stand(
    machine: Machine, world: World
) -> None:
    configure(machine, world.settings("a"))
    machine.ok("systemctl", "start", UNIT)
    assert "page and metrics at" in machine.log(UNIT)
    machine.until(UNIT, "StatusText", "1 key, 0 open alerts, 0 notifications undelivered")
    world.spend("a", 500)
    world.told("a has 500 credits left")
    machine.until(UNIT, "StatusText", "1 key, 1 open alert, 0 notifications undelivered")


def test_the_process_is_locked_in_and_its_secrets_are_nowhere(
    machine: Machine, world: World
) -> None:
    pid = machine.show(UNIT, "MainPID")
    status = dict(
        line.split(":\t", 1)
        for line in machine.ok("cat", f"/proc/{pid}/status").splitlines()
        if ":\t" in line
    )
    assert status["CapEff"] == "0000000000000000"
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    user = machine.ok("id", "-u", "credit-monitor").strip()
    assert status["Uid"].split() == [user] * 4
    for file in ("environ", "cmdline"):
        assert "s3cret" not in machine.ok("cat", f"/proc/{pid}/{file}")
    assert "s3cret" not in machine.log(UNIT)
    assert oct(machine.path(STATE).stat().st_mode & 0o777) == "0o700"


def test_a_chart_is_painted_in_spite_of_the_lock_down(machine: Machine) -> None:
    told = machine.ok("systemctl", "cat", UNIT)
    sandbox = [line for line in told.splitlines() if line.split("=")[0] in PAINTERS_SANDBOX]
    properties = [f"--property={line}" for line in sandbox]
    program = "/usr/local/lib/credit-monitor/bin/python"
    check = (program, "-P", "-c", PAINT)
    painted = machine.ok("systemd-run", "--quiet", "--pipe", "--wait", *properties, *check)
    assert painted.strip() == "a picture"


PAINTERS_SANDBOX = (
    "MemoryDenyWriteExecute",
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "SystemCallArchitectures",
    "ProtectSystem",
    "PrivateTmp",
    "PrivateUsers",
    "PrivateDevices",
    "RestrictNamespaces",
    "CapabilityBoundingSet",
    "User",
)

PAINT = """
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from monitor.core.charts import Chart
from monitor.core.model import Sample
from monitor.delivery.charts import draw
start, hour = datetime(2026, 5, 1, tzinfo=UTC), timedelta(hours=1)
times = [start + number * hour for number in range(24)]
samples = [
    Sample(key="a", meter="balance", at=at, until=at, balance=Decimal(900 - number))
    for number, at in enumerate(times)
]
chart = Chart(name="a", unit="credits", samples=tuple(samples), since=start, until=times[-1])
print("a picture" if (draw(chart) or b"").startswith(bytes([137]) + b"PNG") else "nothing")
"""


def test_a_reload_takes_over_a_key_and_a_bad_file_is_refused_and_seen(
    machine: Machine, world: World
) -> None:
    pid = machine.show(UNIT, "MainPID")
    configure(machine, world.settings("a", "b"))
    machine.ok("systemctl", "reload", UNIT)
    machine.until(UNIT, "StatusText", "2 keys, 1 open alert")
    configure(machine, world.settings("a", "b") | {"keyz": []})
    code, _ = machine.run("systemctl", "reload", UNIT)
    assert code != 0
    machine.until(UNIT, "StatusText", "new configuration refused")
    assert machine.show(UNIT, "ActiveState") == "active"
    configure(machine, world.settings("a", "b"))
    assert "The configuration was refused" in machine.ok("credit-monitor", "status")
    machine.ok("systemctl", "reload", UNIT)
    machine.until(UNIT, "StatusText", "0 notifications undelivered")
    assert machine.show(UNIT, "MainPID") == pid
    assert len([text for text in world.hook.messages if "500 credits left" in text]) == 1


def test_after_kill_9_it_goes_on_and_tells_nothing_twice(machine: Machine, world: World) -> None:
    machine.ok("systemctl", "kill", "--signal=KILL", UNIT)
    machine.until(UNIT, "NRestarts", "1")
    machine.until(UNIT, "ActiveState", "active")
    world.spend("b", 50)
    world.told("b has 50 credits left")
    assert len([text for text in world.hook.messages if "500 credits left" in text]) == 1


def test_a_process_that_stands_still_is_ended_and_started_anew(machine: Machine) -> None:
    extra = "/etc/systemd/system/credit-monitor.service.d/watchdog.conf"
    machine.write(extra, "[Service]\nWatchdogSec=3s\nTimeoutAbortSec=2s\n")
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemctl", "restart", UNIT)
    pid = machine.show(UNIT, "MainPID")
    machine.ok("kill", "-STOP", pid)
    machine.until(UNIT, "NRestarts", "1", seconds=30)
    machine.until(UNIT, "ActiveState", "active")
    assert machine.show(UNIT, "MainPID") != pid
    assert "Watchdog timeout" in machine.ok("journalctl", "--no-pager", "--unit", UNIT)
    machine.path(extra).unlink()
    machine.ok("systemctl", "daemon-reload")


def test_a_stop_is_clean(machine: Machine) -> None:
    machine.ok("systemctl", "stop", UNIT, seconds=30)
    assert machine.show(UNIT, "Result") == "success"
    assert machine.show(UNIT, "ExecMainStatus") == "0"
    assert "Traceback" not in machine.log(UNIT)


def test_without_the_daemon_the_check_fails_its_unit_while_credit_is_low(
    machine: Machine, world: World
) -> None:
    check = f"{UNIT}-check"
    machine.write(f"/etc/systemd/system/{check}.service.d/test.conf", drop_in(machine))
    machine.ok("systemctl", "daemon-reload")
    code, _ = machine.run("systemctl", "start", check)
    assert code != 0
    assert machine.show(check, "ExecMainStatus") == "2"
    world.spend("a", 5000)
    world.spend("b", 5000)
    machine.ok("systemctl", "start", check)
    assert "5,000" in machine.log(check)
    machine.ok("systemctl", "enable", "--now", f"{check}.timer")
    assert check in machine.ok("systemctl", "list-timers", "--no-pager")
    machine.ok("systemctl", "disable", "--now", f"{check}.timer")


def drop_in(machine: Machine) -> str:
    return machine.path(DROP_IN).read_text()


def test_the_records_of_an_installation_by_hand_are_taken_over(
    machine: Machine, world: World, tmp_path: Path
) -> None:
    machine.ok("rm", "-rf", STATE)
    old = tmp_path / "old.db"
    store_of_the_first_schema(old)
    machine.path("/old.db").write_bytes(old.read_bytes())
    machine.path("/old.db").chmod(0o644)
    unit = (FIXTURES / "systemd" / "by-hand.service").read_text()
    # What the unit before did: a user made up for each start, and state below /var/lib/private.
    start = "ExecStart=/bin/cp /old.db /var/lib/credit-monitor/credit-monitor.db"
    lines = [start if line.startswith("ExecStart=") else line for line in unit.splitlines()]
    machine.write("/etc/systemd/system/credit-monitor.service", "\n".join(lines))
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemctl", "start", UNIT)
    machine.until(UNIT, "ActiveState", "inactive")
    assert machine.path("/var/lib/private/credit-monitor/credit-monitor.db").exists()
    machine.path("/etc/systemd/system/credit-monitor.service").unlink()
    machine.ok("make", "-C", SOURCE, "install", seconds=600)
    machine.ok("systemctl", "start", UNIT)
    assert "upgraded from schema credit_monitor_0001" in machine.log(UNIT)
    owner = machine.path(f"{STATE}/credit-monitor.db").stat().st_uid
    assert str(owner) == machine.ok("id", "-u", "credit-monitor").strip()
    shown = json.loads(machine.ok("credit-monitor", "alerts", "--format", "json"))
    assert {1, 2, 3} <= {record["alert"]["id"] for record in shown}


def store_of_the_first_schema(file: Path) -> None:
    from sqlalchemy import create_engine  # noqa: PLC0415 - only where a system boots

    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection, OURS.migrations, "credit_monitor_0001")
    engine.dispose()
    rows = (FIXTURES / "store" / "credit_monitor_0001.sql").read_text(encoding="utf-8")
    with sqlite3.connect(file) as database:
        database.executescript(f"PRAGMA application_id = {0x43724D6F};\n{rows}")
    database.close()


def test_make_uninstall_leaves_configuration_and_records(machine: Machine) -> None:
    machine.ok("make", "-C", SOURCE, "uninstall")
    assert machine.run("systemctl", "is-active", UNIT)[1].strip() == "inactive"
    assert not machine.path("/usr/local/bin/credit-monitor").exists()
    assert not machine.path("/usr/local/lib/credit-monitor").exists()
    assert machine.ok("find", "/usr/local", "-name", "*credit-monitor*") == ""
    assert machine.path(CONFIG).exists()
    assert machine.path(f"{STATE}/credit-monitor.db").exists()
