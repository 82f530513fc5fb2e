"""The real process between systemd, which is told, and an operator, who sends SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from support.manager import ListeningManager
from support.patience import HANGS
from support.process import Hook, run_program
from support.site import Site

from monitor.providers.simulator import Account, SimulatedServer


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    names = ("studio", "spare", "late")
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in names]
    async with SimulatedServer(accounts) as provider, Hook() as hook:
        yield Site(tmp_path, provider, hook)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ListeningManager]:
    with ListeningManager(tmp_path / "notify") as listening:
        yield listening


async def test_the_manager_hears_of_start_life_reload_and_stop(
    site: Site, manager: ListeningManager
) -> None:
    process = await site.started(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="3000000")
    ready = await manager.until("READY")
    assert ready["STATUS"] == "2 keys, 0 open alerts, 0 notifications undelivered"
    await manager.until("WATCHDOG")
    site.settings["keys"].append(site.key("late"))
    site.write()
    process.send(signal.SIGHUP)
    assert int((await manager.until("RELOADING"))["MONOTONIC_USEC"]) > 0
    assert (await manager.until("READY"))["STATUS"].startswith("3 keys")
    await process.until("watching 3 keys")
    assert await process.stop() == 0
    await manager.until("STOPPING")


async def test_a_process_that_stands_still_gives_no_sign_of_life(
    site: Site, manager: ListeningManager
) -> None:
    process = await site.started(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="600000")
    await manager.until("WATCHDOG")
    process.send(signal.SIGSTOP)
    await asyncio.sleep(0.3)
    manager.read()
    await asyncio.sleep(1)
    assert manager.read() == []
    process.send(signal.SIGCONT)
    await manager.until("WATCHDOG")
    assert await process.stop() == 0


async def test_a_bad_file_changes_nothing_and_is_seen_until_a_good_one_comes(site: Site) -> None:
    process = await site.started()
    good = site.config.read_text()
    site.config.write_text(good.replace('"keys"', '"keyz"'))
    process.send(signal.SIGHUP)
    await process.until("the new configuration is refused, the one in use goes on")
    await process.until("did you mean keys?")
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    site.config.write_text(good)
    shown = await site.ask("status")
    problems = shown["configuration"]["problems"]
    assert any("keyz" in problem for problem in problems)
    assert not any("every user of this host can read it" in p for p in problems)  # a warning
    _, text = await run_program("status", "--config", str(site.config), home=site.home)
    assert "The configuration was refused" in text
    page = (await process.until("page and metrics at")).split()[-1]
    async with httpx.AsyncClient(trust_env=False) as http:
        shown = (await http.get(page)).text
        assert "The configuration was refused" in shown
        assert "did you mean keys?" in shown
        assert "sk-" not in shown
    process.send(signal.SIGHUP)
    async with asyncio.timeout(HANGS):
        while "refused" in text:
            _, text = await run_program("status", "--config", str(site.config), home=site.home)
    assert await process.stop() == 0
    assert "sk-" not in process.output


async def test_reloads_amid_polls_and_deliveries_lose_and_repeat_nothing(site: Site) -> None:
    site.hook.delay = 0.3
    process = await site.started()
    for balance in ("900", "50", "8000", "700", "20"):
        site.spend(balance)
        for number in range(4):
            site.settings["keys"] = [
                site.key(n) for n in ("studio", "spare", "late")[: 2 + number % 2]
            ]
            site.write()
            process.send(signal.SIGHUP)
            await asyncio.sleep(0.4)
    await site.hook.until("studio has 20 credits left")
    assert await process.stop() == 0
    titles = [body["title"] for _, body in site.hook.got]
    assert len([t for t in titles if "studio has 50 credits left" in t]) == 1
    assert len([t for t in titles if "studio has 20 credits left" in t]) == 1
    assert "Traceback" not in process.output
    records = await site.ask("notify", "list")
    assert {r["notification"]["state"] for r in records} == {"delivered"}
