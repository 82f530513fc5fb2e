"""PRODUCT section 5, points 1 to 5, over made-up lives of a daemon with a real SQLite store.

A life is a list of steps: credit is used or paid in, keys are polled or fail, time passes, the wall
clock is set, and the daemon is stopped or killed and started again on what it had written.  The
truth is kept beside it, and after every step what was decided is held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.bench import Channel, watched

from monitor.announcer import Announcer
from monitor.core.events import Alert, Change, Event, Suppression, Why
from monitor.core.flapping import SETTLES_AFTER
from monitor.core.model import HOST, Failure, MeterReading, Reading, Reason, Severity, Subject
from monitor.pipeline import Pipeline
from monitor.store import open_store
from monitor.store.base import Changes, Store
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, World, restore

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
AFTER = timedelta(minutes=15)
SWEEP = timedelta(minutes=1)
STEP_NOTICED = timedelta(seconds=30)
RESTART = timedelta(seconds=1)

KEYS = (
    watched("a", account="main"),
    watched("b", account="main"),
    watched("c"),
    watched("d", provider="other"),
)
BALANCE_OF = {"a": "account:kie/main", "b": "account:kie/main", "c": "key:c", "d": "key:d"}
BALANCE_RULES = {"low_balance", "exhausted", "topped_up"}
CHANNELS = (Channel("ops"), Channel("mail", severities=(Severity.CRITICAL,)))

REASONS = (
    Reason.TIMEOUT,
    Reason.SERVER_ERROR,
    Reason.BAD_RESPONSE,
    Reason.UNAUTHORIZED,
    Reason.KEY_CAPPED,
)


class Life:
    """A daemon's pipeline over a store file, the truth it should tell, and what it told."""

    def __init__(self, path: Path) -> None:
        self._url = f"sqlite://{path}"
        self.true = dict.fromkeys(BALANCE_OF.values(), Decimal(5000))
        self.steady = timedelta(0)
        self.offset = timedelta(0)
        self.answered: dict[str, timedelta] = {}  # since the start of this process
        self.failed: dict[str, list[timedelta]] = {}  # in a row, since the start of this process
        self.outage_over: dict[str, timedelta] = {}
        self.open()

    @property
    def now(self) -> datetime:
        return START + self.steady + self.offset

    def open(self) -> None:
        self.store: Store = open_store(self._url)
        snapshot = self.store.load()
        self.world: World = restore(KEYS, snapshot)
        announcer = Announcer(
            self.world,
            CHANNELS,
            TellingPolicy(group_wait=timedelta(seconds=10)),
            snapshot,
        )
        self.pipeline = Pipeline(self.world, announcer, self.now)
        self.started = self.stepped = self.steady
        self.slipped = timedelta(0)
        self.answered, self.failed = {}, {}
        self.refused = {k for k, live in self.world.keys.items() if live.state.refused_since}
        self.unwritten: list[Changes] = []
        self.ledgers = {(e.subject_id, e.meter): e.state for e in snapshot.ledgers}
        ids = [a.id for a in self.store.alerts(limit=10_000)]
        self.last: dict[tuple[str, str, str], Event] = {}
        self.believed: dict[tuple[str, str, str], Event] = {}
        self.believe(self.store.events(ids))
        assert not self.take(self.pipeline.start(self.now)), "a start alone tells nothing"

    def take(self, changes: Changes) -> list[Event]:
        told = {e.id for e in changes.events if e.told}
        queued = {i for n in changes.notifications for i in n.event_ids}
        assert told <= queued, "what is told is enqueued in the same unit of work"
        self.unwritten.append(changes)
        self.believe(changes.events)
        return changes.events

    def believe(self, events: list[Event]) -> None:
        """What happened last to each alert, and what whoever reads all messages takes it for."""
        for event in events:
            slot = (event.subject.id, event.meter, event.rule)
            self.last[slot] = event
            if event.told or event.why is Why.UNWATCHED:
                self.believed[slot] = event

    def write(self) -> None:
        self.store.write(self.unwritten)
        self.unwritten = []
        check_ledgers(self)
        check_store(self.store)

    def restart(self, *, killed: bool) -> None:
        """End the process and start another; killed, it takes with it what was not yet written."""
        if not killed:
            self.take(self.pipeline.finish())
            self.write()
        written = {a.slot: a for a in self.store.alerts(only_open=True)}
        assert killed or written == self.world.alerts
        self.store.close()
        self.steady += RESTART
        self.open()
        assert untimed(self.world.alerts) == untimed(written), "open alerts are what they were"

    # -- steps ------------------------------------------------------------------------------

    def poll(self, key: str) -> None:
        balance = self.true[BALANCE_OF[key]]
        reading = MeterReading(unit="credits", balance=balance)
        events = self.take(self.pipeline.observe(Reading(key=key, at=self.now, meters=(reading,))))
        self.answered[key] = self.steady
        self.failed.pop(key, None)
        self.refused.discard(key)
        again = self.pipeline.observe(Reading(key=key, at=self.now, meters=(reading,)))
        assert not again.events, "the same reading again is no news"
        assert not any(e.rule == "silent" and e.change is Change.FIRED for e in events)
        check_balance(self, key, balance)
        open_rules = {rule for subject, _, rule in self.world.alerts if subject == f"key:{key}"}
        assert not open_rules & {"rejected", "silent"}, "a reading ends refusal and silence"

    def fail(self, key: str, reason: Reason) -> None:
        before = {s: a for s, a in self.world.alerts.items() if s[2] in BALANCE_RULES}
        events = self.take(self.pipeline.observe(Failure(key=key, at=self.now, reason=reason)))
        self.failed.setdefault(key, []).append(self.steady)
        if reason.needs_person:
            self.refused.add(key)
        assert not {e.rule for e in events} & BALANCE_RULES
        assert {s: a for s, a in self.world.alerts.items() if s[2] in BALANCE_RULES} == before
        if key in self.refused:
            assert (f"key:{key}", "", "rejected") in self.world.alerts

    def sleep(self, minutes: int) -> None:
        for _ in range(minutes):
            self.steady += SWEEP
            self.sweep()

    def set_clock(self, by: timedelta) -> None:
        """As the daemon does: a sweep that finds the wall clock set says so first."""
        self.offset += by
        self.steady += timedelta(seconds=5)
        if abs(by) > STEP_NOTICED:
            self.take(self.pipeline.clock_stepped(by, self.now))
            self.stepped = self.steady
        else:
            self.slipped += abs(by)
        self.sweep()

    def sweep(self) -> None:
        events = self.take(self.pipeline.sweep(self.now))
        check_beliefs(self)
        events = [e for e in events if e.why is not Why.SETTLED]
        assert {e.rule for e in events} <= {"silent"}
        for event in events:
            if event.change is Change.FIRED:
                # Whoever of them is silent: the others may not have been asked, or just failed.
                keys = [k.name for k in KEYS if concerns(event.subject, k)]
                assert any(self.is_quiet(key) for key in keys), "silence is told without silence"
            elif not event.subject.key:
                self.outage_over[event.subject.provider] = self.steady
        for key in KEYS:
            if self.has_long_failed(key.name, key.provider):
                told = {subject for subject, _, rule in self.world.alerts if rule == "silent"}
                assert told & {f"key:{key.name}", f"provider:{key.provider}", "host"}

    def is_quiet(self, key: str) -> bool:
        """No reading for the time of the rule, less what a clock set by seconds has cost."""
        enough = AFTER - self.slipped - timedelta(seconds=10)
        since = self.answered.get(key)
        if since is None:  # nothing in this process: a failed poll confirms, or time passes
            return bool(self.failed.get(key)) or self.steady - self.started >= enough
        return self.steady - since >= enough

    def has_long_failed(self, key: str, provider: str) -> bool:
        """Failing for so long that somebody must have been told, whatever the clock did; after a
        step of it, one more failed poll has to confirm."""
        failed = self.failed.get(key, [])
        ends = [o for name in (provider, "") if (o := self.outage_over.get(name)) is not None]
        over = max(ends, default=None)
        long = timedelta(minutes=1) + AFTER
        return (
            len(failed) > 1
            and failed[-1] >= self.stepped
            and self.steady - failed[0] >= long
            and (over is None or self.steady - over >= long)
            and key not in self.refused
        )


def check_beliefs(life: Life) -> None:
    """Nothing is open, or worse, without that somebody was told; what is over is known in time."""
    for slot, alert in life.world.alerts.items():
        assert life.believed[slot].change is not Change.RESOLVED
        assert life.believed[slot].severity.rank >= alert.severity.rank
    for slot, known in life.believed.items():
        if known.change not in (Change.RESOLVED, Change.OCCURRED):
            flaps = timedelta(0) <= life.now - life.last[slot].at < SETTLES_AFTER
            assert slot in life.world.alerts or flaps


def concerns(subject: Subject, key: WatchedKey) -> bool:
    """Whether an alert about silence of *subject* may speak for *key*."""
    return subject in (HOST, Subject(key.provider)) or subject.key == key.name


def untimed(alerts: Mapping[tuple[str, str, str], Alert]) -> dict[tuple[str, str, str], Alert]:
    """Alerts without when they were told, which a clock that was set back may move."""
    return {slot: replace(alert, told_at=None) for slot, alert in alerts.items()}


def check_balance(life: Life, key: str, balance: Decimal) -> None:
    """The alerts about a balance after a reading of it: warning below 1000, critical below 100."""
    subject = BALANCE_OF[key]
    if life.world.ledgers[subject, "balance"].at != life.now:
        assert key in {"a", "b"}, "only another key of its account may keep a reading out"
        return
    opened = {
        rule: alert.severity for (s, _, rule), alert in life.world.alerts.items() if s == subject
    }
    reference = life.world.ledgers[subject, "balance"].reference
    if balance <= 0:
        assert opened.get("exhausted") is Severity.CRITICAL
    elif balance > max(reference, Decimal(0)) / 100:
        assert "exhausted" not in opened
        if balance < 100:
            assert opened.get("low_balance") is Severity.CRITICAL
        elif balance < 1000:
            assert "low_balance" in opened
        elif balance >= 1100:
            assert "low_balance" not in opened


def check_ledgers(life: Life) -> None:
    """From one written state to the next, what was paid in, given back and used explains the
    balance, and no total fell."""
    for entry in life.store.ledgers():
        slot = (entry.subject_id, entry.meter)
        new, old = entry.state, life.ledgers.get(slot)
        if old is not None:
            used = new.consumed_total - old.consumed_total
            paid = new.topped_up_total - old.topped_up_total
            back = new.refunded_total - old.refunded_total
            assert min(used, paid, back) >= 0
            assert new.balance == old.balance + paid + back - used
        life.ledgers[slot] = new


def check_store(store: Store) -> None:
    """At every commit: one open alert per slot, whole episodes, every told event enqueued once."""
    alerts = store.alerts(limit=10_000)
    opened = [a.slot for a in alerts if a.resolved_at is None]
    assert len(opened) == len(set(opened)), "two open alerts of one slot"
    queued: dict[str, list[int]] = {}
    for notification in store.notifications(limit=10_000):
        queued.setdefault(notification.channel, []).extend(notification.event_ids)
    for ids in queued.values():
        assert len(ids) == len(set(ids)), "an event is told twice to one channel"
    events = store.events([a.id for a in alerts])
    told = {e.id for e in events if e.told}
    assert set(queued.get("ops", [])) == told
    assert set(queued.get("mail", [])) <= told
    held = store.suppressed([e.id for e in events])
    assert {s.reason for s in held} <= {Suppression.FLAPPING}
    spared = {s.event_id for s in held}
    for alert in alerts:
        own = [e for e in events if e.alert_id == alert.id]
        check_episode(own, spared, is_open=alert.resolved_at is None)


def check_episode(events: list[Event], spared: set[int], *, is_open: bool) -> None:
    changes = [e.change for e in events if e.change is not Change.REMINDED]
    if changes[0] is Change.OCCURRED:
        assert changes == [Change.OCCURRED]
        assert not is_open
        return
    assert changes[0] is Change.FIRED
    assert changes.count(Change.FIRED) == 1
    assert (Change.RESOLVED in changes) is (not is_open)
    assert Change.RESOLVED not in changes[:-1]
    for event in events:
        assert event.told or event.change is Change.EASED or event.id in spared
        assert not (event.told and event.id in spared) or event.why is Why.SETTLED


# -- lives ----------------------------------------------------------------------------------------

Step = tuple[str, str, int]

NAMES = [k.name for k in KEYS]
REFUSED = REASONS.index(Reason.UNAUTHORIZED)
CLOCKS = [-172_800, -3600, -20, 20, 3600, 172_800]

steps = st.one_of(
    st.tuples(st.just("poll"), st.sampled_from([*NAMES, ""]), st.just(0)),
    st.tuples(st.just("use"), st.sampled_from(NAMES), st.integers(-3000, 3000)),
    st.tuples(st.just("fail"), st.sampled_from([*NAMES, "kie"]), st.integers(0, REFUSED - 1)),
    st.tuples(st.just("fail"), st.sampled_from(NAMES), st.integers(0, len(REASONS) - 1)),
    st.tuples(st.just("fail"), st.just(""), st.just(REASONS.index(Reason.TIMEOUT))),
    st.tuples(st.just("sleep"), st.just(""), st.integers(1, 20)),
    st.tuples(st.just("clock"), st.just(""), st.sampled_from(CLOCKS)),
    st.tuples(st.sampled_from(["write", "stop", "kill"]), st.just(""), st.just(0)),
)


@contextmanager
def a_life() -> Iterator[Life]:
    with TemporaryDirectory() as directory:
        life = Life(Path(directory) / "credit-monitor.db")
        try:
            yield life
        finally:
            life.store.close()


def do(life: Life, step: Step, *, without: str = "") -> None:
    word, name, number = step
    members = [k.name for k in KEYS if name in (k.name, k.provider, "") and k.name != without]
    if word == "poll":
        for key in members:
            life.poll(key)
    elif word == "fail":
        for key in members:
            life.fail(key, REASONS[number])
    elif word == "use":
        life.true[BALANCE_OF[name]] -= number
    elif word == "sleep":
        life.sleep(number)
    elif word == "clock":
        life.set_clock(timedelta(seconds=number))
    elif word == "write":
        life.write()
    else:
        life.restart(killed=word == "kill")


OUTAGE: list[Step] = [
    ("poll", "", 0),
    ("fail", "kie", 0),
    ("sleep", "", 8),
    ("fail", "kie", 1),
    ("sleep", "", 8),
    ("kill", "", 0),
    ("fail", "kie", 1),
    ("sleep", "", 20),
    ("poll", "a", 0),
    ("sleep", "", 20),
]
NIGHT: list[Step] = [
    ("poll", "", 0),
    ("use", "a", 2950),
    ("use", "a", 2000),
    ("poll", "a", 0),
    ("stop", "", 0),
    ("clock", "", -172_800),
    ("use", "a", 51),
    ("poll", "b", 0),
    ("sleep", "", 20),
    ("use", "a", -3000),
    ("poll", "", 0),
]


SET_BACK_AFTER_AN_OUTAGE: list[Step] = [
    ("poll", "", 0),
    ("fail", "kie", 0),
    ("sleep", "", 8),
    ("fail", "kie", 1),
    ("sleep", "", 8),
    ("poll", "", 0),
    ("sleep", "", 1),
    ("clock", "", -172_800),
    ("fail", "c", 0),
    ("sleep", "", 8),
    ("fail", "c", 0),
    ("sleep", "", 12),
]
SLID_BACK: list[Step] = [
    ("sleep", "", 15),
    ("clock", "", -172_800),
    ("clock", "", -20),
    ("poll", "a", 0),
]


FLAPPING: list[Step] = [
    *[("use", "c", 4500), ("poll", "c", 0), ("use", "c", -4500), ("poll", "c", 0)] * 3,
    ("sleep", "", 5),
    ("use", "c", 4950),
    ("poll", "c", 0),
    ("write", "", 0),
    ("use", "c", -4950),
    ("poll", "c", 0),
    ("kill", "", 0),
    ("poll", "c", 0),
    ("sleep", "", 20),
    ("poll", "", 0),
    ("sleep", "", 20),
]


@given(st.lists(steps, max_size=40))
@example(FLAPPING)
@example(OUTAGE)
@example(SLID_BACK)
@example(SET_BACK_AFTER_AN_OUTAGE)
@example(NIGHT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_life_tells_what_happened_once_and_keeps_it(life_steps: list[Step]) -> None:
    with a_life() as life:
        for step in life_steps:
            do(life, step)
        life.restart(killed=False)
        for key in KEYS:
            life.poll(key.name)
        life.write()


@given(st.lists(steps, max_size=25), st.lists(st.booleans(), min_size=26, max_size=26))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_daemon_that_is_restarted_all_the_time_tells_the_same_of_balances(
    life_steps: list[Step], restarts: list[bool]
) -> None:
    """Restarts with everything written change nothing about balances, whenever they come.

    One of the two keys of the account stays out: which of them speaks is chosen anew at a start.
    """
    told = []
    for restarting in (False, True):
        with a_life() as life:
            for step, restart in zip(life_steps, restarts, strict=False):
                if step[0] not in ("stop", "kill", "write"):
                    do(life, step, without="b")
                if restart and restarting:
                    life.restart(killed=False)
                elif restart:
                    life.steady += RESTART
            life.write()
            alerts = sorted(life.store.alerts(limit=10_000), key=lambda a: a.id)
            events = life.store.events([a.id for a in alerts])
            told.append([(e.subject.id, e.rule, e.change, e.facts) for e in events if balance(e)])
    assert told[0] == told[1]


def balance(event: Event) -> bool:
    return event.rule in BALANCE_RULES
