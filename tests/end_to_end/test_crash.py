"""``kill -9`` at any moment: no alert is lost, and none is raised twice.

Balances fall and rise while the real process is killed again and again; a real web hook and a real
SMTP server count what arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.mail import Mailbox, smtp_server
from support.patience import HANGS
from support.process import Hook, Process

from monitor.providers.simulator import Account, SimulatedServer

LIVES = 2
"""Stores that are killed side by side, each with a provider and receivers of its own."""

KILLS = 25
"""Kills of each of them."""

FULL = Decimal(5000)
KEYS = [f"key{number:02}" for number in range(24)]
GRACE = 1.5
"""Seconds between a message's arrival and the record of it: a kill in between may repeat it.

For a machine on which a start takes a second; on one that is busier everything takes longer.
"""

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


def texts(hook: Hook) -> list[tuple[float, str]]:
    """What arrived at *hook*, in the form of a mailbox."""
    return [(at, f"{body['title']}\n{body['message']}") for at, body in hook.got]


@pytest.mark.timeout(900)
async def test_nothing_is_lost_and_nothing_told_twice_over_fifty_kills(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with asyncio.TaskGroup() as lives:
        for number in range(LIVES):
            lives.create_task(live(20261121 + number, tmp_path_factory.mktemp("life")))


async def live(seed: int, home: Path) -> None:
    """The life of one store, and what its receivers were told."""
    rng = random.Random(seed)
    accounts = [Account(token=f"sk-{key}", balance=FULL) for key in KEYS]
    config = home / "config.yaml"
    mailbox = Mailbox()
    kills: list[float] = []
    slowest_start = 1.0
    falls = dict(zip(KEYS, sorted(rng.uniform(2, KILLS - 2) for _ in KEYS), strict=True))
    async with SimulatedServer(accounts) as provider, Hook() as hook:
        with smtp_server(mailbox) as smtp:
            config.write_text(configuration(provider.url, hook.port, smtp, home))
            for number in range(KILLS):
                hook.delay = rng.choice((0.0, 0.0, 0.3))
                process = Process("run", "--config", str(config), home=home)
                await process.start()
                slowest_start = max(slowest_start, await let_live(process, rng))
                move(provider, falls, number, told(texts(hook)).keys() & told(mailbox.got).keys())
                await asyncio.sleep(rng.uniform(0.0, 1.2))
                kills.append(time.monotonic())
                await process.kill()
            hook.delay = 0.0
            risen = [k for k in KEYS if provider.accounts[f"sk-{k}"].balance > FULL]
            expected = {f"{k} low" for k in KEYS} | {f"{k} up" for k in risen}
            await run_to_the_end(config, home, hook, mailbox, expected)
    for name, got in (("hook", texts(hook)), ("mail", mailbox.got)):
        judge(name, told(got), expected, kills, GRACE * slowest_start)
    low = [record for record in await records(config, home) if is_low(record)]
    fired = sorted(record["alert"]["subject"]["key"] for record in low)
    assert fired == KEYS, "one episode per key, whatever happened to the process"
    deliveries = [each["notification"] for record in low for each in record["deliveries"]]
    assert {each["state"] for each in deliveries} == {"delivered"}


async def let_live(process: Process, rng: random.Random) -> float:
    """How many seconds the start took.

    Sometimes it is not even waited for; a slow machine makes neither case more frequent.
    """
    if rng.random() < 0.3:
        await asyncio.sleep(rng.uniform(0.0, 0.8))
        return 0.0
    started = time.monotonic()
    await process.until("watching")
    seconds = time.monotonic() - started
    await asyncio.sleep(rng.uniform(0.0, 1.6))
    return seconds


def move(
    provider: SimulatedServer, falls: dict[str, float], number: int, known: Collection[str]
) -> None:
    """Let the balances fall whose turn is before kill *number*, and twelve kills later rise.

    They rise only when the fall is *known*: what fell and rose untold is told in one message.
    """
    for key in KEYS:
        account = provider.accounts[f"sk-{key}"]
        if falls[key] <= number < falls[key] + 1:
            account.balance = Decimal(50)
        elif falls[key] + 12 <= number and f"{key} low" in known:
            account.balance = FULL + 50


def judge(
    name: str,
    arrived: dict[str, list[float]],
    expected: set[str],
    kills: list[float],
    grace: float,
) -> None:
    """All that was expected arrived, and again only where a kill came before the record of it."""
    assert expected <= set(arrived), f"{name} lost {expected - set(arrived)}"
    for what, times in arrived.items():
        for repeated in times[:-1]:
            assert any(repeated <= kill <= repeated + grace for kill in kills), (
                f"{name} was told {what} at {times}, but the kill that may explain it is not"
                f" within {grace:.1f} s of the first: {kills}"
            )


def is_low(record: dict[str, Any]) -> bool:
    return bool(record["alert"]["rule"] == "low_balance")


async def run_to_the_end(
    config: Path, home: Path, hook: Hook, mailbox: Mailbox, expected: set[str]
) -> None:
    """One last run that is not killed: until all has arrived, and nothing new for a while."""
    process = Process("run", "--config", str(config), home=home)
    await process.start()
    await process.until("watching")
    with contextlib.suppress(TimeoutError):  # what is missing is told by the judge
        async with asyncio.timeout(HANGS):
            while not expected <= told(texts(hook)).keys() & told(mailbox.got).keys():  # noqa: ASYNC110 - two receivers
                await asyncio.sleep(0.2)
    count = -1
    while count != len(hook.got) + len(mailbox.got):
        count = len(hook.got) + len(mailbox.got)
        await asyncio.sleep(4)
    assert await process.stop() == 0, process.output
    assert "Traceback" not in process.output


async def records(config: Path, home: Path) -> list[dict[str, Any]]:
    """The alerts as the program lists them, each with its deliveries."""
    process = Process(
        "alerts", "--format", "json", "--limit", "1000", "--config", str(config), home=home
    )
    await process.start()
    assert await process.wait() == 0, process.output
    listed: list[dict[str, Any]] = json.loads(process.output)
    return listed
