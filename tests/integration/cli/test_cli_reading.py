"""``status``, ``history``, ``alerts`` and ``notify list|retry`` on a real store."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import recorded
from support.scene import NOW, Scene, fill

from monitor import queries
from monitor.cli.status_command import blocks
from monitor.core.forecast import Step, advance
from monitor.core.ledger import open_ledger
from monitor.core.model import Kind
from monitor.core.notifications import NotificationState
from monitor.store import open_store
from monitor.store.base import Changes, Store, StoredForecast, StoredKey, StoredLedger

KEYS = [
    {"name": name, "provider": "kie", "key": "sk-never-shown-1", "interval": "1m"}
    for name in ("calm", "low", "refused", "new")
]


@pytest.fixture
def filled(cli: Any, store: Store) -> Any:
    """A lived-in store, recorded in the past."""
    fill(Scene(store))
    cli.configure(keys=KEYS)
    return cli


def printed(parts: Any) -> str:
    from monitor.cli.output import plain  # noqa: PLC0415 - the one helper of these tests

    return "\n".join(part if isinstance(part, str) else "\n".join(plain(part)) for part in parts)


# -- status ---------------------------------------------------------------------------------


def test_status_shows_balances_states_alerts_and_undelivered_messages(store: Store) -> None:
    fill(Scene(store))
    text = printed(blocks(queries.overview(store, NOW)))
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "4,637 credits" in rows["calm"]
    assert "studio-main" in rows["calm"]
    assert "warning" in rows["low"]
    assert "key refused" in rows["refused"]
    assert "not polled yet" in rows["new"]
    assert "0.90 USD" in rows["small"]
    assert "1 notification waiting to be delivered, 1 refused for good" in text
    assert text.startswith("The daemon polls; last recorded poll 4 s ago.")


def test_status_tells_a_key_check_from_a_key_that_was_never_read(store: Store) -> None:
    store.write([Changes(keys=[recorded.key("checked", last_success_at=recorded.NOW)])])
    text = printed(blocks(queries.overview(store, recorded.NOW)))
    [row] = [line for line in text.splitlines() if line.startswith("checked")]
    assert row.split()[:6] == ["checked", "kie", "-", "unsupported", "-", "-"]
    assert row.split()[6:] == ["ok", "none", "just", "now"]


def test_status_tells_an_amount_that_was_entered_from_the_key_check_beside_it(store: Store) -> None:
    entered = replace(recorded.reading("5000", "manual"), kind=Kind.MANUAL)
    checked = recorded.key("lab", entered, last_success_at=recorded.NOW)
    store.write([Changes(keys=[checked])])
    text = printed(blocks(queries.overview(store, recorded.NOW)))
    rows = [line.split() for line in text.splitlines() if line.startswith("lab")]
    assert rows[0][:5] == ["lab", "-", "kie", "-", "unsupported"]
    assert rows[0][-4:] == ["ok", "none", "just", "now"]
    assert rows[1][:3] == ["lab", "manual", "kie"]
    assert rows[1][4:9] == ["5,000", "credits", "(entered", "by", "hand)"]
    assert rows[1][9:] == ["-", "-", "-", "-", "just", "now"]


def test_status_says_when_no_daemon_seems_to_run(filled: Any) -> None:
    result = filled("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("No daemon seems to run: last poll ")
    assert "(stale)" in result.stdout


def test_status_lists_configured_keys_only(filled: Any) -> None:
    document = json.loads(filled("status", "--format", "json").stdout)
    assert [key["name"] for key in document["keys"]] == ["calm", "low", "refused", "new"]
    assert document["polling"] is False
    assert (document["pending"], document["dead"]) == (1, 1)


def test_status_of_a_fresh_store_says_how_to_start(cli: Any, store: Store) -> None:
    cli.configure(keys=KEYS)
    assert "Start the daemon with: credit-monitor run" in cli("status").stdout


def test_watching_needs_a_terminal(filled: Any) -> None:
    result = filled("status", "--watch")
    assert result.exit_code == 64
    assert "--watch needs a terminal" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["history", "calm"], ["alerts"], ["notify", "list"], ["notify", "retry"]],
    ids=" ".join,
)
def test_a_store_that_does_not_exist_is_told_and_not_created(
    cli: Any, arguments: list[str]
) -> None:
    cli.configure(keys=KEYS)
    result = cli(*arguments)
    assert result.exit_code == 74
    assert "start the daemon" in result.stderr
    assert not (cli.home / "store.db").exists()


@pytest.mark.parametrize("command", ["status", "alerts"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(cli: Any, command: str) -> None:
    cli.configure(keys=KEYS)
    store = cli.home / "store.db"
    store.write_text("not a database, but something of value to somebody\n" * 50)
    before = store.read_bytes()
    result = cli(command)
    assert result.exit_code == 74
    assert str(store) in result.stderr
    assert store.read_bytes() == before


@pytest.mark.parametrize("command", [["status"], ["alerts"], ["history", "calm"]], ids=" ".join)
def test_reading_works_where_the_credentials_are_out_of_reach(
    filled: Any, command: list[str]
) -> None:
    keys = [
        {"name": "calm", "key": "${NOT_SET_HERE}"},
        {"name": "low", "key_credential": "only-in-the-service"},
        {"name": "new", "key_file": "/nonexistent/key"},
    ]
    filled.configure(keys=keys, channels=[{"name": "ops", "url": "${NOT_SET_EITHER}"}])
    assert filled(*command).exit_code == 0
    assert filled("check").exit_code == 3


# -- history --------------------------------------------------------------------------------


@pytest.fixture
def history(cli: Any, store: Store, now: datetime) -> Any:
    """Balances and an outage of the last hour."""

    def at(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    samples = [
        recorded.sample("100.50", at(50), lasted=timedelta(minutes=5)),
        recorded.sample("90.25", at(40)),
        recorded.sample("1090.25", at(10)),
    ]
    key = StoredKey(
        name="studio",
        provider="kie",
        state=recorded.key().state,
        meters=((recorded.reading("1090.25"), at(10)),),
    )
    outage = recorded.outage(at(30), at(20), polls=11, detail="no answer in time")
    store.write([Changes(keys=[key], samples=samples, outages=[outage])])
    cli.configure(keys=KEYS)
    return cli


def test_history_as_table_has_changes_and_outages_in_order(history: Any) -> None:
    result = history("history", "studio", "--since", "1h")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(line.split()[0] for line in lines[1:])
    assert "100.50" in lines[1]
    assert "-10.25" in lines[2]
    assert "(11 failed polls)" in lines[3]
    assert "no answer in time" in lines[3]
    assert "+1,000.00" in lines[4]


def test_history_as_csv_has_both_ends_of_a_run_and_exact_amounts(history: Any) -> None:
    result = history("history", "studio", "--since", "1h", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["time", "key", "meter", "balance"]
    assert [row["balance"] for row in rows] == ["100.50", "100.50", "90.25", "1090.25"]
    ends = [datetime.fromisoformat(row["time"]) for row in rows[:2]]
    assert ends[1] - ends[0] == timedelta(minutes=5)


def test_history_as_json_has_times_amounts_and_outages(history: Any) -> None:
    result = history("history", "studio", "--since", "1h", "--format", "json")
    document = json.loads(result.stdout)
    assert [p["balance"] for p in document["meters"][0]["points"]] == ["100.50", "90.25", "1090.25"]
    assert document["outages"][0]["reason"] == "timeout"


def test_history_tells_how_fast_it_is_used_and_when_it_runs_out(
    history: Any, store: Store, now: datetime
) -> None:
    opened = replace(open_ledger(now, Decimal("1090.25"), "credits"), consumed_total=Decimal(100))
    ledger = StoredLedger(subject_id="key:studio", meter="balance", state=opened)
    learned = None
    for hour in range(48, 0, -1):
        since = now - timedelta(hours=hour)
        learned = advance(learned, Step(since=since, at=since + timedelta(hours=1), consumed=20))
    assert learned is not None
    forecast = StoredForecast(
        subject_id="key:studio",
        meter="balance",
        consumed_total=opened.consumed_total,
        refunded_total=opened.refunded_total,
        state=learned,
    )
    store.write([Changes(ledgers=[ledger], forecasts=[forecast])])

    line = history("history", "studio", "--since", "1h").stdout.splitlines()[-1]
    assert line.startswith("balance: uses 20 credits per hour, runs out in 2 d ")
    assert "(probably between 20" in line
    document = json.loads(history("history", "studio", "--since", "1h", "--format", "json").stdout)
    ahead = document["meters"][0]["outlook"]
    assert (ahead["burn"], ahead["is_known"]) == ("20", True)
    assert ahead["earliest"] < ahead["runs_out_at"] < ahead["latest"]


def test_history_as_plot_fits_its_width_and_marks_outages(history: Any) -> None:
    result = history(
        "history", "studio", "--since", "1h", "--format", "plot", env={"COLUMNS": "80"}
    )
    assert "1,090.25 credits | " in result.stdout
    assert "x: the balance could not be read" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_a_plot_begins_where_the_records_begin(history: Any, now: datetime) -> None:
    result = history("history", "studio", "--since", "7d", "--format", "plot")
    assert f"{now - timedelta(minutes=50):%Y-%m-%d %H:%M}" in result.stdout
    assert f"{now - timedelta(days=7):%Y-%m-%d %H:%M}" not in result.stdout


def test_history_before_the_first_reading_is_cut(history: Any) -> None:
    result = history("history", "studio", "--since", "5m", "--format", "csv")
    assert result.stdout == "time,key,meter,balance\n"


def test_an_unknown_key_is_told_with_the_name_that_was_meant(history: Any) -> None:
    result = history("history", "stduio")
    assert result.exit_code == 1
    assert "Did you mean 'studio'?" in result.stderr


@pytest.mark.parametrize("since", ["7", "a week", "-1d", "99999w"])
def test_a_bad_duration_is_a_usage_error(history: Any, since: str) -> None:
    assert history("history", "studio", f"--since={since}").exit_code == 64


# -- alerts and notifications ---------------------------------------------------------------


def test_alerts_are_listed_with_their_deliveries(filled: Any) -> None:
    result = filled("alerts")
    rows = {line.split()[4]: line for line in result.stdout.splitlines()[1:]}
    assert "ops: fired delivered" in rows["low_balance"] or "account" in result.stdout
    assert "ops: fired dead (invalid_auth: the channel refused the token)" in result.stdout
    assert "ops: fired pending (timeout)" in result.stdout


def test_open_alerts_only(filled: Any) -> None:
    document = json.loads(filled("alerts", "--open", "--format", "json").stdout)
    assert {record["alert"]["rule"] for record in document} == {
        "low_balance",
        "exhausted",
        "rejected",
    }
    assert all(record["alert"]["resolved_at"] is None for record in document)
    assert document[0]["deliveries"][0]["attempts"][0]["outcome"] == "retry"


def test_only_so_many_alerts_are_listed(filled: Any) -> None:
    assert len(json.loads(filled("alerts", "--limit", "2", "--format", "json").stdout)) == 2
    assert filled("alerts", "--limit", "0").exit_code == 64


def test_without_alerts_it_says_so(cli: Any, store: Store) -> None:
    cli.configure(keys=KEYS)
    assert cli("alerts").stdout == "No alerts so far.\n"
    assert cli("alerts", "--open").stdout == "No open alerts.\n"
    assert json.loads(cli("alerts", "--format", "json").stdout) == []


def test_the_outbox_is_listed_by_state(filled: Any) -> None:
    document = json.loads(filled("notify", "list", "--state", "dead", "--format", "json").stdout)
    assert [record["notification"]["state"] for record in document] == ["dead"]
    assert document[0]["events"][0]["rule"] == "exhausted"
    both = filled("notify", "list", "--state", "dead", "--state", "pending").stdout
    assert len(both.splitlines()) == 3


def test_dead_letters_are_put_back_into_the_outbox(filled: Any, store: Store) -> None:
    result = filled("notify", "retry")
    assert result.exit_code == 0
    assert result.stdout.startswith("1 dead letter put back into the outbox")
    assert store.count_notifications()[NotificationState.DEAD] == 0
    assert store.count_notifications()[NotificationState.PENDING] == 2
    assert filled("notify", "retry").stdout == "There are no dead letters.\n"


def test_only_dead_letters_can_be_retried(filled: Any, store: Store) -> None:
    (pending,) = store.notifications(states=[NotificationState.PENDING])
    result = filled("notify", "retry", str(pending.id))
    assert result.exit_code == 1
    assert f"No dead letter has the ID {pending.id}." in result.stderr
    assert store.count_notifications()[NotificationState.DEAD] == 1


def test_retrying_works_beside_a_running_daemon(filled: Any, store: Store, tmp_path: Path) -> None:
    store.close()
    daemon = open_store(f"sqlite:///{tmp_path}/store.db", lock=True)
    try:
        assert filled("notify", "retry").exit_code == 0
        assert daemon.count_notifications()[NotificationState.DEAD] == 0
    finally:
        daemon.close()


def test_amounts_are_never_rounded_away(cli: Any, store: Store, now: datetime) -> None:
    store.write([Changes(samples=[recorded.sample("0.90", now)], keys=[recorded.key("studio")])])
    cli.configure(keys=KEYS)
    result = cli("history", "studio", "--format", "csv")
    assert Decimal(result.stdout.splitlines()[1].split(",")[-1]) == Decimal("0.90")
