"""A running daemon goes over to another configuration: what stays in it is not disturbed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.patience import HANGS
from support.process import Hook
from support.receiver import Receiver

from monitor.clock import Clock
from monitor.config import load
from monitor.daemon import JUDGED_AT_ONCE, Daemon, ReloadError
from monitor.metrics import Scrape
from monitor.metrics.formats import Format
from monitor.plan import Plan
from monitor.providers.simulator import Account, Mode, SimulatedServer

NAMES = ("studio", "spare", "late")


class Site:
    """A provider with three accounts, two web hooks, and a configuration that tests change."""

    def __init__(self, home: Path, provider: SimulatedServer, ops: Hook, mail: Hook) -> None:
        self.home, self.provider, self.ops, self.mail = home, provider, ops, mail
        self.document: dict[str, Any] = {
            "defaults": {"interval": "1s", "timeout": "1s"},
            "keys": [self.key("studio"), self.key("spare")],
            "rules": {"low_balance": {"warning": 1000, "critical": 100}},
            "channels": [self.channel("ops", ops)],
            "notify": {"group_wait": "0.1s", "timeout": "3s"},
            "store": f"sqlite:///{home}/test.db",
            "web": "off",
        }
        self.daemon: Daemon

    def key(self, name: str, **more: Any) -> dict[str, Any]:
        url = self.provider.url
        return {"name": name, "provider": "simulated", "url": url, "key": f"sk-{name}"} | more

    @staticmethod
    def channel(name: str, hook: Hook, **more: Any) -> dict[str, Any]:
        return {"name": name, "url": f"json://127.0.0.1:{hook.port}/"} | more

    def plan(self) -> Plan:
        file = self.home / "config.yaml"
        file.write_text(json.dumps(self.document))
        file.chmod(0o600)
        return Plan.of(load(file, {}).settings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        async with Daemon(self.plan(), clock=Clock()) as daemon:
            self.daemon = daemon
            await until(lambda: all(self.read(name) for name in daemon.world.keys))
            yield daemon

    async def reload(self) -> None:
        await self.daemon.reload(self.plan())

    def account(self, name: str) -> Account:
        return self.provider.accounts[f"sk-{name}"]

    def spend(self, name: str, balance: int) -> None:
        self.account(name).balance = Decimal(balance)

    def read(self, name: str) -> Decimal | None:
        meters = self.daemon.world.keys[name].meters.values()
        return next((meter.reading.balance for meter in meters), None)

    def firing(self) -> dict[tuple[str, str], str]:
        alerts = self.daemon.world.alerts.values()
        return {(alert.subject.label, alert.rule): str(alert.severity) for alert in alerts}

    async def metrics(self) -> str:
        daemon = self.daemon
        scrape = Scrape(daemon.metrics, daemon.world, daemon.clock)
        return b"".join([piece async for piece in scrape.stream(Format.TEXT)]).decode()

    async def rounds(self, number: int = 2, name: str = "studio") -> None:
        """Wait until the key was polled *number* times more."""
        before = self.account(name).requests
        await until(lambda: self.account(name).requests >= before + number)


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(HANGS):
        while not happened():  # noqa: ASYNC110 - it is another part that makes it true
            await asyncio.sleep(0.01)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in NAMES]
    async with SimulatedServer(accounts) as provider, Hook() as ops, Hook() as mail:
        yield Site(tmp_path, provider, ops, mail)


# -- keys -----------------------------------------------------------------------------------


async def test_a_key_that_is_added_is_polled_and_the_others_keep_their_times(site: Site) -> None:
    async with site.running() as daemon:
        before = daemon._poller._keys["studio"]
        site.document["keys"].append(site.key("late"))
        await site.reload()
        await until(lambda: site.read("late"))
        assert daemon._poller._keys["studio"] is before
        assert list(daemon.world.keys) == ["studio", "spare", "late"]


async def test_a_key_that_is_added_long_after_the_start_is_not_silent_at_once(site: Site) -> None:
    site.document["rules"]["silent"] = {"after": "2s"}
    async with site.running() as daemon:
        await asyncio.sleep(2.1)  # as long as silence may last
        site.account("late").mode = Mode.SILENT
        site.document["keys"].append(site.key("late", interval="1h", timeout="90s"))
        await site.reload()
        await daemon._housekeeping.sweep()
        assert site.firing() == {}


async def test_a_key_that_is_removed_is_polled_no_more_and_its_series_and_alerts_go(
    site: Site,
) -> None:
    async with site.running():
        site.spend("spare", 50)
        await until(lambda: ("spare", "low_balance") in site.firing())
        await site.ops.until("spare has 50 credits left")
        del site.document["keys"][1]
        await site.reload()
        asked = site.account("spare").requests
        await site.rounds()
        assert site.account("spare").requests == asked
        assert site.firing() == {}
        metrics = await site.metrics()
        assert 'key="spare"' not in metrics
        assert 'credit_balance{key="studio"' in metrics
    assert not [text for text in site.ops.messages if "resolved" in text.lower()]


async def test_the_end_of_a_poll_that_was_under_way_for_a_removed_key_is_not_observed(
    site: Site,
) -> None:
    async with site.running() as daemon:
        site.account("spare").mode = Mode.SILENT
        await until(lambda: daemon._poller._keys["spare"].task)
        dropped = daemon._poller._keys["spare"]
        site.document["keys"][1] = site.key("spare", account="other", key="sk-late")
        await site.reload()
        await until(lambda: dropped.task is None)
        await until(lambda: site.account("late").requests)
        assert daemon.world.keys["spare"].state.failures == 0
        assert daemon.progress().polls_stalled < 1


async def test_a_key_that_comes_back_goes_on_with_its_records(site: Site) -> None:
    async with site.running() as daemon:
        site.spend("spare", 4000)
        await until(lambda: site.read("spare") == 4000)
        entry = site.document["keys"].pop()
        await site.reload()
        site.account("spare").mode = Mode.SILENT
        site.document["keys"].append(entry)
        await site.reload()
        assert site.read("spare") == 4000
        ledger = daemon.world.ledger(daemon.world.keys["spare"].watched, "balance")
        assert ledger is not None
        assert ledger.consumed_total == 1000


async def test_another_credential_is_used_at_once_and_the_history_goes_on(site: Site) -> None:
    async with site.running():
        site.account("studio").mode = Mode.REVOKED
        await until(lambda: ("studio", "rejected") in site.firing())
        await site.ops.until("studio")
        site.account("late").balance = Decimal(4990)
        site.document["keys"][0]["key"] = "sk-late"
        await site.reload()
        await until(lambda: ("studio", "rejected") not in site.firing())
        assert site.read("studio") == 4990


# -- rules ----------------------------------------------------------------------------------


async def test_a_higher_threshold_raises_at_once_although_the_balance_stays(site: Site) -> None:
    async with site.running():
        site.document["rules"]["low_balance"]["warning"] = 6000
        await site.reload()
        assert site.firing() == {
            ("studio", "low_balance"): "warning",
            ("spare", "low_balance"): "warning",
        }
        await site.ops.until("studio has 5,000 credits left")


async def test_many_keys_are_judged_anew_in_pieces_between_which_the_loop_goes_on(
    site: Site,
) -> None:
    many = 4 * JUDGED_AT_ONCE
    site.document["keys"] = [site.key("studio") | {"name": f"key-{n}"} for n in range(many)]
    site.document["defaults"] = {"interval": "3s", "timeout": "1s"}
    async with site.running() as daemon:
        site.document["rules"]["low_balance"] = {"warning": 9000, "critical": 100}
        plan, seen = site.plan(), set[int]()

        async def look() -> None:
            while len(seen) <= many:
                seen.add(len(daemon.world.alerts))
                await asyncio.sleep(0)

        looking = asyncio.create_task(look())
        await daemon.reload(plan)
        looking.cancel()
        assert len(daemon.world.alerts) == many
        assert len(seen - {0, many}) >= 3


async def test_a_threshold_that_still_holds_changes_nothing_about_the_alert(site: Site) -> None:
    async with site.running() as daemon:
        site.spend("studio", 500)
        await site.ops.until("studio has 500 credits left")
        [alert] = daemon.world.alerts.values()
        site.document["rules"]["low_balance"]["warning"] = 800
        await site.reload()
        await site.rounds()
        assert list(daemon.world.alerts.values()) == [alert]
        assert len(site.ops.got) == 1


async def test_a_threshold_that_no_longer_holds_resolves_with_the_facts(site: Site) -> None:
    async with site.running():
        site.spend("studio", 500)
        await site.ops.until("studio has 500 credits left")
        site.document["rules"]["low_balance"] = {"warning": 200, "critical": 100}
        await site.reload()
        assert site.firing() == {}
        assert "500 credits" in await site.ops.until("OK again")


async def test_while_a_key_does_not_answer_a_new_threshold_neither_raises_nor_resolves(
    site: Site,
) -> None:
    async with site.running():
        site.spend("studio", 500)
        await site.ops.until("studio has 500 credits left")
        site.account("studio").mode = Mode.SERVER_ERROR
        await until(lambda: site.daemon.world.keys["studio"].state.reason)
        site.document["rules"]["low_balance"] = {"warning": 200, "critical": 100}
        await site.reload()
        assert site.firing() == {("studio", "low_balance"): "warning"}
        site.account("studio").mode = Mode.OK
        await until(lambda: site.firing() == {})


async def test_a_rule_that_is_switched_off_ends_its_alerts_without_a_word(site: Site) -> None:
    async with site.running():
        site.spend("studio", 500)
        await site.ops.until("studio has 500 credits left")
        site.document["rules"]["low_balance"] = "off"
        await site.reload()
        await site.rounds()
        assert site.firing() == {}
        assert len(site.ops.got) == 1


# -- channels -------------------------------------------------------------------------------


async def test_a_channel_that_is_added_is_told_from_then_on(site: Site) -> None:
    async with site.running():
        site.document["channels"].append(site.channel("mail", site.mail))
        await site.reload()
        site.spend("studio", 500)
        await site.mail.until("studio has 500 credits left")
        await site.ops.until("studio has 500 credits left")
        assert 'outbox_pending{channel="mail"}' in await site.metrics()


async def test_what_a_removed_channel_did_not_take_is_a_dead_letter(site: Site) -> None:
    site.ops.status = 503
    async with site.running() as daemon:
        site.spend("studio", 500)
        await until(lambda: daemon.summary().startswith("2 keys, 1 open alert, 1 notification"))
        site.document["channels"] = [site.channel("mail", site.mail)]
        await site.reload()
        await daemon._recorder.settled()
        [letter] = daemon._store.notifications()
        assert (letter.channel, str(letter.state)) == ("ops", "dead")
        assert letter.error == "the channel is no longer configured"
        assert 'channel="ops"' not in await site.metrics()


async def test_a_mended_address_gets_at_once_what_could_not_be_delivered(site: Site) -> None:
    site.ops.status = 503
    async with site.running() as daemon:
        site.spend("studio", 500)
        await until(lambda: daemon._store.notifications() and daemon._store.attempts([1]))
        site.document["channels"] = [site.channel("ops", site.mail)]
        await site.reload()
        await site.mail.until("studio has 500 credits left", seconds=2)
        await daemon._recorder.settled()
        assert len(site.mail.got) == 1


async def test_a_send_under_way_ends_and_is_not_repeated_on_the_new_way(site: Site) -> None:
    site.ops.delay = 0.5
    async with site.running() as daemon:
        site.spend("studio", 500)
        await site.ops.until("studio has 500 credits left")
        site.document["channels"] = [site.channel("ops", site.mail)]
        await site.reload()
        await until(lambda: daemon.summary().endswith("0 notifications undelivered"))
        assert (len(site.ops.got), len(site.mail.got)) == (1, 0)


async def test_other_filters_hold_without_touching_the_way_there(site: Site) -> None:
    async with site.running() as daemon:
        sender = daemon._dispatch._outbox._workers["ops"]._sender
        site.document["channels"][0]["keys"] = ["spare"]
        await site.reload()
        assert daemon._dispatch._outbox._workers["ops"]._sender is sender
        site.spend("studio", 500)
        await until(site.firing)
        site.spend("spare", 500)
        await site.ops.until("spare has 500 credits left")
        assert not [text for text in site.ops.messages if "studio" in text]


async def test_an_alertmanager_that_is_removed_is_told_that_it_is_over(site: Site) -> None:
    async with Receiver() as alerts, site.running() as daemon:
        site.document["channels"].append({"name": "am", "alertmanager": alerts.url})
        site.spend("studio", 500)
        await until(site.firing)
        await site.reload()
        await alerts.until(1)
        del site.document["channels"][1]
        await site.reload()
        ended = alerts.got[-1].json[0]
        assert ended["labels"]["key"] == "studio"
        assert ended["endsAt"] <= daemon.clock.now().isoformat()
        assert "am" not in daemon._dispatch.lag()


async def test_the_heartbeat_goes_where_the_new_configuration_says(site: Site) -> None:
    async with Receiver() as old, Receiver() as new:
        site.document["heartbeat"] = {"url": f"{old.url}/a", "every": "10s"}
        async with site.running() as daemon:
            assert daemon._heartbeat is not None
            site.document["heartbeat"] = {"url": f"{new.url}/b", "every": "10s"}
            await site.reload()
            await daemon._heartbeat.beat()
            assert (len(old.got), [got.path for got in new.got]) == (0, ["/b"])
            del site.document["heartbeat"]
            await site.reload()
            assert daemon._heartbeat is None


# -- refusal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"store": "sqlite:////elsewhere.db"}, "store is taken up", id="the store"),
        pytest.param({"web": {"listen": "127.0.0.1:1"}}, "web is taken up", id="the listener"),
        pytest.param(
            {"web": {}, "store": "sqlite:////elsewhere.db"}, "store and web are taken up", id="both"
        ),
    ],
)
async def test_what_only_a_start_can_bring_is_refused_by_name_and_nothing_changes(
    site: Site, change: dict[str, Any], words: str
) -> None:
    async with site.running() as daemon:
        site.document["keys"].append(site.key("late"))
        site.document |= change
        with pytest.raises(ReloadError, match=words):
            await site.reload()
        assert list(daemon.world.keys) == ["studio", "spare"]
        assert list(daemon._poller._keys) == ["studio", "spare"]


async def test_a_refusal_is_in_log_metric_store_and_status_line_until_a_file_is_taken(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.running() as daemon:
        before = await site.metrics()
        daemon.refused(["config.yaml:3:1: rulez: unknown field; did you mean rules?"])
        await daemon._recorder.settled()
        metrics = await site.metrics()
        name = "credit_monitor_config_last_reload_success_timestamp_seconds "
        assert "credit_monitor_config_last_reload_successful 0.0" in metrics
        assert metrics.split(name)[2].split()[0] == before.split(name)[2].split()[0]
        assert "rulez: unknown field" in caplog.text
        assert daemon.summary().endswith("new configuration refused")
        recorded = daemon._store.configuration()
        assert recorded is not None
        assert recorded.problems == ("config.yaml:3:1: rulez: unknown field; did you mean rules?",)
        await site.reload()
        await daemon._recorder.settled()
        assert "credit_monitor_config_last_reload_successful 1.0" in await site.metrics()
        recorded = daemon._store.configuration()
        assert recorded is not None
        assert recorded.refused_at is None


# -- over and over --------------------------------------------------------------------------


async def test_many_reloads_amid_polls_and_sends_lose_nothing_and_leave_nothing(
    site: Site,
) -> None:
    async with site.running() as daemon:
        for number in range(20):
            site.document["keys"] = [site.key("studio"), site.key("spare")][: 1 + number % 2]
            site.document["channels"] = [
                site.channel("ops", site.ops),
                site.channel("mail", site.mail, severities=["critical"]),
            ][: 1 + number % 2]
            site.spend("studio", 500 if number < 10 else 50)
            await site.reload()
            await site.rounds(1)
        await site.ops.until("studio has 50 credits left")
        assert len([t for t in site.ops.messages if "500 credits" in t]) == 1
        tasks = {task.get_name().split("-")[0] for task in asyncio.all_tasks()}
        assert not tasks & {"close"}
        assert len(daemon._dispatch._outbox._workers) == 2
        assert len(daemon._poller._schedule._heap) < 20
