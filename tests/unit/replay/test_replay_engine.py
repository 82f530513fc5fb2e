"""The pipeline over the past: what is said, when, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.core.model import Reason
from monitor.core.rules import Rules
from monitor.replay import AlertLine, ForecastLine, Line, Replay, Sighting, Wanted, polls
from monitor.world import WatchedKey

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIVE = timedelta(minutes=5)


def alone(name: str) -> Sequence[WatchedKey]:
    return (WatchedKey(name=name, provider="samples", interval=FIVE, rules=Rules()),)


def replay(every: int = 3600, *, alerts: bool = True) -> Replay:
    return Replay(alone, Wanted(every=every, alerts=alerts))


def seen(minutes: float, balance: str | None, key: str = "a", **more: Reason) -> Sighting:
    amount = None if balance is None else Decimal(balance)
    return Sighting(START + minutes * MINUTE, key, "balance", amount, **more)


def play(of: Replay, sightings: Iterable[Sighting]) -> list[Line]:
    return [line for one in sightings for line in of.feed(one)] + list(of.finish())


def burning(per_step: int, steps: int, key: str = "a", first: int = 100_000) -> list[Sighting]:
    return [seen(5 * n, str(first - per_step * n), key) for n in range(steps)]


def forecasts(lines: Iterable[Line]) -> list[ForecastLine]:
    return [line for line in lines if isinstance(line, ForecastLine)]


def alerts(lines: Iterable[Line]) -> list[tuple[str, str, str, bool]]:
    return [
        (line.key, line.event.rule, str(line.severity), line.is_open)
        for line in lines
        if isinstance(line, AlertLine)
    ]


def test_forecasts_come_at_whole_multiples_of_the_time_between_them() -> None:
    lines = forecasts(play(replay(), [seen(n * 5 + 2, "100") for n in range(40)]))
    assert [line.at for line in lines] == [START + timedelta(hours=n) for n in (1, 2, 3)]


def test_a_forecast_knows_the_reading_of_its_own_moment_and_none_after_it() -> None:
    lines = forecasts(play(replay(), burning(10, 25)))
    assert [int(line.balance) for line in lines] == [100_000, 99_880, 99_760]
    assert lines[0].forecast.burn_per_hour is None
    assert [line.forecast.burn_per_hour for line in lines[1:]] == [120, 120]


def test_a_reading_is_answered_before_the_next_one_is_there() -> None:
    of = replay()
    first, second = (list(of.feed(one)) for one in (seen(0, "100"), seen(60, "90")))
    assert [line.at for line in first] == [START]
    assert [line.at for line in second] == [START + timedelta(hours=1)]


def test_a_forecast_does_not_wait_for_a_meter_that_is_not_read() -> None:
    of = replay()
    list(of.feed(seen(0, "100")))
    found = forecasts(of.feed(seen(121, "50", "b")))
    assert [(line.key, line.at) for line in found] == [
        ("a", START + timedelta(hours=1)),
        ("a", START + timedelta(hours=2)),
    ]


def test_forecasts_of_several_meters_come_in_the_order_of_time() -> None:
    lines = forecasts(play(replay(), [seen(0, "100"), seen(0, "50", "b"), seen(125, "99")]))
    hours = [(line.at - START) / timedelta(hours=1) for line in lines]
    assert [(line.key, hour) for line, hour in zip(lines, hours, strict=True)] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
    ]


def test_a_meter_that_nobody_reads_any_more_has_no_forecast_after_two_days() -> None:
    lines = forecasts(play(replay(), [seen(0, "100"), seen(7 * 1440, "90")]))
    assert [line.at - START for line in lines] == [
        *(timedelta(hours=n) for n in range(49)),
        timedelta(days=7),
    ]


def test_there_is_no_runway_before_there_is_enough_history_and_then_there_is() -> None:
    lines = forecasts(play(replay(), burning(10, 12 * 24)))
    known = [line.forecast.runway is not None for line in lines]
    assert known[:6] == [False] * 6
    assert all(known[12:])
    runway = lines[-1].forecast.runway
    assert runway is not None
    assert 0.8 * 97_000 / 120 < runway.p50 < 1.2 * 97_000 / 120


def test_what_is_not_used_has_a_runway_without_end() -> None:
    lines = forecasts(play(replay(), [seen(n * 5, "100") for n in range(12 * 24)]))
    runway = lines[-1].forecast.runway
    assert runway is not None
    assert str(runway.p50) == "inf"


def test_keys_one_after_the_other_get_the_same_as_keys_at_the_same_time() -> None:
    a, b = burning(10, 300, "a", 3100), burning(7, 300, "b", 2200)
    together = sorted([*a, *b], key=lambda one: one.at)
    one = play(replay(), [*a, *b])
    other = play(replay(), together)
    for key in "ab":
        mine, yours = ([x for x in lines if x.key == key] for lines in (one, other))
        assert forecasts(mine) == forecasts(yours)
        assert alerts(mine) == alerts(yours)


def test_alerts_open_get_worse_and_end_and_a_top_up_is_both_at_once() -> None:
    story = [seen(0, "1000"), seen(5, "150"), seen(10, "0"), seen(15, "5000")]
    assert alerts(play(replay(every=0), story)) == [
        ("a", "low_balance", "warning", True),
        ("a", "exhausted", "critical", True),
        ("a", "topped_up", "info", True),
        ("a", "topped_up", "info", False),
        ("a", "exhausted", "critical", False),
        ("a", "low_balance", "warning", False),
    ]


def test_each_severity_opens_and_ends_for_itself() -> None:
    story = [seen(0, "1000"), seen(5, "150"), seen(10, "40"), seen(15, "60"), seen(20, "5000")]
    found = alerts(play(replay(every=0), story))
    assert [line[1:] for line in found if line[1] == "low_balance"] == [
        ("low_balance", "warning", True),
        ("low_balance", "critical", True),
        ("low_balance", "critical", False),
        ("low_balance", "warning", True),
        ("low_balance", "warning", False),
    ]
    straight = alerts(play(replay(every=0), [*story[:3], seen(15, "5000")]))
    assert [line[1:] for line in straight if line[1] == "low_balance"][2:] == [
        ("low_balance", "critical", False),
        ("low_balance", "warning", False),
    ]


def test_forecasts_alone_are_without_alerts_and_the_other_way_round() -> None:
    story = [seen(0, "1000"), seen(60, "10")]
    assert not alerts(play(replay(alerts=False), story))
    assert not forecasts(play(replay(every=0), story))


def test_failed_polls_make_a_key_silent_and_a_time_without_polls_does_not() -> None:
    failed = [seen(5 * n, None, reason=Reason.TIMEOUT) for n in range(1, 7)]
    story = [seen(0, "100"), *failed, seen(35, "100"), seen(2000, "100")]
    assert alerts(play(replay(), story)) == [
        ("a", "silent", "warning", True),
        ("a", "silent", "warning", False),
    ]


def test_a_refused_key_is_told_at_once() -> None:
    story = [seen(0, "100"), seen(5, None, reason=Reason.UNAUTHORIZED), seen(10, "100")]
    assert alerts(play(replay(), story)) == [
        ("a", "rejected", "critical", True),
        ("a", "rejected", "critical", False),
    ]


def test_keys_of_one_account_are_one_balance() -> None:
    shared = [WatchedKey(name=name, provider="kie", account="main", interval=FIVE) for name in "ab"]
    of = Replay(lambda _: shared, Wanted(every=0))
    story = [
        seen(minutes, balance, key)
        for minutes, balance in ((0, "1000"), (5, "150"), (10, "140"))
        for key in "ab"
    ]
    assert alerts(play(of, story)) == [("a", "low_balance", "warning", True)]


def test_a_meter_without_a_cap_has_no_forecast() -> None:
    assert not forecasts(play(replay(), [seen(n, None) for n in range(200)]))


def test_the_alert_of_an_account_keeps_its_key_when_another_one_speaks() -> None:
    shared = [WatchedKey(name=name, provider="kie", account="main", interval=FIVE) for name in "ab"]
    of = Replay(lambda _: shared, Wanted(every=0))
    story = [seen(0, "1000", "a"), seen(5, "150", "a"), seen(30, "900", "b")]
    found = [line for line in alerts(play(of, story)) if line[1] == "low_balance"]
    assert found == [("a", "low_balance", "warning", True), ("a", "low_balance", "warning", False)]


def test_a_meter_that_is_shown_no_more_has_no_forecast_once_it_is_forgotten() -> None:
    story = [Sighting(START, "a", "old", Decimal(5)), *(seen(60 * n, "100") for n in range(60))]
    lines = [line for line in forecasts(play(replay(), story)) if line.meter == "old"]
    assert timedelta(hours=23) < lines[-1].at - START < timedelta(hours=26)


# -- polls of several meters and keys ---------------------------------------------------------


def test_the_meters_of_a_key_at_one_moment_are_one_poll() -> None:
    usd, cny = Sighting(START, "a", "USD", Decimal(5)), Sighting(START, "a", "CNY", Decimal(0))
    other, later = seen(0, "1", "b"), usd._replace(at=START + FIVE)
    assert list(polls([usd, other, cny, later])) == [[usd, cny], [other], [later]]


def test_what_is_read_twice_at_one_moment_counts_last_as_it_stands_last() -> None:
    first, second = seen(0, "100"), seen(0, "90")
    assert list(polls([first, second])) == [[first], [second]]


def test_a_currency_that_nobody_pays_in_is_no_news_beside_another() -> None:
    of = replay(every=0)
    lines: list[Line] = []
    for minutes in range(0, 60, 5):
        usd = Sighting(START + minutes * MINUTE, "a", "USD", Decimal(100))
        lines += of.feed(usd._replace(meter="CNY", balance=Decimal(0)), usd)
    lines += of.feed(usd._replace(at=START + 61 * MINUTE, meter="CNY", balance=Decimal(0)))
    assert alerts(lines) == []


def test_a_poll_that_reads_one_meter_of_two_is_no_failed_poll() -> None:
    of = replay(every=0)
    lines = list(of.feed(seen(0, "100"), seen(0, "7")._replace(meter="other")))
    for minutes in range(5, 30, 5):
        failed = seen(minutes, None, reason=Reason.SESSION_BROKEN)._replace(meter="other")
        lines += of.feed(seen(minutes, "100"), failed)
    found = [(line.meter, line.event.rule) for line in lines if isinstance(line, AlertLine)]
    assert found == [("other", "rejected")]


def together(*names: str) -> Replay:
    keys = [WatchedKey(name=name, provider="kie", interval=FIVE) for name in names]
    return Replay(lambda _: keys, Wanted(every=0))


def failing(minutes: Iterable[float], *names: str) -> list[Sighting]:
    timeout = Reason.TIMEOUT
    return [seen(at, None, name, reason=timeout) for at in minutes for name in names]


def test_the_outage_of_a_provider_is_told_once_for_keys_that_are_watched_together() -> None:
    of = together("a", "b", "c")
    story = [
        *(seen(0, "100", name) for name in "abc"),
        *failing(range(5, 40, 5), "a", "b", "c"),
        *(seen(minutes, "100", name) for minutes in (40, 45) for name in "abc"),
    ]
    assert alerts(play(of, story)) == [
        ("provider kie", "silent", "warning", True),
        ("provider kie", "silent", "warning", False),
    ]


def test_a_silence_is_told_when_its_time_has_come_between_two_polls() -> None:
    story = [seen(0, "100"), *failing((4, 8, 12, 18, 22), "a")]
    [line] = [line for line in play(replay(every=0), story) if isinstance(line, AlertLine)]
    assert line.at == START + 19 * MINUTE


def test_a_key_of_which_there_are_no_polls_is_not_silent_when_another_one_is() -> None:
    story = [seen(0, "100", "a"), *failing([0], "b"), *failing(range(60, 90, 5), "a")]
    assert [line[0] for line in alerts(play(together("a", "b", "never"), story))] == ["a"]
