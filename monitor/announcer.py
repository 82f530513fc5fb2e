"""Moves alerts on, records every change as an event, and enqueues what the channels are told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from monitor.core.alerts import Slot, Transition, step
from monitor.core.flapping import Course, Flapping
from monitor.core.messages import Message, encode
from monitor.core.model import (
    HOST,
    Alert,
    Change,
    Event,
    Facts,
    Notification,
    Severity,
    Subject,
    Suppressed,
    Suppression,
    Why,
)
from monitor.core.routing import Concern, is_silenced
from monitor.core.rules.base import Verdict
from monitor.core.stories import ONE_STORY, SAYS_IT_ALL
from monitor.store.base import Changes, Snapshot
from monitor.world import World, concern_of

log = logging.getLogger(__name__)


class Route(Protocol):
    """One channel as the announcer sees it: a name, what it wants to hear, and when."""

    @property
    def name(self) -> str:
        """The channel's name."""
        ...

    def why_not(self, severity: Severity, concern: Concern) -> str:
        """The reason why the channel is not told of *concern*; empty when it is."""
        ...

    def held_until(self, severity: Severity, now: datetime) -> datetime | None:
        """The end of the quiet hours that hold a message back; None: tell at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingPolicy:
    """How the channels are told, whichever the channel.

    ``repeat`` is the time between reminders by severity; a critical alert that nobody acknowledged
    for ``escalate_after`` is told to the channel ``escalate_to`` as well.
    """

    group_wait: timedelta
    tell_resolved: bool = True
    repeat: Mapping[Severity, timedelta] = field(default_factory=dict)
    escalate_after: timedelta | None = None
    escalate_to: str = ""


class Announcer:
    """Gives out the numbers of alerts, events and notifications, and groups what comes together.

    A notification waits ``group_wait`` (or until quiet hours end); until the outbox closes its
    group, further events for the same channel join it.
    """

    def __init__(
        self, world: World, routes: Sequence[Route], policy: TellingPolicy, snapshot: Snapshot
    ) -> None:
        self._world = world
        self._routes = routes
        self._policy = policy
        self._alert_id = snapshot.last_alert_id
        self._event_id = snapshot.last_event_id
        self._notification_id = snapshot.last_notification_id
        self._covered: set[int] = set()  # alerts whose story another one tells
        self._flapping = Flapping(policy.repeat, snapshot.recent)
        self._groups: dict[tuple[str, bool], Notification] = {}  # (channel, held in quiet hours)

    @property
    def next_alert_id(self) -> int:
        """The identity of the next new alert."""
        return self._alert_id + 1

    @property
    def last_notification_id(self) -> int:
        """The newest notification's identity."""
        return self._notification_id

    def step(self, slot: Slot, verdict: Verdict, now: datetime, changes: Changes) -> None:
        """Let *verdict* move the alert of *slot*, and tell what follows."""
        alert = self._world.alert(slot)
        transition = step(slot, alert, verdict, now=now, next_id=self.next_alert_id)
        if transition is not None:
            self.apply(transition, changes)

    def apply(self, transition: Transition, changes: Changes) -> None:
        """Move the alert on in memory, record the change, and enqueue it for the channels."""
        before = self._world.alerts.get(transition.alert.slot)
        transition, suppression = self._muted(self._counted(transition), before)
        alert = transition.alert
        self._alert_id = max(self._alert_id, alert.id)
        if alert.resolved_at is None:
            self._world.alerts[alert.slot] = alert
        elif transition.change is Change.RESOLVED:
            self._world.alerts.pop(alert.slot, None)
            self._world.acks.pop(alert.id, None)
        changes.alerts.append(alert)
        event = self._event(transition)
        changes.events.append(event)
        self._flapping.note(event)
        self._log(event, alert)
        if suppression is not None:
            self._suppress(event, suppression, changes)
        if event.told and (self._policy.tell_resolved or event.change is not Change.RESOLVED):
            ended = event.change is Change.RESOLVED
            asked = self._policy.escalate_to if ended and alert.escalated_at else ""
            severities = alert.severities if ended else (alert.severity,)
            self._enqueue(event, severities, event.at, changes, also=asked)

    def _log(self, event: Event, alert: Alert) -> None:
        fields = {
            "alert": alert.id,
            "rule": event.rule,
            "severity": event.severity.value,
            **({"meter": alert.meter} if alert.meter else {}),
            **({"keys": len(alert.facts.keys)} if alert.facts.keys else {}),
        }
        log.info("alert %s: %s", event.change, alert.subject.label, extra=fields)

    def wanted(self, route: Route, alert: Alert) -> bool:
        """Whether *route* lets the present state of *alert* through."""
        return not route.why_not(alert.severity, self._concern(alert))

    def remind(self, now: datetime, changes: Changes) -> None:
        """Tell again what is still open: reminders, the end of silences and of flapping,
        escalation.
        """
        for slot, course in self._flapping.settled(now):
            self._settle(self._world.alerts.get(slot), course, now, changes)
        waiting = []
        for alert in list(self._world.alerts.values()):
            if self._is_silenced(alert, now):
                continue
            if not _was_told(alert):
                if self._flapping.is_held(alert.slot) or self._is_taken_on(alert):
                    continue
                if not self._is_covered(alert):
                    why = Why.UNCOVERED if alert.id in self._covered else Why.SILENCE_OVER
                    self._remind(alert, why, now, changes)
            elif alert.id not in self._world.acks and not self._is_over_it(alert):
                self._escalate(alert, now, changes)
                waiting.append(self._world.alerts[alert.slot])
        self._repeat(waiting, now, changes)

    def clock_set(self, now: datetime, changes: Changes) -> None:
        """The wall clock may have been set back: what was told in its future counts from now.

        Else reminders would wait until it is there again.
        """
        for alert in list(self._world.alerts.values()):
            if alert.told_at is not None and alert.told_at > now:
                alert = replace(alert, told_at=now)  # noqa: PLW2901 - the same alert
                self._world.alerts[alert.slot] = alert
                changes.alerts.append(alert)

    def close_group(self, notification_id: int) -> None:
        """The outbox is about to send this one: what happens from now on is another message."""
        for slot, group in list(self._groups.items()):
            if group.id == notification_id:
                del self._groups[slot]

    def hand_over(self, notification: Notification, to: str, note: str) -> Notification:
        """The notification that tells the channel *to* what another one did not take."""
        self._notification_id += 1
        return replace(
            notification,
            id=self._notification_id,
            channel=to,
            attempts=0,
            note=note,
        )

    # -- flapping -----------------------------------------------------------------------------

    def _counted(self, transition: Transition) -> Transition:
        """*transition* with the number of times that its alert fired, if it flaps."""
        alert, fires = transition.alert, transition.change is Change.FIRED
        fired = self._flapping.fired(alert.slot, alert.changed_at, again=fires)
        return replace(transition, alert=replace(alert, facts=replace(alert.facts, fired=fired)))

    def _muted(
        self, transition: Transition, before: Alert | None
    ) -> tuple[Transition, Suppression | None]:
        """*transition* as it is told, or why it is not: it flaps, or it is silenced."""
        alert = transition.alert
        if transition.told and self._flapping.holds_back(transition, alert.changed_at):
            return _untold(transition, before), Suppression.FLAPPING
        return self._silenced(transition, before)

    def _settle(self, alert: Alert | None, course: Course, now: datetime, changes: Changes) -> None:
        """Tell how an alert that flapped stands, where channels believe something else."""
        if alert is not None:
            self._settle_open(alert, course, now, changes)
        elif (end := course.untold_end) is not None:
            silenced = self._is_silenced(end, now)
            end = replace(end, told=not silenced, why=Why.SETTLED)
            changes.events.append(end)
            if silenced:
                self._suppress(end, Suppression.SILENCED, changes)
            elif self._policy.tell_resolved:
                self._enqueue(end, course.severities, now, changes)

    def _settle_open(self, alert: Alert, course: Course, now: datetime, changes: Changes) -> None:
        if _was_told(alert):
            return
        alert = replace(alert, severities=course.severities)
        if not self._is_silenced(alert, now):
            self._remind(alert, Why.SETTLED, now, changes)
            return
        self._world.alerts[alert.slot] = alert
        changes.alerts.append(alert)

    # -- silences and reminders ---------------------------------------------------------------

    def _silenced(
        self, transition: Transition, before: Alert | None
    ) -> tuple[Transition, Suppression | None]:
        """*transition* as it is told: marked as told now, or not told because of a silence.

        The end of what nobody was told of is not told either.
        """
        alert = transition.alert
        if not transition.told:
            return transition, None
        if self._is_silenced(alert, alert.changed_at):
            return _untold(transition, before), Suppression.SILENCED
        if transition.change is Change.RESOLVED and not alert.severities:
            was_covered = alert.id in self._covered
            self._covered.discard(alert.id)
            reason = Suppression.INHIBITED if was_covered else Suppression.SILENCED
            return replace(transition, told=False), reason
        if transition.change is not Change.RESOLVED and self._is_covered(alert):
            self._covered.add(alert.id)
            told = before.severities if before else ()
            covered = replace(alert, severities=told)
            return replace(transition, alert=covered, told=False), Suppression.INHIBITED
        at = max(alert.changed_at, alert.told_at or alert.changed_at)
        return replace(transition, alert=replace(alert, told_at=at)), None

    def _is_covered(self, alert: Alert) -> bool:
        """Whether all who would be told of *alert* were told the same story by another one.

        Not where a channel hears of one of the two rules only.
        """
        if alert.rule not in ONE_STORY:
            return False
        wanting = [route for route in self._routes if self.wanted(route, alert)]
        return any(
            other is not None
            and _was_told(replace(other, severity=alert.severity))
            and all(self.wanted(route, other) for route in wanting)
            for rule in (ONE_STORY | SAYS_IT_ALL) - {alert.rule}
            for other in [self._world.alerts.get((alert.subject.id, alert.meter, rule))]
        )

    def _is_over_it(self, alert: Alert) -> bool:
        """Whether *alert* waits until there is a balance again, because nothing is left."""
        empty = (alert.subject.id, alert.meter, "exhausted")
        return alert.rule in (*ONE_STORY, "spike") and empty in self._world.alerts

    def _is_taken_on(self, alert: Alert) -> bool:
        """Whether somebody has acknowledged the alert, and it has not become worse since."""
        ack = self._world.acks.get(alert.id)
        if ack is None:
            return False
        return alert.changed_at <= ack.at or alert.severity is not alert.worst

    def _is_silenced(self, alert: Alert | Event, now: datetime) -> bool:
        if not self._world.silences:
            return False
        concern = self._concern(alert)
        return any(s.active(now) and is_silenced(concern, s) for s in self._world.silences)

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
        facts = replace(alert.facts, fired=self._flapping.fired(alert.slot, now))
        alert = replace(alert, told_at=now, severities=told, facts=facts)
        self._world.alerts[alert.slot] = alert
        changes.alerts.append(alert)
        reminder = Transition(alert=alert, change=Change.REMINDED, why=why, told=True)
        event = replace(self._event(reminder), at=now)
        changes.events.append(event)
        self._flapping.note(event)
        self._log(event, alert)
        self._enqueue(event, (alert.severity,), now, changes)

    # -- channels -----------------------------------------------------------------------------

    def enqueue_message(self, channel: str, message: Message, now: datetime) -> Notification:
        """A notification of a whole *message*, due at once; the caller records it."""
        self._notification_id += 1
        return Notification(
            id=self._notification_id,
            channel=channel,
            event_ids=(),
            created_at=now,
            due_at=now,
            next_attempt_at=now,
            body=encode(message),
        )

    def _event(self, transition: Transition) -> Event:
        alert = transition.alert
        self._event_id += 1
        return Event(
            id=self._event_id,
            alert_id=alert.id,
            subject=alert.subject,
            meter=alert.meter,
            rule=alert.rule,
            change=transition.change,
            why=transition.why,
            told=transition.told,
            severity=alert.severity,
            at=alert.changed_at,
            opened_at=alert.opened_at,
            facts=alert.facts,
        )

    def _suppress(self, event: Event, reason: Suppression, changes: Changes) -> None:
        changes.suppressed.append(
            Suppressed(event_id=event.id, channel="", at=event.at, reason=reason)
        )

    def _enqueue(
        self,
        event: Event,
        severities: Sequence[Severity],
        now: datetime,
        changes: Changes,
        *,
        also: str = "",
    ) -> None:
        """Add the event to the waiting notification of every channel that wants one of these.

        The channel *also* was told when nobody answered, whatever it hears otherwise.
        """
        concern = self._concern(event)
        for route in self._routes:
            if route.name == also or self._wants(route, event, severities, concern):
                self._enqueue_for(route, event, severities, now, changes)

    def _wants(
        self, route: Route, event: Event, severities: Sequence[Severity], concern: Concern
    ) -> bool:
        if event.why is Why.UNANSWERED:  # whatever that channel hears otherwise
            return route.name == self._policy.escalate_to
        return any(not route.why_not(severity, concern) for severity in severities)

    def _enqueue_for(
        self,
        route: Route,
        event: Event,
        severities: Sequence[Severity],
        now: datetime,
        changes: Changes,
    ) -> None:
        held = [route.held_until(severity, now) for severity in severities]
        until = None if None in held else max((h for h in held if h), default=None)
        if until is not None:
            changes.suppressed.append(
                Suppressed(event_id=event.id, channel=route.name, at=now, reason=Suppression.QUIET)
            )
            if event.why is Why.REPEAT:  # in the morning the alert itself is told
                return
        slot = (route.name, until is not None)
        notification = self._grouped(slot, event, now, until)
        self._groups[slot] = notification
        changes.notifications.append(notification)

    def _grouped(
        self, slot: tuple[str, bool], event: Event, now: datetime, until: datetime | None
    ) -> Notification:
        group = self._groups.get(slot)
        if group is not None:
            return replace(group, event_ids=(*group.event_ids, event.id))
        self._notification_id += 1
        due = until or now + self._policy.group_wait
        return Notification(
            id=self._notification_id,
            channel=slot[0],
            event_ids=(event.id,),
            created_at=now,
            due_at=due,
            next_attempt_at=due,
        )

    def _concern(self, event: Event | Alert) -> Concern:
        """What the event is about, for filters and silences."""
        names = self._keys(event.subject, event.facts)
        keys = [k.watched for n in names if (k := self._world.keys.get(n))]
        return concern_of(event.subject, event.rule, keys, names)

    def _keys(self, subject: Subject, facts: Facts) -> Sequence[str]:
        """The names of the keys that an alert speaks for."""
        if subject.key:
            return (subject.key,)
        if subject == HOST and not facts.keys:  # it concerns them all
            return list(self._world.keys)
        return facts.keys or [k.watched.name for k in self._world.keys_of_account(subject)]


def _untold(transition: Transition, before: Alert | None) -> Transition:
    """*transition* without a word to the channels: they know what they knew *before*."""
    told = before.severities if before else ()
    return replace(transition, alert=replace(transition.alert, severities=told), told=False)


def _was_told(alert: Alert) -> bool:
    """Whether the channels know of the alert at its present severity or a worse one."""
    return any(severity.rank >= alert.severity.rank for severity in alert.severities)
