"""Reminders, acknowledgements, silences, escalation, quiet hours: who is told what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from support import bench as support
from support.bench import START, Bench, Channel

from monitor.core.events import Ack, Change, Event, Silence, Suppression, Why
from monitor.core.model import Severity
from monitor.core.routing import Concern, Filters, QuietHours
from monitor.core.rules import Rules
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey

HOUR = timedelta(hours=1)
RULES = Rules.model_validate(
    {"low_balance": {"warning": 1000, "critical": 100}, "silent": None}  # hours pass between polls
)
REMINDING = TellingPolicy(
    group_wait=timedelta(seconds=10),
    repeat={Severity.WARNING: 24 * HOUR, Severity.CRITICAL: 4 * HOUR},
)


def watched(name: str = "studio", account: str = "") -> WatchedKey:
    return support.watched(name, account=account, rules=RULES)


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.change.value, event.why.value) for event in events if event.told]


def silence(**changes: object) -> Silence:
    settings = {"id": 1, "created_at": START, "until": START + 8 * HOUR} | changes
    return Silence(**settings)  # type: ignore[arg-type]  # a table of fields


def low(policy: TellingPolicy = REMINDING, *, balance: str = "50") -> Bench:
    bench = Bench([watched()], policy=policy)
    bench.read("studio", balance)
    return bench


def hours(bench: Bench, count: int, balance: str = "50") -> list[Event]:
    """*count* hours in which the key goes on answering the same; what was told on the way."""
    before = len(bench.events)
    for _ in range(count):
        bench.pass_time(HOUR)
        bench.read("studio", balance)
    return bench.events[before:]


def test_an_open_alert_is_told_again_after_the_time_of_its_severity() -> None:
    bench = low()
    assert told(hours(bench, 12)) == [("reminded", "repeat")] * 3
    calm = low(balance="500")
    assert told(hours(calm, 25, "500")) == [("reminded", "repeat")]


def test_the_clock_of_a_reminder_survives_a_restart() -> None:
    bench = low()
    hours(bench, 3)
    again = bench.restart()
    assert told(hours(again, 1)) == [("reminded", "repeat")]


def test_an_acknowledged_alert_is_not_repeated_but_its_end_is_told() -> None:
    bench = low()
    bench.pipeline.world.acks[1] = Ack(alert_id=1, at=bench.now, by="ana")
    assert told(hours(bench, 12)) == []
    assert ("resolved", "recovered") in told(bench.read("studio", "9000"))
    assert bench.pipeline.world.acks == {}


def test_an_acknowledged_alert_that_gets_worse_is_told() -> None:
    bench = low(balance="500")
    bench.pipeline.world.acks[1] = Ack(alert_id=1, at=bench.now)
    assert told(bench.read("studio", "50")) == [("escalated", "worse")]


def test_nothing_is_told_in_a_silence_and_all_that_is_left_when_it_ends() -> None:
    bench = Bench([watched(), watched("other")], policy=REMINDING)
    bench.pipeline.world.silences = (silence(keys="stu*"),)
    fired = bench.read("studio", "50")
    assert [(e.change, e.told) for e in fired] == [(Change.FIRED, False)]
    assert [(s.channel, s.reason) for s in bench.last.suppressed] == [("", Suppression.SILENCED)]
    assert told(bench.read("other", "50")) == [("fired", "new")]
    assert told(hours(bench, 7)) == [("reminded", "repeat")]
    assert told(hours(bench, 2)) == [("reminded", "silence_over"), ("reminded", "repeat")]


def test_the_end_of_what_nobody_heard_of_is_not_told_either() -> None:
    bench = Bench([watched()], policy=REMINDING)
    bench.pipeline.world.silences = (silence(rules="low_*"),)
    bench.read("studio", "50")
    bench.now += 9 * HOUR
    assert told(bench.read("studio", "9000")) == [("occurred", "event")]


def told_low_and_over_in_a_silence() -> Bench:
    bench = low()
    bench.pipeline.world.silences = (silence(keys="stu*", rules="low_*"),)
    bench.now += HOUR
    assert told(bench.read("studio", "9000")) == [("occurred", "event")]
    return bench


def test_the_end_of_what_was_told_before_a_silence_is_told_when_it_is_over() -> None:
    bench = told_low_and_over_in_a_silence()
    assert told(hours(bench, 6, "9000")) == []
    (end,) = (e for e in hours(bench, 2, "9000") if e.told)
    assert (end.change, end.why, end.at) == (Change.RESOLVED, Why.SILENCE_OVER, START + HOUR)
    assert end.id in bench.notifications[max(bench.notifications)].event_ids
    assert told(hours(bench, 3, "9000")) == []


def test_what_ended_in_a_silence_and_is_open_again_is_not_told_as_over() -> None:
    bench = told_low_and_over_in_a_silence()
    bench.now += HOUR
    bench.read("studio", "50")
    later = [e for e in hours(bench, 9) if e.rule == "low_balance"]
    assert [(e.change, e.told) for e in later] == [(Change.RESOLVED, False)]


def test_an_alert_that_a_silence_took_from_a_waiting_message_is_told_when_it_is_over() -> None:
    bench = low()
    bench.pipeline.world.silences = (silence(),)
    bench.announcer.withhold(bench.events)
    assert told(hours(bench, 7)) == []
    assert told(hours(bench, 2)) == [("reminded", "silence_over")]
    assert told(hours(bench, 2)) == []


def test_what_got_worse_in_a_silence_is_told_when_it_ends() -> None:
    bench = low(balance="500")
    bench.pipeline.world.silences = (silence(),)
    assert told(bench.read("studio", "50")) == []
    assert told(hours(bench, 9)) == [("reminded", "silence_over")]


def test_a_silence_that_was_ended_early_is_over() -> None:
    bench = Bench([watched()], policy=REMINDING)
    bench.pipeline.world.silences = (silence(),)
    bench.read("studio", "50")
    bench.pipeline.world.silences = (silence(ended_at=START),)
    assert told(hours(bench, 1)) == [("reminded", "silence_over")]


def test_an_alert_of_several_keys_is_silenced_only_if_all_of_them_are() -> None:
    keys = [watched("a", account="main"), watched("b", account="main")]
    bench = Bench(keys, policy=REMINDING)
    bench.pipeline.world.silences = (silence(keys="a"),)
    assert told(bench.read("a", "50")) == [("fired", "new")]


def test_a_critical_alert_that_nobody_acknowledges_is_told_to_somebody_else_once() -> None:
    policy = TellingPolicy(
        group_wait=timedelta(seconds=10), escalate_after=HOUR, escalate_to="boss"
    )
    channels = [Channel("ops"), Channel("boss", severities=(Severity.INFO,))]
    bench = Bench([watched()], channels=channels, policy=policy)
    bench.read("studio", "50")
    bench.pass_time(timedelta(minutes=59))
    assert [n.channel for n in bench.notifications.values()] == ["ops"]
    for _ in range(3):
        bench.pass_time(HOUR)
    assert told(bench.events) == [("fired", "new"), ("reminded", "unanswered")]
    assert [n.channel for n in bench.notifications.values()] == ["ops", "boss"]


def test_an_acknowledged_alert_goes_to_nobody_else() -> None:
    policy = TellingPolicy(group_wait=timedelta(seconds=10), escalate_after=HOUR, escalate_to="ops")
    bench = low(policy)
    bench.pipeline.world.acks[1] = Ack(alert_id=1, at=bench.now)
    assert told(hours(bench, 5)) == []


NIGHT = QuietHours(begin=time(22), end=time(7), zone=ZoneInfo("Europe/Berlin"))


def test_what_happens_in_quiet_hours_waits_for_their_end_in_one_notification() -> None:
    bench = Bench([watched("a"), watched("b")], channels=[Channel("mail", quiet=NIGHT)])
    bench.now = datetime(2026, 11, 1, 22, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    bench.read("a", "500")
    bench.now += HOUR
    bench.read("b", "500")
    assert [s.reason for s in bench.last.suppressed] == [Suppression.QUIET]
    [held] = bench.notifications.values()
    assert held.due_at == datetime(2026, 11, 2, 7, tzinfo=ZoneInfo("Europe/Berlin"))
    assert len(held.event_ids) == 2
    bench.read("a", "50")
    assert len(bench.notifications) == 2, "critical is not held"
    urgent = bench.notifications[2]
    assert urgent.due_at == bench.now + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-11-01T22:00+01:00", "2026-11-02T07:00+01:00", id="the first minute"),
        pytest.param("2026-11-02T06:59+01:00", "2026-11-02T07:00+01:00", id="the last minute"),
        pytest.param("2026-11-02T07:00+01:00", None, id="the end is not quiet"),
        pytest.param("2026-11-01T12:00+01:00", None, id="noon"),
        pytest.param("2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00", id="the short night"),
        pytest.param("2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00", id="the long night"),
    ],
)
def test_quiet_hours_end_on_the_wall_of_their_zone(now: str, until: str | None) -> None:
    found = NIGHT.until(Severity.WARNING, datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(until) if until else None)
    assert NIGHT.until(Severity.CRITICAL, datetime.fromisoformat(now)) is None


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        pytest.param({}, "", id="everything is heard by default"),
        pytest.param(
            {"severities": [Severity.INFO]}, "takes severity info only", id="another severity"
        ),
        pytest.param({"keys": ["prod-*", "dev"]}, "", id="one glob is enough"),
        pytest.param({"keys": ["dev-*"]}, "takes keys named dev-* only", id="another key"),
        pytest.param({"tags": ["audio", "video"]}, "", id="one tag is enough"),
        pytest.param({"tags": ["audio"]}, "takes keys with tag", id="another tag"),
        pytest.param({"rules": ["silent"]}, "takes rules named", id="another rule"),
        pytest.param({"providers": ["openrouter"]}, "takes providers named", id="another provider"),
        pytest.param({"accounts": ["main"]}, "", id="its account"),
        pytest.param({"accounts": ["?"]}, "takes accounts named", id="another account"),
    ],
)
def test_a_channel_says_why_it_is_not_told(filters: dict[str, Sequence[str]], why: str) -> None:
    concern = Concern(
        rule="low_balance", provider="kie", account="main", keys=("prod-1", "x"), tags=("video",)
    )
    settings = {"severities": tuple(Severity)} | filters
    found = Filters(**settings).why_not(Severity.WARNING, concern)  # type: ignore[arg-type]
    assert found.startswith(why) if why else not found


def test_reminders_that_are_due_soon_come_along_with_the_one_that_is_due() -> None:
    bench = Bench([watched("a"), watched("b")], policy=REMINDING)
    bench.read("a", "50")
    bench.now += HOUR
    bench.read("b", "50")
    bench.announcer.close_group(1)
    for _ in range(3):
        bench.pass_time(HOUR)
    assert told(bench.events[2:]) == [("reminded", "repeat")] * 2
    assert [len(n.event_ids) for n in bench.notifications.values()] == [2, 2]


def test_what_one_look_brings_about_is_one_version_of_a_message() -> None:
    bench = Bench([watched("a"), watched("b"), watched("c")], policy=REMINDING)
    for key in ("a", "b", "c"):
        bench.read(key, "50")
    bench.announcer.close_group(1)
    while not bench.pass_time(HOUR):
        assert bench.now < START + timedelta(days=7), "no reminder"
    assert [len(n.event_ids) for n in bench.last.notifications] == [3]
