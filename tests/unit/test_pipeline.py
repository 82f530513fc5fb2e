"""PRODUCT section 5 as seen from one observation after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from support.bench import Bench, Channel, watched

from monitor.core.events import Change, Event, Why
from monitor.core.model import Kind, MeterFailure, MeterReading, Reason, Severity
from monitor.core.renewals import Outcome, Renewal
from monitor.core.rules import Rules

MINUTES = timedelta(minutes=5)


def said(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    return [(e.rule, e.change.value, e.severity.value) for e in events]


def test_a_healthy_first_reading_says_nothing() -> None:
    b = Bench([watched()])
    assert b.read("studio", "5000") == []
    assert b.last.samples[0].balance == Decimal(5000)
    assert b.last.keys[0].meters[0][0].balance == Decimal(5000)


def test_a_first_reading_in_breach_is_told_at_once() -> None:
    b = Bench([watched()])
    assert said(b.read("studio", "50")) == [("low_balance", "fired", "critical")]
    assert next(iter(b.notifications.values())).channel == "ops"


def test_worse_is_told_and_better_is_recorded_only() -> None:
    b = Bench([watched()])
    b.read("studio", "900")
    [worse] = b.read("studio", "90")
    [_topped_up, better] = b.read("studio", "500")
    assert (worse.change, worse.told) == (Change.ESCALATED, True)
    assert (better.change, better.told, better.why) == (Change.EASED, False, Why.BETTER)


def test_a_balance_that_hovers_at_the_threshold_is_one_episode() -> None:
    b = Bench([watched()])
    for balance in ("1001", "999", "1001", "999", "1000", "990"):
        b.read("studio", balance)
    assert said(b.events) == [("low_balance", "fired", "warning")]


def test_a_failed_poll_neither_raises_nor_resolves_a_balance_alert() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    for reason in (Reason.TIMEOUT, Reason.BAD_RESPONSE, Reason.SERVER_ERROR):
        assert b.fail("studio", reason) == []
    assert [a.rule for a in b.pipeline.world.alerts.values()] == ["low_balance"]


def test_exhausted_tells_the_story_alone_until_there_is_a_balance_again() -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    assert said(b.read("studio", "0")) == [("exhausted", "fired", "critical")]
    assert said(b.read("studio", "600")) == [
        ("topped_up", "occurred", "info"),
        ("exhausted", "resolved", "critical"),
        ("low_balance", "fired", "warning"),
    ]


def test_a_top_up_ends_the_alert_and_is_told_with_its_amount() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    events = b.read("studio", "10500")
    assert said(events) == [
        ("topped_up", "occurred", "info"),
        ("low_balance", "resolved", "warning"),
    ]
    assert events[0].facts.amount == Decimal(10000)
    assert len(b.notifications) == 1, "what happens within group_wait is one notification"


def test_what_happens_after_a_group_is_closed_is_another_notification() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    b.announcer.close_group(1)
    b.read("studio", "50")
    assert [n.event_ids for n in b.notifications.values()] == [(1,), (2,)]


def test_several_keys_of_one_account_raise_one_low_balance_alert() -> None:
    b = Bench([watched("a", account="main"), watched("b", account="main")])
    b.read("a", "500")
    b.read("b", "499")
    assert said(b.events) == [("low_balance", "fired", "warning")]
    assert b.events[0].subject.label == "account main"
    b.read("b", "9000")
    b.read("a", "9000")
    assert said(b.events[1:]) == [
        ("topped_up", "occurred", "info"),
        ("low_balance", "resolved", "warning"),
    ]


def test_one_key_speaks_for_an_account_so_that_an_old_answer_is_no_refund() -> None:
    b = Bench([watched("a", account="main"), watched("b", account="main")])
    for a_reads, b_reads in (("5000", "5000"), ("4000", "5000"), ("3000", "4000")):
        b.read("a", a_reads)
        b.pass_time(timedelta(minutes=2))
        b.read("b", b_reads)  # a cache behind
        b.pass_time(timedelta(minutes=3))
    ledger = b.pipeline.world.ledgers["account:kie/main", "balance"]
    assert (ledger.consumed_total, ledger.refunded_total) == (Decimal(2000), Decimal(0))
    assert b.events == []


def test_another_key_of_the_account_speaks_when_the_first_one_fails() -> None:
    b = Bench([watched("a", account="main"), watched("b", account="main")])
    b.read("a", "5000")
    b.fail("a", Reason.UNAUTHORIZED)
    b.pass_time(MINUTES)
    assert said(b.read("b", "500")) == [("low_balance", "fired", "warning")]


def test_a_meter_without_a_cap_any_more_is_not_low() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    assert said(b.read("studio", None)) == [("low_balance", "resolved", "warning")]


def test_a_new_cap_is_no_top_up() -> None:
    b = Bench([watched()])
    for balance in ("1500", None, "9000", "8000"):
        assert b.read("studio", balance) == []
    ledger = b.restart().pipeline.world.ledgers["key:studio", "balance"]
    assert (ledger.topped_up_total, ledger.consumed_total) == (Decimal(0), Decimal(1000))


def test_a_meter_that_never_had_a_cap_says_nothing() -> None:
    b = Bench([watched()])
    assert b.read("studio", None) == []
    assert b.pipeline.world.ledgers == {}
    assert said(b.read("studio", "50")) == [("low_balance", "fired", "critical")]


def test_a_refused_key_is_told_at_once_and_resolves_with_the_next_reading() -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    assert said(b.fail("studio", Reason.UNAUTHORIZED)) == [("rejected", "fired", "critical")]
    assert b.fail("studio", Reason.TIMEOUT) == [], "a timeout is no recovery"
    assert b.fail("studio", Reason.UNAUTHORIZED) == []
    assert said(b.read("studio", "5000")) == [("rejected", "resolved", "critical")]


def test_a_key_check_is_rejected_silent_and_well_without_ever_having_a_balance() -> None:
    b = Bench([watched()])
    assert b.answer("studio") == []
    assert (b.last.samples, b.last.keys[0].meters, b.last.keys[0].state.reason) == ([], (), None)
    assert said(b.fail("studio", Reason.UNAUTHORIZED)) == [("rejected", "fired", "critical")]
    assert said(b.answer("studio")) == [("rejected", "resolved", "critical")]
    b = b.restart()
    for _ in range(6):
        b.pass_time(MINUTES)
        b.fail("studio", Reason.TIMEOUT)
    assert said(b.events) == [("silent", "fired", "warning")]
    assert said(b.answer("studio")) == [("silent", "resolved", "warning")]


def test_a_key_without_readings_is_silent_after_a_while_and_only_once() -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    for _ in range(6):
        b.pass_time(MINUTES)
        b.fail("studio", Reason.TIMEOUT)
    assert said(b.events) == [("silent", "fired", "warning")]
    assert said(b.read("studio", "5000")) == [("silent", "resolved", "warning")]


def test_a_key_that_is_never_polled_is_silent_too_and_recovers() -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    b.pass_time(timedelta(minutes=16))
    assert said(b.events) == [("silent", "fired", "warning")]
    assert said(b.read("studio", "5000")) == [("silent", "resolved", "warning")]


def test_a_long_interval_is_not_silence() -> None:
    b = Bench([watched(interval=timedelta(hours=1))])
    b.read("studio", "5000")
    b.pass_time(timedelta(minutes=90))
    assert b.events == []


def test_a_provider_that_is_down_is_one_alert() -> None:
    names = [f"k{i}" for i in range(20)]
    b = Bench([watched(n) for n in names])
    for name in names:
        b.read(name, "5000")
    for _ in range(6):
        b.pass_time(MINUTES)
        for name in names:
            b.fail(name, Reason.SERVER_ERROR)
    assert said(b.events) == [("silent", "fired", "warning")]
    assert b.events[0].subject.label == "provider kie"
    assert len(b.events[0].facts.keys) == 20
    for name in names[:15]:
        b.read(name, "5000")
    b.pass_time(timedelta(seconds=5))
    assert said(b.events[1:]) == [("silent", "resolved", "warning")]
    for _ in range(2):
        b.pass_time(MINUTES)
        for name in names[15:]:
            b.fail(name, Reason.SERVER_ERROR)
        for name in names[:15]:
            b.read(name, "5000")
    assert len(b.events) == 2, "the stragglers get their time anew"


def test_an_outage_began_with_the_first_key_that_failed() -> None:
    b = Bench([watched(n) for n in ("early", "late")])
    for name in ("early", "late"):
        b.read(name, "5000")
    b.pass_time(MINUTES)
    began = b.now
    b.fail("early", Reason.SERVER_ERROR)
    for _ in range(5):
        b.pass_time(MINUTES)
        b.fail("early", Reason.SERVER_ERROR)
        b.fail("late", Reason.SERVER_ERROR)
    outage = b.events[0]
    assert outage.subject.label == "provider kie"
    assert outage.facts.since == began
    assert outage.facts.last_reading_at == began - MINUTES


def test_keys_that_wait_behind_a_hanging_provider_are_part_of_its_outage() -> None:
    names = [f"k{i:02}" for i in range(20)]
    b = Bench([watched(n) for n in names])
    for name in names:
        b.read(name, "5000")
        b.pass_time(timedelta(seconds=5))
    for _ in range(8):  # the limit on polls in flight lets only four through
        b.pass_time(MINUTES)
        for name in names[:4]:
            b.fail(name, Reason.TIMEOUT)
    assert said(b.events) == [("silent", "fired", "warning")]
    assert b.events[0].subject.label == "provider kie"
    for name in names:
        b.read(name, "5000")
    b.pass_time(timedelta(seconds=5))
    assert said(b.events[1:]) == [("silent", "resolved", "warning")]


def test_keys_that_are_left_out_show_why_and_are_no_polls() -> None:
    b = Bench([watched("studio")])
    b.read("studio", "5000")
    read_at = b.now
    b.pass_time(MINUTES)
    b.leave_out("studio")
    state = b.stored["studio"].state
    assert (state.reason, state.detail) == (Reason.TIMEOUT, "not asked")
    assert (state.last_poll_at, state.failures, state.failing_since) == (read_at, 0, b.now)
    assert b.last.outages == []
    b.pass_time(MINUTES)
    b.leave_out("studio")
    assert b.last.keys == [], "what has not changed is not written"
    b.read("studio", "5000")
    assert b.stored["studio"].state.reason is None


def test_a_key_that_failed_or_was_refused_stays_so_while_it_is_left_out() -> None:
    b = Bench([watched("studio")])
    b.fail("studio", Reason.UNAUTHORIZED, "wrong key")
    b.leave_out("studio")
    state = b.pipeline.world.keys["studio"].state
    assert (state.reason, state.detail, state.failures) == (
        Reason.UNAUTHORIZED,
        "wrong key",
        1,
    )
    assert said(b.events) == [("rejected", "fired", "critical")]


def test_keys_that_are_left_out_are_named_by_the_outage_which_ends_with_those_asked() -> None:
    names = [f"k{i:02}" for i in range(20)]
    b = Bench([watched(n, interval=timedelta(hours=1)) for n in names])
    for name in names:
        b.read(name, "5000")
    for _ in range(4):
        b.pass_time(MINUTES)
        for name in names[16:]:
            b.fail(name, Reason.TIMEOUT, "no answer")
        for name in names[:16]:
            b.leave_out(name)
    assert said(b.events) == [("silent", "fired", "warning")]
    fired = b.events[0].facts
    assert fired.keys == tuple(names)
    assert fired.detail == "no answer"
    for name in names[:4]:
        b.read(name, "5000")
    b.pass_time(timedelta(seconds=5))
    assert said(b.events[1:]) == [("silent", "resolved", "warning")]
    b.pass_time(timedelta(minutes=10))
    for name in names:
        b.read(name, "5000")
    b.pass_time(timedelta(minutes=10))
    assert len(b.events) == 2


def test_what_a_left_out_key_failed_of_long_ago_does_not_go_on_after_a_restart() -> None:
    b = Bench([watched("studio")])
    b.fail("studio", Reason.TIMEOUT)
    ended = b.last.outages
    b.read("studio", "5000")
    b.now += timedelta(days=30)
    b.leave_out("studio")
    b.snapshot = replace(b.snapshot, outages=tuple(ended))
    again = b.restart()
    again.fail("studio", Reason.TIMEOUT)
    assert [outage.at for outage in again.last.outages] == [again.now]


def test_an_outage_ends_although_the_clock_was_set_back_during_it() -> None:
    b = Bench([watched("a"), watched("b")])
    for _ in range(5):
        for name in ("a", "b"):
            b.fail(name, Reason.TIMEOUT)
        b.pass_time(MINUTES)
    step = timedelta(hours=-3)
    b.now += step
    b.pipeline.clock_stepped(step, b.now)
    for name in ("a", "b"):
        b.read(name, "5000")
    b.pass_time(timedelta(seconds=5))
    assert said(b.events) == [("silent", "fired", "warning"), ("silent", "resolved", "warning")]


def test_keys_that_nobody_could_poll_yet_are_part_of_their_providers_outage() -> None:
    names = [f"k{i:02}" for i in range(20)]
    b = Bench([watched(n) for n in names])
    for number in range(0, 8, 2):  # from the start on each poll takes long to fail
        b.pass_time(MINUTES)
        for name in names[number : number + 2]:
            b.fail(name, Reason.TIMEOUT)
    assert [e.subject.label for e in b.events] == ["provider kie"]


def test_one_dead_key_among_healthy_ones_is_its_own_alert() -> None:
    b = Bench([watched("dead"), watched("fine")])
    for _ in range(5):
        b.pass_time(MINUTES)
        b.fail("dead", Reason.TIMEOUT)
        b.read("fine", "5000")
    assert [e.subject.label for e in b.events] == ["dead"]


def test_after_a_restart_what_is_unchanged_is_not_told_again() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    b.now += timedelta(days=1)
    again = b.restart()
    assert again.read("studio", "500") == []
    assert again.read("studio", "499") == []


def test_after_a_restart_what_changed_while_down_is_told() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    again = b.restart()
    assert said(again.read("studio", "9000")) == [
        ("topped_up", "occurred", "info"),
        ("low_balance", "resolved", "warning"),
    ]
    assert again.events[0].id > b.events[-1].id


def test_after_a_long_pause_of_the_daemon_nothing_is_called_silent() -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    b.now += timedelta(days=2)
    again = b.restart()
    again.pass_time(timedelta(minutes=1))
    again.fail("studio", Reason.CONNECTION)
    again.pass_time(timedelta(minutes=1))
    again.fail("studio", Reason.CONNECTION)
    again.pass_time(timedelta(minutes=1))
    assert again.events == []


def test_alerts_of_keys_and_rules_that_left_the_configuration_end_without_a_message() -> None:
    b = Bench([watched("gone"), watched("stays")])
    b.read("gone", "50")
    b.read("stays", "50")
    rules = Rules.model_validate({"low_balance": None})
    again = b.restart([watched("stays", rules=rules)])
    assert [(e.change, e.why, e.told) for e in again.events] == [
        (Change.RESOLVED, Why.UNWATCHED, False),
        (Change.RESOLVED, Why.UNWATCHED, False),
    ]
    assert again.notifications == {}


def test_a_threshold_that_was_changed_is_judged_anew_at_the_next_reading() -> None:
    b = Bench([watched()])
    b.read("studio", "500")
    rules = Rules.model_validate({"low_balance": {"warning": 5000, "critical": 600}})
    again = b.restart([watched(rules=rules)])
    assert said(again.read("studio", "500")) == [("low_balance", "escalated", "critical")]


@pytest.mark.parametrize("step", [timedelta(hours=-3), timedelta(hours=3), timedelta(days=400)])
def test_a_step_of_the_wall_clock_raises_and_loses_nothing(step: timedelta) -> None:
    b = Bench([watched()])
    b.read("studio", "5000")
    b.now += step
    b.pipeline.clock_stepped(step, b.now)
    b.pass_time(timedelta(seconds=5))
    assert b.events == []
    assert said(b.read("studio", "500")) == [("low_balance", "fired", "warning")]
    ledger = b.pipeline.world.ledgers["key:studio", "balance"]
    assert ledger.consumed_total == Decimal(4500)
    b.pass_time(timedelta(minutes=16))
    assert said(b.events[1:]) == [("silent", "fired", "warning")]


def test_equal_balances_are_one_run_and_an_outage_ends_it() -> None:
    b = Bench([watched()])
    runs = set()
    for _ in range(10):
        b.now += MINUTES
        b.read("studio", "5000")
        runs |= {(s.key, s.at) for s in b.last.samples}
    assert len(runs) == 1
    b.fail("studio", Reason.TIMEOUT)
    b.now += MINUTES
    b.read("studio", "5000")
    assert {(s.key, s.at) for s in b.last.samples}.isdisjoint(runs)


def test_times_alone_are_written_once_a_minute_and_at_the_end() -> None:
    b = Bench([watched(interval=timedelta(seconds=10))])
    b.read("studio", "5000")
    written = 0
    for _ in range(60):
        b.now += timedelta(seconds=10)
        b.read("studio", "5000")
        written += bool(b.last)
    assert written == 10
    b.now += timedelta(seconds=10)
    b.read("studio", "5000")
    assert not b.last
    changes = b.pipeline.finish()
    assert changes.samples[0].until == b.now
    assert changes.keys[0].state.last_success_at == b.now


def test_an_unlimited_meter_is_a_reading_without_alerts() -> None:
    b = Bench([watched()])
    assert b.read("studio", None) == []
    assert b.last.samples[0].balance is None


def test_a_channel_hears_only_what_it_asked_for_and_the_end_of_it() -> None:
    channels = [Channel("night", (Severity.CRITICAL,)), Channel("b-team", keys=("b*",))]
    b = Bench([watched("a"), watched("b")], channels=channels)
    b.read("a", "500")
    assert b.notifications == {}
    b.read("a", "50")
    b.read("b", "500")
    b.read("a", "5000")
    told = {n.channel: n.event_ids for n in b.notifications.values()}
    by_id = {e.id: e for e in b.events}
    assert [said([by_id[i]])[0] for i in told["night"]] == [
        ("low_balance", "escalated", "critical"),
        ("low_balance", "resolved", "critical"),
    ]
    assert [by_id[i].subject.key for i in told["b-team"]] == ["b"]


def test_a_channel_that_heard_of_the_trouble_hears_of_its_end() -> None:
    b = Bench([watched()], channels=[Channel("calm", (Severity.WARNING,))])
    b.read("studio", "500")
    b.read("studio", "50")
    b.read("studio", "9000")
    told = [said([e])[0] for e in b.events if e.id in b.notifications[1].event_ids]
    assert told == [("low_balance", "fired", "warning"), ("low_balance", "resolved", "critical")]


def test_a_refused_key_is_silent_where_the_rule_rejected_is_off() -> None:
    b = Bench([watched(rules=Rules.model_validate({"rejected": None}))])
    b.read("studio", "5000")
    for _ in range(5):
        b.pass_time(MINUTES)
        b.fail("studio", Reason.UNAUTHORIZED)
    assert said(b.events) == [("silent", "fired", "warning")]


def test_a_meter_that_is_gone_for_a_day_ends_its_alert_without_a_message() -> None:
    b = Bench([watched()])
    b.read("studio", "50", meter="old")
    b.now += timedelta(hours=23)
    assert said(b.read("studio", "5000", meter="new")) == []
    b.now += timedelta(hours=2)
    [gone] = b.read("studio", "5000", meter="new")
    assert (gone.meter, gone.why, gone.told) == ("old", Why.UNWATCHED, False)
    assert list(b.pipeline.world.keys["studio"].meters) == ["new"]


def test_the_end_of_the_trouble_at_a_step_of_the_clock_is_remembered_over_a_restart() -> None:
    b = Bench([watched()])
    b.fail("studio", Reason.TIMEOUT)
    step = timedelta(hours=2)
    b.now += step
    b.take(b.pipeline.clock_stepped(step, b.now))
    assert b.stored["studio"].state.failing_since == b.now


def test_a_renewal_is_told_when_it_has_ended_and_not_when_it_begins() -> None:
    b = Bench([watched()])
    begun = Renewal(key="studio", meter="kling:anna", at=b.now, outcome=Outcome.BEGUN, failures=1)
    assert b.take(b.pipeline.renewal(begun)) == []
    assert b.last.renewals == [begun]
    done = replace(begun, outcome=Outcome.RENEWED, failures=0)
    assert said(b.take(b.pipeline.renewal(done))) == [("renewal", "occurred", "info")]
    failed = replace(begun, outcome=Outcome.FAILED, detail="HTTP 500")
    assert said(b.take(b.pipeline.renewal(failed))) == [("renewal", "occurred", "warning")]
    assert b.pipeline.world.alerts == {}


def test_a_renewal_is_recorded_although_its_rule_is_off() -> None:
    b = Bench([watched(rules=Rules(renewal=None))])
    failed = Renewal(key="studio", meter="kling:anna", at=b.now, outcome=Outcome.FAILED)
    assert b.take(b.pipeline.renewal(failed)) == []
    assert b.pipeline.world.renewals["studio", "kling:anna"] == failed


@pytest.mark.parametrize(
    ("meters", "told"),
    [
        pytest.param({"CNY": "0", "USD": "12"}, [], id="a currency nobody pays in is no news"),
        pytest.param({"CNY": "0", "USD": "0"}, ["CNY", "USD"], id="nothing in any is news of each"),
        pytest.param({"CNY": "-3", "USD": "12"}, ["CNY"], id="a debt is news"),
        pytest.param({"CNY": "0", "USD": None}, [], id="without a cap there is credit"),
        pytest.param({"CNY": "0"}, ["CNY"], id="the only one is news"),
    ],
)
def test_a_meter_that_never_held_anything(meters: dict[str, str | None], told: list[str]) -> None:
    bench = Bench([watched("a")])
    found = [
        MeterReading(meter=name, unit=name, balance=None if text is None else Decimal(text))
        for name, text in meters.items()
    ]
    events = bench.find("a", *found)
    assert [event.meter for event in events if event.rule == "exhausted"] == told
    bench.now += timedelta(minutes=10)
    assert not bench.find("a", *found)


def test_a_meter_that_held_something_and_is_used_up_is_told_beside_another() -> None:
    bench = Bench([watched("a")])
    full = MeterReading(meter="USD", unit="USD", balance=Decimal(12))
    bench.find("a", full, MeterReading(meter="CNY", unit="CNY", balance=Decimal(5)))
    bench.now += timedelta(minutes=10)
    events = bench.find("a", full, MeterReading(meter="CNY", unit="CNY", balance=Decimal(0)))
    assert ("CNY", "exhausted") in [(event.meter, event.rule) for event in events]


def test_what_becomes_part_of_another_balance_is_no_longer_judged_and_its_alert_ends_untold() -> (
    None
):
    b = Bench([watched()])
    gift = MeterReading(meter="gift", unit="credits", balance=Decimal(0), kind=Kind.BALANCE)
    assert said(b.find("studio", gift))[-1:] == [("exhausted", "fired", "critical")]
    b.now += MINUTES
    b = b.restart()
    everything = replace(gift, meter="all", balance=Decimal(5000))
    [ended] = b.find("studio", everything, replace(gift, kind=Kind.PART))
    assert (ended.meter, ended.change, ended.why, ended.told) == (
        "gift",
        Change.RESOLVED,
        Why.UNWATCHED,
        False,
    )
    b.reconfigure(watched(rules=Rules.model_validate({"exhausted": {}, "runway": None})))
    assert said(b.pass_time(MINUTES)) == []
    assert {slot[1] for slot in b.pipeline.world.alerts} == set()


def test_a_currency_that_nobody_pays_in_is_no_news_while_the_other_one_cannot_be_read() -> None:
    usd = MeterReading(meter="USD", unit="USD", balance=Decimal(5000))
    cny = MeterReading(meter="CNY", unit="CNY", balance=Decimal(0))
    bench = Bench([watched()])
    bench.find("studio", usd, cny)
    for _ in range(4):
        bench.pass_time(timedelta(minutes=5))
        bench.find("studio", MeterFailure(meter="USD", reason=Reason.TIMEOUT), cny)
    assert {event.meter for event in bench.events} <= {"USD"}
