"""``replay`` as a person and as another program use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from support import recorded

from monitor.cli import program
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


def typed(text: str, *arguments: str) -> Any:
    return CliRunner().invoke(program, ["replay", "--samples", "-", *arguments], input=text)


@pytest.mark.usefixtures("cli")
def test_what_goes_back_in_time_on_standard_input_is_left_out_and_told() -> None:
    late = "600,5\n300,4\n300,3\n900,4\n"
    result = typed(late, "--emit", "forecasts", "--every", "5m", "--format", "jsonl")
    assert result.exit_code == Exit.OK
    assert [line["time"] for line in lines_of(result.stdout)] == [600, 900]
    assert "standard input:2: it is older than a line before it of key samples" in result.stderr
    assert "2 lines in all" in result.stderr


@pytest.mark.usefixtures("cli")
def test_bytes_that_are_no_text_are_told() -> None:
    result = CliRunner().invoke(program, ["replay", "--samples", "-"], input=b"600,5\n\xff,4\n")
    assert result.exit_code == Exit.FAILED
    assert "standard input: it is not text in UTF-8" in result.output


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
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}], rules={"runway": "off"})
    path = str(falling(tmp_path / "falling.csv"))
    result = cli("replay", "--samples", path, "--format", "plot")
    [row] = [line for line in result.output.splitlines() if line.startswith("low_balance |")]
    assert "!" in row
    assert row.endswith("X")


def test_an_empty_history_says_so(cli: Any, store: Store) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    assert store.keys() == []
    result = cli("replay")
    assert result.output == "There is nothing to replay: no polls in this time.\n"


def two_keys(path: Path) -> Path:
    """Two balances that fall in step."""
    rows = [f"{START + 300 * n},{key},balance,{3000 - 10 * n}\n" for n in range(60) for key in "ab"]
    path.write_text("".join(rows))
    return path


def test_of_a_csv_with_names_only_the_named_keys_are_replayed(cli: Any, tmp_path: Path) -> None:
    path = str(two_keys(tmp_path / "two.csv"))
    result = cli("replay", "--samples", path, "--key", "b")
    assert "60 polls of 1 key," in result.output
    both = cli("replay", "--samples", path, "--key", "a", "--key", "b")
    assert "120 polls of 2 keys," in both.output


def test_of_a_csv_without_names_only_one_key_can_be_named(cli: Any, tmp_path: Path) -> None:
    path = str(falling(tmp_path / "falling.csv"))
    result = cli("replay", "--samples", path, "--key", "a", "--key", "b")
    assert result.exit_code == Exit.FAILED
    assert "there is no column 'key', so only one key can be named" in result.output


def test_forecasts_alone_say_nothing_of_alerts(cli: Any, tmp_path: Path) -> None:
    path = str(falling(tmp_path / "falling.csv"))
    assert "alert" not in cli("replay", "--samples", path, "--emit", "forecasts").output


def test_two_configurations_are_shown_side_by_side(cli: Any, tmp_path: Path) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}], rules={"runway": "off"})
    other = tmp_path / "calm.yaml"
    calmer = "rules:\n  low_balance: {warning: 100, critical: null}"
    other.write_text((cli.home / "config.yaml").read_text().replace("rules:", calmer))
    path = str(falling(tmp_path / "falling.csv", key="studio"))
    result = cli("replay", "--samples", path, "--against", str(other))
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[0] == ["TIME", "KEY", "RULE", "NOW", "THERE"]
    assert [row[2:] for row in rows[1:4]] == [
        ["studio", "low_balance", "warning", "-"],
        ["studio", "low_balance", "critical", "-"],
        ["studio", "low_balance", "-", "warning"],
    ]
    plotted = cli("replay", "--samples", path, "--against", str(other), "--format", "plot")
    labels = [line.split(" |")[0].strip() for line in plotted.output.splitlines() if " |" in line]
    assert labels[-4:] == ["config.yaml", "low_balance", "calm.yaml", "low_balance"]
    assert plotted.output.splitlines()[-1] == result.output.splitlines()[-1]


def test_a_chart_is_drawn_as_png(cli: Any, tmp_path: Path) -> None:
    target = tmp_path / "replay.png"
    path = str(falling(tmp_path / "falling.csv"))
    result = cli("replay", "--samples", path, "--chart", str(target))
    assert f"Drew 1 balance in {target}." in result.output
    with Image.open(target) as image:
        assert image.format == "PNG"
        assert image.width == 1200
    assert [p.name for p in tmp_path.iterdir() if "replay" in p.name] == ["replay.png"]


def test_a_chart_is_drawn_as_svg_in_the_place_of_an_older_one(cli: Any, tmp_path: Path) -> None:
    target = tmp_path / "replay.svg"
    target.write_text("<svg of yesterday/>")
    path = str(two_keys(tmp_path / "two.csv"))
    result = cli("replay", "--samples", path, "--chart", str(target), "--format", "plot")
    assert f"Drew 2 balances in {target}." in result.output
    assert "<title>Replay of a, b</title>" in target.read_text()


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        pytest.param("a.gif", "ends in .png or .svg", Exit.USAGE, id="of another kind"),
        pytest.param("none/a.png", "there is no directory", Exit.STORE, id="in no directory"),
        pytest.param("notes.png", "is no picture, and is left", Exit.FAILED, id="over a text"),
    ],
)
def test_a_chart_that_cannot_be_written_is_refused_at_once(
    cli: Any, tmp_path: Path, name: str, error: str, code: Exit
) -> None:
    (tmp_path / "notes.png").write_text("do not lose this")
    result = cli("replay", "--samples", "missing.csv", "--chart", str(tmp_path / name))
    assert result.exit_code == code
    assert error in result.output
    assert (tmp_path / "notes.png").read_text() == "do not lose this"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("", "there is nothing to draw", id="no polls"),
        pytest.param(f"{START},\n", "no poll gave a balance", id="failed polls only"),
        pytest.param(
            "".join(f"{START},k{n},,5\n" for n in range(11)),
            "11 balances do not fit into one chart, 10 do: choose some with --key",
            id="too many balances",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(cli: Any, tmp_path: Path, text: str, error: str) -> None:
    path, target = tmp_path / "odd.csv", tmp_path / "chart.svg"
    path.write_text(text)
    result = cli("replay", "--samples", str(path), "--chart", str(target))
    assert result.exit_code == Exit.FAILED
    assert error in result.output
    assert not target.exists()


def test_the_outage_of_a_provider_is_one_alert_of_all_its_keys(cli: Any, tmp_path: Path) -> None:
    cli.configure(keys=[{"name": name, "key": f"sk-{name}"} for name in "ab"])
    outage = range(1, 8)
    text = "".join(
        f"{START + 300 * n},{key},balance,{'timeout' if n in outage else 3000}\n"
        for n in range(10)
        for key in "ab"
    )
    path = tmp_path / "outage.csv"
    path.write_text(text)
    whole = cli("replay", "--samples", str(path), "--format", "jsonl")
    assert {(line["key"], line["rule"]) for line in lines_of(whole.output)} == {
        ("provider kie", "silent")
    }
    as_it_comes = typed(text, "--format", "jsonl")
    assert {line["key"] for line in lines_of(as_it_comes.stdout)} == {"a", "b"}
