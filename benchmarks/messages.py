"""How many messages a bad day is: keys run dry, keys are refused, the provider is down for hours.

A day of polls every five minutes goes through the daemon's pipeline, with the default rules,
grouping and reminders and one channel that hears of everything; nobody tops up or acknowledges
anything.  Every message is composed as it would be sent.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from monitor.announcer import Announcer
from monitor.config.notify import Notify
from monitor.core.events import Event
from monitor.core.messages import compose
from monitor.core.model import Failure, MeterReading, Observation, Reading, Reason, Severity
from monitor.core.notifications import Notification
from monitor.core.routing import Concern
from monitor.pipeline import Pipeline
from monitor.store.base import Changes, Snapshot
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, restore

START = datetime(2026, 11, 2, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
ROUNDS = 288
TICKS = 20
"""Keys are polled in so many parts of an interval, with a sweep after each."""

OUTAGE = range(144, 168)
REFUSED = range(100, 120)
PASSING_FAULTS = 0.003
FULL, A_STEP = 5000.0, 400.0


class Channel:
    """One that hears of everything, at any time."""

    name = "ops"

    def why_not(self, _severity: Severity, _concern: Concern) -> str:
        """Nothing is kept from it."""
        return ""

    def held_until(self, _severity: Severity, _now: datetime) -> datetime | None:
        """It has no quiet hours."""
        return None


@dataclass(slots=True)
class Day:
    """The keys of a bad day: what each has left, and which of them have what kind of trouble."""

    keys: int
    dry: int
    refused: int
    rng: random.Random = field(default_factory=lambda: random.Random(3))
    names: list[str] = field(init=False)
    balances: dict[str, float] = field(init=False)
    dry_from: dict[str, int] = field(init=False)
    refusals: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [f"key{number:05}" for number in range(self.keys)]
        self.balances = dict.fromkeys(self.names, FULL)
        chosen = self.rng.sample(self.names, self.dry + self.refused)
        self.dry_from = {name: self.rng.randrange(10, 250) for name in chosen[: self.dry]}
        self.refusals = set(chosen[self.dry :])

    def poll(self, name: str, number: int, at: datetime) -> Observation:
        """What the poll of *name* in round *number* says."""
        if number >= self.dry_from.get(name, ROUNDS):
            self.balances[name] = max(0.0, self.balances[name] - A_STEP)
        if number in OUTAGE or self.rng.random() < PASSING_FAULTS:
            return Failure(key=name, at=at, reason=Reason.SERVER_ERROR)
        if number in REFUSED and name in self.refusals:
            return Failure(key=name, at=at, reason=Reason.UNAUTHORIZED)
        amount = Decimal(f"{self.balances[name]:.0f}")
        return Reading(key=name, at=at, meters=(MeterReading(unit="credits", balance=amount),))


@dataclass(slots=True)
class Told:
    """What was told so far: messages that are gone, and the one that still gathers events."""

    announcer: Announcer
    events: dict[int, Event] = field(default_factory=dict)
    waiting: dict[int, Notification] = field(default_factory=dict)
    messages: list[tuple[int, int]] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)

    def take(self, changes: Changes) -> None:
        """Keep what *changes* brings to be told."""
        self.events |= {event.id: event for event in changes.events}
        self.waiting |= {n.id: n for n in changes.notifications}

    def send(self, now: datetime) -> None:
        """Compose what is due by *now*, as the outbox does."""
        for notification in [n for n in self.waiting.values() if n.due_at <= now]:
            del self.waiting[notification.id]
            self.announcer.close_group(notification.id)
            events = [self.events[number] for number in notification.event_ids]
            message = compose(events, now=now)
            self.messages.append((len(events), len(message.stories)))
            self.rules.update(f"{event.rule} {event.change}" for event in events)


def observations(day: Day) -> Iterator[tuple[datetime, list[Observation]]]:
    """The polls of each part of an interval, with the moment at its end."""
    part = -(-day.keys // TICKS)
    for number in range(ROUNDS):
        for tick in range(TICKS):
            at = START + INTERVAL * number + INTERVAL * tick / TICKS
            names = day.names[tick * part : (tick + 1) * part]
            yield at, [day.poll(name, number, at) for name in names]


def measure(day: Day) -> None:
    """Play the day and print what it took and what was told."""
    snapshot, notify = Snapshot(), Notify()
    keys = (WatchedKey(name=name, provider="kie", interval=INTERVAL) for name in day.names)
    world = restore(keys, snapshot)
    policy = TellingPolicy(group_wait=notify.group_wait, repeat=notify.repeat.by_severity)
    announcer = Announcer(world, [Channel()], policy, snapshot)
    pipeline = Pipeline(world, announcer, START)
    told = Told(announcer)
    spent = dict.fromkeys(("polls", "sweeps", "messages"), 0.0)
    for at, polls in observations(day):
        marks = [time.process_time()]
        for observation in polls:
            told.take(pipeline.observe(observation))
        marks.append(time.process_time())
        told.take(pipeline.sweep(at))
        marks.append(time.process_time())
        told.send(at)
        marks.append(time.process_time())
        for name, (begin, end) in zip(spent, pairwise(marks), strict=True):
            spent[name] += end - begin
    events, stories = (max(counts) for counts in zip(*told.messages, strict=True))
    polls_made = day.keys * ROUNDS
    print(f"{day.keys:,} keys, {day.dry} running dry, {day.refused} refused, {polls_made:,} polls:")
    print(
        f"- {len(told.messages)} messages, the largest about {events:,} events in {stories} stories"
    )
    print("- told: " + ", ".join(f"{what} {count:,}" for what, count in told.rules.most_common()))
    print(
        f"- CPU: {spent['polls'] / polls_made * 1e6:.0f} us per poll, {spent['sweeps']:.1f} s for"
        f" {ROUNDS * TICKS:,} sweeps, {spent['messages']:.2f} s for all messages"
    )


def main() -> None:
    """Measure one such day."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.messages")
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--dry", type=int, default=200)
    parser.add_argument("--refused", type=int, default=60)
    options = parser.parse_args()
    logging.getLogger("monitor").setLevel(logging.CRITICAL)
    measure(Day(options.keys, options.dry, options.refused))


if __name__ == "__main__":
    main()
