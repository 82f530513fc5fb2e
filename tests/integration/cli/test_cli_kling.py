"""``kling``: the real command against a useapi.net on loopback that remembers who logged in."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.useapi import ANNA, BEN, PASSWORD, TOKEN, UseapiServer

CLI = Any
WRONG = "not the password at all"


@pytest.fixture
def server() -> Iterator[UseapiServer]:
    """A server in a thread of its own: commands have an event loop of theirs."""
    loop, server = asyncio.new_event_loop(), UseapiServer()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def configured(cli: CLI, server: UseapiServer) -> CLI:
    cli.configure(keys=[key(server)])
    return cli


def key(server: UseapiServer, name: str = "tools", **more: Any) -> dict[str, Any]:
    linked = [{"login": ANNA, "name": "anna"}]
    base = {"name": name, "provider": "useapi", "key": TOKEN, "url": server.url, "linked": linked}
    return base | more


def password_file(directory: Path, text: str = PASSWORD) -> str:
    file = directory / "password"
    file.write_text(text + "\n")
    file.chmod(0o600)
    return str(file)


def test_accounts_lists_points_sessions_and_what_is_broken(
    configured: CLI, server: UseapiServer
) -> None:
    server.link(ANNA, points=5600.5, tickets=[{}], executing=2)
    server.link(BEN, broken=True)
    result = configured("kling", "accounts")
    assert result.exit_code == 0, result.output
    anna, ben = result.output.splitlines()[1:]
    assert anna.split()[:4] == [ANNA, "kling:anna", "ok", "5,600.5"]
    assert anna.endswith("1  2026-12-21 12:00:00Z  2 of 5")
    assert ben.startswith(f"{BEN}   kling:")
    assert "login session broken: HTTP 596" in ben


def test_accounts_as_json_has_every_field(configured: CLI, server: UseapiServer) -> None:
    server.link(ANNA)
    [account] = json.loads(configured("kling", "accounts", "--format", "json").output)
    assert account == {
        "email": ANNA,
        "meter": "kling:anna",
        "state": "ok",
        "detail": "",
        "points": "5600",
        "points_expire_at": "2026-12-11T14:40:00Z",
        "tickets": 0,
        "session_ends_at": "2026-12-21T12:00:00Z",
        "jobs_running": 0,
        "jobs_limit": 5,
    }


def test_no_linked_account_is_said_with_the_way_to_add_one(configured: CLI) -> None:
    assert "credit-monitor kling add EMAIL" in configured("kling", "accounts").output


def test_add_links_an_account_with_the_password_of_a_file(
    configured: CLI, server: UseapiServer
) -> None:
    file = password_file(configured.home)
    result = configured("kling", "add", ANNA, "--max-jobs", "3", "--password-file", file)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{ANNA} is linked as kling:anna. The session lasts until 20")
    assert (server.accounts[ANNA].logins, server.accounts[ANNA].max_jobs) == (1, 3)


def test_add_takes_the_password_of_the_environment(configured: CLI, server: UseapiServer) -> None:
    result = configured("kling", "add", BEN, env={"KLING_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.output
    assert server.accounts[BEN].logins == 1


def test_add_keeps_the_jobs_of_an_account_that_is_linked(
    configured: CLI, server: UseapiServer
) -> None:
    server.link(ANNA, max_jobs=17)
    configured("kling", "add", ANNA, env={"KLING_PASSWORD": PASSWORD})
    assert (server.accounts[ANNA].logins, server.accounts[ANNA].max_jobs) == (1, 17)


@pytest.mark.parametrize("command", ["add", "renew"])
def test_a_wrong_password_is_said_and_never_shown(
    command: str, configured: CLI, server: UseapiServer
) -> None:
    server.link(ANNA, broken=True)
    result = configured("kling", command, ANNA, env={"KLING_PASSWORD": WRONG})
    assert result.exit_code == 1
    assert "login session broken" in result.output
    assert "password is incorrect" in result.output
    assert WRONG not in result.output + repr(result.exception)


def test_without_any_password_nothing_is_sent(configured: CLI, server: UseapiServer) -> None:
    result = configured("kling", "add", ANNA)
    assert result.exit_code == 64
    assert "--password-file" in result.output
    assert server.paths("POST") == []


def test_renew_logs_in_to_what_is_broken_or_ends_soon_and_to_nothing_else(
    configured: CLI, server: UseapiServer
) -> None:
    server.knows["zoe@studio.example"] = PASSWORD
    soon = datetime.now(UTC) + timedelta(hours=20)
    later = datetime.now(UTC) + timedelta(days=9)
    server.link(ANNA, broken=True, session_end=later)
    server.link(BEN, session_end=soon)
    server.link("zoe@studio.example", session_end=later)
    result = configured("kling", "renew", env={"KLING_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.output
    assert {a.email: a.logins for a in server.accounts.values()} == {
        ANNA: 1,
        BEN: 1,
        "zoe@studio.example": 0,
    }
    again = configured("kling", "renew", env={"KLING_PASSWORD": PASSWORD})
    assert again.output == "All sessions are well, and last longer than a day.\n"


def test_renew_takes_an_address_or_a_meter(configured: CLI, server: UseapiServer) -> None:
    server.link(ANNA, BEN)
    result = configured("kling", "renew", "kling:anna", BEN, env={"KLING_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.output
    assert [a.logins for a in server.accounts.values()] == [1, 1]


def test_renew_tells_who_is_not_linked(configured: CLI, server: UseapiServer) -> None:
    server.link(ANNA)
    result = configured("kling", "renew", "anma", env={"KLING_PASSWORD": PASSWORD})
    assert (result.exit_code, server.paths("POST")) == (64, [])
    assert "No Kling account 'anma' is linked." in result.output


def test_renew_as_json_tells_each_and_exits_with_one_if_any_failed(
    configured: CLI, server: UseapiServer
) -> None:
    server.link(ANNA, BEN, broken=True)
    server.knows[BEN] = "another"
    result = configured("kling", "renew", "--format", "json", env={"KLING_PASSWORD": PASSWORD})
    assert result.exit_code == 1
    found = {each["email"]: each["renewed"] for each in json.loads(result.stdout)}
    assert found == {ANNA: True, BEN: False}


def test_a_login_that_was_taken_but_left_the_account_broken_is_a_failure(
    configured: CLI, server: UseapiServer
) -> None:
    server.link(ANNA)
    text = json.dumps({"error": "Failed to refresh session: 500", "code": 596})
    server.answers[f"/v1/kling/accounts/{ANNA}"] = (596, {}, text)
    result = configured("kling", "renew", ANNA, env={"KLING_PASSWORD": PASSWORD})
    assert result.exit_code == 1
    assert "Failed to refresh session" in result.output


def test_a_refused_token_ends_the_command_with_what_to_do(cli: CLI, server: UseapiServer) -> None:
    cli.configure(keys=[key(server, key="user:1-wrong")])
    result = cli("kling", "accounts")
    assert result.exit_code == 1
    assert "key refused: HTTP 401: Unauthorized" in result.output
    assert "user:1-wrong" not in result.output


def test_of_several_keys_one_has_to_be_named(cli: CLI, server: UseapiServer) -> None:
    cli.configure(keys=[key(server), key(server, "more")])
    assert "--key, one of tools, more" in cli("kling", "accounts").output
    assert cli("kling", "accounts", "--key", "more").exit_code == 0
    assert "Did you mean 'tools'?" in cli("kling", "accounts", "--key", "tool").output


def test_a_configuration_without_useapi_says_so(cli: CLI, server: UseapiServer) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk"}])
    result = cli("kling", "accounts")
    assert result.exit_code == 78
    assert "USEAPI_TOKEN" in result.output


def test_without_any_configuration_the_way_on_is_that_of_this_command(cli: CLI) -> None:
    result = cli("kling", "accounts")
    assert result.exit_code == 78
    assert "USEAPI_TOKEN=... credit-monitor kling accounts\n" in result.output
    assert "problem found" not in result.output
    assert "KIE_API_KEY=... credit-monitor check\n" in cli("check").output


def test_no_command_takes_a_password_as_an_argument(configured: CLI) -> None:
    assert configured("kling", "add", ANNA, "--password", PASSWORD).exit_code == 64
    assert configured("kling", "add", ANNA, PASSWORD).exit_code == 64


def test_the_token_of_the_variable_serves_where_the_configuration_has_none(
    cli: CLI, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk"}])
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_tcp_port}")  # so it goes nowhere
    monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
    asked = cli("kling", "accounts")
    assert asked.exit_code != 78
    assert "the proxy could not be used" in asked.output
    monkeypatch.setenv("USEAPI_TOKEN", "user:1 -x")
    refused = cli("kling", "accounts")
    assert refused.exit_code == 78
    assert "USEAPI_TOKEN: holds a blank" in refused.output
