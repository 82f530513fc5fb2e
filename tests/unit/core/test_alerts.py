"""One episode per slot: what is told, what is only recorded, what changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.alerts import Slot, Transition, close, occur, step
from monitor.core.events import Alert, Change, Facts, Why
from monitor.core.model import Severity, Subject
from monitor.core.rules import State, Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
SLOT = Slot(subject=Subject("kie", "", "studio"), meter="balance", rule="low_balance")
FEW = Facts(balance=Decimal(100), unit="credits")
LESS = Facts(balance=Decimal(10), unit="credits")
WARNING = Verdict.breach(Severity.WARNING, FEW)
CRITICAL = Verdict.breach(Severity.CRITICAL, LESS)
OK = Verdict.ok(Facts(balance=Decimal(1000), unit="credits"))
UNKNOWN = Verdict.unknown()


def run(*verdicts: Verdict) -> tuple[Alert | None, list[Transition]]:
    alert: Alert | None = None
    told: list[Transition] = []
    for number, verdict in enumerate(verdicts):
        at = NOW + timedelta(minutes=number)
        transition = step(SLOT, alert, verdict, now=at, next_id=len(told) + 1)
        if transition is not None:
            told.append(transition)
            alert = None if transition.alert.resolved_at else transition.alert
    return alert, told


def words(transitions: list[Transition]) -> list[str]:
    return [f"{t.change}, {t.why}, {'told' if t.told else 'recorded'}" for t in transitions]


FIRED = "fired, new, told"
ESCALATED = "escalated, worse, told"
EASED = "eased, better, recorded"
RESOLVED = "resolved, recovered, told"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        pytest.param([OK], [], id="all is well from the start: nothing"),
        pytest.param([UNKNOWN], [], id="unknown raises nothing"),
        pytest.param([WARNING], [FIRED], id="a first verdict in breach is told at once"),
        pytest.param([WARNING, WARNING, WARNING], [FIRED], id="an episode is told once"),
        pytest.param([WARNING, CRITICAL], [FIRED, ESCALATED], id="worse is told"),
        pytest.param([CRITICAL, WARNING], [FIRED, EASED], id="better is recorded, not sent"),
        pytest.param(
            [CRITICAL, WARNING, CRITICAL],
            [FIRED, EASED, ESCALATED],
            id="worse again is told again",
        ),
        pytest.param([WARNING, OK], [FIRED, RESOLVED], id="the end is told"),
        pytest.param([WARNING, OK, OK], [FIRED, RESOLVED], id="the end is told once"),
        pytest.param(
            [WARNING, UNKNOWN, UNKNOWN, OK],
            [FIRED, RESOLVED],
            id="unknown neither ends nor interrupts an episode",
        ),
        pytest.param(
            [WARNING, UNKNOWN, WARNING], [FIRED], id="after unknown it is the same episode"
        ),
        pytest.param(
            [WARNING, OK, WARNING],
            [FIRED, RESOLVED, FIRED],
            id="after its end a new breach is a new episode",
        ),
    ],
)
def test_an_episode(verdicts: list[Verdict], expected: list[str]) -> None:
    assert words(run(*verdicts)[1]) == expected


def test_a_new_alert_says_where_since_when_and_why() -> None:
    alert, _ = run(WARNING)
    assert alert == Alert(
        id=1,
        subject=SLOT.subject,
        meter="balance",
        rule="low_balance",
        severity=Severity.WARNING,
        worst=Severity.WARNING,
        opened_at=NOW,
        changed_at=NOW,
        facts=FEW,
        severities=(Severity.WARNING,),
    )
    assert alert.slot == ("key:studio", "balance", "low_balance")


def test_an_alert_keeps_identity_and_beginning_as_it_worsens_and_eases() -> None:
    alert, told = run(WARNING, CRITICAL, WARNING)
    assert alert is not None
    assert {t.alert.id for t in told} == {1}
    assert {t.alert.opened_at for t in told} == {NOW}
    assert alert.severity is Severity.WARNING
    assert alert.worst is Severity.CRITICAL
    assert alert.changed_at == NOW + timedelta(minutes=2)
    assert told[1].alert.facts == LESS


def test_the_end_carries_the_new_facts_and_the_worst_severity() -> None:
    alert, told = run(CRITICAL, WARNING, OK)
    assert alert is None
    done = told[-1].alert
    assert done.facts == OK.facts
    assert done.worst is Severity.CRITICAL
    assert done.resolved_at == done.changed_at == NOW + timedelta(minutes=2)


def test_what_is_no_longer_watched_ends_without_telling_anybody() -> None:
    alert, _ = run(WARNING)
    assert alert is not None
    transition = close(alert, alert.facts, Why.UNWATCHED, LATER)
    assert words([transition]) == ["resolved, unwatched, recorded"]
    assert transition.alert.resolved_at == LATER


def test_an_event_is_told_once_and_open_for_no_time() -> None:
    verdict = Verdict.breach(Severity.INFO, Facts(amount=Decimal(500)))
    transition = occur(SLOT, verdict, now=NOW, next_id=7)
    assert transition is not None
    assert words([transition]) == ["occurred, event, told"]
    assert transition.alert.id == 7
    assert transition.alert.opened_at == transition.alert.resolved_at == NOW


@pytest.mark.parametrize("verdict", [OK, UNKNOWN], ids=["ok", "unknown"])
def test_no_breach_is_no_event(verdict: Verdict) -> None:
    assert occur(SLOT, verdict, now=NOW, next_id=1) is None


def test_a_breach_without_severity_is_a_bug_and_said_so() -> None:
    broken = Verdict(state=State.BREACH)
    with pytest.raises(ValueError, match="needs a severity"):
        step(SLOT, None, broken, now=NOW, next_id=1)


def test_a_clock_set_back_ends_an_episode_all_the_same() -> None:
    alert, _ = run(WARNING)
    transition = step(SLOT, alert, OK, now=NOW - timedelta(days=2), next_id=2)
    assert transition is not None
    assert transition.change is Change.RESOLVED
