"""All providers of the real process go away at once and come back: one message each."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from support.patience import HANGS
from support.process import Hook, Process, run_program

from monitor.providers.simulator import Account, SimulatedServer

PATH = "/api/v1/chat/credit"


def provider(port: int = 0) -> SimulatedServer:
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in ("a", "b")]
    return SimulatedServer(accounts, port=port)


def settings(home: Path, hook: Hook, first: str, second: str) -> dict[str, Any]:
    often = {"interval": "1s", "timeout": "1s"}
    other = {"provider": "json", "auth": "bearer", "balance": "data", "url": second + PATH}
    return {
        "keys": [
            {"name": "a", "provider": "simulated", "url": first, "key": "sk-a", **often},
            {"name": "b", "unit": "USD", "key": "sk-b", **other, **often},
        ],
        "rules": {"low_balance": {"warning": 1000, "critical": 100}, "silent": {"after": "3s"}},
        "channels": [{"name": "hook", "url": f"json://127.0.0.1:{hook.port}/"}],
        "notify": {"group_wait": "0.2s", "timeout": "3s"},
        "store": f"sqlite:///{home}/state/test.db",
        "web": {"listen": "127.0.0.1:0"},
    }


async def read(process: Process, path: str) -> str:
    line = await process.until("page and metrics at ")
    url = line.split("page and metrics at ")[1] + path

    def fetch() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own page
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(fetch)


async def test_the_loss_of_the_network_is_one_message_and_its_end_another(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(Hook())
        first, second = provider(), provider()
        await first.start()
        await second.start()
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps(settings(tmp_path, hook, first.url, second.url)))
        process = Process("run", "--config", str(config), home=tmp_path)
        await process.start()
        await process.until("watching 2 keys")
        async with asyncio.timeout(HANGS):
            while (await read(process, "metrics")).count("credit_balance{") < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        await first.stop()
        await second.stop()
        message = await hook.until("this host cannot reach any provider")
        assert "nothing is known of 2 keys" in message
        labels = 'key="",provider="",account="",meter="",rule="silent",severity="warning"'
        assert f"credit_alert_firing{{{labels}}} 1" in await read(process, "metrics")
        [record] = json.loads(await read(process, "api/v1/alerts"))["alerts"]
        assert record["alert"]["facts"]["keys"] == ["a", "b"]
        assert "this host" in await read(process, "alerts")
        again = await stack.enter_async_context(provider(int(first.url.rsplit(":", 1)[1])))
        await stack.enter_async_context(provider(int(second.url.rsplit(":", 1)[1])))
        assert again.url == first.url
        await hook.until("providers can be reached again")
        await asyncio.sleep(4)  # longer than silent.after: what else there was would have come
        assert await process.stop() == 0
        assert len(hook.got) == 2
        code, shown = await run_program("alerts", "--config", str(config), home=tmp_path)
        assert code == 0
        assert "this host" in shown
