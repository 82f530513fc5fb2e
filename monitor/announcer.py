"""Moves alerts on, records every change as an event, and has the channels told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.core.alerts import Slot, Transition, step
from monitor.core.events import Alert, Change, Event, Suppression
from monitor.core.flapping import Flapping
from monitor.core.messages import Message
from monitor.core.notifications import Notification
from monitor.core.rules.base import Verdict
from monitor.reminders import Reminders
from monitor.restraint import Restraint
from monitor.store.base import Changes, Snapshot
from monitor.teller import Route, Teller, TellingPolicy, log_step
from monitor.world import World


class Announcer:
    """The one who changes the open alerts of *world*; gives out their numbers."""

    def __init__(
        self, world: World, routes: Sequence[Route], policy: TellingPolicy, snapshot: Snapshot
    ) -> None:
        self._world = world
        self._policy = policy
        self._alert_id = snapshot.last_alert_id
        self._flapping = Flapping(policy.repeat, snapshot.recent)
        self._teller = Teller(world, routes, policy, snapshot)
        self._restraint = Restraint(world, self._teller, self._flapping, snapshot)
        self._reminders = Reminders(world, policy, self._teller, self._restraint)

    @property
    def next_alert_id(self) -> int:
        """The identity of the next new alert."""
        return self._alert_id + 1

    @property
    def last_notification_id(self) -> int:
        """The newest notification's identity."""
        return self._teller.last_notification_id

    def reconfigure(self, routes: Sequence[Route], policy: TellingPolicy) -> None:
        """Tell these channels from now on; what already waits for one of them waits on."""
        self._policy = policy
        self._flapping.reconfigure(policy.repeat)
        self._teller.reconfigure(routes, policy)
        self._reminders.reconfigure(policy)

    def step(self, slot: Slot, verdict: Verdict, now: datetime, changes: Changes) -> None:
        """Let *verdict* move the alert of *slot*, and tell what follows."""
        alert = self._world.alert(slot)
        transition = step(slot, alert, verdict, now=now, next_id=self.next_alert_id)
        if transition is not None:
            self.apply(transition, changes)

    def apply(self, transition: Transition, changes: Changes) -> None:
        """Move the alert on in memory, record the change, and enqueue it for the channels."""
        before = self._world.alerts.get(transition.alert.slot)
        transition, suppression = self._restraint.weigh(transition, before)
        alert = transition.alert
        self._alert_id = max(self._alert_id, alert.id)
        self._keep(transition)
        changes.alerts.append(alert)
        event = self._teller.event(transition)
        changes.events.append(event)
        self._flapping.note(event)
        log_step(event, alert)
        if suppression is not None:
            self._teller.suppress(event, suppression, changes)
            if event.change is Change.RESOLVED and suppression is Suppression.SILENCED:
                self._restraint.kept_ends.keep(
                    event, alert.severities, escalated=alert.escalated_at is not None
                )
        if event.told and (self._policy.tell_resolved or event.change is not Change.RESOLVED):
            ended = event.change is Change.RESOLVED
            asked = self._policy.escalate_to if ended and alert.escalated_at else ""
            severities = alert.severities if ended else (alert.severity,)
            self._teller.tell(event, severities, event.at, changes, also=asked)

    def _keep(self, transition: Transition) -> None:
        """Let the world know the alert as it is now, or forget it."""
        alert = transition.alert
        if alert.resolved_at is None:
            self._world.alerts[alert.slot] = alert
        elif transition.change is Change.RESOLVED:
            self._world.alerts.pop(alert.slot, None)
            self._world.acks.pop(alert.id, None)
            self._restraint.withheld.discard(alert.id)

    def wanted(self, route: Route, alert: Alert) -> bool:
        """Whether *route* lets the present state of *alert* through."""
        return self._teller.wanted(route, alert)

    def remind(self, now: datetime, changes: Changes) -> None:
        """Tell again what is still open: reminders, the end of silences and of flapping,
        escalation.
        """
        self._reminders.remind(now, changes)

    def is_silenced(self, event: Event, now: datetime) -> bool:
        """Whether a silence that holds at *now* covers what *event* is about."""
        return self._restraint.is_silenced_at(event, now)

    def withhold(self, events: Iterable[Event]) -> None:
        """Some channel was not told of *events*: they were silenced while its message waited."""
        told = {event.alert_id for event in events}
        self._restraint.withheld |= {a.id for a in self._world.alerts.values() if a.id in told}

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
        self._teller.close_group(notification_id)

    def hand_over(self, notification: Notification, to: str, note: str) -> Notification:
        """The notification that tells the channel *to* what another one did not take."""
        return self._teller.hand_over(notification, to, note)

    def enqueue_message(self, channel: str, message: Message, now: datetime) -> Notification:
        """A notification of a whole *message*, due at once; the caller records it."""
        return self._teller.enqueue_message(channel, message, now)
