"""What holds for every series of verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alerts import Slot, Transition, step
from monitor.core.events import Alert, Change, Facts
from monitor.core.model import Severity, Subject
from monitor.core.rules import State, Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SLOT = Slot(subject=Subject("kie", "", "studio"), meter="balance", rule="low_balance")

verdicts = st.one_of(
    st.just(Verdict.unknown()),
    st.just(Verdict.ok(Facts())),
    st.sampled_from(Severity).map(lambda severity: Verdict.breach(severity, Facts())),
)
series = st.lists(verdicts, max_size=60)


def run(given_verdicts: list[Verdict]) -> list[tuple[Verdict, Alert | None, Transition | None]]:
    """Each verdict with the alert that is open after it and the transition it made."""
    alert: Alert | None = None
    rows = []
    next_id = 1
    for number, verdict in enumerate(given_verdicts):
        at = NOW + timedelta(minutes=number)
        transition = step(SLOT, alert, verdict, now=at, next_id=next_id)
        if transition is not None:
            next_id = max(next_id, transition.alert.id + 1)
            alert = None if transition.alert.resolved_at else transition.alert
        rows.append((verdict, alert, transition))
    return rows


def transitions(given_verdicts: list[Verdict]) -> list[Transition]:
    return [transition for _, _, transition in run(given_verdicts) if transition is not None]


@given(series)
def test_episodes_neither_overlap_nor_end_before_they_begin(given_verdicts: list[Verdict]) -> None:
    open_id: int | None = None
    seen: set[int] = set()
    for transition in transitions(given_verdicts):
        if transition.change is Change.FIRED:
            assert open_id is None
            assert transition.alert.id not in seen
            open_id = transition.alert.id
            seen.add(open_id)
        else:
            assert transition.alert.id == open_id
        if transition.change is Change.RESOLVED:
            open_id = None


@given(series)
def test_unknown_changes_nothing_whenever_it_comes(given_verdicts: list[Verdict]) -> None:
    known = [verdict for verdict in given_verdicts if verdict.state is not State.UNKNOWN]
    shape = [(t.change, t.alert.severity, t.alert.worst) for t in transitions(given_verdicts)]
    assert shape == [(t.change, t.alert.severity, t.alert.worst) for t in transitions(known)]
    assert all(t is None for v, _, t in run(given_verdicts) if v.state is State.UNKNOWN)


@given(series)
def test_told_is_what_is_new_worse_or_over_and_nothing_else(given_verdicts: list[Verdict]) -> None:
    for transition in transitions(given_verdicts):
        told = {Change.FIRED, Change.ESCALATED, Change.RESOLVED}
        assert transition.told is (transition.change in told)


@given(series)
def test_the_open_alert_has_the_severity_of_the_last_known_verdict(
    given_verdicts: list[Verdict],
) -> None:
    expected: Severity | None = None
    worst: Severity | None = None
    for verdict, alert, _ in run(given_verdicts):
        if verdict.state is State.OK:
            expected = worst = None
        elif verdict.state is State.BREACH and verdict.severity is not None:
            expected = verdict.severity
            worst = max(worst or expected, expected, key=lambda s: s.rank)
        assert (alert.severity if alert else None) is expected
        assert (alert.worst if alert else None) is worst
