"""A login that breaks is renewed by the real process: once, told, and without showing a secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.process import Hook, Process, run_program
from support.useapi import ANNA, BEN, PASSWORD, TOKEN, UseapiServer

LATER = datetime.now(UTC) + timedelta(days=30)
ENVIRONMENT = {"USEAPI_TOKEN": TOKEN, "ANNA_PASSWORD": PASSWORD}


class Site:
    """A token with two linked accounts, one of which may be logged in to again."""

    def __init__(self, home: Path, server: UseapiServer, hook: Hook) -> None:
        self.home, self.server, self.hook = home, server, hook
        self.config = home / "config.yaml"
        self.tools: dict[str, Any] = {
            "name": "tools",
            "provider": "useapi",
            "key": "${USEAPI_TOKEN}",
            "url": server.url,
            "interval": "1s",
            "timeout": "1s",
            "renew_sessions": "on",
            "linked": [
                {"login": ANNA, "name": "anna", "password": "${ANNA_PASSWORD}"},
                {"login": BEN, "name": "ben"},
            ],
        }

    def write(self) -> None:
        settings = {
            "keys": [self.tools],
            "channels": [{"name": "hook", "url": f"json://127.0.0.1:{self.hook.port}/"}],
            "notify": {"group_wait": "0.2s", "timeout": "3s"},
            "store": f"sqlite:///{self.home}/state/test.db",
            "web": "off",
        }
        self.config.write_text(json.dumps(settings))

    async def started(self) -> Process:
        self.write()
        options = ("run", "--config", str(self.config), "--log-level", "debug")
        process = Process(*options, home=self.home, env=ENVIRONMENT)
        await process.start()
        await process.until("watching 1 key")
        return process

    async def ask(self, *command: str) -> str:
        arguments = (*command, "--config", str(self.config))
        code, output = await run_program(*arguments, home=self.home, env=ENVIRONMENT)
        assert code == 0, output
        return output


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    server = UseapiServer()
    server.link(ANNA, BEN, session_end=LATER)
    async with server, Hook() as hook:
        yield Site(tmp_path, server, hook)


async def polls(site: Site, count: int) -> None:
    """Wait for so many further polls; one has at least three requests."""
    await site.server.more_requests(count * 3)


async def test_a_broken_login_is_renewed_once_and_told(site: Site) -> None:
    process = await site.started()
    await polls(site, 1)
    site.server.accounts[ANNA].broken = True
    await site.hook.until("logged in again")
    await site.hook.until("accepted again")
    assert site.server.accounts[ANNA].logins == 1

    told = len(site.hook.messages)
    site.server.accounts[ANNA].broken = True  # and breaks again within the hour
    await polls(site, 5)
    await site.hook.until_count(told + 1)
    assert "login session broken" in site.hook.messages[told]
    await process.kill()
    process = await site.started()  # a restart is no way around the limit
    await polls(site, 3)
    assert site.server.accounts[ANNA].logins == 1
    assert await process.stop() == 0


async def test_a_renewal_that_fails_is_told_and_not_repeated(site: Site) -> None:
    site.server.knows[ANNA] = "changed at Kling"
    site.server.accounts[ANNA].broken = True
    process = await site.started()
    await site.hook.until("logging in again failed")
    await site.hook.until("login session broken")
    await polls(site, 3)
    assert site.server.paths("POST") == ["/v1/kling/accounts"]
    assert await process.stop() == 0
    found = json.loads(await site.ask("alerts", "--format", "json"))
    told = {(a["alert"]["meter"], a["alert"]["rule"], a["alert"]["severity"]) for a in found}
    assert told == {("kling:anna", "rejected", "critical"), ("kling:anna", "renewal", "warning")}


@pytest.mark.parametrize(
    "change",
    [{"renew_sessions": "off"}, {"linked": [{"login": BEN, "password": "${ANNA_PASSWORD}"}]}],
    ids=["switched off", "of another account only"],
)
async def test_without_leave_nothing_but_questions_is_sent(
    site: Site, change: dict[str, Any]
) -> None:
    site.tools |= change
    site.server.accounts[ANNA].broken = True
    process = await site.started()
    await site.hook.until("login session broken")
    await polls(site, 3)
    assert site.server.paths("POST") == []
    assert await process.stop() == 0


async def test_one_broken_account_hides_nothing_of_the_other(site: Site) -> None:
    site.tools["renew_sessions"] = "off"
    process = await site.started()
    await polls(site, 2)
    site.server.accounts[ANNA].broken = True
    site.server.accounts[BEN].points = 0
    await site.hook.until("tools (kling:ben) has no points left")
    [tools] = json.loads(await site.ask("status", "--format", "json"))["keys"]
    meters = {meter["meter"]: meter for meter in tools["meters"]}
    assert tools["state"] == "ok"
    assert (meters["kling:anna"]["state"], meters["kling:anna"]["balance"]) == (
        "session_broken",
        "5600",
    )
    assert (meters["kling:ben"]["state"], meters["kling:ben"]["balance"]) == ("ok", "0")
    assert await process.stop() == 0


async def test_no_secret_is_anywhere(site: Site) -> None:
    echo = json.dumps({"error": f"Account {ANNA}: {PASSWORD} with {TOKEN} refused", "code": 596})
    site.server.answers[f"/v1/kling/accounts/{ANNA}"] = (596, {}, echo)
    process = await site.started()
    await site.hook.until("logging in again failed")
    commands = ("status", "alerts", "history tools", "config show")
    more = ("status --format json", "alerts --format json")
    shown = [await site.ask(*command.split()) for command in (*commands, *more)]
    shown += site.hook.messages
    running = await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
    assert await process.stop() == 0
    store = b"".join(file.read_bytes() for file in (site.home / "state").glob("test.db*"))
    everything = "\n".join([*shown, process.output, running, store.decode("latin-1")])
    assert PASSWORD not in everything
    assert TOKEN not in everything
    config_lines = [line for line in everything.splitlines() if ANNA in line]
    assert all("login" in line for line in config_lines)  # only "config show" names the account
