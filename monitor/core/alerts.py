"""The alert state machine: one episode per slot, and a reason for every decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from monitor.core.events import Alert, Change, Facts, Why
from monitor.core.model import Severity, Subject
from monitor.core.rules.base import State, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a verdict did to an alert: the alert afterwards, and whether channels are told."""

    alert: Alert
    change: Change
    why: Why
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where an alert belongs."""

    subject: Subject
    meter: str
    rule: str


def step(
    slot: Slot, alert: Alert | None, verdict: Verdict, *, now: datetime, next_id: int
) -> Transition | None:
    """Apply *verdict* to the open *alert* of *slot* (None: nothing open).

    Returns None when nothing changes.  ``unknown`` never changes anything; a worse severity is
    told, a better one recorded; ok ends the episode.  *next_id* is used for a new episode.
    """
    if verdict.state is State.UNKNOWN:
        return None
    if verdict.state is State.OK:
        return None if alert is None else close(alert, verdict.facts, Why.RECOVERED, now)
    severity = verdict.severity
    if severity is None:
        raise ValueError("a breach needs a severity")
    if alert is None:
        opened = _open(slot, verdict.facts, severity, now, next_id)
        return Transition(alert=opened, change=Change.FIRED, why=Why.NEW, told=True)
    return _move(alert, verdict.facts, severity, now)


def occur(slot: Slot, verdict: Verdict, *, now: datetime, next_id: int) -> Transition | None:
    """An event without duration: told once, open and resolved in the same moment."""
    if verdict.state is not State.BREACH or verdict.severity is None:
        return None
    opened = _open(slot, verdict.facts, verdict.severity, now, next_id)
    done = replace(opened, resolved_at=now)
    return Transition(alert=done, change=Change.OCCURRED, why=Why.EVENT, told=True)


def close(alert: Alert, facts: Facts, why: Why, now: datetime) -> Transition:
    """End an episode; an alert that is no longer watched ends without telling anybody."""
    done = replace(alert, facts=facts, resolved_at=now, changed_at=now)
    return Transition(alert=done, change=Change.RESOLVED, why=why, told=why is Why.RECOVERED)


def _open(slot: Slot, facts: Facts, severity: Severity, now: datetime, next_id: int) -> Alert:
    return Alert(
        id=next_id,
        subject=slot.subject,
        meter=slot.meter,
        rule=slot.rule,
        severity=severity,
        worst=severity,
        opened_at=now,
        changed_at=now,
        facts=facts,
        severities=(severity,),
    )


def _move(alert: Alert, facts: Facts, severity: Severity, now: datetime) -> Transition | None:
    if severity is alert.severity:
        return None
    moved = replace(
        alert,
        severity=severity,
        worst=max(alert.worst, severity, key=lambda s: s.rank),
        changed_at=now,
        facts=facts,
    )
    if severity.rank < alert.severity.rank:
        return Transition(alert=moved, change=Change.EASED, why=Why.BETTER, told=False)
    if severity not in alert.severities:
        moved = replace(moved, severities=(*alert.severities, severity))
    return Transition(alert=moved, change=Change.ESCALATED, why=Why.WORSE, told=True)
