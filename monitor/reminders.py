"""Tells again what is still open: reminders, escalation, the ends of silences and of flapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.core.alerts import Transition
from monitor.core.events import Alert, Change, Suppression, Why
from monitor.core.flapping import Course
from monitor.core.model import Severity
from monitor.restraint import Restraint, was_told
from monitor.store.base import Changes
from monitor.teller import Teller, TellingPolicy, log_step
from monitor.world import World


class Reminders:
    """Goes through the open alerts again and again; *restraint* says which of them rest."""

    def __init__(
        self, world: World, policy: TellingPolicy, teller: Teller, restraint: Restraint
    ) -> None:
        self._world = world
        self._policy = policy
        self._teller = teller
        self._restraint = restraint

    def reconfigure(self, policy: TellingPolicy) -> None:
        """Tell again as *policy* says from now on."""
        self._policy = policy

    def remind(self, now: datetime, changes: Changes) -> None:
        """Tell again what is still open: reminders, the end of silences and of flapping,
        escalation.
        """
        for slot, course in self._restraint.flapping.settled(now):
            self._settle(self._world.alerts.get(slot), course, now, changes)
        self._tell_kept_ends(now, changes)
        waiting = []
        for alert in list(self._world.alerts.values()):
            if self._restraint.is_silenced_at(alert, now):
                continue
            if self._restraint.is_owed(alert):
                why = self._restraint.why_told_late(alert)
                if why is not None:
                    self._remind(alert, why, now, changes)
            elif alert.id not in self._world.acks and not self._restraint.is_over_it(alert):
                self._escalate(alert, now, changes)
                waiting.append(self._world.alerts[alert.slot])
        self._repeat(waiting, now, changes)

    def _settle(self, alert: Alert | None, course: Course, now: datetime, changes: Changes) -> None:
        """Tell how an alert that flapped stands, where channels believe something else."""
        if alert is not None:
            self._settle_open(alert, course, now, changes)
        elif (end := course.untold_end) is not None:
            silenced = self._restraint.is_silenced_at(end, now)
            end = replace(end, told=not silenced, why=Why.SETTLED)
            changes.events.append(end)
            if silenced:
                self._teller.suppress(end, Suppression.SILENCED, changes)
                self._restraint.kept_ends.keep(end, course.severities)
            elif self._policy.tell_resolved:
                self._teller.tell(end, course.severities, now, changes)

    def _settle_open(self, alert: Alert, course: Course, now: datetime, changes: Changes) -> None:
        if was_told(alert):
            return
        alert = replace(alert, severities=course.severities)
        if not self._restraint.is_silenced_at(alert, now):
            self._remind(alert, Why.SETTLED, now, changes)
            return
        self._world.alerts[alert.slot] = alert
        changes.alerts.append(alert)

    def _tell_kept_ends(self, now: datetime, changes: Changes) -> None:
        """Tell what ended within a silence that is over, unless it has begun again since."""
        kept_ends = self._restraint.kept_ends
        for slot, kept in kept_ends:
            if self._restraint.is_silenced_at(kept.event, now):
                continue
            kept_ends.let_go(slot)
            told = self._policy.tell_resolved and slot not in self._world.alerts
            end = replace(kept.event, told=told, why=Why.SILENCE_OVER)
            changes.events.append(end)
            if told:
                also = self._policy.escalate_to if kept.escalated else ""
                self._teller.tell(end, kept.severities, now, changes, also=also)

    def _repeat(self, waiting: Sequence[Alert], now: datetime, changes: Changes) -> None:
        """Reminders that are due; those due soon come along, so that it is one message."""
        for severity, repeat in self._policy.repeat.items():
            ages = [
                (now - (a.told_at or a.changed_at), a) for a in waiting if a.severity is severity
            ]
            if any(age >= repeat for age, _ in ages):
                for age, alert in ages:
                    if age >= repeat / 2:
                        self._remind(alert, Why.REPEAT, now, changes)

    def _escalate(self, alert: Alert, now: datetime, changes: Changes) -> None:
        policy = self._policy
        waited = now - min(alert.opened_at, alert.told_at or alert.opened_at)
        if (
            policy.escalate_after is not None
            and alert.severity is Severity.CRITICAL
            and alert.escalated_at is None
            and waited >= policy.escalate_after
        ):
            self._remind(replace(alert, escalated_at=now), Why.UNANSWERED, now, changes)

    def _remind(self, alert: Alert, why: Why, now: datetime, changes: Changes) -> None:
        told = alert.severities
        if alert.severity not in told:
            told = (*told, alert.severity)
        facts = replace(alert.facts, fired=self._restraint.flapping.fired(alert.slot, now))
        alert = replace(alert, told_at=now, severities=told, facts=facts)
        self._restraint.withheld.discard(alert.id)
        self._world.alerts[alert.slot] = alert
        changes.alerts.append(alert)
        reminder = Transition(alert=alert, change=Change.REMINDED, why=why, told=True)
        event = replace(self._teller.event(reminder), at=now)
        changes.events.append(event)
        self._restraint.flapping.note(event)
        log_step(event, alert)
        self._teller.tell(event, (alert.severity,), now, changes)
