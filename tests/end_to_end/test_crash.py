"""``kill -9`` at any moment: no alert is lost, and none is raised twice.

Balances fall and rise while the real process is killed again and again; a real web hook and a real
SMTP server count what arrived.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.mail import Mailbox, smtp_server
from support.process import Hook, Process

from monitor.providers.simulator import Account, SimulatedServer

KILLS = 50
KEYS = [f"key{number:02}" for number in range(24)]
GRACE = 1.5
"""Seconds between a message's arrival and the record of it: a kill in between may repeat it."""

TOLD = re.compile(r"(key\d\d)(?: has (?:only )?50 credits| topped up)")


def configuration(provider: str, hook: int, smtp: int, folder: Path) -> str:
    keys = [
        {"name": k, "provider": "simulated", "url": provider, "key": f"sk-{k}", "interval": "1s"}
        for k in KEYS
    ]
    settings: dict[str, Any] = {
        "keys": keys,
        "rules": {"low_balance": {"warning": None, "critical": 100}},
        "limits": {"default": {"rate": 200, "concurrency": 50}},
        "channels": [
            {"name": "hook", "url": f"json://127.0.0.1:{hook}/"},
            {
                "name": "mail",
                "url": f"mailto://127.0.0.1:{smtp}/?from=m@example.org&to=o@example.org",
            },
        ],
        "notify": {"group_wait": "0.2s"},
        "store": f"sqlite:///{folder}/crash.db",
        "web": {"listen": "127.0.0.1:0"},
    }
    return json.dumps(settings)  # JSON is YAML


def told(messages: list[tuple[float, str]]) -> dict[str, list[float]]:
    """When each (key, what happened) arrived."""
    found: dict[str, list[float]] = {}
    for at, text in messages:
        for what in {
            f"{m.group(1)} {'up' if 'topped' in m.group(0) else 'low'}" for m in TOLD.finditer(text)
        }:
            found.setdefault(what, []).append(at)
    return found


@pytest.mark.timeout(900)
async def test_nothing_is_lost_and_nothing_told_twice_over_fifty_kills(tmp_path: Path) -> None:
    rng = random.Random(20261121)
    accounts = [Account(token=f"sk-{key}", balance=Decimal(5000)) for key in KEYS]
    config = tmp_path / "config.yaml"
    mailbox = Mailbox()
    kills: list[float] = []
    falls = dict(zip(KEYS, sorted(rng.uniform(2, KILLS - 2) for _ in KEYS), strict=True))
    async with SimulatedServer(accounts) as provider, Hook() as hook:
        with smtp_server(mailbox) as smtp:
            config.write_text(configuration(provider.url, hook.port, smtp, tmp_path))
            for number in range(KILLS):
                hook.delay = rng.choice((0.0, 0.0, 0.3))
                process = Process("run", "--config", str(config), home=tmp_path)
                await process.start()
                await asyncio.sleep(rng.uniform(0.2, 2.6))
                for key in KEYS:
                    account = provider.accounts[f"sk-{key}"]
                    if falls[key] <= number < falls[key] + 1:
                        account.balance = Decimal(50)
                    elif falls[key] + 12 <= number < falls[key] + 13:
                        account.balance = Decimal(5050)
                await asyncio.sleep(rng.uniform(0.0, 1.2))
                kills.append(time.monotonic())
                await process.kill()
            hook.delay = 0.0
            await run_to_the_end(config, tmp_path, hook, mailbox)
    expected = {f"{k} low" for k in KEYS} | {f"{k} up" for k in KEYS if falls[k] + 12 < KILLS - 1}
    record = await alerts_on_record(config, tmp_path)
    for name, got in (
        ("hook", [(t, f"{b['title']}\n{b['message']}") for t, b in hook.got]),
        ("mail", mailbox.got),
    ):
        arrived = told(got)
        assert expected <= set(arrived), f"{name} lost {expected - set(arrived)}"
        for what, times in arrived.items():
            for repeated in times[:-1]:
                assert any(repeated <= kill <= repeated + GRACE for kill in kills), (
                    f"{name} was told {what} twice without a kill in between"
                )
    fired = [a["subject"]["key"] for a in record if a["rule"] == "low_balance"]
    assert sorted(fired) == KEYS, "one episode per key, whatever happened to the process"


async def run_to_the_end(config: Path, home: Path, hook: Hook, mailbox: Mailbox) -> None:
    """One last run that is not killed: until nothing new has arrived for a while."""
    process = Process("run", "--config", str(config), home=home)
    await process.start()
    await process.until("watching")
    count = -1
    while count != len(hook.got) + len(mailbox.got):
        count = len(hook.got) + len(mailbox.got)
        await asyncio.sleep(4)
    assert await process.stop() == 0, process.output
    assert "Traceback" not in process.output


async def alerts_on_record(config: Path, home: Path) -> list[dict[str, Any]]:
    process = Process(
        "alerts", "--format", "json", "--limit", "1000", "--config", str(config), home=home
    )
    await process.start()
    assert await process.wait() == 0, process.output
    records = json.loads(process.output)
    return [r["alert"] for r in records]
