"""Whatever configuration follows whatever life: no false end, no second beginning, no leftovers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.bench import Bench, watched

from monitor.core.events import Change, Event, Why
from monitor.core.model import Reason
from monitor.core.rules import Rules
from monitor.world import WatchedKey

NAMES = ("a", "b")
LOW = "low_balance"

limits = st.sampled_from([None, 200, 1000])
balances = st.sampled_from(["0", "150", "900", "1050", "9000"])
steps = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(NAMES), balances),
    st.tuples(st.just("fail"), st.sampled_from(NAMES), st.just(Reason.SERVER_ERROR)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20]), st.none()),
    st.tuples(
        st.just("reload"),
        st.dictionaries(st.sampled_from(NAMES), limits, min_size=1),
        st.sampled_from(["", "", "shared"]),
    ),
)


def key(name: str, limit: int | None, account: str) -> WatchedKey:
    rules: dict[str, Any] = {LOW: None if limit is None else {"warning": limit, "critical": 100}}
    rules |= {"runway": None, "spike": None}
    return watched(name, account=account, rules=Rules.model_validate(rules))


class Course:
    """A bench, what it was last asked to watch, and the truth about each key."""

    def __init__(self) -> None:
        self.limits: dict[str, int | None] = dict.fromkeys(NAMES, 1000)
        self.account = ""
        self.bench = Bench([key(name, 1000, "") for name in NAMES])
        self.answers: dict[str, Decimal | None] = dict.fromkeys(NAMES)

    def take(self, kind: str, what: Any, value: Any) -> list[Event]:
        self.bench.now += timedelta(seconds=7)
        if kind == "wait":
            return self.bench.pass_time(timedelta(minutes=what))
        if kind == "reload":
            self.limits, self.account = what, value
            return self.bench.reconfigure(*(key(n, limit, value) for n, limit in what.items()))
        if kind == "fail":
            self.answers[what] = None
            return self.bench.fail(what, value)
        self.answers[what] = Decimal(value)
        return self.bench.read(what, value)

    def check(self, kind: str, what: Any, events: list[Event]) -> None:
        for event in events:
            if event.rule == LOW and event.change is Change.RESOLVED and event.told:
                self.check_end(kind, what, event)
        for alert in self.bench.pipeline.world.alerts.values():
            if alert.rule == LOW:
                names = [alert.subject.key] if alert.subject.key else list(self.limits)
                assert any(self.limits.get(name) is not None for name in names), "a leftover"

    def check_end(self, kind: str, what: Any, event: Event) -> None:
        """Somebody is told that it is over: then some key of it answers, and is not low."""
        assert event.why is Why.RECOVERED
        names = [event.subject.key] if event.subject.key else list(self.limits)
        if kind != "reload":
            names = [what]
        assert any(
            (limit := self.limits.get(name)) is not None
            and (balance := self.answers[name]) is not None
            and (balance >= limit or balance <= 0)
            for name in names
        ), f"a false end of {event.subject.label}"


SILENT_THEN_LOWER = [
    ("read", "a", "900"),
    ("fail", "a", Reason.SERVER_ERROR),
    ("reload", {"a": 200}, ""),
]


@settings(max_examples=200)
@example(SILENT_THEN_LOWER)
@given(st.lists(steps, max_size=25))
def test_no_configuration_makes_an_alert_end_without_a_reading_that_says_so(
    life: list[tuple[str, Any, Any]],
) -> None:
    course = Course()
    for kind, what, value in life:
        course.check(kind, what, course.take(kind, what, value))
    fired: dict[tuple[str, str, str], bool] = {}
    for event in course.bench.events:
        slot = (event.subject.id, event.meter, event.rule)
        if event.change is Change.FIRED:
            assert not fired.get(slot), "fired twice without an end between"
        if event.change in (Change.FIRED, Change.RESOLVED):
            fired[slot] = event.change is Change.FIRED
    assert {slot for slot, is_open in fired.items() if is_open} == set(
        course.bench.pipeline.world.alerts
    )
