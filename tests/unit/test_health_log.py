"""Which lines the log holds when one key fails, and when five hundred do."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.bench import Bench, watched

from monitor.core.model import Reason, Unasked

SWEEP = timedelta(seconds=5)
DETAIL = "no answer within 10 s"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="monitor.health_log")
    return caplog


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [r.getMessage() for r in caplog.records if r.name == "monitor.health_log"]
    caplog.clear()
    return found


def bench(count: int = 500, **changes: str) -> Bench:
    return Bench([watched(f"key-{n:03}", **changes) for n in range(count)])


def fail(b: Bench, keys: Sequence[str], reason: Reason = Reason.TIMEOUT) -> None:
    for key in keys:
        b.fail(key, reason, DETAIL)
    b.pass_time(SWEEP)


def answer(b: Bench, keys: Sequence[str]) -> None:
    for key in keys:
        b.answer(key)
    b.pass_time(SWEEP)


def names(b: Bench) -> list[str]:
    return [key.name for key in b.keys]


def trickle(b: Bench, keys: Sequence[str], step: str) -> None:
    """The keys in the order of a schedule that spreads them over five minutes."""
    for start in range(0, len(keys), 9):
        (fail if step == "fail" else answer)(b, keys[start : start + 9])


def test_one_key_is_told_once_when_it_fails_and_once_when_it_answers(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench(10)
    for _ in range(3):
        fail(b, ["key-004"])
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    fields = vars(record)
    assert (fields["key"], fields["provider"], fields["reason"]) == ("key-004", "kie", "timeout")
    assert record.levelno == logging.WARNING
    assert lines(told) == [f"no reading: {DETAIL}"]
    answer(b, ["key-004"])
    answer(b, ["key-004"])
    assert lines(told) == ["answers again, after 15 s"]


def test_a_new_reason_of_a_key_that_fails_is_told(told: pytest.LogCaptureFixture) -> None:
    b = bench(10)
    fail(b, ["key-004"])
    fail(b, ["key-004"], Reason.UNAUTHORIZED)
    assert len(lines(told)) == 2


def test_five_hundred_keys_that_fail_at_once_are_one_line_and_one_at_the_end(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench()
    fail(b, names(b))
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    assert (vars(record)["failing"], vars(record)["keys"]) == (500, 500)
    [start] = lines(told)
    assert start.startswith(f"several keys give no reading: {DETAIL}; single keys are told at")
    b.pass_time(timedelta(minutes=18))
    fail(b, names(b))
    assert lines(told) == []
    answer(b, names(b))
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    assert vars(record)["recovered"] == 500
    assert lines(told) == ["all keys answer again, after 18 min"]


def test_keys_that_fail_and_answer_one_after_the_other_are_told_together_too(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench()
    trickle(b, names(b), "fail")
    assert len(lines(told)) == 1
    trickle(b, names(b), "answer")
    [end] = lines(told)
    assert end.startswith("all keys answer again")


@pytest.mark.parametrize(
    ("answering", "says"),
    [
        pytest.param(4, "keys answer again", id="most of them answer"),
        pytest.param(2, "several keys give no reading", id="half of them fail"),
    ],
)
def test_a_line_about_several_keys_says_where_it_goes(
    answering: int, says: str, told: pytest.LogCaptureFixture
) -> None:
    b = bench(20)
    before, after = names(b)[:answering], names(b)[10:12]
    for key in before:  # each for itself
        fail(b, [key])
        b.pass_time(timedelta(minutes=11))
    lines(told)
    for key in before:
        b.answer(key)
    fail(b, after)
    [line] = lines(told)
    assert line.startswith(f"{says}: {DETAIL}")


def test_after_an_outage_single_keys_are_told_again(told: pytest.LogCaptureFixture) -> None:
    b = bench()
    fail(b, names(b))
    answer(b, names(b))
    lines(told)
    fail(b, ["key-100"])
    assert lines(told) == [f"no reading: {DETAIL}"]


def test_keys_that_stay_behind_are_named_when_all_others_answer(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench()
    fail(b, names(b))
    answer(b, names(b)[2:])
    assert len(lines(told)) == 1
    b.pass_time(timedelta(minutes=11))
    assert lines(told) == ["still no reading of key-000, key-001; all others answer"]
    answer(b, ["key-001"])
    assert lines(told) == ["answers again, after 11 min"]


def test_a_few_keys_that_are_refused_for_good_do_not_hush_the_others(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench()
    fail(b, names(b)[:10], Reason.UNAUTHORIZED)
    b.pass_time(timedelta(minutes=11))
    start, end = lines(told)
    assert start.startswith("several keys give no reading")
    assert end == "still no reading of key-000, key-001, key-002, and 7 more; all others answer"
    fail(b, ["key-400"])
    assert lines(told) == [f"no reading: {DETAIL}"]


def test_a_restart_within_an_outage_tells_its_end_as_one_line(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench()
    fail(b, names(b))
    b = b.restart()
    lines(told)
    trickle(b, names(b), "answer")
    begin, end = lines(told)
    assert begin.startswith("keys answer again")
    assert end.startswith("all keys answer again")


def test_the_loss_of_the_network_is_one_line_for_all_providers(
    told: pytest.LogCaptureFixture,
) -> None:
    b = Bench([watched(f"k{p}-{n}", provider=f"p{p}") for p in range(20) for n in range(5)])
    fail(b, names(b), Reason.CONNECTION)
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    assert (vars(record)["providers"], vars(record)["failing"]) == (20, 100)
    lines(told)
    answer(b, names(b))
    assert len(lines(told)) == 1
    fail(b, names(b)[:5], Reason.CONNECTION)
    assert len(lines(told)) == 1


def test_two_providers_with_trouble_of_their_own_are_told_apart(
    told: pytest.LogCaptureFixture,
) -> None:
    b = Bench([watched(f"k{p}-{n}", provider=f"p{p}") for p in range(8) for n in range(5)])
    fail(b, [n for n in names(b) if n.startswith(("k1", "k2"))], Reason.CONNECTION)
    records = [r for r in told.records if r.name == "monitor.health_log"]
    assert [vars(r)["provider"] for r in records] == ["p1", "p2"]


def test_single_keys_of_an_outage_are_told_at_debug_level(
    told: pytest.LogCaptureFixture,
) -> None:
    told.set_level(logging.DEBUG, logger="monitor.health_log")
    b = bench(20)
    fail(b, names(b))
    levels = [r.levelno for r in told.records if r.name == "monitor.health_log"]
    assert levels.count(logging.DEBUG) == 20


def test_keys_that_are_not_asked_while_their_provider_is_down_count_too(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench(100)
    for name in names(b)[2:]:
        b.take(b.pipeline.observe(Unasked(key=name, at=b.now, reason=Reason.TIMEOUT)))
    fail(b, names(b)[:2])
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    assert vars(record)["failing"] == 100


def test_a_reload_in_an_outage_goes_on_telling_it_as_one(told: pytest.LogCaptureFixture) -> None:
    b = bench(20)
    fail(b, names(b))
    b.reconfigure(
        *(k.watched for k in b.pipeline.world.keys.values() if k.watched.name != "key-000")
    )
    lines(told)
    answer(b, names(b))
    [record] = [r for r in told.records if r.name == "monitor.health_log"]
    assert vars(record)["keys"] == 19
    assert "all keys answer again" in record.getMessage()


def test_what_no_sweep_has_told_is_told_at_the_stop(told: pytest.LogCaptureFixture) -> None:
    b = bench(2)
    b.fail("key-001", Reason.TIMEOUT, DETAIL)
    b.pipeline.finish()
    assert lines(told) == [f"no reading: {DETAIL}"]


def test_a_clock_that_is_set_back_does_not_stop_the_telling(
    told: pytest.LogCaptureFixture,
) -> None:
    b = bench(20)
    fail(b, names(b)[:10])
    b.pass_time(-timedelta(days=1))
    lines(told)
    fail(b, ["key-015"])
    assert lines(told) == [f"no reading: {DETAIL}"]


def test_the_end_of_an_outage_of_thousands_of_keys_is_told_in_a_moment() -> None:
    b = bench(4_000)
    fail(b, names(b))
    for key in names(b)[:2_000]:
        b.answer(key)
    began = time.thread_time()
    b.pass_time(SWEEP)
    assert time.thread_time() - began < 0.2, "the loop stands still for so long"
