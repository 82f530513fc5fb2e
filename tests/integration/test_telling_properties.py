"""PRODUCT section 5 over made-up lives of everything that decides and delivers.

A real store, pipeline, announcer and outbox on a clock that jumps; only the receivers are made up.
A life is a list of steps: balances move, polls fail, time passes, the wall clock is set, silences
and acknowledgements come and go, channels refuse or hang, and the daemon is stopped or killed and
started again with another configuration.  What was told is held against what should have been.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bench import watched

from benchmarks._virtual_time import LoopClock, VirtualTimeLoop
from monitor.announcer import Announcer
from monitor.config import ChannelSettings
from monitor.core.events import Alert, Change, Event, Silence, Suppression, Why
from monitor.core.messages import Lateness, Message, compose
from monitor.core.model import Failure, MeterReading, Reading, Reason, Severity
from monitor.core.notifications import Notification, NotificationState
from monitor.core.rules import Rules
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.context import OutboxContext, OutboxPolicy
from monitor.delivery.outbox import Outbox
from monitor.metrics import Metrics
from monitor.pipeline import Pipeline
from monitor.store import open_store
from monitor.store.base import Changes, Store
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, World, restore

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REPEAT = {Severity.WARNING: 24 * HOUR, Severity.CRITICAL: 4 * HOUR}
BALANCE_RULES = {"low_balance", "exhausted", "topped_up"}
HEARD = (Change.FIRED, Change.ESCALATED, Change.REMINDED)


# -- configurations -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setup:
    """One configuration that the daemon may be started with."""

    keys: tuple[WatchedKey, ...]
    channels: tuple[ChannelSettings, ...]
    tell_resolved: bool = True
    escalate_to: str = "boss"

    @property
    def telling(self) -> TellingPolicy:
        return TellingPolicy(
            group_wait=timedelta(seconds=10),
            tell_resolved=self.tell_resolved,
            repeat=REPEAT,
            escalate_after=HOUR if self.escalate_to else None,
            escalate_to=self.escalate_to,
        )

    @property
    def outbox(self) -> OutboxPolicy:
        return OutboxPolicy(
            timeout=timedelta(seconds=30),
            give_up_after=timedelta(hours=24),
            fallbacks={c.name: c.fallback for c in self.channels if c.fallback},
            limits={c.name: c.limit for c in self.channels if c.limit},
        )


def channel(name: str, **wanted: object) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": name, "url": "console:", **wanted})


QUIET = {"from": "22:00", "to": "07:00", "except": "critical"}
OPS = channel("ops", fallback="mail")
MAIL = channel("mail", severities=["critical"])
NIGHT = channel("night", quiet=QUIET)
PHONE = channel("phone", keys=["a", "c"], limit=2)
BOSS = channel("boss", keys=["nobody"])
A, B = watched("a", account="main"), watched("b", account="main")
C, D = watched("c"), watched("d", provider="other")
EARLIER = Rules.model_validate({"low_balance": {"warning": 3000, "critical": 500}})
NO_BALANCE = Rules.model_validate({"low_balance": None, "exhausted": None})

SETUPS = (
    Setup((A, B, C, D), (OPS, MAIL, NIGHT, PHONE, BOSS)),
    Setup((replace(A, rules=EARLIER), B, replace(C, rules=EARLIER), D), (OPS, MAIL, PHONE, BOSS)),
    Setup((A, D), (channel("ops"), NIGHT, BOSS)),
    Setup((A, B, replace(C, account="own"), D), (channel("ops", keys=["c"]), MAIL), False, ""),
    Setup(tuple(replace(k, rules=NO_BALANCE) for k in (A, B)), (OPS, MAIL, NIGHT, BOSS)),
)


# -- receivers ------------------------------------------------------------------------------------


class Receiver:
    """Takes, fails, refuses or hangs, and keeps what it took."""

    def __init__(self) -> None:
        self.mode = "takes"
        self.got: list[Message] = []

    async def send(self, message: Message) -> Delivery:
        if self.mode == "hangs":
            await asyncio.sleep(3600)
        if self.mode == "fails":
            return Delivery(outcome=Outcome.RETRY, detail="HTTP 503")
        if self.mode == "refuses":
            return Delivery(outcome=Outcome.REFUSED, detail="HTTP 401")
        self.got.append(message)
        return Delivery(outcome=Outcome.DELIVERED)

    async def close(self) -> None: ...


# -- a life ---------------------------------------------------------------------------------------


class Life:
    """A daemon that may die, the store that outlives it, and all that people were told."""

    def __init__(self, path: Path) -> None:
        shutil.copy(empty_store(), path)
        self.url = f"sqlite://{path}"
        self.clock = LoopClock()
        self.true = {"main": Decimal(5300), "c": Decimal(5300), "d": Decimal(5300)}
        self.receivers = {c.name: Receiver() for setup in SETUPS for c in setup.channels}
        self.tells: dict[int, list[int]] = {}  # by the id() of a message that was composed
        self.composed: list[Message] = []  # keeps those identities from being used again
        self.setup_of: dict[int, Setup] = {}
        self.excused: set[int] = set()  # notifications whose attempt died with the process
        self.told_at: dict[int, float] = {}  # by alert: last told, silenced or clock set
        self.stepped_at = 0.0
        self.given_up: list[Notification] = []  # without anybody else being told
        self.silences: list[Silence] = []
        self.worse_since_ack: set[int] = set()  # alerts
        self.setup = SETUPS[0]

    async def open(self) -> None:
        self.store: Store = open_store(self.url)
        snapshot = self.store.load()
        self.unwritten: list[Changes] = []
        self.world: World = restore(self.setup.keys, snapshot)
        self.announcer = Announcer(self.world, self.setup.channels, self.setup.telling, snapshot)
        self.pipeline = Pipeline(self.world, self.announcer, self.clock.now())
        self.outbox = Outbox(
            {c.name: self.receivers[c.name] for c in self.setup.channels},
            self.context(),
            handed=snapshot.handed,
        )
        self.outbox.accept(snapshot.notifications, snapshot.events)
        self.outbox.start()
        self.take(self.pipeline.start(self.clock.now()))
        self.flush()

    def context(self) -> OutboxContext:
        born, setup = self.unwritten, self.setup

        async def settle(ids: Iterable[int]) -> None:
            for number in ids:
                self.announcer.close_group(number)
            self.flush()

        def record(changes: Changes) -> None:
            if self.unwritten is born:  # else the process is dead
                self.unwritten.append(changes)
                self.given_up += [n for n in changes.notifications if is_given_up(n, setup)]

        return OutboxContext(
            compose=self.compose,
            hand_over=self.announcer.hand_over,
            silenced=lambda event: self.announcer.is_silenced(event, self.clock.now()),
            withhold=self.announcer.withhold,
            settle=settle,
            record=record,
            listener=Metrics("0"),
            policy=self.setup.outbox,
            clock=self.clock,
            rng=random.Random(1),
        )

    def compose(
        self,
        events: Sequence[Event],
        now: datetime,
        late: Lateness | None,
        notes: Sequence[str],
        held: bool,  # noqa: FBT001 - as the outbox calls it
    ) -> Message:
        message = compose(events, now=now, late=late, notes=notes, held=held)
        self.tells[id(message)] = [event.id for event in events]
        self.composed.append(message)
        return message

    def flush(self) -> None:
        """One commit, after which the outbox hears of it, as the recorder does it."""
        batch = list(self.unwritten)
        self.unwritten.clear()
        self.store.write(batch)
        for changes in batch:
            if changes.notifications and not changes.attempts:
                self.outbox.accept(changes.notifications, changes.events)

    async def restart(self, *, killed: bool, setup: Setup) -> None:
        if killed:
            lost, self.unwritten = self.unwritten, []
            self.excused |= {a.notification_id for changes in lost for a in changes.attempts}
            await die()
        else:
            self.take(self.pipeline.finish())
            await self.outbox.stop(2.5)
            self.flush()
        self.store.close()
        await asyncio.sleep(1)
        self.setup = setup
        await self.open()

    # -- what is decided ------------------------------------------------------------------------

    def take(self, changes: Changes) -> list[Event]:
        now = self.clock.now()
        for event in changes.events:
            self.setup_of[event.id] = self.setup
            if event.told:
                self.told_at[event.alert_id] = self.clock.monotonic()
                assert not self.is_silenced(event, now), "a silenced thing is told"
            if event.change is Change.ESCALATED:
                self.worse_since_ack.add(event.alert_id)
            elif event.change is Change.REMINDED and event.alert_id in self.world.acks:
                over = event.why is Why.SILENCE_OVER and event.alert_id in self.worse_since_ack
                assert over, "told again although acknowledged"
        self.unwritten.append(changes)
        return changes.events

    def is_silenced(self, about: Event | Alert, now: datetime) -> bool:
        if about.subject.key:
            names = [about.subject.key]
        elif about.subject.account:
            names = [k.name for k in self.setup.keys if k.account == about.subject.account]
        else:
            names = list(about.facts.keys)
        return any(
            now < s.until
            and fnmatchcase(about.rule, s.rules)
            and fnmatchcase(about.subject.provider, s.providers)
            and fnmatchcase(about.subject.account, s.accounts)
            and all(fnmatchcase(name, s.keys) for name in names)
            for s in self.silences
        )

    # -- steps ----------------------------------------------------------------------------------

    def poll(self, key: WatchedKey) -> None:
        amount = self.true[key.account if key.account == "main" else key.name]
        reading = MeterReading(unit="credits", balance=amount)
        self.take(
            self.pipeline.observe(Reading(key=key.name, at=self.clock.now(), meters=(reading,)))
        )

    def fail(self, key: WatchedKey, reason: Reason) -> None:
        before = balance_alerts(self.world)
        failure = Failure(key=key.name, at=self.clock.now(), reason=reason)
        events = self.take(self.pipeline.observe(failure))
        assert not {e.rule for e in events} & BALANCE_RULES
        assert balance_alerts(self.world) == before, "a failed poll moved a balance alert"

    async def sleep(self, span: timedelta, sweep: timedelta = MINUTE) -> None:
        """Time passes; the daemon sweeps, learns of silences, and writes."""
        slept = timedelta(0)
        while slept < span:
            await asyncio.sleep(sweep.total_seconds())
            slept += sweep
            self.learn()
            self.take(self.pipeline.sweep(self.clock.now()))
            self.flush()
            self.check_reminded(sweep)

    def learn(self) -> None:
        now, alerts = self.clock.now(), [a.id for a in self.world.alerts.values()]
        self.world.silences = tuple(self.store.silences(active_at=now))
        self.world.acks = {ack.alert_id: ack for ack in self.store.acks(alerts)}

    async def set_clock(self, by: timedelta) -> None:
        self.clock.offset += by
        await asyncio.sleep(5)
        self.stepped_at = self.clock.monotonic()
        self.learn()
        self.take(self.pipeline.clock_stepped(by, self.clock.now()))
        self.take(self.pipeline.sweep(self.clock.now()))

    def silence(self, patterns: dict[str, Any], hours: int) -> None:
        now = self.clock.now()
        wanted = replace(
            Silence(id=0, created_at=now, until=now + hours * HOUR, reason="r"), **patterns
        )
        self.silences.append(self.store.add_silence(wanted))
        self.learn()

    def expire(self) -> None:
        now = self.clock.now()
        self.store.end_silence([s.id for s in self.silences], now)
        self.silences = []
        self.learn()

    def ack(self) -> None:
        """All that is open, as far as it is written."""
        self.flush()
        alerts = [a.id for a in self.store.alerts(only_open=True)]
        self.store.acknowledge(alerts, self.clock.now(), "me", "")
        self.worse_since_ack -= set(alerts)
        self.learn()

    # -- what must hold -------------------------------------------------------------------------

    def check_reminded(self, sweep: timedelta) -> None:
        """What is open and nobody's is told again in time, whatever the clock did."""
        steady = self.clock.monotonic()
        for alert in self.world.alerts.values():
            quiet = alert.id in self.world.acks or self.is_silenced(alert, self.clock.now())
            if quiet or alert.severity not in REPEAT:
                self.told_at[alert.id] = steady
                continue
            last = max(self.told_at.get(alert.id, steady), self.stepped_at)
            late = steady - last - REPEAT[alert.severity].total_seconds()
            assert late <= 2 * sweep.total_seconds(), f"no reminder of {alert}"

    async def come_to_rest(self) -> None:
        """Every channel works again, and all that waits has its time."""
        for receiver in self.receivers.values():
            receiver.mode = "takes"
        self.expire()
        await self.sleep(2 * MINUTE)
        self.ack()
        for _ in range(4 * 26):
            if not self.store.notifications(states=[NotificationState.PENDING]):
                break
            await self.sleep(15 * MINUTE, 15 * MINUTE)
        self.flush()
        await self.outbox.stop(1)

    def check_everything(self) -> None:
        alerts = self.store.alerts(limit=10_000)
        events = self.store.events([a.id for a in alerts])
        notifications = self.store.notifications(limit=10_000)
        assert not self.given_up, "a fallback was not told"
        check_slots(events)
        check_channels(self, events, notifications)
        check_deliveries(self, notifications)


def is_given_up(told: Notification, setup: Setup) -> bool:
    """Whether it is a dead letter although its channel has a fallback, which was not told."""
    dead = told.state is NotificationState.DEAD
    return dead and told.channel in setup.outbox.fallbacks and not told.handed_to


async def die() -> None:
    """End whatever runs besides the one who asks, before it comes to do anything more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def balance_alerts(world: World) -> dict[tuple[str, str, str], Alert]:
    return {slot: alert for slot, alert in world.alerts.items() if slot[2] in BALANCE_RULES}


def check_slots(events: Sequence[Event]) -> None:
    """Per slot: fired, then whatever, then resolved, and only then fired again."""
    firing: dict[tuple[str, str, str], int] = {}
    heard: set[int] = set()
    numbers: set[int] = set()
    for event in events:
        slot = (event.subject.id, event.meter, event.rule)
        if event.change is Change.FIRED:
            assert slot not in firing, "two firing without a resolve"
            firing[slot] = event.alert_id
            assert event.alert_id not in numbers, "two alerts have one number"
        elif event.change is not Change.OCCURRED:
            assert firing.get(slot) == event.alert_id, "something after the end, or before the fire"
        numbers.add(event.alert_id)
        if event.change is Change.RESOLVED:
            del firing[slot]
            assert not event.told or event.alert_id in heard, "the end of what nobody was told of"
        if event.told and event.change in HEARD:
            heard.add(event.alert_id)


def wants(setup: Setup, route: ChannelSettings, event: Event, earlier: Sequence[Event]) -> bool:
    """Whether a channel is to be told of an event, said once more and differently."""
    if event.why is Why.UNANSWERED:
        return route.name == setup.escalate_to
    asked = any(Why.UNANSWERED is e.why for e in earlier) and route.name == setup.escalate_to
    severities = {event.severity}
    if event.change is Change.RESOLVED:
        if not setup.tell_resolved:
            return False
        severities = {e.severity for e in earlier if e.told and e.why is not Why.UNANSWERED}
        if asked:
            return True
    names = [event.subject.key] if event.subject.key else list(event.facts.keys)
    if not names:
        names = [k.name for k in setup.keys if k.account == event.subject.account]
    named = any(fnmatchcase(name, glob) for name in names for glob in route.keys)
    return named and bool(severities & set(route.severities))


def check_channels(
    life: Life, events: Sequence[Event], notifications: Sequence[Notification]
) -> None:
    """Every told event is queued once for each channel that wants it, and for no other, unless
    it is on record why not."""
    own = Counter((n.channel, i) for n in notifications if not n.note for i in n.event_ids)
    assert all(count == 1 for count in own.values()), "an event is queued twice for a channel"
    found = life.store.suppressed([e.id for e in events])
    suppressed = {(s.channel, s.event_id) for s in found}
    silenced = {s.event_id for s in found if s.reason is Suppression.SILENCED and not s.channel}
    earlier: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        setup = life.setup_of[event.id]
        if not event.told:
            expected_silent = event.change is Change.EASED or event.why is Why.UNWATCHED
            assert expected_silent or ("", event.id) in suppressed, f"untold, no reason: {event}"
            was_told = any(e.told and e.change in HEARD for e in earlier[event.alert_id])
            if was_told and event.change is Change.RESOLVED and event.id in silenced:
                assert event.why is Why.SILENCE_OVER, f"the end was kept for good: {event}"
        for route in setup.channels:
            queued = (route.name, event.id) in own
            if not event.told:
                assert not queued
            elif wants(setup, route, event, earlier[event.alert_id]):
                assert queued or (route.name, event.id) in suppressed, f"{route.name}: {event}"
            else:
                assert not queued, f"{route.name} is told what it does not want: {event}"
        earlier[event.alert_id].append(event)


def check_deliveries(life: Life, notifications: Sequence[Notification]) -> None:
    """What was queued arrived once, or is a dead letter whose fallback was told."""
    took: dict[str, Counter[int]] = {
        name: Counter(i for m in r.got for i in life.tells[id(m)])
        for name, r in life.receivers.items()
    }
    attempts = life.store.attempts([n.id for n in notifications])
    delivered = Counter(a.notification_id for a in attempts if a.outcome == "delivered")
    by_event: Counter[tuple[str, int]] = Counter()
    for told in notifications:
        assert told.state is not NotificationState.PENDING, f"still waiting: {told}"
        arrived = told.state is NotificationState.DELIVERED
        assert delivered[told.id] == arrived, f"not exactly once: {told}"
        dropped = told.state is NotificationState.DROPPED
        assert arrived or told.error or dropped, "a dead letter without a reason"
        found = life.store.suppressed(told.event_ids)
        if dropped:
            why = {s.event_id for s in found}
            assert why == set(told.event_ids), f"dropped without a reason: {told}"
        withheld = {
            s.event_id
            for s in found
            if s.channel == told.channel and s.reason is Suppression.SILENCED
        }
        for event_id in told.event_ids:
            took_part = arrived and event_id not in withheld
            if took_part:
                assert took[told.channel][event_id] >= 1, f"never arrived: {told}"
            by_event[told.channel, event_id] += took_part or told.id in life.excused
            by_event[told.channel, event_id] += told.id in life.excused
        check_ends(life, told, notifications)
        if told.handed_to:
            handed = [n for n in notifications if n.channel == told.handed_to and n.note]
            known = {i for n in handed for i in n.event_ids}
            assert set(told.event_ids) <= known, f"the fallback was not told: {told}"
    for name, counts in took.items():
        for event_id, count in counts.items():
            assert count <= by_event[name, event_id], f"{name} was told {event_id} {count} times"


def check_ends(life: Life, told: Notification, notifications: Sequence[Notification]) -> None:
    """A fallback that was told of an alert is told of its end when the channel is."""
    if not told.handed_to:
        return
    stands_in = [n for n in notifications if n.channel == told.handed_to]
    known = {i for n in stands_in for i in n.event_ids}
    began = {e.alert_id for e in life.store.events_by_id(told.event_ids) if e.change in HEARD}
    for later in notifications:
        if later.channel != told.channel or later.id < told.id or later.id in life.excused:
            continue
        for event in life.store.events_by_id(later.event_ids):
            if event.change is Change.RESOLVED and event.alert_id in began:
                has = life.setup_of[event.id].outbox.fallbacks.get(told.channel)
                assert has != told.handed_to or event.id in known, f"no end: {event}"


@cache
def empty_store() -> Path:
    """A store with its tables and nothing in them, made once."""
    path = Path(mkdtemp()) / "empty.db"
    open_store(f"sqlite://{path}").close()
    return path


# -- lives ----------------------------------------------------------------------------------------

Step = tuple[str, str, int]

REASONS = (Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.UNAUTHORIZED)
PATTERNS: dict[str, dict[str, Any]] = {
    "a": {"keys": "a"},
    "c": {"keys": "c"},
    "all": {"keys": "*"},
    "kie": {"providers": "kie"},
    "main": {"accounts": "main"},
    "low": {"rules": "low_balance"},
}
MODES = ("takes", "fails", "refuses", "hangs")
CHANNELS = ("ops", "mail", "night", "phone", "boss")
CLOCKS = (-172_800, -3600, 3600, 172_800)

steps = st.one_of(
    st.tuples(st.just("poll"), st.sampled_from(["a", "c", "d", ""]), st.just(0)),
    st.tuples(st.just("use"), st.sampled_from(["main", "c"]), st.integers(-4, 4)),
    st.tuples(st.just("fail"), st.sampled_from(["a", "c", "d", "kie"]), st.integers(0, 2)),
    st.tuples(st.just("sleep"), st.just(""), st.integers(1, 20)),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 12)),
    st.tuples(st.just("pause"), st.just(""), st.integers(1, 40)),
    st.tuples(st.just("clock"), st.just(""), st.sampled_from(CLOCKS)),
    st.tuples(st.just("silence"), st.sampled_from(list(PATTERNS)), st.integers(1, 8)),
    st.tuples(st.sampled_from(["expire", "ack"]), st.just(""), st.just(0)),
    st.tuples(st.just("channel"), st.sampled_from(CHANNELS), st.integers(0, len(MODES) - 1)),
    st.tuples(st.sampled_from(["stop", "kill"]), st.just(""), st.integers(0, len(SETUPS) - 1)),
    st.tuples(st.just("kill"), st.just("same"), st.just(0)),
)


async def do(life: Life, step: Step) -> None:  # noqa: C901, PLR0912 - one line per word
    word, name, number = step
    chosen = [k for k in life.setup.keys if name in (k.name, k.provider, "")]
    if word == "poll":
        for key in chosen:
            life.poll(key)
    elif word == "fail":
        for key in chosen:
            life.fail(key, REASONS[number])
    elif word == "use":
        life.true[name] -= 1250 * number
    elif word == "sleep":
        await life.sleep(number * MINUTE)
    elif word == "wait":
        await life.sleep(number * HOUR, 10 * MINUTE)
    elif word == "pause":
        await asyncio.sleep(number)
    elif word == "clock":
        await life.set_clock(timedelta(seconds=number))
    elif word == "silence":
        life.silence(PATTERNS[name], number)
    elif word == "expire":
        life.expire()
    elif word == "ack":
        life.ack()
    elif word == "channel":
        life.receivers[name].mode = MODES[number]
    else:
        setup = life.setup if name else SETUPS[number]
        await life.restart(killed=word == "kill", setup=setup)


async def live(life_steps: Sequence[Step]) -> None:
    with TemporaryDirectory() as directory:
        life = Life(Path(directory) / "credit-monitor.db")
        await life.open()
        try:
            for step in life_steps:
                await do(life, step)
            await life.come_to_rest()
            life.check_everything()
        finally:
            await die()
            life.store.close()


def run(life_steps: Sequence[Step]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live(life_steps))


@given(st.lists(steps, max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_each_channel_is_told_once_of_what_it_wants(life: list[Step]) -> None:
    run(life)


EMPTY: Step = ("use", "main", 4)
LOW_C: Step = ("use", "c", 4)
LIVES: dict[str, list[Step]] = {
    "the channel that was told because nobody answered hears of the end": [
        ("poll", "", 0), EMPTY, EMPTY, ("poll", "a", 0), ("wait", "", 2),
        ("use", "main", -4), ("use", "main", -4), ("poll", "a", 0), ("sleep", "", 2),
    ],
    "reminders go on after the clock was set back by days": [
        ("poll", "", 0), EMPTY, EMPTY, ("poll", "a", 0), ("sleep", "", 1),
        ("clock", "", -172_800), ("wait", "", 12),
    ],
    "a silence holds although the clock was set back to before it began": [
        ("poll", "", 0), ("silence", "all", 4), ("clock", "", -3600), LOW_C, ("poll", "c", 0),
        ("sleep", "", 5),
    ],
    "a silence that ended while the daemon was down is over at its start": [
        ("poll", "", 0), ("silence", "all", 1), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
        ("kill", "same", 0), ("clock", "", 3600), ("sleep", "", 2),
    ],
    "what was acknowledged within a silence is not told when it ends": [
        ("poll", "", 0), ("silence", "all", 1), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
        ("ack", "", 0), ("wait", "", 2),
    ],
    "an alert fires and is over, and another one fires after a restart": [
        ("poll", "", 0), LOW_C, ("poll", "c", 0), ("sleep", "", 2), ("use", "c", -4),
        ("poll", "c", 0), ("sleep", "", 2), ("kill", "same", 0), EMPTY, ("poll", "a", 0),
        ("sleep", "", 2),
    ],
    "what was told before a silence ended within it, and the daemon was killed meanwhile": [
        ("poll", "", 0), LOW_C, ("poll", "c", 0), ("sleep", "", 2), ("silence", "low", 1),
        ("use", "c", -4), ("poll", "c", 0), ("sleep", "", 2), ("kill", "same", 0), ("wait", "", 2),
    ],
    "a message that waits for the morning is silenced, and the daemon is killed": [
        ("poll", "", 0), ("channel", "ops", 1), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
        ("silence", "c", 2), ("sleep", "", 20), ("channel", "ops", 0), ("kill", "same", 0),
        ("wait", "", 4),
    ],
    "the fallback was told, and the channel works again when it is over": [
        ("poll", "", 0), ("channel", "ops", 2), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
        ("kill", "same", 0), ("channel", "ops", 0), ("use", "c", -4), ("poll", "c", 0),
        ("sleep", "", 2),
    ],
    "a channel refuses and its fallback is told": [
        ("poll", "", 0), ("channel", "ops", 2), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
    ],
    "a channel hangs all day, is handed over, and is killed meanwhile": [
        ("poll", "", 0), ("channel", "ops", 3), LOW_C, ("poll", "c", 0), ("pause", "", 25),
        ("kill", "same", 0), ("wait", "", 12), ("kill", "", 1), ("wait", "", 3),
    ],
    "a channel leaves the configuration with a message waiting": [
        ("poll", "", 0), ("channel", "night", 1), LOW_C, ("poll", "c", 0), ("sleep", "", 2),
        ("stop", "", 1), ("sleep", "", 2), ("stop", "", 0), ("sleep", "", 2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_a_life_in_which(life: list[Step]) -> None:
    run(life)
