"""Start, stop, restart and trouble around the real process."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import trustme
from support.patience import HANGS
from support.process import Hook, Process, run_program
from support.site import Site

from monitor.config.passwords import PasswordHash
from monitor.providers.simulator import Account, Mode, SimulatedServer


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in ("studio", "spare")]
    async with SimulatedServer(accounts) as provider, Hook() as hook:
        yield Site(tmp_path, provider, hook)


async def page(process: Process, path: str) -> str:
    line = await process.until("page and metrics at ")
    url = line.split("page and metrics at ")[1] + path

    def read() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own page
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(read)


async def shown(process: Process, balance: str) -> None:
    """Wait until the metrics show *balance* for the key ``studio``."""
    labels = 'key="studio",provider="simulated",account="",meter="balance",unit="credits"'
    line = f"credit_balance{{{labels}}} {balance}"
    async with asyncio.timeout(HANGS):
        while line not in await page(process, "metrics"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def test_an_alert_is_told_once_and_a_restart_is_silent(site: Site) -> None:
    process = await site.started()
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    assert await process.stop() == 0
    again = await site.started()
    await shown(again, "50")
    await asyncio.sleep(1)  # longer than group_wait: a second message would have left
    assert await again.stop() == 0
    assert len(site.hook.got) == 1
    [record] = await site.ask("alerts")
    assert record["alert"]["resolved_at"] is None


async def test_what_changed_while_it_was_down_is_told_at_the_start(site: Site) -> None:
    process = await site.started()
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    await process.stop()
    site.spend("8050")
    again = await site.started()
    message = await site.hook.until("studio topped up")
    assert "+8,000" in message
    await again.stop()


async def test_a_notification_that_waits_at_sigterm_is_sent_by_the_next_start(site: Site) -> None:
    site.hook.status = 503
    process = await site.started()
    site.spend("50")
    await process.until("cannot deliver")
    assert await process.stop() == 0
    assert site.hook.got == []
    [waiting] = await site.ask("notify", "list")
    assert waiting["notification"]["state"] == "pending"
    site.hook.status = 200
    again = await site.started()
    await site.hook.until("studio has 50 credits left")
    await again.stop()
    [sent] = await site.ask("notify", "list")
    assert sent["notification"]["state"] == "delivered"
    assert [a["outcome"] for a in sent["attempts"]][-1] == "delivered"


async def test_a_dead_letter_is_sent_by_notify_retry_while_the_daemon_runs(site: Site) -> None:
    site.hook.status = 403
    process = await site.started()
    site.spend("50")
    await process.until("refused a message for good")
    site.hook.status = 200
    code, output = await run_program(
        "notify", "retry", "--config", str(site.config), home=site.home
    )
    assert code == 0, output
    await site.hook.until("studio has 50 credits left")
    await process.stop()
    assert len(site.hook.got) == 1


async def test_a_revoked_key_is_told_and_so_is_its_recovery(site: Site) -> None:
    process = await site.started()
    site.provider.accounts["sk-spare"].mode = Mode.REVOKED
    await site.hook.until("spare: key refused")
    site.provider.accounts["sk-spare"].mode = Mode.OK
    await site.hook.until("OK again: spare")
    await process.stop()


async def test_sigterm_ends_it_in_time_with_a_silent_provider_and_a_hanging_channel(
    site: Site,
) -> None:
    site.provider.accounts["sk-spare"].mode = Mode.SILENT
    site.settings["keys"][1]["timeout"] = "60s"
    site.settings["notify"]["timeout"] = "60s"
    site.hook.delay = 60
    process = await site.started()
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    async with asyncio.timeout(10):
        assert await process.stop() == 0
    assert "Traceback" not in process.output


async def test_a_second_daemon_on_the_same_store_is_refused(site: Site) -> None:
    process = await site.started()
    other = site.process()
    await other.start()
    assert await other.wait() == 74
    assert "another" in other.output
    await process.stop()


async def test_a_port_in_use_is_told_with_the_address_and_the_fix(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.settings["web"]["listen"] = f"127.0.0.1:{port}"
        process = site.process()
        await process.start()
        assert await process.wait() == 69
    assert f"127.0.0.1:{port}" in process.output
    assert "Traceback" not in process.output


async def test_a_full_disk_stops_neither_polls_nor_alerts_and_nothing_is_lost(site: Site) -> None:
    process = await site.started()
    await shown(process, "5000")
    # No file may grow any more: what a full disk does, without needing one.
    unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
    site.spend("4000")
    await process.until("the store failed, keeping changes in memory")
    await shown(process, "4000")
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    metrics = await page(process, "metrics")
    assert 'credit_balance{key="studio",provider="simulated",account="",' in metrics
    errors = [ln for ln in metrics.splitlines() if ln.startswith("credit_monitor_store_errors")]
    assert float(errors[0].split()[1]) > 0
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
    await process.until("the store works again", seconds=45)
    await process.stop()
    history = await site.ask("history", "studio")
    balances = [p["balance"] for meter in history["meters"] for p in meter["points"]]
    assert balances == ["5000", "4000", "50"]
    [sent] = await site.ask("notify", "list")
    assert sent["notification"]["state"] == "delivered"
    assert len(site.hook.got) == 1


async def test_without_a_file_the_keys_of_the_environment_are_watched(tmp_path: Path) -> None:
    env = {"KIE_API_KEY": "sk-environment-1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    process = Process("run", home=tmp_path, env=env)
    await process.start()
    await process.until("watching 1 key")
    await process.until("no channel is configured")
    assert await process.stop() == 0
    assert (tmp_path / "state" / "credit-monitor" / "credit-monitor.db").exists()


async def test_the_demo_shows_alerts_within_seconds(tmp_path: Path) -> None:
    process = Process("demo", "--for", "14s", "--speed", "120", "--port", "0", home=tmp_path)
    await process.start()
    await process.until("CRITICAL: studio has")
    assert "credit_balance{" in await demo_metrics(process)
    await process.until("log: ci: no reading: ")
    assert await process.wait() == 0
    assert "Traceback" not in process.output
    assert "KIE_API_KEY=... credit-monitor run" in process.output, "how to go on is told"
    told = [line for line in process.output.splitlines() if "credit-monitor-demo-" not in line]
    assert max(map(len, told)) < 80, "a terminal of 80 columns shows it without broken lines"
    assert "\x1b" not in process.output, "no colours in a pipe"


async def demo_metrics(process: Process) -> str:
    line = await process.until("metrics    http://")
    url = line.split()[1]

    def read() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own page
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(read)


async def test_a_silence_from_the_command_line_holds_and_its_end_tells_what_is_open(
    site: Site,
) -> None:
    process = await site.started()
    add = ("silence", "add", "--key", "studio", "--for", "1h", "--reason", "load test")
    code, output = await run_program(*add, "--config", str(site.config), home=site.home)
    assert code == 0, output
    await asyncio.sleep(3)  # the daemon looks for new silences every two seconds
    site.spend("50")
    await shown(process, "50")
    site.spend("50", "spare")
    await site.hook.until("spare has 50 credits left")
    assert not [text for text in site.hook.messages if "studio" in text]
    expire = ("silence", "expire", "--all")
    code, output = await run_program(*expire, "--config", str(site.config), home=site.home)
    assert code == 0, output
    message = await site.hook.until("studio")
    assert "after the silence" in message
    await process.stop()
    records = await site.ask("alerts")
    reasons = {s["reason"] for record in records for s in record["suppressed"]}
    assert reasons == {"silenced"}


async def test_what_a_channel_refuses_reaches_its_fallback_and_says_whose_it_was(
    site: Site,
) -> None:
    async with Hook(status=403) as broken:
        url = f"json://127.0.0.1:{broken.port}/"
        first = {"name": "first", "url": url, "fallback": "hook", "severities": ["critical"]}
        site.settings["channels"][0]["severities"] = ["info"]
        site.settings["channels"].append(first)
        process = await site.started()
        site.spend("50")
        message = await site.hook.until("studio has 50 credits left")
        assert "channel first" in message
        await process.stop()
    records = await site.ask("notify", "list")
    found = {r["notification"]["channel"]: r["notification"]["state"] for r in records}
    assert found == {"first": "dead", "hook": "delivered"}


async def test_the_access_log_names_each_request_and_survives_rotation(site: Site) -> None:
    log = site.home / "access.log"
    site.provider.accounts["sk-spare"].mode = Mode.REVOKED
    process = site.process("--access-log", str(log), "--log-format", "json")
    await process.start()
    await process.until("watching 2 keys")
    await _written(log, "studio")
    log.rename(site.home / "access.log.1")
    await _written(log, "studio")
    assert await process.stop() == 0
    text = (site.home / "access.log.1").read_text() + log.read_text()
    records = [json.loads(line) for line in text.splitlines()]
    place = site.provider.url.removeprefix("http://")
    for record in records:
        assert (record["method"], record["logger"]) == ("GET", "access")
        assert record["endpoint"].startswith(place.partition("/")[0])
        assert record["seconds"] >= 0
    assert {(record["key"], record["status"]) for record in records} == {
        ("studio", "200"),
        ("spare", "200"),  # kie.ai and its like refuse a key within an answer of status 200
    }
    assert "sk-" not in text
    assert log.stat().st_mode & 0o777 == 0o600
    assert '"logger": "access"' not in process.output


async def _written(file: Path, word: str) -> None:
    async with asyncio.timeout(HANGS):
        while not file.exists() or word not in file.read_text():  # noqa: ASYNC110, ASYNC240 - another process writes
            await asyncio.sleep(0.1)


async def test_an_access_log_that_cannot_be_written_is_told_before_the_start(site: Site) -> None:
    process = site.process("--access-log", str(site.home / "missing" / "access.log"))
    await process.start()
    assert await process.wait() == 64
    assert "No such file or directory" in process.output


async def test_a_page_with_users_and_tls_asks_for_the_password(site: Site) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(site.home / "web.key")
    made.cert_chain_pems[0].write_to_path(site.home / "web.pem")
    hashed = str(PasswordHash.of("horse"))
    site.settings["web"] |= {
        "users": {"anna": hashed},
        "tls": {"certificate": "web.pem", "key": "web.key"},
    }
    process = await site.started()
    line = await process.until("page and metrics at https://")
    url = line.split("page and metrics at ")[1].strip()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with httpx.AsyncClient(base_url=url, verify=trust) as client:
        assert (await client.get("healthz")).status_code == 200
        assert (await client.get("metrics")).status_code == 401
        answer = await client.get("metrics", auth=("anna", "horse"))
        assert "credit_monitor_build_info" in answer.text
    assert await process.stop() == 0
    assert hashed not in process.output
