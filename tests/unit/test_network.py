"""The loss of this host's own network as the pipeline tells it: one alert, whatever is watched."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from support.bench import Bench, Channel, watched

from monitor.core.events import Change, Event, Silence
from monitor.core.messages import compose
from monitor.core.model import HOST, Reason, Subject
from monitor.core.rules import Rules
from monitor.world import WatchedKey

MINUTE = timedelta(minutes=1)
KEYS = [watched(name, provider=name[0]) for name in ("a1", "a2", "b1", "b2", "c1")]
NAMES = [key.name for key in KEYS]


def rules(**silent: Any) -> Rules:
    return Rules.model_validate({"silent": silent or None})


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(e.subject.label, e.change.value) for e in events if e.told]


def fail_for(
    bench: Bench, minutes: int, names: list[str] = NAMES, reason: Reason = Reason.CONNECTION
) -> None:
    """Every key of *names* fails each third minute, and the daemon looks around each minute."""
    for minute in range(minutes):
        if minute % 3 == 0:
            for name in names:
                bench.fail(name, reason, "connection refused")
        bench.pass_time(MINUTE)


def lost(keys: list[WatchedKey] = KEYS, **bench: Any) -> Bench:
    """After a quarter of an hour without a network."""
    found = Bench(keys, **bench)
    for key in keys:
        found.read(key.name, "5000")
    fail_for(found, 17, [key.name for key in keys])
    return found


LOST = [("this host", "fired")]
OVER = [*LOST, ("this host", "resolved")]


def test_the_loss_of_the_network_is_one_alert_about_all_keys() -> None:
    b = lost()
    assert told(b.events) == LOST
    fired = b.events[0]
    assert fired.facts.keys == tuple(NAMES)
    assert fired.facts.detail == (
        "a: connection refused; b: connection refused; c: connection refused"
    )
    message = compose([fired], now=b.now, timezone=UTC)
    assert message.title == (
        "WARNING: this host cannot reach any provider for 17 min: nothing is known of 5 keys"
    )
    facts = dict(message.stories[0].facts)
    assert "Reason" not in facts, "it is none of any provider"
    assert "Provider" not in facts
    assert "DNS" in message.stories[0].advice


def test_one_answer_ends_it_with_one_message_that_says_how_long_it_lasted() -> None:
    b = lost()
    fail_for(b, 103)
    b.read("b2", "5000")
    b.pass_time(MINUTE)
    for name in NAMES:
        b.read(name, "5000")
    fail_for(b, 60, [])
    assert told(b.events)[:2] == OVER
    message = compose([b.events[1]], now=b.now, timezone=UTC)
    assert message.title == ("OK again: this host: providers can be reached again, after 2 h 1 min")
    assert dict(message.stories[0].facts)["Lasted"].startswith("2 h 1 min, since ")


def test_a_refusal_is_an_answer_too() -> None:
    b = lost()
    b.fail("b2", Reason.UNAUTHORIZED)
    b.pass_time(MINUTE)
    assert told(b.events) == [*LOST, ("b2", "fired"), OVER[-1]]


def test_a_provider_that_stays_down_when_the_network_is_back_is_told_after_its_time() -> None:
    b = lost()
    for _ in range(20):
        for name in ("a1", "a2", "c1"):
            b.read(name, "5000")
        fail_for(b, 1, ["b1", "b2"])
    assert told(b.events) == [*OVER, ("provider b", "fired")]
    assert b.events[-1].at - b.events[1].at >= timedelta(minutes=15)


def test_keys_that_answer_later_than_others_have_no_alerts_of_their_own() -> None:
    b = lost()
    for first in range(len(NAMES)):
        fail_for(b, 3, NAMES[first:])
        for name in NAMES[: first + 1]:
            b.read(name, "5000")
    b.pass_time(MINUTE)
    assert told(b.events) == OVER


def test_a_loss_shorter_than_the_time_of_the_rule_is_not_told() -> None:
    b = Bench(KEYS)
    for name in NAMES:
        b.read(name, "5000")
    fail_for(b, 14)
    for name in NAMES:
        b.read(name, "5000")
    b.pass_time(MINUTE)
    assert b.events == []


def test_a_loss_that_begins_while_a_provider_is_down_is_told_beside_it() -> None:
    b = Bench(KEYS)
    for name in NAMES:
        b.read(name, "5000")
    for _ in range(20):
        fail_for(b, 3, ["a1", "a2"], Reason.SERVER_ERROR)
        for name in ("b1", "b2", "c1"):
            b.read(name, "5000")
    assert told(b.events) == [("provider a", "fired")]
    fail_for(b, 30)
    assert told(b.events) == [("provider a", "fired"), *LOST]
    for _ in range(10):
        for name in ("b1", "b2", "c1"):
            b.read(name, "5000")
        fail_for(b, 3, ["a1", "a2"], Reason.SERVER_ERROR)
    assert told(b.events) == [("provider a", "fired"), *OVER], "it is still down, as was told"
    for name in ("a1", "a2"):
        b.read(name, "5000")
    b.pass_time(MINUTE)
    assert told(b.events)[-1] == ("provider a", "resolved")


def test_a_loss_goes_on_over_a_restart_and_ends_once() -> None:
    b = lost()
    again = b.restart()
    fail_for(again, 60)
    assert again.events == []
    third = again.restart()
    third.read("a1", "5000")
    fail_for(third, 10, NAMES[1:])
    assert told(third.events) == OVER[1:]


def test_a_loss_that_was_not_told_before_a_restart_is_told_after_it() -> None:
    b = Bench(KEYS)
    for name in NAMES:
        b.read(name, "5000")
    fail_for(b, 10)
    again = b.restart()
    fail_for(again, 8)
    assert told(again.events) == LOST


def test_the_loss_ends_although_the_clock_was_set_back_during_it() -> None:
    b = lost()
    step = timedelta(hours=-3)
    b.now += step
    b.pipeline.clock_stepped(step, b.now)
    fail_for(b, 10)
    assert told(b.events) == LOST
    b.read("a1", "5000")
    b.pass_time(MINUTE)
    assert told(b.events) == OVER


def test_without_a_second_provider_it_ends_with_the_configuration() -> None:
    b = lost()
    again = b.restart([key for key in KEYS if key.provider == "a"])
    assert [(e.subject, e.change, e.told) for e in again.events] == [(HOST, Change.RESOLVED, False)]


def test_the_shortest_time_of_all_keys_decides() -> None:
    quick = watched("a1", provider="a", rules=rules(after="5m"))
    slow = watched("b1", provider="b", rules=rules(after="1h"))
    b = lost([quick, slow])
    assert told(b.events) == LOST
    assert b.events[0].at - timedelta(minutes=5) == b.events[0].facts.since
    fail_for(b, 120, ["a1", "b1"])
    assert told(b.events) == LOST


def test_keys_without_the_rule_bear_witness_and_are_not_named() -> None:
    b = lost([watched("a1", provider="a"), watched("b1", provider="b", rules=rules())])
    assert told(b.events) == LOST
    assert b.events[0].facts.keys == ("a1",)


def test_where_no_key_has_the_rule_nothing_is_told() -> None:
    b = lost([watched(n, provider=n[0], rules=rules()) for n in ("a1", "b1")])
    assert b.events == []


def test_a_provider_with_a_long_interval_that_was_not_asked_since_does_not_count() -> None:
    rare = watched("z1", provider="z", interval=timedelta(hours=6))
    b = Bench([*KEYS, rare])
    for name in [*NAMES, "z1"]:
        b.read(name, "5000")
    fail_for(b, 17)
    assert told(b.events) == LOST
    fail_for(b, 60)
    b.read("z1", "5000")
    b.pass_time(MINUTE)
    assert told(b.events) == OVER, "it can be reached: the others are down by themselves"


def test_with_one_provider_its_outage_says_that_it_may_be_the_network() -> None:
    b = lost([watched("a1", provider="a"), watched("a2", provider="a")])
    assert told(b.events) == [("provider a", "fired")]
    assert "network of this host" in compose([b.events[0]], now=b.now).stories[0].advice


TWO_PROVIDERS = KEYS[:4]


def test_with_two_providers_the_outage_of_one_does_not_blame_the_network() -> None:
    b = Bench(TWO_PROVIDERS)
    for _ in range(7):
        fail_for(b, 3, ["a1", "a2"], Reason.TIMEOUT)
        for name in ("b1", "b2"):
            b.read(name, "5000")
    assert told(b.events) == [("provider a", "fired")]
    assert "network of this host" not in compose([b.events[0]], now=b.now).stories[0].advice


def test_two_providers_are_enough_to_know_that_it_is_the_network() -> None:
    assert told(lost(TWO_PROVIDERS).events) == LOST


@pytest.mark.parametrize(
    ("channel", "heard"),
    [
        pytest.param(Channel(), True, id="without filters"),
        pytest.param(Channel(providers=("a",)), True, id="of one provider"),
        pytest.param(Channel(providers=("z",)), False, id="of a provider that nobody watches"),
        pytest.param(Channel(accounts=("main",)), True, id="of one account"),
        pytest.param(Channel(accounts=("other",)), False, id="of an account that nobody watches"),
        pytest.param(Channel(keys=("b*",)), True, id="of some keys"),
        pytest.param(Channel(keys=("z*",)), False, id="of keys that nobody watches"),
        pytest.param(Channel(rules=("silent",)), True, id="of silence"),
        pytest.param(Channel(rules=("low_balance",)), False, id="of balances only"),
    ],
)
def test_a_channel_hears_of_the_network_if_it_hears_of_any_of_its_keys(
    channel: Channel, *, heard: bool
) -> None:
    keys = [watched("a1", provider="a", account="main"), watched("b1", provider="b")]
    b = lost(keys, channels=[channel])
    assert bool(b.notifications) is heard


@pytest.mark.parametrize(
    ("silence", "quiet"),
    [
        pytest.param({}, True, id="a silence of everything"),
        pytest.param({"rules": "silent"}, True, id="a silence of the rule"),
        pytest.param({"providers": "a"}, False, id="a silence of one provider"),
        pytest.param({"keys": "a*"}, False, id="a silence of some of the keys"),
    ],
)
def test_a_silence_holds_for_the_network_if_it_holds_for_all(
    silence: dict[str, Any], *, quiet: bool
) -> None:
    b = Bench(KEYS)
    b.pipeline.world.silences = (
        Silence(id=1, created_at=b.now, until=b.now + timedelta(days=1), **silence),
    )
    for name in NAMES:
        b.read(name, "5000")
    fail_for(b, 17)
    assert not told(b.events) if quiet else told(b.events) == LOST
    assert len(b.events) == 1


def test_the_host_is_a_subject_of_its_own() -> None:
    assert HOST.id == "host"
    assert Subject("") == HOST
    assert HOST.id not in {Subject("kie").id, Subject("", key="host").id}
