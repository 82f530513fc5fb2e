"""What the outbox and its channels' workers are given from outside."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from monitor.clock import Clock
from monitor.core.events import Event
from monitor.core.messages import Lateness, Message, recall
from monitor.core.notifications import Notification
from monitor.store.base import Changes


class OutboxListener(Protocol):
    """What the outbox tells about itself (metrics)."""

    def notification(self, channel: str, outcome: str) -> None:
        """An attempt ended: ``delivered``, ``retry``, ``refused`` or ``expired``; or there was
        none, because it was ``dropped``.
        """
        ...

    def notification_delay(self, channel: str, seconds: float) -> None:
        """A notification was taken by its channel *seconds* after it was due."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxPolicy:
    """How long one attempt may take (real time), and how long a notification matters.

    ``fallbacks`` names the channel that is told what another one refuses, or has failed to take for
    ``fallback_after``; ``limits`` are messages per hour and channel.  What waited longer than
    ``group_wait`` from the start was held for quiet hours.
    """

    timeout: timedelta
    give_up_after: timedelta
    group_wait: timedelta = timedelta(seconds=10)
    fallback_after: timedelta = timedelta(minutes=15)
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


Compose = Callable[[Sequence[Event], datetime, Lateness | None, Sequence[str], bool], Message]
"""Makes a message of events: as of when, how late, with which notes, and whether it was held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxContext:
    """What every channel's worker needs from outside.

    ``compose`` makes a message of events, with notes about the message itself; ``hand_over`` makes
    the notification that tells another channel what this one did not take; ``settle`` closes the
    groups of notifications and waits until they are recorded; ``record`` takes what became of them;
    ``illustrate`` adds charts to a message, if there are to be any;
    ``silenced`` says whether a silence covers an event now; ``withhold`` is told which events a
    channel was not told for this reason;
    ``recall`` brings back the message of a notification that tells no events.
    """

    compose: Compose
    hand_over: Callable[[Notification, str, str], Notification]
    silenced: Callable[[Event], bool]
    withhold: Callable[[Iterable[Event]], None]
    settle: Callable[[Iterable[int]], Awaitable[None]]
    record: Callable[[Changes], None]
    listener: OutboxListener
    policy: OutboxPolicy
    clock: Clock
    rng: random.Random
    recall: Callable[[str, datetime, Lateness | None], Message] = recall
    illustrate: Callable[[Message, Sequence[Event]], Awaitable[Message]] | None = None
