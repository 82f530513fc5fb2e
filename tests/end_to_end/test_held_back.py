"""Flapping alerts and quiet hours of the real process: how many messages, and what they say."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from support.patience import HANGS
from support.process import Hook, Process, run_program

from monitor.providers.simulator import Account, Mode, SimulatedServer

NAMES = ("flaky", "low", "brief", "empty")
ENOUGH = timedelta(seconds=40)
"""Time for all that happens before the quiet hours end; they end at a whole minute."""


def end_of_quiet(now: datetime) -> datetime:
    return (now + ENOUGH + timedelta(minutes=1)).replace(second=0, microsecond=0)


def settings(
    home: Path, server: SimulatedServer, loud: Hook, night: Hook, end: datetime
) -> dict[str, Any]:
    common = {"provider": "simulated", "url": server.url, "interval": "1s", "timeout": "1s"}
    quiet = {"from": f"{end - timedelta(hours=8):%H:%M}", "to": f"{end:%H:%M}"}
    url = "json://127.0.0.1:{}/"
    return {
        "keys": [{"name": name, "key": f"sk-{name}", **common} for name in NAMES],
        "rules": {
            "low_balance": {"warning": 1000, "critical": 100},
            "runway": None,
            "spike": None,
            "topped_up": None,
        },
        "channels": [
            {"name": "loud", "url": url.format(loud.port), "keys": ["flaky"]},
            {
                "name": "night",
                "url": url.format(night.port),
                "keys": ["low", "brief", "empty"],
                "quiet": quiet,
            },
        ],
        "notify": {"group_wait": "0.2s", "timeout": "3s"},
        "store": f"sqlite:///{home}/state/test.db",
        "web": {"listen": "127.0.0.1:0"},
    }


async def withheld(config: Path, home: Path) -> dict[str, list[str]]:
    """By key, why which of its changes was not told, or not at once, as ``alerts`` lists it."""
    arguments = ("alerts", "--format", "json", "--config", str(config))
    code, output = await run_program(*arguments, home=home)
    assert code == 0, output
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    for one in json.loads(output):
        found[one["alert"]["subject"]["key"]] += [each["reason"] for each in one["suppressed"]]
    return found


async def flap(process: Process, account: Account, loud: Hook) -> None:
    """Refuse and accept a key until it is told as flapping, and twice more."""
    for told in (1, 3, 5):
        account.mode = Mode.REVOKED
        await loud.until_count(told)
        account.mode = Mode.OK
        if told < 5:
            await loud.until_count(told + 1)
    for number in (6, 8):
        await lines(process, ": flaky alert=", number)
        account.mode = Mode.REVOKED
        await lines(process, ": flaky alert=", number + 1)
        account.mode = Mode.OK
    await lines(process, ": flaky alert=", 10)


async def lines(process: Process, text: str, count: int) -> None:
    """Wait until the log has so many lines with *text*."""
    async with asyncio.timeout(HANGS):
        while sum(text in line for line in process.lines) < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_flapping_and_quiet_hours_leave_few_messages_and_all_is_on_record(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        loud = await stack.enter_async_context(Hook())
        night = await stack.enter_async_context(Hook())
        accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in NAMES]
        server = await stack.enter_async_context(SimulatedServer(accounts))
        flaky, low, brief, empty = accounts
        config = tmp_path / "config.yaml"
        end = end_of_quiet(datetime.now(UTC))
        config.write_text(json.dumps(settings(tmp_path, server, loud, night, end)))
        config.chmod(0o600)
        process = Process("run", "--config", str(config), home=tmp_path)
        await process.start()
        await process.until("watching 4 keys")
        low.balance, brief.balance, empty.balance = Decimal(900), Decimal(800), Decimal(50)
        await process.until("alert fired: brief")
        brief.balance = Decimal(6000)
        await process.until("alert resolved: brief")
        assert "empty" in await night.until("50")
        await flap(process, flaky, loud)
        assert datetime.now(UTC) < end, "the quiet hours ended too soon for this test"
        assert len(night.got) == 1, "what is critical was told at once, and nothing else"

        await night.until_count(2, seconds=60 + ENOUGH.total_seconds() + HANGS)
        assert abs(time.time() - end.timestamp()) < 10
        held = night.messages[1]
        assert held.startswith("WARNING: low has 900 credits left")
        assert "Came and went meanwhile: brief (low_balance)." in held
        assert await process.stop() == 0
        assert len(night.got) == 2
        assert len(loud.got) == 5
        assert "flaky: key refused (flapping)" in loud.messages[4]
        assert "fired 3 times within 1 h" in loud.messages[4]
        assert await withheld(config, tmp_path) == {
            "low": ["quiet"],
            "brief": ["quiet", "quiet"],
            "empty": [],
            "flaky": ["flapping"] * 5,
        }
