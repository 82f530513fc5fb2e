"""One channel's worker: what waits for the channel, when it leaves, and what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.events import Change, Event, Suppressed, Suppression
from monitor.core.messages import Message, came_and_went
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.delivery.base import Delivery, Outcome, Sender
from monitor.delivery.context import OutboxContext
from monitor.delivery.entries import Entry, events_of, lateness, notes_of, waits_longer
from monitor.delivery.fallback import Accept, Fallback
from monitor.delivery.patience import LONGEST_RETRY, Quota, conclude
from monitor.store.base import Changes

log = logging.getLogger(__name__)

MAX_TOGETHER = 200
"""After a channel's outage at most this many notifications are told in one message."""


class Channel:
    """One channel's worker: one message at a time, everything that waits in one message."""

    def __init__(self, name: str, sender: Sender, context: OutboxContext, accept: Accept) -> None:
        self.name = name
        self.entries: dict[int, Entry] = {}
        self.fallback = Fallback(name, context, accept)
        self._quota = Quota(context.policy.limits.get(name))
        self._sender = sender
        self._context = context
        self._clock = context.clock
        self._wake = asyncio.Event()
        self._stopping = False
        self._paused_until = 0.0
        self._failing = False
        self._broken = False
        self._apart = False  # after a refusal of several, each is tried alone
        self._sending = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"channel-{self.name}")

    def accept(
        self,
        notification: Notification,
        events: Mapping[int, Event],
        heard: Collection[tuple[str, int]] = (),
    ) -> None:
        """Take over a pending notification, or a newer version of a waiting one.

        *heard* are the events that channels are told of by themselves, each with its channel.
        """
        entry = self.entries.get(notification.id)
        if entry is None:
            # Waits are taken on the monotonic clock, so that a step of the wall clock neither
            # delays a message for hours nor sends it too early.
            wait = (notification.next_attempt_at - self._clock.now()).total_seconds()
            bound = max(LONGEST_RETRY.total_seconds(), _seconds(notification))
            ready = self._clock.monotonic() + min(max(wait, 0.0), bound)
            entry = self.entries[notification.id] = Entry(notification, ready)
        entry.notification = notification
        entry.events.update({i: events[i] for i in notification.event_ids if i in events})
        name = self.fallback.name
        entry.heard.update(i for i in notification.event_ids if (name, i) in heard)
        self._wake.set()

    def reconfigure(self, context: OutboxContext, sender: Sender | None) -> None:
        """Go on as *context* says, and by *sender* where the way out is another now.

        What failed on the old way is tried on the new one at once; a send that is under way ends.
        """
        self._context = context
        self.fallback.reconfigure(context)
        self._quota.change(context.policy.limits.get(self.name))
        if sender is not None:
            old, self._sender = self._sender, sender
            self._failing = False
            self._try_again()
            closing = asyncio.create_task(self._close(old), name=f"close-{self.name}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._wake.set()

    def pending(self) -> tuple[int, float]:
        """How many notifications wait, and the age of the oldest in seconds."""
        created = [e.notification.created_at for e in self.entries.values()]
        oldest = (self._clock.now() - min(created)).total_seconds() if created else 0.0
        return len(created), max(0.0, oldest)

    def lag(self) -> float:
        """Real seconds by which the worker is late; infinite if it does not work."""
        if self._broken or self._task is None or self._task.done():
            return math.inf
        wait = self._next_wait()
        return 0.0 if wait is None else max(0.0, self._clock.real(-wait))

    async def stop(self, seconds: float) -> None:
        """Stop; a send under way gets *seconds* (real)."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            _done, late = await asyncio.wait([self._task], timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._closing, self._sender.close())

    async def _close(self, sender: Sender) -> None:
        async with self._sending:
            await sender.close()

    def _try_again(self) -> None:
        """What has failed before may leave now."""
        now = self._clock.monotonic()
        self._paused_until = now
        for entry in self.entries.values():
            if entry.notification.attempts:
                entry.ready_at = min(entry.ready_at, now)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            wait = self._next_wait()
            if wait is None or wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if wait is None else self._clock.real(wait)):
                        await self._wake.wait()
                continue
            try:
                await self._send_ready()
                self._broken = False
            except Exception:
                log.exception("channel %s: internal error, trying again in a minute", self.name)
                self._broken = True
                self._paused_until = self._clock.monotonic() + 60

    def _next_wait(self) -> float | None:
        """Seconds until something may be sent; None when nothing waits."""
        if not self.entries:
            return None
        self._note_limited()
        first = min(self._may_leave_at(entry) for entry in self.entries.values())
        return max(first, self._paused_until) - self._clock.monotonic()

    def _may_leave_at(self, entry: Entry) -> float:
        return max(entry.ready_at, self._free_at(entry))

    def _free_at(self, entry: Entry) -> float:
        if entry.notification.body:
            return 0.0  # a report is no alert: the limit does not cover it
        return self._quota.free_at(critical=entry.is_critical)

    def _note_limited(self) -> None:
        """Record of what is due that the channel has had its fill."""
        now, changes = self._clock.monotonic(), Changes()
        for entry in self.entries.values():
            if entry.limited or entry.ready_at > now or self._may_leave_at(entry) <= now:
                continue
            entry.limited = True
            self._suppress(entry.events.values(), Suppression.LIMITED, changes)
        if changes:
            log.warning(
                "channel %s: more than %s messages an hour, holding back",
                self.name,
                self._quota.limit,
            )
            self._context.record(changes)

    def _ready(self) -> list[Entry]:
        """What goes out now, oldest first: what is due, and with it all that has failed before.

        Otherwise "resolved" could arrive while "fired" still sits out a longer backoff.
        """
        now = self._clock.monotonic()
        ready = [
            entry
            for entry in self.entries.values()
            if self._may_leave_at(entry) <= now
            or (entry.notification.attempts and self._free_at(entry) <= now)
        ]
        ready.sort(key=lambda e: (e.notification.due_at, e.notification.id))
        if ready and ready[0].notification.body:
            return ready[:1]
        events = [e for e in ready if not e.notification.body]
        return events[: 1 if self._apart else MAX_TOGETHER]

    async def _send_ready(self) -> None:
        """Send everything that is due as one message, and record how it went."""
        entries = self._ready()
        await self._context.settle([e.notification.id for e in entries])
        entries = self._not_silenced(entries)
        if not entries:
            return
        if self._has_passed(entries):
            self._drop(entries, Suppression.PASSED)
            log.info("channel %s: dropped what was held back and is over", self.name)
            return
        began, now, sender = time.monotonic(), self._clock.now(), self._sender
        delivery = await self._deliver(*self._message(entries, now))
        took = timedelta(seconds=time.monotonic() - began)
        if delivery.outcome is Outcome.REFUSED and len(entries) > 1:
            self._apart = True  # one bad message must not take the others with it
            return
        self._apart = self._apart and len(self.entries) > len(entries)
        self._log(delivery)
        self._conclude(entries, delivery, took)
        if self._sender is not sender:  # what the old way did says nothing about the new one
            self._try_again()

    def _has_passed(self, entries: Sequence[Entry]) -> bool:
        """Whether all of it was held back and is over: nobody has heard of it, nobody needs to.

        What a limit held back is dropped only if it was not critical: nobody asked to be spared.
        """
        if any(e.notification.attempts or e.notification.note for e in entries):
            return False  # somebody may have heard of it, or was to be told by another channel
        if not all(self._was_quiet(e) or (e.limited and not e.is_critical) for e in entries):
            return False
        events = events_of(entries)
        gone = came_and_went(events)
        return bool(events) and all(event.alert_id in gone for event in events)

    def _not_silenced(self, entries: list[Entry]) -> list[Entry]:
        """*entries* without what was silenced while it waited; told when the silence is over.

        The end of what people were told before is told all the same: it was decided before.
        """
        events = events_of(entries)
        ends = {e.alert_id for e in events} - came_and_went(events)
        muted = {
            e.id: e
            for e in events
            if self._context.silenced(e)
            and not (e.change is Change.RESOLVED and e.alert_id in ends)
        }
        if not muted:
            return entries
        self._context.withhold(muted.values())
        log.info("channel %s: silenced while it waited: %d", self.name, len(muted))
        silent = [e for e in entries if e.events and muted.keys() >= e.events.keys()]
        self._drop(silent, Suppression.SILENCED)
        left = [e for e in entries if e.notification.id in self.entries]
        changes = Changes()
        for entry in left:
            gone = [entry.events.pop(i) for i in muted if i in entry.events]
            self._suppress(gone, Suppression.SILENCED, changes)
        self._context.record(changes)
        return left

    def _drop(self, entries: Sequence[Entry], reason: Suppression) -> None:
        now, changes = self._clock.now(), Changes()
        for entry in entries:
            dropped = NotificationState.DROPPED
            changes.notifications.append(
                replace(entry.notification, state=dropped, finished_at=now)
            )
            del self.entries[entry.notification.id]
            self._context.listener.notification(self.name, "dropped")
        self._suppress(events_of(entries), reason, changes)
        self._context.record(changes)

    def _suppress(self, events: Iterable[Event], reason: Suppression, changes: Changes) -> None:
        at = self._clock.now()
        changes.suppressed += [
            Suppressed(event_id=event.id, channel=self.name, at=at, reason=reason)
            for event in events
        ]

    def _was_quiet(self, entry: Entry) -> bool:
        return waits_longer(entry.notification, self._context.policy.group_wait)

    def _message(self, entries: Sequence[Entry], now: datetime) -> tuple[Message, list[Event]]:
        """What the entries tell, as one message, and its events; a stored message is alone."""
        late, notes = lateness(entries, now), notes_of(entries)
        body = entries[0].notification.body
        if body:
            message = self._context.recall(body, now, late)
            return replace(message, notes=(*notes, *message.notes)), []
        told = events_of(entries)
        held = any(self._was_quiet(e) or e.limited for e in entries)
        return self._context.compose(told, now, late, notes, held), told

    async def _deliver(self, message: Message, events: Sequence[Event]) -> Delivery:
        if events:
            message = await self._illustrated(message, events)
        try:
            async with self._sending, asyncio.timeout(self._send_seconds()):
                return await self._sender.send(message)
        except TimeoutError:
            return Delivery(outcome=Outcome.RETRY, detail="the channel did not answer in time")
        except Exception as error:  # noqa: BLE001 - boundary: a sender's bug is a failed attempt
            log.error("channel %s: internal error %s", self.name, type(error).__name__)
            return Delivery(outcome=Outcome.RETRY, detail=f"internal error {type(error).__name__}")

    def _send_seconds(self) -> float:
        return self._context.policy.timeout.total_seconds()

    async def _illustrated(self, message: Message, events: Sequence[Event]) -> Message:
        if self._context.illustrate is None:
            return message
        try:
            return await self._context.illustrate(message, events)
        except Exception:  # boundary: no fault of a chart keeps its message back
            log.exception("channel %s: internal error, sending without charts", self.name)
            return message

    def _conclude(self, entries: list[Entry], delivery: Delivery, took: timedelta) -> None:
        now, changes = self._clock.now(), Changes()
        jitter = self._context.rng.random()
        if delivery.outcome is Outcome.DELIVERED and not entries[0].notification.body:
            self._quota.count(self._clock.monotonic())
        for entry in entries:
            before = entry.notification
            after, outcome = conclude(
                before,
                delivery,
                now=now,
                give_up_after=self._context.policy.give_up_after,
                jitter=jitter,
            )
            after = self.fallback.take(entry, after, now, changes)
            changes.notifications.append(after)
            changes.attempts.append(
                Attempt(
                    notification_id=after.id,
                    number=after.attempts,
                    at=now,
                    outcome=outcome,
                    detail=delivery.detail,
                    duration=took,
                )
            )
            self._context.listener.notification(self.name, outcome)
            if outcome == "delivered":
                late = (now - before.due_at).total_seconds()
                self._context.listener.notification_delay(self.name, max(0.0, late))
            self._move(entry, after, now)
        self._context.record(changes)

    def _move(self, entry: Entry, after: Notification, now: datetime) -> None:
        if after.state is not NotificationState.PENDING:
            del self.entries[after.id]
            return
        entry.notification = after
        delay = (after.next_attempt_at - now).total_seconds()
        entry.ready_at = self._clock.monotonic() + delay
        # The channel is in trouble, not the message: whatever else waits shares the pause and
        # goes out with it.
        self._paused_until = entry.ready_at

    def _log(self, delivery: Delivery) -> None:
        """An outage of a channel is logged once when it begins and once when it ends."""
        if delivery.outcome is Outcome.DELIVERED:
            if self._failing:
                log.warning("channel %s: delivers again", self.name)
            self._failing = False
        elif delivery.outcome is Outcome.REFUSED:
            log.error("channel %s: refused a message for good: %s", self.name, delivery.detail)
        elif not self._failing:
            self._failing = True
            log.warning("channel %s: cannot deliver, retrying: %s", self.name, delivery.detail)


def _seconds(notification: Notification) -> float:
    return (notification.due_at - notification.created_at).total_seconds()
