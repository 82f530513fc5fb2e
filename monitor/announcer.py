"""Moves alerts on, records every change as an event, and enqueues what the channels are told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from monitor.core.alerts import Slot, Transition, step
from monitor.core.model import Alert, Change, Event, Notification, Severity
from monitor.core.rules.base import Verdict
from monitor.store.base import Changes, Snapshot
from monitor.world import World

log = logging.getLogger(__name__)


class Route(Protocol):
    """One channel as the announcer sees it: a name and what it wants to hear."""

    @property
    def name(self) -> str:
        """The channel's name."""
        ...

    def matches(self, severity: Severity, key_names: Sequence[str], tags: Sequence[str]) -> bool:
        """Whether the channel wants a message of *severity* about these keys."""
        ...


class Announcer:
    """Gives out the numbers of alerts, events and notifications, and groups what comes together.

    A notification waits ``group_wait``; until the outbox closes its group, further events for the
    same channel join it.
    """

    def __init__(
        self,
        world: World,
        routes: Sequence[Route],
        *,
        group_wait: timedelta,
        tell_resolved: bool,
        snapshot: Snapshot,
    ) -> None:
        self._world = world
        self._routes = routes
        self._group_wait = group_wait
        self._tell_resolved = tell_resolved
        self._alert_id = snapshot.last_alert_id
        self._event_id = snapshot.last_event_id
        self._notification_id = snapshot.last_notification_id
        self._groups: dict[str, Notification] = {}

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
        alert = transition.alert
        self._alert_id = max(self._alert_id, alert.id)
        if alert.resolved_at is None:
            self._world.alerts[alert.slot] = alert
        elif transition.change is Change.RESOLVED:
            self._world.alerts.pop(alert.slot, None)
        changes.alerts.append(alert)
        event = self._event(transition)
        changes.events.append(event)
        log.info(
            "alert %d %s: %s %s of %s",
            alert.id,
            event.change,
            event.severity,
            event.rule,
            alert.subject.label,
        )
        if event.told and (self._tell_resolved or event.change is not Change.RESOLVED):
            ended = event.change is Change.RESOLVED
            self._enqueue(event, alert.severities if ended else (alert.severity,), changes)

    def wanted(self, route: Route, alert: Alert) -> bool:
        """Whether *route* lets the present state of *alert* through."""
        return route.matches(alert.severity, *self._concerned(alert))

    def close_group(self, notification_id: int) -> None:
        """The outbox is about to send this one: what happens from now on is another message."""
        for channel, group in list(self._groups.items()):
            if group.id == notification_id:
                del self._groups[channel]

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

    def _enqueue(self, event: Event, severities: Iterable[Severity], changes: Changes) -> None:
        """Add the event to the waiting notification of every channel that wants one of these."""
        keys, tags = self._concerned(event)
        for route in self._routes:
            if any(route.matches(severity, keys, tags) for severity in severities):
                notification = self._grouped(route.name, event)
                self._groups[route.name] = notification
                changes.notifications.append(notification)

    def _grouped(self, channel: str, event: Event) -> Notification:
        group = self._groups.get(channel)
        if group is not None:
            return replace(group, event_ids=(*group.event_ids, event.id))
        self._notification_id += 1
        due = event.at + self._group_wait
        return Notification(
            id=self._notification_id,
            channel=channel,
            event_ids=(event.id,),
            created_at=event.at,
            due_at=due,
            next_attempt_at=due,
        )

    def _concerned(self, event: Event | Alert) -> tuple[Sequence[str], Sequence[str]]:
        """Names and tags of the keys that it is about, for the channels' filters."""
        if event.subject.key:
            names: Sequence[str] = (event.subject.key,)
        elif event.facts.keys:
            names = event.facts.keys
        else:
            names = [k.watched.name for k in self._world.keys_of_account(event.subject)]
        tags = {t for n in names if (k := self._world.keys.get(n)) for t in k.watched.tags}
        return names, sorted(tags)
