"""``silence``, ``ack``, ``notify route``, and where the others show what these did."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support import recorded
from support.scene import NOW, Scene, fill

from monitor import queries
from monitor.cli.output import plain
from monitor.cli.silences import silence_table
from monitor.cli.status_command import blocks
from monitor.core.events import Silence, Suppression
from monitor.store import open_store
from monitor.store.base import Changes, Store

HOUR = timedelta(hours=1)
KEYS = [
    {"name": "prod-eu", "key": "sk-never-shown-1", "account": "main", "tags": ["video"]},
    {"name": "prod-us", "key": "sk-never-shown-2", "account": "main"},
    {
        "name": "relay",
        "provider": "json",
        "url": "https://api.example.com/me",
        "key": "sk-never-shown-3",
        "balance": "left",
        "unit": "USD",
        "rules": {"topped_up": "off"},
    },
]
CHANNELS = [
    {"name": "ops", "url": "json://127.0.0.1/"},
    {"name": "phone", "url": "json://127.0.0.1/", "severities": ["critical"]},
    {"name": "video", "url": "json://127.0.0.1/", "tags": ["video"]},
    {"name": "relays", "url": "json://127.0.0.1/", "keys": ["rel*"]},
]
WHY = ("--reason", "top-up ordered")


@pytest.fixture
def running(cli: Any, store: Store) -> Any:
    """A configuration whose store exists, because a daemon has been started once."""
    store.ping()
    cli.configure(keys=KEYS, channels=CHANNELS)
    return cli


# -- silence add ----------------------------------------------------------------------------


def test_a_silence_is_kept_with_all_that_was_said(running: Any, store: Store) -> None:
    before = datetime.now(UTC)
    result = running(
        *("silence", "add", "--key", "prod-*", "--account", "main", "--provider", "kie"),
        *("--rule", "low_*", "--for", "4h", *WHY, "--by", "anna"),
    )
    assert result.exit_code == 0, result.stderr
    (silence,) = store.silences()
    assert (silence.keys, silence.accounts, silence.providers, silence.rules) == (
        *("prod-*", "main", "kie", "low_*"),
    )
    assert (silence.by, silence.reason) == ("anna", "top-up ordered")
    assert silence.until - silence.created_at == 4 * HOUR
    assert before <= silence.created_at <= datetime.now(UTC)
    lines = result.stdout.splitlines()
    scope = "key prod-*, account main, provider kie, rule low_*"
    until = f"{silence.until:%Y-%m-%d %H:%M:%SZ} (4 h)"
    assert lines[0] == f"Silence 1: no notifications about {scope} until {until}."
    assert lines[1:] == ["It matches 2 configured keys now: prod-eu, prod-us"]


def test_a_silence_can_end_at_a_time_of_any_zone(running: Any, store: Store) -> None:
    end = (datetime.now(UTC) + 48 * HOUR).replace(microsecond=0)
    berlin = (end + 2 * HOUR).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    assert running("silence", "add", "--rule", "silent", "--until", berlin, *WHY).exit_code == 0
    assert store.silences()[0].until == end


def test_a_silence_is_by_the_user_of_the_shell(running: Any, store: Store) -> None:
    running("silence", "add", "--key", "*", "--for", "1h", *WHY, env={"USER": "ben"})
    assert store.silences()[0].by == "ben"


def test_a_silence_that_matches_no_key_is_kept_with_a_warning(running: Any, store: Store) -> None:
    result = running("silence", "add", "--key", "staging-*", "--for", "1h", *WHY)
    assert result.exit_code == 0
    assert "Warning: no configured key matches" in result.stderr
    assert "matches" not in result.stdout
    assert len(store.silences()) == 1


def test_a_silence_as_json_has_its_number_and_its_keys(running: Any) -> None:
    result = running(
        "silence", "add", "--provider", "json", "--for", "90m", *WHY, "--format", "json"
    )
    document = json.loads(result.stdout)
    assert (document["silence"]["id"], document["keys"]) == (1, ["relay"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--for", "1h", *WHY], "Say what to silence", id="nothing to match"),
        pytest.param(["--key", "", "--for", "1h", *WHY], "pattern is empty", id="empty pattern"),
        pytest.param(
            ["--rule", "low_balnce", "--for", "1h", *WHY],
            "Did you mean 'low_balance'?",
            id="no such rule",
        ),
        pytest.param(["--key", "a", *WHY], "either --for or --until", id="no end"),
        pytest.param(
            ["--key", "a", "--for", "1h", "--until", "2099-01-01T00:00Z", *WHY],
            "either --for or --until",
            id="two ends",
        ),
        pytest.param(["--key", "a", "--for", "0s", *WHY], "over already", id="no time"),
        pytest.param(
            ["--key", "a", "--until", "2020-01-01T00:00Z", *WHY], "over already", id="past"
        ),
        pytest.param(
            ["--key", "a", "--until", "2099-01-01T00:00", *WHY], "a zone", id="time without zone"
        ),
        pytest.param(
            ["--key", "a", "--until", "9999-12-31T23:59-10:00", *WHY], "a zone", id="beyond time"
        ),
        pytest.param(["--key", "a", "--until", "tomorrow", *WHY], "such as 2026", id="no time"),
        pytest.param(["--key", "a", "--for", "4", *WHY], "needs a unit|with a unit", id="no unit"),
        pytest.param(["--key", "a", "--for", "1h"], "--reason", id="no reason"),
        pytest.param(["--key", "a", "--for", "1h", "--reason", " "], "say why", id="blank reason"),
    ],
)
def test_a_silence_that_is_not_clear_is_refused(
    running: Any, store: Store, arguments: list[str], said: str
) -> None:
    result = running("silence", "add", *arguments)
    assert result.exit_code == 64
    assert any(words in result.stderr for words in said.split("|"))
    assert store.silences() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["silence", "add", "--key", "a", "--for", "1h", *WHY],
        ["silence", "list"],
        ["silence", "expire", "--all"],
        ["ack", "1"],
    ],
    ids=" ".join,
)
def test_a_store_that_does_not_exist_is_not_created(cli: Any, arguments: list[str]) -> None:
    cli.configure(keys=KEYS)
    result = cli(*arguments)
    assert result.exit_code == 74
    assert not (cli.home / "store.db").exists()


# -- silence list, silence expire -----------------------------------------------------------


@pytest.fixture
def silences(running: Any, store: Store) -> list[Silence]:
    """One that ran out, one that was ended, two in force."""
    now = datetime.now(UTC)
    added = [
        store.add_silence(recorded.silence(0, now - 9 * HOUR, until=now + hours * HOUR, by="anna"))
        for hours in (-1, 5, 5, 300)
    ]
    store.end_silence([added[1].id], now - HOUR)
    assert running is not None
    return added


@pytest.mark.usefixtures("silences")
def test_only_silences_in_force_are_listed_unless_all_are_wanted(running: Any) -> None:
    lines = running("silence", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "4", "3"]
    assert "key studio" in lines[2]
    assert "4 h 59 min left" in lines[2]
    assert "top-up ordered" in lines[2]
    everything = running("silence", "list", "--all").stdout.splitlines()
    assert "ended 1 h ago" in everything[3]
    assert "over 1 h ago" in everything[4]
    document = json.loads(running("silence", "list", "--all", "--format", "json").stdout)
    assert [silence["id"] for silence in document] == [4, 3, 2, 1]
    assert document[0]["by"] == "anna"


def test_without_silences_it_says_so(running: Any) -> None:
    assert running("silence", "list").stdout == "No silence is in force.\n"
    assert running("silence", "list", "--all").stdout == "No silences so far.\n"
    assert running("silence", "expire", "--all").stdout == "No silence is in force.\n"
    assert json.loads(running("silence", "list", "--format", "json").stdout) == []


@pytest.mark.usefixtures("silences")
def test_a_silence_is_ended_before_its_time(running: Any, store: Store) -> None:
    result = running("silence", "expire", "3")
    assert (result.exit_code, result.stdout) == (0, "1 silence ended: 3.\n")
    assert [s.id for s in store.silences(active_at=datetime.now(UTC))] == [4]


@pytest.mark.usefixtures("silences")
def test_all_silences_in_force_are_ended(running: Any, store: Store) -> None:
    result = running("silence", "expire", "--all", "--format", "json")
    assert sorted(json.loads(result.stdout)["ended"]) == [3, 4]
    assert store.silences(active_at=datetime.now(UTC)) == []


@pytest.mark.usefixtures("silences")
def test_ending_what_is_over_or_does_not_exist_changes_nothing(running: Any, store: Store) -> None:
    result = running("silence", "expire", "1", "3", "9")
    assert result.exit_code == 1
    assert "Silence 1 is over since " in result.stderr
    assert "There is no silence 9." in result.stderr
    assert len(store.silences(active_at=datetime.now(UTC))) == 2


@pytest.mark.parametrize("arguments", [[], ["3", "--all"]], ids=["neither", "both"])
def test_expire_takes_numbers_or_all(running: Any, arguments: list[str]) -> None:
    assert running("silence", "expire", *arguments).exit_code == 64


def test_a_reason_cannot_move_the_cursor() -> None:
    silence = recorded.silence(keys="\x1b[2J", reason="a\x1b[31m\nb")
    assert "\x1b" not in "".join(plain(silence_table([silence], recorded.NOW)))


# -- ack ------------------------------------------------------------------------------------


@pytest.fixture
def filled(running: Any, store: Store) -> Any:
    """Three open alerts and one that is over."""
    fill(Scene(store))
    return running


def numbers(store: Store) -> tuple[list[int], int]:
    """The open alerts, and the one that is over."""
    alerts = store.alerts()
    (over,) = (a.id for a in alerts if a.resolved_at)
    return sorted(a.id for a in alerts if not a.resolved_at), over


def test_open_alerts_are_acknowledged(filled: Any, store: Store) -> None:
    first, second, _ = numbers(store)[0]
    result = filled("ack", str(second), str(first), "--by", "anna", "--reason", " on it ")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"Alert {first} is acknowledged: low_balance of low.",
        f"Alert {second} is acknowledged: exhausted of empty.",
    ]
    assert [(a.alert_id, a.by, a.reason) for a in store.acks([first, second])] == [
        (first, "anna", "on it"),
        (second, "anna", "on it"),
    ]


def test_an_acknowledgement_as_json_says_who_and_when(filled: Any, store: Store) -> None:
    first = numbers(store)[0][0]
    result = filled("ack", str(first), "--format", "json", env={"USER": "ben"})
    (document,) = json.loads(result.stdout)
    assert (document["alert_id"], document["by"], document["reason"]) == (first, "ben", "")
    assert document["at"].endswith("Z")


def test_an_alert_that_is_over_or_unknown_is_told_and_nothing_changed(
    filled: Any, store: Store
) -> None:
    still_open, over = numbers(store)
    result = filled("ack", str(still_open[0]), str(over), "999")
    assert result.exit_code == 1
    ended = store.events([over])[-1].at
    assert result.stderr.splitlines() == [
        f"Alert {over} is not open: it ended at {ended:%Y-%m-%d %H:%M:%SZ}.",
        "There is no alert 999. See: credit-monitor alerts --open",
    ]
    assert store.acks([*still_open, over]) == []


@pytest.mark.parametrize("arguments", [[], ["seven"], ["0"]], ids=["none", "a word", "zero"])
def test_ack_takes_numbers_of_alerts(filled: Any, arguments: list[str]) -> None:
    assert filled("ack", *arguments).exit_code == 64


def test_acknowledging_and_silencing_work_beside_a_running_daemon(
    filled: Any, store: Store
) -> None:
    first = numbers(store)[0][0]
    store.close()
    daemon = open_store(f"sqlite:///{filled.home}/store.db", lock=True)
    try:
        assert filled("ack", str(first), "--by", "anna").exit_code == 0
        assert filled("silence", "add", "--key", "low", "--for", "1h", *WHY).exit_code == 0
        assert [ack.by for ack in daemon.acks([first])] == ["anna"]
        assert len(daemon.silences(active_at=datetime.now(UTC))) == 1
    finally:
        daemon.close()


# -- alerts, status -------------------------------------------------------------------------


@pytest.fixture
def handled(filled: Any, store: Store) -> Any:
    """The first alert is acknowledged, and channels were not told of it."""
    first = numbers(store)[0][0]
    (fired,) = store.events([first])
    store.write(
        [
            Changes(
                suppressed=[
                    recorded.suppressed(fired.id, "mail", Suppression.QUIET),
                    recorded.suppressed(fired.id, "", Suppression.SILENCED),
                ]
            )
        ]
    )
    store.acknowledge([first], NOW - timedelta(minutes=5), "anna", "top-up ordered")
    store.add_silence(recorded.silence(0, NOW - HOUR, keys="low", until=NOW + 100_000 * HOUR))
    return filled


def test_alerts_show_who_acknowledged_and_who_was_not_told_and_why(handled: Any) -> None:
    text = handled("alerts", "--open").stdout
    (row,) = (line for line in text.splitlines() if " low_balance " in line)
    assert "ago: top-up ordered" in row
    assert "anna, " in row
    assert "ops: fired delivered; all channels: fired silenced" in row
    assert "mail: fired held during quiet hours" in row
    assert " left, anna: top-up ordered" in row
    assert "Silences in force:" in text
    assert "key low" in text


def test_alerts_as_json_have_acknowledgement_and_suppressions(handled: Any) -> None:
    document = json.loads(handled("alerts", "--format", "json").stdout)
    (record,) = (r for r in document if r["ack"] is not None)
    assert (record["ack"]["by"], record["ack"]["reason"]) == ("anna", "top-up ordered")
    told = {one["channel"]: one["reason"] for one in record["suppressed"]}
    assert told == {"": "silenced", "mail": "quiet"}
    assert all(r["suppressed"] == [] for r in document if r is not record)
    quiet = {r["alert"]["rule"] for r in document if r["silence"]}
    assert quiet == {"low_balance"}


@pytest.mark.usefixtures("handled")
def test_status_shows_acknowledgements_and_silences(store: Store) -> None:
    overview = queries.overview(store, NOW)
    text = "\n".join(
        part if isinstance(part, str) else "\n".join(plain(part)) for part in blocks(overview)
    )
    assert "anna, 5 min ago: top-up ordered" in text
    assert " left, anna: top-up ordered" in text
    assert "Silences in force:" in text
    later = queries.overview(store, NOW + 200_000 * HOUR)
    assert later.silences == ()


def test_status_as_json_has_both(handled: Any) -> None:
    document = json.loads(handled("status", "--format", "json").stdout)
    assert [ack["by"] for ack in document["acks"]] == ["anna"]
    assert [silence["keys"] for silence in document["silences"]] == ["low"]
    quiet = [a["id"] for a in document["open_alerts"] if a["rule"] == "low_balance"]
    assert document["silenced"] == {str(number): 1 for number in quiet}


# -- notify route ---------------------------------------------------------------------------


def told(result: Any) -> dict[str, str]:
    return {way["channel"]: way["because"] for way in json.loads(result.stdout)["channels"]}


def test_every_channel_says_whether_it_would_be_told_and_why_not(cli: Any) -> None:
    cli.configure(keys=KEYS, channels=CHANNELS)
    result = cli("notify", "route", "prod-us", "rejected", "warning")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "CHANNEL  TOLD  BECAUSE",
        "ops      yes",
        "phone    no    takes severity critical only",
        "video    no    takes keys with tag video only",
        "relays   no    takes keys named rel* only",
    ]


def test_an_alert_about_an_account_is_routed_by_all_its_keys(cli: Any) -> None:
    cli.configure(keys=KEYS, channels=CHANNELS)
    result = cli("notify", "route", "prod-us", "low_balance", "critical", "--format", "json")
    because = told(result)
    assert [name for name, why in because.items() if not why] == ["ops", "phone", "video"]
    assert json.loads(result.stdout)["keys"] == ["prod-eu", "prod-us"]
    text = cli("notify", "route", "prod-us", "low_balance", "critical").stdout
    assert "It speaks for all keys of the account: prod-eu, prod-us." in text


def test_nobody_told_is_said_and_fails(cli: Any) -> None:
    cli.configure(keys=KEYS, channels=CHANNELS[1:2])
    result = cli("notify", "route", "relay", "low_balance", "info")
    assert result.exit_code == 1
    assert "Nobody would be told" in result.stdout


def test_a_silence_in_force_is_named(running: Any, store: Store) -> None:
    now = datetime.now(UTC)
    store.add_silence(recorded.silence(0, now, keys="rel*", rules="exhausted"))
    result = running("notify", "route", "relay", "exhausted", "critical")
    assert result.exit_code == 1
    assert "But no message is sent now: silence 1 (key rel*, rule exhausted) holds" in result.stdout
    assert running("notify", "route", "relay", "low_balance", "critical").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["relai", "silent", "info"], 1, "Did you mean 'relay'?", id="no such key"),
        pytest.param(["relay", "loud", "info"], 64, "'loud' is not one of", id="no such rule"),
        pytest.param(["relay", "silent", "bad"], 64, "'bad' is not one of", id="no such severity"),
        pytest.param(["relay", "topped_up", "info"], 1, "is off for key relay", id="rule is off"),
    ],
)
def test_a_route_that_cannot_be_is_refused(
    cli: Any, arguments: list[str], code: int, said: str
) -> None:
    cli.configure(keys=KEYS, channels=CHANNELS)
    result = cli("notify", "route", *arguments)
    assert result.exit_code == code
    assert said in result.stderr


def test_without_channels_there_is_no_route(cli: Any) -> None:
    cli.configure(keys=KEYS)
    result = cli("notify", "route", "relay", "silent", "info")
    assert result.exit_code == 78
    assert "no channels are configured" in result.stderr
