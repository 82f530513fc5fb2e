"""An alert that comes and goes: told as such, held back, and told once when it has settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from support import bench as support
from support.bench import START, Bench, Channel

from monitor.core.events import Change, Event, Silence, Suppression, Why
from monitor.core.flapping import SETTLES_AFTER
from monitor.core.messages import compose
from monitor.core.model import Reason, Severity
from monitor.core.rules import Rules
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey

MINUTE = timedelta(minutes=1)
RULES = Rules.model_validate(
    {
        "low_balance": {"warning": 1000, "critical": 100},
        "silent": None,
        "topped_up": None,
        "exhausted": None,
    }
)
FULL, LOW, EMPTY = "5000", "500", "50"
FIRED, RESOLVED, WORSE = "fired", "resolved", "escalated"


def watched(name: str = "studio") -> WatchedKey:
    return support.watched(name, rules=RULES)


def play(bench: Bench, *balances: str, every: timedelta = MINUTE) -> list[str]:
    """Read *balances* one after the other; the changes that channels were told of."""
    before = len(bench.events)
    for balance in balances:
        bench.pass_time(every)
        bench.read("studio", balance)
    return told(bench.events[before:])


def told(events: Sequence[Event]) -> list[str]:
    return [event.change.value for event in events if event.told]


def flapping(*, last: str = LOW, **settings: object) -> Bench:
    """Fired for the third time within five minutes."""
    bench = Bench([watched()], **settings)  # type: ignore[arg-type]  # of the bench
    assert play(bench, LOW, FULL, LOW, FULL, last) == [FIRED, RESOLVED, FIRED, RESOLVED, FIRED]
    return bench


def calm(bench: Bench, span: timedelta = SETTLES_AFTER) -> list[Event]:
    """Nothing happens for *span*, and the daemon looks around each minute."""
    before = len(bench.events)
    end = bench.now + span
    while bench.now < end:
        bench.pass_time(MINUTE)
    return bench.events[before:]


@pytest.mark.parametrize(
    ("balances", "expected"),
    [
        pytest.param([LOW, FULL, LOW, FULL], [FIRED, RESOLVED] * 2, id="twice is all told"),
        pytest.param(
            [LOW, FULL] * 3,
            [FIRED, RESOLVED] * 2 + [FIRED],
            id="the end of the third time is held back",
        ),
        pytest.param(
            [LOW, FULL] * 9, [FIRED, RESOLVED] * 2 + [FIRED], id="and so is all that follows"
        ),
        pytest.param(
            [LOW, FULL] * 3 + [EMPTY],
            [FIRED, RESOLVED] * 2 + [FIRED] * 2,
            id="a worse severity is told",
        ),
        pytest.param(
            [*[LOW, FULL] * 3, LOW, EMPTY],
            [*[FIRED, RESOLVED] * 2, FIRED, WORSE],
            id="also when it gets worse while held back",
        ),
        pytest.param(
            [LOW, FULL] * 3 + [EMPTY, FULL] * 3,
            [FIRED, RESOLVED] * 2 + [FIRED] * 2,
            id="the same worse one is told once",
        ),
        pytest.param(
            [EMPTY, FULL] + [LOW, FULL] * 3 + [EMPTY, FULL],
            [FIRED, RESOLVED] * 2 + [FIRED] * 2,
            id="critical is told although it was critical before it flapped",
        ),
        pytest.param(
            [EMPTY, FULL] * 3 + [LOW, FULL],
            [FIRED, RESOLVED] * 2 + [FIRED],
            id="a better one is held back",
        ),
    ],
)
def test_of_an_alert_that_comes_and_goes_each_minute_is_told(
    balances: list[str], expected: list[str]
) -> None:
    assert play(Bench([watched()]), *balances) == expected


def test_three_times_in_more_than_an_hour_are_three_troubles() -> None:
    balances = [LOW, FULL] * 6
    assert play(Bench([watched()]), *balances, every=20 * MINUTE) == [FIRED, RESOLVED] * 6


def test_the_third_message_says_that_it_flaps_and_what_follows() -> None:
    b = flapping()
    message = compose([b.events[-1]], now=b.now)
    assert message.title == "WARNING: studio has 500 credits left (flapping)"
    assert dict(message.stories[0].facts)["Flapping"] == (
        "fired 3 times within 1 h; told again when it has stayed the same for 15 min"
    )


def test_what_is_held_back_is_on_record_with_its_reason() -> None:
    b = flapping()
    b.read("studio", FULL)
    assert [(s.channel, s.reason) for s in b.last.suppressed] == [("", Suppression.FLAPPING)]
    assert b.last.alerts[0].resolved_at == b.now, "the state is true all the time"


def test_an_end_that_was_held_back_is_told_once_when_it_has_settled() -> None:
    b = flapping()
    assert play(b, FULL) == []
    b.announcer.close_group(max(b.notifications))
    settled = calm(b)
    assert [(e.change, e.why, e.told) for e in settled] == [(Change.RESOLVED, Why.SETTLED, True)]
    newest = max(b.notifications.values(), key=lambda n: n.id)
    assert newest.event_ids == (settled[0].id,)
    assert newest.created_at == b.now, "it is not late: it was held back"
    message = compose(settled, now=b.now)
    assert message.title == "OK again: studio has 5,000 credits; low balance is over"
    assert dict(message.stories[0].facts)["Flapping"] == "fired 3 times within 1 h"
    assert calm(b, timedelta(hours=2)) == []


def test_the_end_of_what_is_no_longer_watched_is_not_told_when_it_has_settled() -> None:
    bench = flapping()
    without = RULES.model_copy(update={"low_balance": None})
    bench.reconfigure(support.watched("studio", rules=without))
    assert bench.events[-1].change is Change.RESOLVED
    assert told(calm(bench)) == []


def test_an_alert_that_stays_open_is_told_once_when_it_has_settled() -> None:
    b = flapping()
    play(b, FULL, LOW)
    settled = calm(b)
    assert [(e.change, e.why) for e in settled] == [(Change.REMINDED, Why.SETTLED)]
    title = compose(settled, now=b.now).title
    assert title.startswith("WARNING: no longer flapping, still open: studio has 500 credits left")
    assert play(b, FULL) == [RESOLVED], "from now on everything is told again"


def test_nothing_more_is_told_where_the_last_message_is_still_true() -> None:
    b = flapping()
    assert calm(b, timedelta(hours=1)) == []
    assert play(b, FULL) == [RESOLVED]


def test_after_it_has_settled_it_may_flap_again() -> None:
    b = flapping()
    play(b, FULL)
    calm(b, timedelta(hours=1))
    assert play(b, *[LOW, FULL] * 4) == [FIRED, RESOLVED, FIRED, RESOLVED, FIRED]


def test_what_never_settles_is_told_again_as_often_as_an_open_alert() -> None:
    policy = TellingPolicy(
        group_wait=timedelta(seconds=10), repeat={Severity.WARNING: timedelta(hours=4)}
    )
    b = flapping(policy=policy)
    heard = play(b, *[FULL, LOW] * 60 * 9, every=MINUTE / 2)
    assert heard == [FIRED, FIRED]
    assert b.events[-1].facts.fired >= 30


def test_a_channel_that_hears_of_it_hears_of_its_end() -> None:
    critical = Channel("phone", severities=(Severity.CRITICAL,))
    b = flapping(channels=[Channel(), critical])
    play(b, FULL, EMPTY, FULL, LOW, FULL)
    before = set(b.notifications)
    for waiting in before:
        b.announcer.close_group(waiting)
    calm(b)
    assert {n.channel for i, n in b.notifications.items() if i not in before} == {"ops", "phone"}


@pytest.mark.parametrize(
    ("balances", "expected"),
    [
        pytest.param([FULL], (Change.RESOLVED, Why.SETTLED), id="it ended"),
        pytest.param([FULL, LOW], (Change.REMINDED, Why.SETTLED), id="it is open again"),
    ],
)
def test_a_restart_forgets_nothing(balances: list[str], expected: tuple[Change, Why]) -> None:
    b = flapping()
    play(b, *balances)
    again = b.restart()
    assert play(again, *[FULL, LOW] * 2, *balances[-1:]) == []
    third = again.restart()
    assert [(e.change, e.why) for e in calm(third) if e.told] == [expected]
    assert calm(third.restart(), timedelta(hours=1)) == []


def test_a_clock_that_is_set_back_does_not_hold_it_back_for_hours() -> None:
    b = flapping()
    play(b, FULL)
    b.now -= timedelta(hours=5)
    assert [e.why for e in b.pass_time(MINUTE)] == [Why.SETTLED]


def test_an_end_that_settles_in_a_silence_is_not_told() -> None:
    b = flapping()
    play(b, FULL)
    b.pipeline.world.silences = (Silence(id=1, created_at=START, until=b.now + timedelta(days=1)),)
    assert [(e.why, e.told) for e in calm(b)] == [(Why.SETTLED, False)]
    assert [s.reason for s in b.last.suppressed] == [Suppression.SILENCED]
    b.pipeline.world.silences = ()
    assert told(calm(b.restart())) == []


def test_each_key_flaps_for_itself() -> None:
    b = Bench([watched("studio"), watched("spare")])
    play(b, *[LOW, FULL] * 4)
    b.read("spare", LOW)
    assert told(b.events[-1:]) == [FIRED]


def test_a_key_that_is_refused_now_and_then_all_day_is_few_messages() -> None:
    b = Bench([watched()])
    for minute in range(24 * 60):
        if minute % 2:
            b.fail("studio", Reason.UNAUTHORIZED)
        else:
            b.read("studio", FULL)
        b.pass_time(MINUTE)
    assert len([e for e in b.events if e.change is Change.FIRED]) == 12 * 60
    assert told(b.events) == [FIRED, RESOLVED, FIRED, RESOLVED, FIRED]
