"""The durable queue between a decision and a person: claim, send, back off, give up visibly.

At least once: a notification is finished only after its channel took it, and until then every
start of the daemon takes it up again.  Each channel has a worker of its own, so a channel that
hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from monitor.core.events import Event
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.base import Sender
from monitor.delivery.channel import Channel
from monitor.delivery.context import OutboxContext
from monitor.delivery.entries import waits_longer
from monitor.store.base import Changes


class Outbox:
    """Accepts notifications once they are recorded and brings them to their channels.

    Those of the channels *elsewhere* are somebody else's: a mirror's record of its failures.
    *handed* are the alerts whose beginning a channel's fallback was told, by channel and number.
    """

    def __init__(
        self,
        senders: Mapping[str, Sender],
        context: OutboxContext,
        *,
        elsewhere: Collection[str] = (),
        handed: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._elsewhere = frozenset(elsewhere)
        self._context = context
        self._workers = {
            name: Channel(name, sender, context, self.accept) for name, sender in senders.items()
        }
        for channel, alert_id in handed:
            if channel in self._workers:
                self._workers[channel].fallback.handed.add(alert_id)

    def start(self) -> None:
        """Begin to deliver."""
        for worker in self._workers.values():
            worker.start()

    def accept(self, notifications: Iterable[Notification], events: Iterable[Event]) -> None:
        """Take over pending notifications, or newer versions of waiting ones, with their events."""
        known = {event.id: event for event in events}
        pending = [n for n in notifications if n.state is NotificationState.PENDING]
        heard = self._heard(pending)
        for notification in pending:
            if notification.channel in self._elsewhere:
                continue
            worker = self._workers.get(notification.channel)
            if worker is None:
                self._bury(notification)
            else:
                worker.accept(notification, known, heard)

    def _heard(self, notifications: Iterable[Notification]) -> set[tuple[str, int]]:
        """Which channels are told of which events by themselves; not what is held for quiet hours,
        which may be over before it is told.
        """
        wait = self._context.policy.group_wait
        return {
            (told.channel, event_id)
            for told in notifications
            if not told.note and not waits_longer(told, wait)
            for event_id in told.event_ids
        }

    def held(self) -> set[int]:
        """The notifications that wait here."""
        return {i for worker in self._workers.values() for i in worker.entries}

    def pending(self) -> dict[str, tuple[int, float]]:
        """Per channel: how many notifications wait, and the age of the oldest in seconds."""
        return {name: worker.pending() for name, worker in self._workers.items()}

    def lag(self) -> dict[str, float]:
        """Per channel: real seconds by which its worker is late; infinite if it does not work.

        Waiting for a service that is down is not late.
        """
        return {name: worker.lag() for name, worker in self._workers.items()}

    def reconfigure(
        self,
        senders: Mapping[str, Sender | None],
        context: OutboxContext,
        *,
        elsewhere: Collection[str] = (),
    ) -> list[Channel]:
        """Go on with the channels in *senders*; None stands for a sender that stays.

        Returns the workers of channels that are no longer among them, for :meth:`retire`.
        """
        self._context = context
        self._elsewhere = frozenset(elsewhere)
        gone = [self._workers.pop(name) for name in [*self._workers] if name not in senders]
        for name, sender in senders.items():
            worker = self._workers.get(name)
            if worker is not None:
                worker.reconfigure(context, sender)
            elif sender is not None:
                worker = self._workers[name] = Channel(name, sender, context, self.accept)
                worker.start()
        return gone

    async def retire(self, workers: Iterable[Channel], seconds: float) -> None:
        """Stop *workers*; sends under way get *seconds* (real), what is left can only be shown."""
        for worker in workers:
            await worker.stop(seconds)
            for entry in worker.entries.values():
                self._bury(entry.notification)

    async def stop(self, seconds: float) -> None:
        """Stop; sends under way get *seconds* (real), what is left waits for the next start."""
        await asyncio.gather(*(worker.stop(seconds) for worker in self._workers.values()))

    def _bury(self, notification: Notification) -> None:
        """A notification of a channel that left the configuration can only be shown."""
        dead = replace(
            notification,
            state=NotificationState.DEAD,
            finished_at=self._context.clock.now(),
            error="the channel is no longer configured",
        )
        self._context.record(Changes(notifications=[dead]))
