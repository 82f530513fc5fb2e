"""``replay`` as a person and as another program use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import recorded

from monitor.cli.exits import Exit
from monitor.core.model import Reason
from monitor.store.base import Changes, Store

START = 1_777_658_400
"""2026-05-01 18:00 UTC."""


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def falling(path: Path, steps: int = 300, key: str = "") -> Path:
    """A balance that falls by 10 every 5 minutes, from 3000 on."""
    named = f"{key},balance," if key else ""
    rows = [f"{START + 300 * n},{named}{3000 - 10 * n}\n" for n in range(steps)]
    path.write_text("".join(rows))
    return path


def test_a_csv_without_any_configuration_shows_its_alerts(cli: Any, tmp_path: Path) -> None:
    result = cli("replay", "--samples", str(falling(tmp_path / "falling.csv")))
    assert result.exit_code == 0, result.output
    assert "300 polls of 1 key, 2026-05-01 18:00:00Z to 2026-05-02 18:55:00Z." in result.output
    assert "samples has 1,200 left" not in result.output
    assert "low_balance" in result.output
    assert result.output.splitlines()[-1].startswith("There would have been")


def test_json_lines_have_exactly_the_fields_of_the_contract(cli: Any, tmp_path: Path) -> None:
    path = falling(tmp_path / "falling.csv", key="studio")
    result = cli("replay", "--samples", str(path), "--emit", "both", "--format", "jsonl")
    lines = lines_of(result.output)
    forecasts = [line for line in lines if "balance" in line]
    alerts = [line for line in lines if "rule" in line]
    assert [line["time"] for line in forecasts] == [START + 3600 * n for n in range(25)]
    names = {"time", "key", "meter", "balance", "burn_per_hour", "runway_hours"}
    assert {frozenset(line) for line in forecasts} == {frozenset(names)}
    assert forecasts[0]["burn_per_hour"] is None
    assert forecasts[0]["runway_hours"] == {"p10": None, "p50": None, "p90": None}
    assert forecasts[24]["burn_per_hour"] == 120
    assert forecasts[24]["runway_hours"].keys() == {"p10", "p50", "p90"}
    assert (forecasts[24]["key"], forecasts[24]["meter"]) == ("studio", "balance")
    assert forecasts[24]["balance"] == 120
    names = {"time", "key", "meter", "rule", "severity", "state"}
    assert {frozenset(line) for line in alerts} == {frozenset(names)}
    assert {line["state"] for line in alerts} == {"firing"}
    assert [line["severity"] for line in alerts if line["rule"] == "low_balance"] == [
        "warning",
        "critical",
    ]
    assert len(forecasts) + len(alerts) == len(lines)


def test_nothing_used_is_inf_in_json(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "idle.csv"
    path.write_text("".join(f"{START + 300 * n},0.90\n" for n in range(300)))
    result = cli("replay", "--samples", str(path), "--emit", "forecasts", "--format", "jsonl")
    last = result.output.splitlines()[-1]
    assert '"balance": 0.90, "burn_per_hour": 0,' in last
    assert '"runway_hours": {"p10": "inf", "p50": "inf", "p90": "inf"}' in last


def test_a_list_of_json_holds_the_same_as_its_lines(cli: Any, tmp_path: Path) -> None:
    path = str(falling(tmp_path / "falling.csv"))
    one = cli("replay", "--samples", path, "--emit", "both", "--format", "jsonl")
    other = cli("replay", "--samples", path, "--emit", "both", "--format", "json")
    assert json.loads(other.output, parse_float=Decimal) == lines_of(one.output)


def test_a_file_may_stand_in_any_order(cli: Any, tmp_path: Path) -> None:
    path = falling(tmp_path / "falling.csv")
    before = cli("replay", "--samples", str(path), "--emit", "both", "--format", "jsonl")
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    after = cli("replay", "--samples", str(path), "--emit", "both", "--format", "jsonl")
    assert after.output == before.output


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("time,balance\n1,5\nx,5\n", ":3: 'x' is not a time", id="in a file"),
        pytest.param("1,a,b\n", ":1: has 3 fields", id="of no known form"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_number(
    cli: Any, tmp_path: Path, text: str, error: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text)
    result = cli("replay", "--samples", str(path))
    assert result.exit_code == Exit.FAILED
    assert f"{path}{error}" in result.output


def test_standard_input_that_goes_back_in_time_is_refused(cli: Any) -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - only here is something typed

    from monitor.cli import program  # noqa: PLC0415 - as above

    result = CliRunner().invoke(program, ["replay", "--samples", "-"], input="600,5\n300,4\n")
    assert result.exit_code == Exit.FAILED
    assert "standard input:2: it is older than the line before it of key samples" in result.output
    assert cli.home


def test_the_rules_of_the_configured_key_hold_and_another_file_can_be_held_against_them(
    cli: Any, tmp_path: Path
) -> None:
    key = {"name": "studio", "key": "sk-1"}
    cli.configure(keys=[key], rules={"low_balance": {"warning": 2900}, "runway": "off"})
    other = tmp_path / "calm.yaml"
    other.write_text((cli.home / "config.yaml").read_text().replace("2900", "1"))
    path = str(falling(tmp_path / "falling.csv", 40))
    result = cli("replay", "--samples", path, "--key", "studio", "--against", str(other))
    assert result.exit_code == 0, result.output
    assert f"With {other} there would have been 0 alerts instead of 1." in result.output
    assert "low_balance" in result.output
    assert "sk-1" not in result.output


def test_recorded_history_is_replayed_with_its_failed_polls(cli: Any, store: Store) -> None:
    now = datetime.now(UTC)
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    day = timedelta(days=1)
    store.write(
        [
            Changes(
                keys=[recorded.key("studio", recorded.reading("5"))],
                samples=[
                    recorded.sample("1000", now - 2 * day, lasted=day / 2),
                    recorded.sample("5", now - day),
                ],
                outages=[
                    recorded.outage(
                        now - 1.4 * day, now - 1.2 * day, reason=Reason.TIMEOUT, polls=40
                    )
                ],
            )
        ]
    )
    result = cli("replay", "--since", "7d")
    assert result.exit_code == 0, result.output
    assert "studio has 5 credits left" in result.output
    assert "studio: no reading for" in result.output
    assert "(not sent)" in result.output  # the low balance: the runway has told it
    assert result.output.splitlines()[-1].startswith("There would have been 2 alerts")


def test_a_plot_marks_where_alerts_were_raised(cli: Any, tmp_path: Path) -> None:
    path = str(falling(tmp_path / "falling.csv"))
    result = cli("replay", "--samples", path, "--format", "plot")
    assert "+: topped up, !: warning, X: critical" in result.output
    assert any({"!", "X"} & set(line) for line in result.output.splitlines()[:-3])


def test_an_empty_history_says_so(cli: Any, store: Store) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    assert store.keys() == []
    result = cli("replay")
    assert result.output == "There is nothing to replay: no polls in this time.\n"
