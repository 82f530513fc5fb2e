"""``report`` on a real store: printed, as JSON, and sent through real channels."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support import recorded
from support.mail import Mailbox, smtp_server

from monitor.core.messages import encode, trial_message
from monitor.core.periods import Every, last_period
from monitor.store.base import Changes, Store

KEYS = [{"name": name, "provider": "kie", "key": "sk-never-shown-1"} for name in ("studio", "lab")]
HOUR = timedelta(hours=1)
TRIAL = encode(trial_message("ops", now=recorded.NOW))


@pytest.fixture
def lived_in(cli: Any, store: Store) -> Any:
    """Two weeks of one key; the other was never read."""
    week = last_period(Every.WEEK, datetime.now(UTC), UTC)
    points = ((-168, "1000"), (-1, "900"), (20, "700.5"), (30, "1700.5"), (160, "1500"))
    samples = [recorded.sample(balance, week.since + at * HOUR) for at, balance in points]
    outage = recorded.outage(week.since + 5 * HOUR, week.since + 6 * HOUR, polls=12)
    key = recorded.key("studio", recorded.reading("1500"))
    store.write([Changes(keys=[key, recorded.key("lab")], samples=samples, outages=[outage])])
    cli.configure(keys=KEYS)
    return cli


def test_report_prints_what_was_used_and_what_went_wrong(lived_in: Any) -> None:
    result = lived_in("report")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if line.startswith("studio"))
    for cell in ("1,500 credits", "400", "100", "300% more", "1,000", "700.5", "about 25 days"):
        assert cell in row, (cell, result.output)
    assert "Failed polls: 12 of 1 key, over 1 h in all, the longest 1 h (studio)." in result.output
    assert "Keys without a reading: lab." in result.output
    assert "Alerts: 0 opened, 0 resolved." in result.output


def test_report_does_not_miss_the_balance_of_a_key_check(lived_in: Any, store: Store) -> None:
    store.write([Changes(keys=[recorded.key("lab", last_success_at=recorded.NOW)])])
    assert json.loads(lived_in("report", "--format", "json").output)["unread_keys"] == []


def test_report_as_json_has_exact_amounts(lived_in: Any) -> None:
    found = json.loads(lived_in("report", "--format", "json").output)
    (balance,) = found["balances"]
    assert Decimal(balance["consumed"]) == 400
    assert Decimal(balance["lowest"]["amount"]) == Decimal("700.5")
    assert found["period"]["kind"] == "week"
    assert found["unread_keys"] == ["lab"]


def test_the_period_is_the_configured_one_unless_another_is_asked_for(lived_in: Any) -> None:
    lived_in.configure(keys=KEYS, notify={"report": {"every": "day"}})
    kind = json.loads(lived_in("report", "--format", "json").output)["period"]["kind"]
    assert kind == "day"
    asked = lived_in("report", "--period", "week", "--format", "json").output
    assert json.loads(asked)["period"]["kind"] == "week"


def test_report_send_goes_to_the_channels_that_get_reports(lived_in: Any) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        url = f"mailto://127.0.0.1:{port}/?from=m@example.org&to=o@example.org"
        quiet = {"name": "phone", "url": url, "severities": ["critical"]}
        lived_in.configure(keys=KEYS, channels=[{"name": "mail", "url": url}, quiet])
        result = lived_in("report", "--send")
    assert result.exit_code == 0, result.output
    (row,) = result.output.splitlines()[1:]
    assert row.split()[:2] == ["mail", "delivered"]
    ((_, text),) = mailbox.got
    assert "400 credits used" in text
    assert "studio: 1,500 credits left" in text


def test_notify_list_shows_what_report_sent_beside_what_the_daemon_goes_on_to_send(
    lived_in: Any, store: Store
) -> None:
    dead_end = "mailto://127.0.0.1:9/?from=m@example.org&to=o@example.org"
    channels = [{"name": "ops", "url": "console:"}, {"name": "mail", "url": dead_end}]
    lived_in.configure(keys=KEYS, channels=channels)
    assert lived_in("report", "--send").exit_code == 1
    first = store.load().last_notification_id + 1  # as a daemon that runs counts on
    store.write([Changes(notifications=[recorded.notification(first, (), body=TRIAL)])])
    listed = json.loads(lived_in("notify", "list", "--format", "json").output)
    told = {n["notification"]["channel"]: n for n in listed if n["notification"]["id"] != first}
    assert len(listed) == 3
    states = {name: (n["notification"]["state"], len(n["attempts"])) for name, n in told.items()}
    assert states == {"ops": ("delivered", 1), "mail": ("dead", 1)}
    assert "refused" in told["mail"]["notification"]["error"]
    number = str(told["mail"]["notification"]["id"])
    assert "put back" in lived_in("notify", "retry", number).output


def test_report_send_that_cannot_be_recorded_says_so_and_was_sent(
    lived_in: Any, store: Store
) -> None:
    lived_in.configure(keys=KEYS, channels=[{"name": "ops", "url": "console:"}])
    with closing(sqlite3.connect(lived_in.home / "store.db")) as file:
        refusal = "BEGIN SELECT RAISE(ABORT, 'not today'); END"
        file.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON attempts {refusal}")
    result = lived_in("report", "--send", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["outcome"] == "delivered"
    assert result.stderr.splitlines()[-1].startswith("Not recorded for notify list: store ")
    assert store.notifications() == []


def test_report_send_names_the_channel_that_did_not_take_it(lived_in: Any) -> None:
    url = "mailto://127.0.0.1:9/?from=m@example.org&to=o@example.org"
    lived_in.configure(keys=KEYS, channels=[{"name": "mail", "url": url}])
    result = lived_in("report", "--send", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.output)[0]["outcome"] == "retry"


def test_report_send_without_a_channel_for_it_says_what_is_missing(lived_in: Any) -> None:
    channel = {"name": "phone", "url": "console:", "severities": ["critical"]}
    lived_in.configure(keys=KEYS, channels=[channel])
    result = lived_in("report", "--send")
    assert result.exit_code == 78
    assert "no channel gets reports" in result.output


def test_report_send_leaves_an_alertmanager_out(lived_in: Any) -> None:
    mirror = {"name": "am", "alertmanager": "http://127.0.0.1:9"}
    lived_in.configure(keys=KEYS, channels=[mirror, {"name": "ops", "url": "console:"}])
    result = lived_in("report", "--send", "--format", "json")
    assert [sent["channel"] for sent in json.loads(result.stdout)] == ["ops"]


def test_report_sends_its_times_in_the_configured_zone(lived_in: Any) -> None:
    zone = {"timezone": "Asia/Tokyo"}
    lived_in.configure(keys=KEYS, notify=zone)
    asked = lived_in("report", "--period", "day", "--format", "json").output
    assert json.loads(asked)["period"]["until"].endswith(("T15:00:00Z", "+09:00"))


def test_report_without_a_store_says_so(cli: Any, tmp_path: Path) -> None:
    cli.configure(keys=KEYS)
    result = cli("report")
    assert result.exit_code != 0
    assert "no data yet" in result.output
    assert not (tmp_path / "store.db").exists()


def test_notify_list_shows_a_report_by_its_title(lived_in: Any, store: Store) -> None:
    store.write([Changes(notifications=[recorded.notification(1, (), body=TRIAL)])])
    assert "Test message through ops" in lived_in("notify", "list").output
