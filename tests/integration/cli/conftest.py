"""The command line in a home of its own, with a real store and a simulated provider."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from monitor.cli import program
from monitor.cli.app import COMMANDS
from monitor.providers.simulator import Account, Mode, SimulatedServer
from monitor.store import open_store
from monitor.store.base import Store

CLEARED = ("KIE_API_KEY", "CREDIT_MONITOR_CONFIG", "CREDIT_MONITOR_DEBUG", "STATE_DIRECTORY")


@dataclass(frozen=True)
class Cli:
    """``credit-monitor ARGUMENTS`` in this process, from the directory and home *home*."""

    home: Path

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        assert not arguments or arguments[0].startswith("-") or arguments[0] in COMMANDS
        clean: dict[str, str | None] = dict.fromkeys(CLEARED)
        homes = {"HOME": str(self.home), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": ""}
        return CliRunner().invoke(program, list(arguments), env={**clean, **homes, **(env or {})})

    def configure(self, **settings: Any) -> Path:
        """Write ``config.yaml``, with the store and without the web page unless told otherwise."""
        path = self.home / "config.yaml"
        base = {"store": f"sqlite:///{self.home}/store.db", "web": "off"}
        path.write_text(yaml.safe_dump({**base, **settings}, sort_keys=False))
        path.chmod(0o600)
        return path


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path)


@pytest.fixture
def store(cli: Cli) -> Iterator[Store]:
    """The store that the configured commands read, opened to write."""
    store = open_store(f"sqlite:///{cli.home}/store.db")
    yield store
    store.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedServer]:
    """Accounts of every kind, served from a thread: commands run a loop of their own."""
    server = SimulatedServer(
        [
            Account(token="sk-full-0001", balance=Decimal(12000)),
            Account(token="sk-low-0002", balance=Decimal("412.5")),
            Account(token="sk-empty-0003", balance=Decimal(0)),
            Account(token="sk-revoked-0004", mode=Mode.REVOKED),
            Account(token="sk-html-0005", mode=Mode.HTML),
        ]
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def keys(provider: SimulatedServer) -> list[dict[str, Any]]:
    """One configured key per account of the provider, named after what its account is like."""
    return [
        {
            "name": token.split("-")[1],
            "provider": "simulated",
            "url": provider.url,
            "key": token,
        }
        for token in provider.accounts
    ]


@pytest.fixture
def now() -> datetime:
    """The present moment: commands read the wall clock."""
    return datetime.now(UTC) - timedelta(seconds=1)
