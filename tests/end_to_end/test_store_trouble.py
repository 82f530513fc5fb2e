"""A store that is corrupt, or fails while the daemon runs: somebody is told."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.process import Hook, Process, run_program

from monitor.providers.simulator import Account, SimulatedServer


class Site:
    """A daemon with one key, a store that a run before has filled, and a web hook."""

    def __init__(self, home: Path, provider: SimulatedServer, hook: Hook) -> None:
        self.home = home
        self.account = provider.accounts["sk-1"]
        self.store = home / "state" / "test.db"
        self.settings: dict[str, Any] = {
            "keys": [
                {"name": f"key-{n}", "provider": "simulated", "url": provider.url, "key": "sk-1"}
                | {"interval": "1s", "timeout": "1s"}
                for n in range(200)
            ],
            "channels": [{"name": "hook", "url": f"json://127.0.0.1:{hook.port}/"}],
            "notify": {"group_wait": "0.2s"},
            "store": f"sqlite:///{self.store}",
            "web": "off",
        }

    def process(self, *command: str) -> Process:
        config = self.home / "config.yaml"
        config.write_text(json.dumps(self.settings))
        return Process(*command, "--config", str(config), home=self.home)

    def damage_while_running(self) -> None:
        """Noise in place of every page but the first, none of which is in the log any more."""
        with closing(sqlite3.connect(self.store)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self.store.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(self.store.stat().st_size - 4096))

    async def fill_and_damage(self) -> bytes:
        process = self.process("run")
        await process.start()
        await process.until("watching 200 keys")
        assert await process.stop() == 0
        with self.store.open("r+b") as file:
            file.seek(2 * 4096)
            file.write(random.Random(1).randbytes(3 * 4096))
        return self.store.read_bytes()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook() as hook:
        yield hook


@pytest.fixture
async def site(tmp_path: Path, hook: Hook) -> AsyncIterator[Site]:
    async with SimulatedServer([Account(token="sk-1", balance=Decimal(5000))]) as provider:
        yield Site(tmp_path, provider, hook)


async def test_a_start_with_a_corrupt_store_tells_the_channels_and_stops(
    site: Site, hook: Hook
) -> None:
    damaged = await site.fill_and_damage()
    process = site.process("run")
    await process.start()
    assert await process.wait() == 65
    assert "the file is corrupt" in process.output
    assert "credit-monitor store restore" in process.output
    [message] = hook.messages
    assert "credit-monitor has stopped: nothing is watched" in message
    assert site.store.read_bytes() == damaged


async def test_a_corrupt_store_is_replaced_where_that_is_configured_and_told(
    site: Site, hook: Hook
) -> None:
    damaged = await site.fill_and_damage()
    site.settings["corrupt_store"] = "replace"
    process = site.process("run")
    await process.start()
    await process.until("watching 200 keys")
    message = await hook.until("was corrupt and has been replaced")
    [aside] = site.store.parent.glob("test.db.corrupt-*Z")
    assert aside.name in message
    assert aside.read_bytes() == damaged
    assert await process.stop() == 0
    code, output = await run_program(
        "alerts", "--config", str(site.home / "config.yaml"), home=site.home
    )
    assert code == 0
    assert "store_replaced" in output
    again = site.process("run")
    await again.start()
    await again.until("watching 200 keys")
    assert await again.stop() == 0
    assert len(hook.messages) == 1  # it is no news any more


async def test_damage_that_shows_while_the_daemon_runs_is_told_and_watching_goes_on(
    site: Site, hook: Hook
) -> None:
    process = site.process("run")
    await process.start()
    await process.until("watching 200 keys")
    site.damage_while_running()
    message = await hook.until("cannot record: the store fails")
    assert "the file is corrupt: with the daemon stopped, restore a backup" in message
    site.account.balance = Decimal(0)
    await hook.until("has no credits left")
    assert await process.stop() == 0
    assert process.output.count("the store failed, keeping changes in memory") == 1
    assert process.output.count("thinning the store failed") <= 1
    assert not [*site.store.parent.glob("*corrupt-*")]


async def test_damage_that_shows_while_the_daemon_runs_gives_way_to_a_new_store_where_configured(
    site: Site, hook: Hook
) -> None:
    site.settings["corrupt_store"] = "replace"
    process = site.process("run")
    await process.start()
    await process.until("watching 200 keys")
    site.damage_while_running()
    message = await hook.until("was corrupt and has been replaced")
    [aside] = site.store.parent.glob("test.db.corrupt-*Z")
    assert aside.name in message
    site.account.balance = Decimal(0)
    await hook.until("has no credits left")
    assert await process.stop() == 0
    config = str(site.home / "config.yaml")
    assert (await run_program("store", "check", "--config", config, home=site.home))[0] == 0
    with closing(sqlite3.connect(site.store)) as connection:
        rules = {rule for (rule,) in connection.execute("SELECT rule FROM alerts")}
    assert rules == {"store_replaced", "exhausted"}


async def test_another_programs_file_is_never_replaced(site: Site, hook: Hook) -> None:
    site.settings["corrupt_store"] = "replace"
    site.store.parent.mkdir()
    connection = sqlite3.connect(site.store)
    connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = site.store.read_bytes()
    process = site.process("run")
    await process.start()
    assert await process.wait() == 74
    assert site.store.read_bytes() == before
    assert not hook.messages
