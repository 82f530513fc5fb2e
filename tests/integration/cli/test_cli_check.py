"""``check`` against a real HTTP server that speaks kie.ai's wire format."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from support.recorded import ledger

from monitor.providers.simulator import SimulatedServer
from monitor.store.base import Changes, Store

AMOUNTS = {"low_balance": {"warning": 2000, "critical": 500}}


@pytest.fixture
def configured(cli: Any, keys: list[dict[str, Any]]) -> Any:
    cli.configure(keys=keys, rules=AMOUNTS)
    return cli


def test_the_table_tells_balance_state_and_verdict_of_every_key(configured: Any) -> None:
    result = configured("check")
    rows = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert set(rows) == {"full", "low", "empty", "revoked", "html"}
    assert "12,000 credits" in rows["full"]
    assert "below 500 credits" in rows["low"]
    assert "nothing is left" in rows["empty"]
    assert "key refused" in rows["revoked"]
    assert "unknown" in rows["html"]
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["full"], 0, id="a full account is ok"),
        pytest.param(["full", "--require", "12000"], 0, id="enough for the job is ok"),
        pytest.param(["full", "--require", "12000.01"], 2, id="a little too little is critical"),
        pytest.param(["low"], 2, id="below the critical limit is critical"),
        pytest.param(["low", "--require", "400"], 0, id="enough for the job, limits aside"),
        pytest.param(["revoked"], 2, id="a refused key is critical"),
        pytest.param(["html"], 3, id="an answer nobody understands is unknown"),
        pytest.param(["full", "html"], 3, id="unknown is worse than ok"),
        pytest.param(["html", "low"], 2, id="critical is worse than unknown"),
        pytest.param(["f*"], 0, id="a pattern chooses keys"),
        pytest.param(["nosuch"], 3, id="a key that is not configured is unknown"),
        pytest.param(["--no-such-option"], 3, id="a wrong option is unknown"),
        pytest.param(["--require", "NaN"], 3, id="a wrong amount is unknown"),
        pytest.param(["--format", "xml"], 3, id="a wrong format is unknown"),
    ],
)
def test_exit_codes_follow_the_plugin_convention(
    configured: Any, arguments: list[str], code: int
) -> None:
    assert configured("check", *arguments).exit_code == code


def test_below_the_warning_limit_only_is_a_warning(cli: Any, keys: list[dict[str, Any]]) -> None:
    cli.configure(keys=keys, rules={"low_balance": {"warning": 500, "critical": 100}})
    assert cli("check", "low").exit_code == 1


def test_many_keys_are_not_polled_slower_than_their_schedule_asks(
    cli: Any, keys: list[dict[str, Any]]
) -> None:
    full = keys[0] | {"interval": "1s", "timeout": "10s"}
    cli.configure(keys=[full | {"name": f"key-{n}"} for n in range(400)])
    started = time.monotonic()
    assert cli("check").exit_code == 0
    assert time.monotonic() - started < 16  # about 2 s; at 20 per second it were 20


def test_a_misspelt_key_is_told_with_the_name_that_was_meant(configured: Any) -> None:
    result = configured("check", "fulll")
    assert result.stderr == "No key is named 'fulll'. Did you mean 'full'?\n"
    assert result.stdout == ""


def test_json_carries_exact_amounts_and_the_exit_code(configured: Any) -> None:
    result = configured("check", "low", "--format", "json")
    document = json.loads(result.stdout)
    assert (document["verdict"], document["exit_code"]) == ("critical", 2)
    found = document["results"][0]
    assert (found["key"], found["balance"], found["unit"]) == ("low", "412.5", "credits")
    assert (found["warning"], found["critical"], found["verdict"]) == ("2000", "500", "critical")


def test_nagios_gets_one_line_with_performance_data(configured: Any) -> None:
    result = configured("check", "full", "low", "--format", "nagios")
    assert result.stdout == (
        "CREDIT CRITICAL - low 412.5 credits (below 500 credits); 1 ok | "
        "'full'=12000;2000:;500:;0 'low'=412.5;2000:;500:;0\n"
    )


def test_a_share_is_judged_by_the_level_that_the_daemon_recorded(
    cli: Any, keys: list[dict[str, Any]], store: Store, now: datetime
) -> None:
    recorded = ledger("key:low")
    level = replace(recorded.state, at=now, balance=Decimal("412.5"), reference=Decimal(4000))
    store.write([Changes(ledgers=[replace(recorded, state=level)])])
    cli.configure(keys=keys)
    result = cli("check", "low")
    assert "below 800 credits (20% of 4,000)" in result.stdout
    assert result.exit_code == 1


def test_without_a_store_a_share_is_told_not_to_be_judged(
    cli: Any, keys: list[dict[str, Any]]
) -> None:
    cli.configure(keys=keys)
    result = cli("check", "low")
    assert "limits in percent are not judged" in result.stdout
    assert result.exit_code == 0
    assert not (cli.home / "store.db").exists()


def test_a_provider_that_is_down_is_unknown_and_quickly_told(
    cli: Any, keys: list[dict[str, Any]]
) -> None:
    for key in keys:
        key["url"] = "http://127.0.0.1:9"
    cli.configure(keys=keys)
    result = cli("check")
    assert result.exit_code == 3
    assert result.stdout.count("the connection was refused") == len(keys)


def test_every_key_is_asked_once(configured: Any, provider: SimulatedServer) -> None:
    before = provider.requests
    configured("check")
    assert provider.requests == before + len(provider.accounts)


def test_a_wrong_configuration_is_unknown_with_all_problems(cli: Any) -> None:
    cli.configure(keys=[{"name": "a", "key": "k", "intervall": "1m"}], webb="off")
    result = cli("check")
    assert result.exit_code == 3
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert "Did you mean" in result.stderr or "did you mean" in result.stderr
    assert lines[-1] == "2 problems found."


def test_nothing_but_a_key_in_the_environment_is_needed(
    cli: Any, provider: SimulatedServer
) -> None:
    result = cli(
        "check",
        "--format",
        "json",
        env={"KIE_API_KEY": "sk-x", "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    found = json.loads(result.stdout)["results"][0]
    assert (found["key"], found["provider"], found["state"]) == ("kie", "kie", "connection")


def test_without_file_and_key_it_says_what_to_do(cli: Any) -> None:
    result = cli("check")
    assert result.exit_code == 3
    assert "KIE_API_KEY=... credit-monitor check" in result.stderr
    assert "credit-monitor config init" in result.stderr


@pytest.mark.parametrize("form", ["table", "json", "nagios"])
def test_no_secret_is_printed(configured: Any, provider: SimulatedServer, form: str) -> None:
    result = configured("--debug", "check", "--format", form)
    for token in provider.accounts:
        assert token not in result.output
