"""Numbers events and puts them into the notifications of the channels that want them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from monitor.core.alerts import Transition
from monitor.core.events import Alert, Event, Facts, Suppressed, Suppression, Why
from monitor.core.messages import Message, encode
from monitor.core.model import HOST, Severity, Subject
from monitor.core.notifications import Notification
from monitor.core.routing import Concern
from monitor.store.base import Changes, Snapshot
from monitor.world import World, concern_of

log = logging.getLogger("monitor.alerts")


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


class Teller:
    """Gives out the numbers of events and notifications, and groups what comes together.

    A notification waits ``group_wait`` (or until quiet hours end); until the outbox closes its
    group, further events for the same channel join it.
    """

    def __init__(
        self, world: World, routes: Sequence[Route], policy: TellingPolicy, snapshot: Snapshot
    ) -> None:
        self.routes = routes
        self._world = world
        self._policy = policy
        self._event_id = snapshot.last_event_id
        self._notification_id = snapshot.last_notification_id
        self._groups: dict[tuple[str, bool], Notification] = {}  # (channel, held in quiet hours)

    def reconfigure(self, routes: Sequence[Route], policy: TellingPolicy) -> None:
        """Tell these channels from now on; what already waits for one of them waits on."""
        self.routes = routes
        self._policy = policy
        names = {route.name for route in routes}
        self._groups = {slot: group for slot, group in self._groups.items() if slot[0] in names}

    @property
    def last_notification_id(self) -> int:
        """The newest notification's identity."""
        return self._notification_id

    def event(self, transition: Transition) -> Event:
        """What *transition* is on record as."""
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

    def suppress(self, event: Event, reason: Suppression, changes: Changes) -> None:
        """Record why no channel is told of *event*."""
        changes.suppressed.append(
            Suppressed(event_id=event.id, channel="", at=event.at, reason=reason)
        )

    def tell(
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
        concern = self.concern(event)
        for route in self.routes:
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
        _put(changes.notifications, notification)

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

    def wanted(self, route: Route, alert: Alert) -> bool:
        """Whether *route* lets the present state of *alert* through."""
        return not route.why_not(alert.severity, self.concern(alert))

    def concern(self, event: Event | Alert) -> Concern:
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


def log_step(event: Event, alert: Alert) -> None:
    """The log's line about what became of an alert."""
    fields = {
        "alert": alert.id,
        "rule": event.rule,
        "severity": event.severity.value,
        **({"keys": len(alert.facts.keys)} if alert.facts.keys else {}),
    }
    log.info("alert %s: %s", event.change, alert.label, extra=fields)


def _put(notifications: list[Notification], newer: Notification) -> None:
    """*newer* in the place of what it is a version of: with thousands of events in one group, all
    the versions would be millions of event ids for the store and the outbox to read.
    """
    for index in reversed(range(len(notifications))):
        if notifications[index].id == newer.id:
            notifications[index] = newer
            return
    notifications.append(newer)
