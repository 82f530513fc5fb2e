"""A place for the real process: a configuration, a provider, and somebody who is told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from monitor.providers.simulator import SimulatedServer
from support.process import Hook, Process, run_program


class Site:
    """A folder with a configuration, a provider with two accounts, and a web hook that listens."""

    def __init__(self, home: Path, provider: SimulatedServer, hook: Hook) -> None:
        self.home = home
        self.provider = provider
        self.hook = hook
        self.config = home / "config.yaml"
        self.settings: dict[str, Any] = {
            "keys": [self.key("studio"), self.key("spare")],
            "rules": {"low_balance": {"warning": 1000, "critical": 100}},
            "channels": [{"name": "hook", "url": f"json://127.0.0.1:{hook.port}/"}],
            "notify": {"group_wait": "0.2s", "timeout": "3s"},
            "store": f"sqlite:///{home}/state/test.db",
            "web": {"listen": "127.0.0.1:0"},
        }

    def key(self, name: str) -> dict[str, Any]:
        url = self.provider.url
        token = f"sk-{name}"
        common = {"name": name, "provider": "simulated", "url": url, "key": token}
        return common | {"interval": "1s", "timeout": "1s"}

    def write(self) -> None:
        """Put the settings into the file."""
        self.config.write_text(json.dumps(self.settings))

    def process(self, *options: str, **environ: str) -> Process:
        self.write()
        arguments = ("run", "--config", str(self.config), *options)
        return Process(*arguments, home=self.home, env=environ)

    async def started(self, **environ: str) -> Process:
        process = self.process(**environ)
        await process.start()
        await process.until("watching 2 keys")
        return process

    async def ask(self, *command: str) -> Any:
        arguments = (*command, "--format", "json", "--config", str(self.config))
        code, output = await run_program(*arguments, home=self.home)
        assert code == 0, output
        return json.loads(output)

    def spend(self, balance: str, name: str = "studio") -> None:
        self.provider.accounts[f"sk-{name}"].balance = Decimal(balance)
