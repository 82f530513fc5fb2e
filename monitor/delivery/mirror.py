"""A channel ``alertmanager:`` shows Alertmanager what is open here, over and over.

Alertmanager is told states, not messages: an alert fires there while it is posted again and again,
and ends when it is posted with an end in the past, or when its ``endsAt`` passes without another
post.  So nothing of this goes through the outbox; docs/decisions/0013-alertmanager-a-mirror.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from monitor.clock import Clock
from monitor.core.events import Alert
from monitor.core.messages import Message
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.address import Address
from monitor.delivery.alertmanager import Labels, Words, firing, labels_of, over, post, words
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.context import OutboxListener
from monitor.delivery.patience import retry_delay
from monitor.providers.http import HttpClient
from monitor.store.base import Changes

log = logging.getLogger(__name__)

RESEND_EVERY = timedelta(minutes=1)
"""Time between two posts of what is open; Prometheus does the same."""

LASTS_INTERVALS = 4
"""An alert that is not posted again for so many intervals ends there by itself."""

RESOLVED_FOR = timedelta(minutes=15)
"""So long an end is repeated, as Prometheus does: Alertmanager may restart before it has told of
it, and its clock may be behind ours.
"""

GATHER_SECONDS = 1.0
"""What changes within this time is one post."""

BATCH = 64
"""Alerts per post; to write one takes 0.1 ms, in which nothing else runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorContext:
    """What a mirror needs from outside.

    ``current`` gives the open alerts that the channel's filters let through; ``page`` gives
    the base address of our page as others reach it, or nothing; ``timeout`` (real seconds) bounds
    a post.  ``record`` takes what is to be seen in the record of deliveries, under numbers that
    ``enqueue`` gives out.
    """

    current: Callable[[], Iterable[Alert]]
    http: HttpClient
    listener: OutboxListener
    clock: Clock
    timeout: float
    rng: random.Random
    enqueue: Callable[[str, Message, datetime], Notification]
    record: Callable[[Changes], None]
    every: timedelta = RESEND_EVERY
    words: Words = words
    page: Callable[[], str] = str

    @property
    def lasts(self) -> timedelta:
        """How long Alertmanager keeps an alert that is not posted again."""
        return LASTS_INTERVALS * self.every


class AlertmanagerMirror:
    """One channel: shows the open alerts to each of its Alertmanagers, which do not wait for each
    other.  A cluster has to be told at every member; they agree on who notifies.
    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[Address],
        context: MirrorContext,
    ) -> None:
        self.name = name
        several = len(addresses) > 1
        self._targets = [
            _Target(f"{name} ({address.host})" if several else name, name, address, context)
            for address in addresses
        ]

    def inherit(self, troubles: Sequence[Notification]) -> None:
        """Take over failures on record that had not ended when the last process did."""
        self._targets[0].inherit(troubles)

    def troubles(self) -> list[Notification]:
        """The failures on record that have not ended."""
        return [each for target in self._targets for each in target.troubles()]

    def start(self) -> None:
        """Begin to post: what is open now at once."""
        for target in self._targets:
            target.start()

    def changed(self) -> None:
        """Alerts have opened, changed or ended: post within about a second."""
        for target in self._targets:
            target.wake.set()

    def pending(self) -> tuple[int, float]:
        """How many states did not arrive, and for how many seconds: the worst Alertmanager's."""
        return max(target.pending() for target in self._targets)

    def lag(self) -> float:
        """Real seconds by which posting is late by our own fault; infinite if it does not work."""
        return max(target.lag() for target in self._targets)

    async def stop(self, seconds: float) -> None:
        """Post what has changed within *seconds* (real), then stop.

        What is open is not ended: after a restart it goes on, else it ends there by itself.
        """
        await asyncio.gather(*(target.stop(seconds) for target in self._targets))


@dataclass(slots=True)
class _Told:
    """What one Alertmanager may know: posted as firing, and what has ended since."""

    firing: dict[Labels, dict[str, Any]] = field(default_factory=dict)
    ended: dict[Labels, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)

    def settle(self, wanted: Iterable[Labels], now: datetime) -> None:
        """End what is no longer *wanted*; what is again has not ended."""
        still = set(wanted)
        for labels in self.firing.keys() - still:
            self.ended[labels] = (now, over(self.firing.pop(labels), now))
        for labels in self.ended.keys() & still:
            del self.ended[labels]

    def forget(self, before: datetime) -> None:
        """Let go of ends that were repeated long enough."""
        self.ended = {k: entry for k, entry in self.ended.items() if entry[0] > before}


class _Trouble:
    """Failures of one Alertmanager as the record of deliveries shows them: as one notification
    that is pending from the first failed post to the next that succeeds.
    """

    def __init__(self, channel: str, label: str, context: MirrorContext) -> None:
        self.open: list[Notification] = []
        self._channel = channel
        self._label = label
        self._context = context

    def goes_on(self, delivery: Delivery, unsent: int, now: datetime, wait: timedelta) -> None:
        """One more post failed, the next one is in *wait*."""
        error = f"{self._label}: {delivery.detail}" if self._label else delivery.detail
        known = self.open[-1] if self.open else None
        if known is None:
            known = self._context.enqueue(self._channel, _states(unsent), now)
        after = replace(known, attempts=known.attempts + 1, error=error, next_attempt_at=now + wait)
        self.open[-1:] = [after]
        self._context.record(Changes(notifications=[after]))

    def ended(self, now: datetime) -> None:
        """A post was taken, and with it all that is open."""
        done = [
            replace(
                each,
                state=NotificationState.DELIVERED,
                attempts=each.attempts + 1,
                finished_at=now,
                error="",
            )
            for each in self.open
        ]
        self.open = []
        if done:
            self._context.record(Changes(notifications=done))


def _states(count: int) -> Message:
    """What the record says was to be delivered."""
    noun = "alert" if count == 1 else "alerts"
    return Message(title=f"the state of {count} {noun}", severity=None, stories=())


class _Target:
    """One Alertmanager: its own pace, its own failures."""

    def __init__(self, label: str, channel: str, address: Address, context: MirrorContext) -> None:
        self.wake = asyncio.Event()
        self._label = label
        self._channel = channel
        self._address = address
        self._context = context
        self._clock = context.clock
        self._told = _Told()
        self._due = self._clock.monotonic()
        self._failures = 0
        self._unsent = 0
        self._behind_since: float | None = None
        self._trouble = _Trouble(channel, label if label != channel else "", context)
        self._broken = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def inherit(self, troubles: Sequence[Notification]) -> None:
        self._trouble.open += troubles

    def troubles(self) -> list[Notification]:
        return list(self._trouble.open)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"alertmanager-{self._label}")

    def pending(self) -> tuple[int, float]:
        if self._behind_since is None:
            return 0, 0.0
        return self._unsent, self._clock.monotonic() - self._behind_since

    def lag(self) -> float:
        if self._broken or self._task is None or self._task.done():
            return math.inf
        return max(0.0, self._clock.real(self._clock.monotonic() - self._due))

    async def stop(self, seconds: float) -> None:
        self._stopping = True
        self.wake.set()
        if self._task is None:
            return
        _done, late = await asyncio.wait([self._task], timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._wait()
                if not self._stopping or self._differs():
                    await self._turn()
                self._broken = False
            except Exception:  # boundary: a bug about one alert, everything else goes on
                log.exception("channel %s: internal error, trying again in a minute", self._label)
                self._broken = True
                self._due = self._clock.monotonic() + RESEND_EVERY.total_seconds()

    async def _wait(self) -> None:
        """Until a post is due, or we stop; a change hastens it unless the Alertmanager fails."""
        while not self._stopping and (left := self._due - self._clock.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._clock.real(left)):
                    await self.wake.wait()
            self.wake.clear()
            if not self._failures and not self._broken and self._differs():
                soon = self._clock.monotonic() + GATHER_SECONDS
                self._due = min(self._due, soon)

    def _differs(self) -> bool:
        """Whether something fires, or has ended, that the Alertmanager was not told."""
        return {labels_of(alert) for alert in self._context.current()} != self._told.firing.keys()

    async def _turn(self) -> None:
        """Show what there is to show, and set the time of the next post."""
        began = self._clock.monotonic()
        delivery = await self._show(self._clock.now())
        if delivery is not None:
            self._context.listener.notification(self._channel, str(delivery.outcome))
            self._log(delivery)
        if delivery is None or delivery.outcome is Outcome.DELIVERED:
            self._unsent = self._failures = 0
            self._behind_since = None
            self._trouble.ended(self._clock.now())
            wait = self._context.every
        else:
            self._failures += 1
            self._behind_since = self._behind_since or began
            jitter = self._context.rng.random()
            wait = min(retry_delay(self._failures, None, jitter), self._context.every)
            self._trouble.goes_on(delivery, self._unsent, self._clock.now(), wait)
        self._due = self._clock.monotonic() + wait.total_seconds()

    async def _show(self, now: datetime) -> Delivery | None:
        """Post all that is open and all that has ended; None if there is nothing to say."""
        wanted = {labels_of(alert): alert for alert in self._context.current()}
        self._told.settle(wanted, now)
        states = [*wanted, *self._told.ended]
        for begin in range(0, len(states), BATCH):
            batch = [self._posted(each, wanted, now) for each in states[begin : begin + BATCH]]
            delivery = await post(
                self._context.http,
                self._address,
                batch,
                ends_at=now + self._context.lasts,
                timeout=self._context.timeout,
            )
            if delivery.outcome is not Outcome.DELIVERED:
                self._unsent = len(states) - begin
                return delivery
        self._told.forget(now - RESOLVED_FOR)
        return Delivery(outcome=Outcome.DELIVERED) if states else None

    def _posted(self, labels: Labels, wanted: dict[Labels, Alert], now: datetime) -> dict[str, Any]:
        """One state as it is posted; it may arrive even if the post fails, so it is told."""
        if labels not in wanted:
            return self._told.ended[labels][1]
        alert, context = wanted[labels], self._context
        texts = context.words(alert, now)
        told = firing(alert, now=now, lasts=context.lasts, texts=texts, page=context.page())
        self._told.firing[labels] = told
        return told

    def _log(self, delivery: Delivery) -> None:
        """An outage is logged once when it begins and once when it ends."""
        if delivery.outcome is Outcome.DELIVERED:
            if self._failures:
                log.warning("channel %s: Alertmanager takes alerts again", self._label)
        elif not self._failures:
            log.warning(
                "channel %s: Alertmanager does not take alerts, trying again: %s",
                self._label,
                delivery.detail,
            )
