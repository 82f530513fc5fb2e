"""The whole daemon in this process, with an Alertmanager to show and a switch to ping."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.patience import HANGS
from support.process import run_program
from support.receiver import Receiver

from monitor.clock import Clock
from monitor.config import Settings, load
from monitor.daemon import Daemon
from monitor.plan import Plan
from monitor.providers.simulator import Account, SimulatedServer


class Site:
    """A provider with two accounts, a receiver for alerts and one for pings."""

    def __init__(
        self, home: Path, provider: SimulatedServer, alerts: Receiver, pings: Receiver
    ) -> None:
        self.home, self.provider, self.alerts, self.pings = home, provider, alerts, pings
        self.config = home / "config.yaml"
        self.store = home / "test.db"

    def settings(self, **channel: Any) -> Settings:
        keys = [
            {"name": name, "provider": "simulated", "url": self.provider.url, "key": f"sk-{name}"}
            for name in ("studio", "spare")
        ]
        document = {
            "defaults": {"interval": "1s", "timeout": "1s"},
            "keys": keys,
            "rules": {"low_balance": {"warning": 1000, "critical": 100}},
            "channels": [{"name": "am", "alertmanager": self.alerts.url, **channel}],
            "store": f"sqlite:///{self.store}",
            "heartbeat": {"url": f"{self.pings.url}/s3cret", "every": "10s"},
            "web": {"listen": "127.0.0.1:0"},
        }
        self.config.write_text(json.dumps(document))
        self.config.chmod(0o600)
        return load(self.config, {}).settings

    def spend(self, name: str, balance: int) -> None:
        self.provider.accounts[f"sk-{name}"].balance = Decimal(balance)

    def states(self) -> dict[tuple[str, str], datetime]:
        """Every alert that was posted, by key and severity, with the end it was given last."""
        return {
            (alert["labels"]["key"], alert["labels"]["severity"]): datetime.fromisoformat(
                alert["endsAt"]
            )
            for got in self.alerts.got
            for alert in got.json
        }


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANGS):
        while not happened():  # noqa: ASYNC110 - it is another part that makes it true
            await asyncio.sleep(0.02)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in ("studio", "spare")]
    async with (
        SimulatedServer(accounts) as provider,
        Receiver() as alerts,
        Receiver() as pings,
    ):
        yield Site(tmp_path, provider, alerts, pings)


async def test_what_opens_and_ends_is_shown_to_the_alertmanager(site: Site) -> None:
    clock = Clock()
    async with Daemon(Plan.of(site.settings()), clock=clock):
        site.spend("studio", 500)
        await until(lambda: ("studio", "warning") in site.states())
        site.spend("studio", 50)
        await until(lambda: ("studio", "critical") in site.states())
        assert (
            site.states()["studio", "warning"] <= clock.now() < site.states()["studio", "critical"]
        )
        site.spend("studio", 9000)
        await until(lambda: site.states()["studio", "critical"] <= clock.now())
    assert {key for key, _ in site.states()} == {"studio"}


async def test_after_a_restart_what_is_open_is_shown_again_at_once(site: Site) -> None:
    async with Daemon(Plan.of(site.settings()), clock=Clock()):
        site.spend("studio", 500)
        await until(lambda: ("studio", "warning") in site.states())
    began = site.alerts.got[-1].json[0]["startsAt"]
    site.alerts.got.clear()
    async with Daemon(Plan.of(site.settings()), clock=Clock()):
        await until(lambda: ("studio", "warning") in site.states())
    assert site.alerts.got[0].json[0]["startsAt"] == began


async def test_the_filters_of_the_channel_hold(site: Site) -> None:
    settings = site.settings(keys=["sp*"], severities=["critical"])
    async with Daemon(Plan.of(settings), clock=Clock()):
        site.spend("studio", 50)
        site.spend("spare", 500)
        await asyncio.sleep(2.5)  # two polls, and the second in which posts are gathered
        assert site.states() == {}
        site.spend("spare", 50)
        await until(lambda: ("spare", "critical") in site.states())
    assert site.states().keys() == {("spare", "critical")}


async def test_its_failures_are_seen_where_those_of_other_channels_are_until_they_end(
    site: Site,
) -> None:
    site.alerts.status = 503
    async with Daemon(Plan.of(site.settings()), clock=Clock()) as daemon:
        site.spend("studio", 500)
        await site.alerts.until(1)
        await asyncio.sleep(0.1)
        assert daemon._dispatch.undelivered()["am"][0] == 1
    listed = "SELECT channel, state, error FROM notifications"
    with closing(sqlite3.connect(site.store)) as store:
        ((channel, state, error),) = store.execute(listed).fetchall()
    assert (channel, state) == ("am", "pending")
    assert "HTTP 503" in error
    site.alerts.status = 200
    count = len(site.alerts.got)
    async with Daemon(Plan.of(site.settings()), clock=Clock()):
        await site.alerts.until(count + 1)
        await asyncio.sleep(0.1)
    with closing(sqlite3.connect(site.store)) as store:
        assert store.execute(listed).fetchall() == [("am", "delivered", "")]


async def test_it_pings_until_the_store_fails(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with Daemon(Plan.of(site.settings()), clock=Clock(speed=10)):
        await site.pings.until(2)
        assert {got.path for got in site.pings.got} == {"/s3cret"}
        with closing(sqlite3.connect(site.store)) as store:
            store.execute("DROP TABLE keys")
            store.commit()
        await until(lambda: "heartbeat: held back: the store fails" in caplog.text)
        count = len(site.pings.got)
        await asyncio.sleep(2)  # two pings would be due
        assert len(site.pings.got) == count
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 1)])
async def test_a_test_message_is_shown_to_the_alertmanager(
    site: Site, status: int, code: int
) -> None:
    site.settings()
    site.alerts.status = status
    arguments = ("notify", "test", "am", "--config", str(site.config))
    done, output = await run_program(*arguments, home=site.home)
    assert done == code, output
    (alert,) = site.alerts.got[0].json
    assert alert["labels"]["alertname"] == "CreditMonitorTest"
    assert alert["annotations"]["summary"] == "Test message through am"
    lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["startsAt"])
    assert lasts.total_seconds() == 120
    assert ("delivered" if status == 200 else "HTTP 401") in output
