"""The outbox on a real event loop, with channels that take, refuse, hang or fail for a while."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.charts import chart
from support.patience import HANGS

from monitor.clock import Clock
from monitor.core.events import Change, Event, Facts, Suppression, Why
from monitor.core.messages import Lateness, Message, encode, trial_message
from monitor.core.model import Severity, Subject
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.context import OutboxContext, OutboxPolicy
from monitor.delivery.outbox import Outbox
from monitor.delivery.patience import Quota, conclude, retry_delay
from monitor.store.base import Changes

TAKEN = Delivery(outcome=Outcome.DELIVERED)
BUSY = Delivery(outcome=Outcome.RETRY, detail="HTTP 503")
REFUSED = Delivery(outcome=Outcome.REFUSED, detail="HTTP 400")


class Receiver:
    """A channel that answers as told; without instructions it takes everything."""

    def __init__(self) -> None:
        self.answers: list[Delivery | float | Exception] = []
        self.got: list[Message] = []
        self.tried = 0
        self.poison = ""
        self.closed = False
        self.changed = asyncio.Event()

    async def send(self, message: Message) -> Delivery:
        self.tried += 1
        self.changed.set()
        answer = self.answers.pop(0) if self.answers else TAKEN
        if self.poison and self.poison in message.title:
            return REFUSED
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return TAKEN
        if answer is TAKEN:
            self.got.append(message)
        return answer

    async def close(self) -> None:
        self.closed = True


class Office:
    """An outbox with two channels, and a record of what it wanted recorded."""

    def __init__(
        self,
        *,
        timeout: float = 0.2,
        give_up_after: float = 3600,
        limit: int | None = None,
        fallback: str = "",
        handed: Sequence[tuple[str, int]] = (),
        illustrate: Callable[[Message, Sequence[Event]], Awaitable[Message]] | None = None,
        speed: float = 200,
    ) -> None:
        self.clock = Clock(speed=speed)
        self.channels = {"ops": Receiver(), "mail": Receiver()}
        self.rows: dict[int, Notification] = {}
        self.attempts: list[tuple[int, int, str]] = []
        self.suppressed: list[tuple[int, Suppression]] = []
        self.settled: list[list[int]] = []
        self.muted: set[int] = set()  # alerts
        self.withheld: list[int] = []  # events
        self.broken = False
        self.hold: asyncio.Event | None = None
        self.told: list[tuple[str, str]] = []
        self.changed = asyncio.Event()
        self.outbox = Outbox(
            self.channels,
            OutboxContext(
                compose=self._compose,
                hand_over=self._hand_over,
                silenced=lambda event: event.alert_id in self.muted,
                withhold=lambda events: self.withheld.extend(e.id for e in events),
                settle=self._settle,
                record=self._record,
                listener=self,
                policy=OutboxPolicy(
                    timeout=timedelta(seconds=timeout),
                    give_up_after=timedelta(seconds=give_up_after),
                    fallback_after=timedelta(seconds=60),
                    fallbacks={"ops": fallback} if fallback else {},
                    limits={"mail": limit} if limit else {},
                ),
                clock=self.clock,
                rng=random.Random(1),
                illustrate=illustrate,
            ),
            handed=handed,
        )

    def _compose(
        self,
        events: Sequence[Event],
        now: datetime,
        late: Lateness | None,
        notes: Sequence[str],
        held: bool,  # noqa: FBT001 - the signature of OutboxContext.compose
    ) -> Message:
        title = " ".join(str(e.id) for e in events)
        causes = (late.cause,) if late else ()
        return Message(title=title, severity=None, stories=(), notes=(*causes, *notes))

    def _hand_over(self, notification: Notification, to: str, note: str) -> Notification:
        return replace(notification, id=notification.id + 1000, channel=to, attempts=0, note=note)

    async def _settle(self, ids: Iterable[int]) -> None:
        self.settled.append(list(ids))
        if self.broken:
            raise RuntimeError
        if self.hold is not None:
            await self.hold.wait()

    def _record(self, changes: Changes) -> None:
        self.rows |= {n.id: n for n in changes.notifications}
        self.suppressed += [(s.event_id, s.reason) for s in changes.suppressed]
        self.attempts += [(a.notification_id, a.number, a.outcome) for a in changes.attempts]
        self.changed.set()

    def notification(self, channel: str, outcome: str) -> None:
        self.told.append((channel, outcome))

    def notification_delay(self, channel: str, seconds: float) -> None:
        assert seconds >= 0

    def post(self, number: int, channel: str = "ops", *, wait: float = 0) -> Notification:
        now = self.clock.now()
        notification = Notification(
            id=number,
            channel=channel,
            event_ids=(number,),
            created_at=now,
            due_at=now + timedelta(seconds=wait),
            next_attempt_at=now + timedelta(seconds=wait),
        )
        self.outbox.accept([notification], [event(number, now)])
        return notification

    async def until(self, number: int, state: NotificationState) -> Notification:
        async with asyncio.timeout(HANGS):
            while number not in self.rows or self.rows[number].state is not state:
                self.changed.clear()
                await self.changed.wait()
        return self.rows[number]


def event(number: int, now: datetime) -> Event:
    return Event(
        id=number,
        alert_id=number,
        subject=Subject("kie", "", "studio"),
        meter="balance",
        rule="low_balance",
        change=Change.FIRED,
        why=Why.NEW,
        told=True,
        severity=Severity.WARNING,
        at=now,
        opened_at=now,
        facts=Facts(),
    )


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    made.outbox.start()
    yield made
    await made.outbox.stop(1)


async def test_a_notification_is_sent_when_due_and_recorded_as_delivered(office: Office) -> None:
    office.post(1, wait=10)
    assert office.outbox.pending()["ops"][0] == 1
    done = await office.until(1, NotificationState.DELIVERED)
    assert done.finished_at is not None
    assert done.finished_at >= done.due_at
    assert office.attempts == [(1, 1, "delivered")]
    assert office.settled == [[1]], "its group is closed and recorded before it leaves"
    assert office.outbox.pending()["ops"] == (0, 0.0)


async def test_a_failing_channel_is_retried_until_it_takes_the_message(office: Office) -> None:
    ops = office.channels["ops"]
    ops.answers = [BUSY, RuntimeError("a bug"), BUSY]
    office.post(1)
    await office.until(1, NotificationState.DELIVERED)
    assert [outcome for _, _, outcome in office.attempts] == [
        "retry",
        "retry",
        "retry",
        "delivered",
    ]
    assert [number for _, number, _ in office.attempts] == [1, 2, 3, 4]


async def test_an_outage_of_a_channel_is_a_line_when_it_begins_and_one_when_it_ends(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.channels["ops"].answers = [BUSY] * 4
    office.post(1)
    await office.until(1, NotificationState.DELIVERED)
    assert [r.getMessage() for r in caplog.records if r.name == "monitor.delivery.channel"] == [
        "channel ops: cannot deliver, retrying: HTTP 503",
        "channel ops: delivers again",
    ]


async def test_a_hanging_channel_is_cut_off_and_holds_up_nobody_else(office: Office) -> None:
    office.channels["ops"].answers = [60.0]
    office.post(1, "ops")
    office.post(2, "mail")
    await office.until(2, NotificationState.DELIVERED)
    assert 1 not in office.rows
    await office.until(1, NotificationState.DELIVERED)
    assert office.attempts[1] == (1, 1, "retry")


async def test_news_never_overtake_what_waits_since_longer(office: Office) -> None:
    ops = office.channels["ops"]
    ops.answers = [BUSY] * 5
    office.post(1)
    async with asyncio.timeout(HANGS):
        while len(office.attempts) < 4:
            office.changed.clear()
            await office.changed.wait()
    office.post(2)  # fails once with the first, and would be tried again long before it
    await office.until(2, NotificationState.DELIVERED)
    assert [message.title for message in ops.got] == ["1 2"]


async def test_what_waited_during_an_outage_leaves_as_one_message_that_says_why(
    office: Office,
) -> None:
    ops = office.channels["ops"]
    ops.answers = [BUSY] * 5
    office.post(1)
    await office.until(1, NotificationState.PENDING)
    for number in (2, 3, 4):
        office.post(number)
    await office.until(4, NotificationState.DELIVERED)
    assert [m.title for m in ops.got] == ["1 2 3 4"]
    assert ops.got[0].notes == ("HTTP 503",)


async def test_a_refusal_is_final_and_visible(office: Office) -> None:
    office.channels["ops"].answers = [REFUSED]
    office.post(1)
    dead = await office.until(1, NotificationState.DEAD)
    assert dead.error == "HTTP 400"
    assert office.told == [("ops", "refused")]


async def test_one_message_that_is_refused_does_not_take_the_others_with_it(
    office: Office,
) -> None:
    ops = office.channels["ops"]
    ops.poison = "2"
    for number in (1, 2, 3):
        office.post(number)
    await office.until(2, NotificationState.DEAD)
    await office.until(3, NotificationState.DELIVERED)
    await office.until(1, NotificationState.DELIVERED)
    assert [m.title for m in ops.got] == ["1", "3"]


async def test_a_notification_that_no_longer_matters_is_given_up() -> None:
    office = Office(give_up_after=60)
    office.outbox.start()
    office.channels["ops"].answers = [BUSY] * 99
    office.post(1)
    dead = await office.until(1, NotificationState.DEAD)
    assert dead.error == "given up: HTTP 503"
    assert office.told[-1] == ("ops", "expired")
    await office.outbox.stop(1)


async def test_a_newer_version_of_a_waiting_notification_brings_its_events(office: Office) -> None:
    first = office.post(1, wait=20)
    now = office.clock.now()
    office.outbox.accept([replace(first, event_ids=(1, 7))], [event(7, now)])
    await office.until(1, NotificationState.DELIVERED)
    assert [m.title for m in office.channels["ops"].got] == ["1 7"]


async def test_a_channel_that_left_the_configuration_gets_dead_letters(office: Office) -> None:
    office.post(1, "gone")
    dead = await office.until(1, NotificationState.DEAD)
    assert dead.error == "the channel is no longer configured"


async def test_the_wall_clock_set_back_delays_nothing_for_hours(office: Office) -> None:
    now = office.clock.now()
    stuck = Notification(
        id=1,
        channel="ops",
        event_ids=(1,),
        created_at=now + timedelta(days=1),
        due_at=now + timedelta(days=1, seconds=10),
        next_attempt_at=now + timedelta(days=1, seconds=10),
    )
    office.outbox.accept([stuck], [event(1, now)])
    await office.until(1, NotificationState.DELIVERED)


async def test_stop_waits_for_nobody_where_nothing_is_under_way() -> None:
    office = Office()
    office.outbox.start()
    office.post(1, wait=100_000)
    async with asyncio.timeout(HANGS):
        await office.outbox.stop(10 * HANGS)


async def test_stop_lets_a_send_end_and_leaves_the_rest_for_the_next_start() -> None:
    office = Office(timeout=30)
    office.outbox.start()
    ops = office.channels["ops"]
    ops.answers = [0.1]
    office.post(1)
    office.post(2, wait=100_000)
    async with asyncio.timeout(HANGS):
        await ops.changed.wait()
    await office.outbox.stop(5)
    assert office.rows[1].state is NotificationState.DELIVERED
    assert 2 not in office.rows
    assert ops.closed


@pytest.mark.parametrize(
    ("attempts", "retry_after", "seconds"),
    [
        pytest.param(1, None, 5, id="the first retry comes after five seconds"),
        pytest.param(3, None, 20, id="then the wait doubles"),
        pytest.param(40, None, 300, id="up to five minutes"),
        pytest.param(1, 120, 120, id="a channel's own wish is honoured"),
        pytest.param(1, 1, 5, id="but not a shorter one"),
        pytest.param(1, 10**6, 3600, id="nor one of more than an hour"),
    ],
)
def test_the_wait_between_retries(attempts: int, retry_after: int | None, seconds: int) -> None:
    wish = None if retry_after is None else timedelta(seconds=retry_after)
    assert retry_delay(attempts, wish, jitter=0.5) == timedelta(seconds=seconds)
    low, high = (retry_delay(attempts, None, jitter=j) for j in (0.0, 0.999))
    assert low < high


def test_the_outcome_of_an_attempt_keeps_the_error_until_it_is_delivered() -> None:
    now = Clock().now()
    note = Notification(
        id=1, channel="c", event_ids=(1,), created_at=now, due_at=now, next_attempt_at=now
    )
    day = timedelta(days=1)
    failed, outcome = conclude(note, BUSY, now=now, give_up_after=day, jitter=0.5)
    assert (outcome, failed.error, failed.attempts) == ("retry", "HTTP 503", 1)
    assert failed.next_attempt_at == now + timedelta(seconds=5)
    done, outcome = conclude(failed, TAKEN, now=now, give_up_after=day, jitter=0.5)
    assert (outcome, done.error, done.state) == ("delivered", "", NotificationState.DELIVERED)


# -- messages that are stored whole ---------------------------------------------------------


def report(office: Office, number: int, *, channel: str = "ops", age: float = 0) -> Notification:
    """A waiting notification that holds its message, due *age* seconds ago."""
    at = office.clock.now() - timedelta(seconds=age)
    return Notification(
        id=number,
        channel=channel,
        event_ids=(),
        created_at=at,
        due_at=at,
        next_attempt_at=at,
        body=encode(trial_message(f"report-{number}", now=at)),
    )


async def test_a_stored_message_is_sent_as_it_is_and_alone(office: Office) -> None:
    office.channels["ops"].answers = [BUSY]
    office.outbox.accept([report(office, 1), report(office, 2)], [])
    office.post(3)
    office.post(4)
    for number in (1, 2, 3, 4):
        await office.until(number, NotificationState.DELIVERED)
    titles = [message.title for message in office.channels["ops"].got]
    assert sorted(titles) == [
        "3 4",
        "Test message through report-1",
        "Test message through report-2",
    ]


async def test_a_stored_message_that_waited_for_a_start_says_how_late_it_is(
    office: Office,
) -> None:
    office.outbox.accept([report(office, 1, age=7200)], [])
    await office.until(1, NotificationState.DELIVERED)
    (message,) = office.channels["ops"].got
    assert "2 h late" in message.notes[0]
    assert "credit-monitor was not running" in message.notes[0]


async def test_a_stored_message_that_is_refused_takes_no_other_with_it(office: Office) -> None:
    office.channels["ops"].poison = "report-1"
    office.outbox.accept([report(office, 1), report(office, 2)], [])
    await office.until(1, NotificationState.DEAD)
    await office.until(2, NotificationState.DELIVERED)


async def test_a_stored_message_that_a_channel_refuses_goes_to_its_fallback_with_a_note() -> None:
    office = Office(fallback="mail")
    office.outbox.start()
    office.channels["ops"].poison = "report-1"
    office.outbox.accept([report(office, 1)], [])
    await office.until(1001, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    (message,) = office.channels["mail"].got
    assert message.title == "Test message through report-1"
    assert message.notes == ("For channel ops, which could not deliver it: HTTP 400.",)


async def test_the_hourly_limit_neither_holds_stored_messages_nor_counts_them() -> None:
    office = Office(limit=1)
    office.outbox.start()
    office.outbox.accept([report(office, 1, channel="mail")], [])
    await office.until(1, NotificationState.DELIVERED)
    office.post(2, "mail")
    await office.until(2, NotificationState.DELIVERED)
    office.post(3, "mail")
    office.outbox.accept([report(office, 4, channel="mail")], [])
    await office.until(4, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert 3 not in office.rows
    assert len(office.channels["mail"].got) == 3


async def test_a_stored_message_gets_no_charts() -> None:
    async def illustrate(message: Message, events: Sequence[Event]) -> Message:
        return replace(message, charts=(chart(name="one"),))

    office = Office(illustrate=illustrate)
    office.outbox.start()
    office.outbox.accept([report(office, 1)], [])
    await office.until(1, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert office.channels["ops"].got[0].charts == ()


async def test_what_a_channel_refuses_goes_to_its_fallback_which_says_whose_it_was() -> None:
    office = Office(fallback="mail")
    office.outbox.start()
    office.channels["ops"].answers = [REFUSED]
    office.post(1)
    await office.until(1001, NotificationState.DELIVERED)
    assert office.rows[1].state is NotificationState.DEAD
    assert office.rows[1].handed_to == "mail"
    assert office.channels["mail"].got[0].notes == (
        "For channel ops, which could not deliver it: HTTP 400.",
    )
    await office.outbox.stop(1)


async def test_a_channel_that_fails_too_long_is_tried_on_while_its_fallback_is_told_once() -> None:
    office = Office(fallback="mail")
    office.outbox.start()
    office.channels["ops"].answers = [BUSY] * 6
    office.post(1)
    await office.until(1, NotificationState.DELIVERED)
    await office.until(1001, NotificationState.DELIVERED)
    assert len(office.channels["mail"].got) == 1
    assert office.channels["mail"].got[0].notes == (
        "For channel ops, which could not deliver it: HTTP 503.",
    )
    assert len(office.channels["ops"].got) == 1
    await office.outbox.stop(1)


async def test_the_fallback_that_was_told_hears_of_the_end_although_the_channel_works_again() -> (
    None
):
    office = Office(fallback="mail")
    office.outbox.start()
    fired, resolved = course(office, 1, FIRED, RESOLVED)
    office.channels["ops"].answers = [REFUSED]
    held(office, 1, fired, channel="ops", wait=timedelta(0))
    await office.until(1001, NotificationState.DELIVERED)
    other = course(office, 2, FIRED)
    held(office, 2, resolved, *other, channel="ops", wait=timedelta(0))
    end = await office.until(1002, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert end.event_ids == (resolved.id,)
    assert [m.title for m in office.channels["mail"].got] == [str(fired.id), str(resolved.id)]
    assert office.channels["mail"].got[1].notes == (
        "For channel ops, which could not deliver the beginning; it delivers again.",
    )


async def test_a_fallback_that_hears_of_the_end_by_itself_is_not_told_it_twice() -> None:
    office = Office(fallback="mail", handed=[("ops", 1)])
    office.outbox.start()
    _, resolved = course(office, 1, FIRED, RESOLVED)
    both = [waiting(office, n, resolved, channel=c) for n, c in ((1, "ops"), (2, "mail"))]
    office.outbox.accept(both, [resolved])
    await office.until(1, NotificationState.DELIVERED)
    await office.until(2, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert [m.title for m in office.channels["mail"].got] == [str(resolved.id)]
    assert 1001 not in office.rows


async def test_a_fallback_whose_quiet_hours_hold_the_end_is_told_it_for_the_other() -> None:
    office = Office(fallback="mail", handed=[("ops", 1)])
    office.outbox.start()
    _, resolved = course(office, 1, FIRED, RESOLVED)
    both = [
        waiting(office, 1, resolved, channel="ops"),
        waiting(office, 2, resolved, channel="mail", wait=HELD),
    ]
    office.outbox.accept(both, [resolved])
    await office.until(1001, NotificationState.DELIVERED)
    await office.outbox.stop(1)


async def test_a_fallback_told_in_an_earlier_process_hears_of_the_end() -> None:
    office = Office(fallback="mail", handed=[("ops", 1)])
    office.outbox.start()
    _, resolved = course(office, 1, FIRED, RESOLVED)
    held(office, 2, resolved, channel="ops", wait=timedelta(0))
    await office.until(1002, NotificationState.DELIVERED)
    await office.outbox.stop(1)


async def test_what_is_silenced_while_it_waits_does_not_leave(office: Office) -> None:
    office.muted = {1}
    office.post(1)
    dropped = await office.until(1, NotificationState.DROPPED)
    assert dropped.attempts == 0
    assert office.suppressed == [(1, Suppression.SILENCED)]
    assert office.withheld == [1]
    assert office.channels["ops"].tried == 0


async def test_of_a_message_that_holds_other_news_only_what_is_silenced_is_left_out(
    office: Office,
) -> None:
    office.muted = {1, 3}
    (fired,), (other,) = course(office, 1, FIRED), course(office, 2, FIRED)
    ended = course(office, 3, RESOLVED, subject=Subject("kie", "", "spare"))
    held(office, 1, fired, other, *ended, wait=timedelta(0))
    await office.until(1, NotificationState.DELIVERED)
    assert [m.title for m in office.channels["mail"].got] == [f"{other.id} {ended[0].id}"]
    assert office.suppressed == [(fired.id, Suppression.SILENCED)]
    assert office.withheld == [fired.id]


async def test_what_is_silenced_between_two_tries_is_not_tried_again(office: Office) -> None:
    office.channels["ops"].answers = [BUSY] * 100
    office.post(1)
    await office.until(1, NotificationState.PENDING)
    office.muted = {1}
    dropped = await office.until(1, NotificationState.DROPPED)
    assert dropped.attempts == office.channels["ops"].tried
    assert office.suppressed == [(1, Suppression.SILENCED)]


async def test_a_channel_gets_so_many_messages_an_hour_and_the_rest_in_one() -> None:
    office = Office(limit=2)
    office.outbox.start()
    mail = office.channels["mail"]
    for number in (1, 2):
        office.post(number, "mail")
        await office.until(number, NotificationState.DELIVERED)
    for number in (3, 4, 5):
        office.post(number, "mail")
    async with asyncio.timeout(HANGS):
        while len(office.suppressed) < 3:
            office.changed.clear()
            await office.changed.wait()
    assert {reason for _, reason in office.suppressed} == {Suppression.LIMITED}
    assert len(mail.got) == 2
    await office.outbox.stop(1)
    assert 3 not in office.rows, "held back, not lost: the next start takes it up"


HELD = timedelta(seconds=60)  # longer than a group waits, as in quiet hours


def held(
    office: Office,
    number: int,
    *events: Event,
    wait: timedelta = HELD,
    channel: str = "mail",
    **more: Any,
) -> Notification:
    """A notification of *events* that waited for *wait* until now, accepted."""
    notification = waiting(office, number, *events, wait=wait, channel=channel, **more)
    office.outbox.accept([notification], events)
    return notification


def waiting(
    office: Office,
    number: int,
    *events: Event,
    wait: timedelta = timedelta(0),
    channel: str = "mail",
    **more: Any,
) -> Notification:
    """A notification of *events* that waited for *wait* until now."""
    now = office.clock.now()
    return Notification(
        id=number,
        channel=channel,
        event_ids=tuple(e.id for e in events),
        created_at=now - wait,
        due_at=now,
        next_attempt_at=now,
        **more,
    )


def course(office: Office, alert: int, *changes: Change, **more: Any) -> list[Event]:
    """What happened to an alert, one event after the other."""
    first = event(alert, office.clock.now())
    return [
        replace(first, id=10 * alert + i, change=change, **more) for i, change in enumerate(changes)
    ]


FIRED, RESOLVED = Change.FIRED, Change.RESOLVED


async def test_what_came_and_went_in_quiet_hours_is_dropped_and_on_record() -> None:
    office = Office()
    passed = course(office, 1, FIRED, RESOLVED)
    held(office, 1, *passed)
    office.outbox.start()
    dropped = await office.until(1, NotificationState.DROPPED)
    await office.outbox.stop(1)
    assert office.channels["mail"].got == []
    assert dropped.finished_at is not None
    assert office.suppressed == [(e.id, Suppression.PASSED) for e in passed]
    assert office.attempts == []
    assert office.told == [("mail", "dropped")]
    assert office.outbox.pending()["mail"] == (0, 0.0)


@pytest.mark.parametrize(
    ("left", "more"),
    [
        pytest.param((FIRED,), {}, id="another alert is open"),
        pytest.param((RESOLVED,), {}, id="an alert of before has ended"),
        pytest.param((Change.OCCURRED,), {}, id="credit was paid in"),
        pytest.param((), {"attempts": 1}, id="somebody may have heard of it"),
        pytest.param((), {"note": "For channel ops."}, id="another channel should have told it"),
        pytest.param((), {"wait": timedelta(0)}, id="nothing held it back"),
    ],
)
async def test_a_held_message_is_sent_if(left: tuple[Change, ...], more: dict[str, Any]) -> None:
    office = Office()
    other = [replace(e, subject=Subject("kie", "", "spare")) for e in course(office, 2, *left)]
    held(office, 1, *course(office, 1, FIRED, RESOLVED), *other, **more)
    office.outbox.start()
    await office.until(1, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert len(office.channels["mail"].got) == 1
    assert office.suppressed == []


@pytest.mark.parametrize(
    ("severity", "state"),
    [
        pytest.param(Severity.WARNING, NotificationState.DROPPED, id="a warning is dropped"),
        pytest.param(Severity.CRITICAL, NotificationState.DELIVERED, id="what is critical is sent"),
    ],
)
async def test_of_what_the_limit_held_back_and_is_over(
    severity: Severity, state: NotificationState
) -> None:
    office = Office(limit=1, speed=3600)
    office.outbox.start()
    office.post(101, "mail")
    await office.until(101, NotificationState.DELIVERED)
    held(office, 102, *course(office, 102, FIRED, severity=Severity.CRITICAL), wait=timedelta(0))
    await office.until(102, NotificationState.DELIVERED)
    fired, resolved = course(office, 1, FIRED, RESOLVED, severity=severity)
    held(office, 1, fired, wait=timedelta(0))
    held(office, 2, resolved, wait=timedelta(0))
    assert (await office.until(1, state)).state is state
    await office.until(2, state)
    await office.outbox.stop(1)


def test_a_quota_frees_itself_after_an_hour_and_is_twice_as_large_for_critical_messages() -> None:
    quota = Quota(2)
    for at in (0.0, 100.0):
        assert quota.free_at(critical=False) == 0.0
        quota.count(at)
    assert quota.free_at(critical=False) == 3600.0
    assert quota.free_at(critical=True) == 0.0
    for at in (200.0, 300.0):
        quota.count(at)
    assert quota.free_at(critical=True) == 3600.0
    assert quota.free_at(critical=False) == 3800.0
    assert Quota(None).free_at(critical=False) == 0.0


async def test_a_message_gets_the_charts_of_its_events() -> None:
    async def illustrate(message: Message, events: Sequence[Event]) -> Message:
        return replace(message, charts=tuple(chart(name=str(each.id)) for each in events))

    office = Office(illustrate=illustrate)
    office.outbox.start()
    office.post(1)
    await office.until(1, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert [each.name for each in office.channels["ops"].got[0].charts] == ["1"]


async def test_a_fault_in_its_charts_does_not_keep_a_message_back() -> None:
    async def illustrate(message: Message, events: Sequence[Event]) -> Message:
        raise RuntimeError("a bug")

    office = Office(illustrate=illustrate)
    office.outbox.start()
    office.post(1)
    await office.until(1, NotificationState.DELIVERED)
    await office.outbox.stop(1)
    assert office.attempts == [(1, 1, "delivered")]


async def test_waiting_for_a_service_that_is_down_is_no_lag(office: Office) -> None:
    office.channels["ops"].answers = [BUSY] * 3
    office.post(1)
    await office.until(1, NotificationState.PENDING)
    assert office.outbox.lag() == {"ops": pytest.approx(0, abs=0.2), "mail": 0.0}


async def test_a_worker_that_fails_by_itself_has_infinite_lag_until_it_works(
    office: Office,
) -> None:
    office.broken = True
    office.post(1)
    async with asyncio.timeout(HANGS):
        while office.outbox.lag()["ops"] != math.inf:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert office.outbox.lag()["mail"] == 0
    office.broken = False
    await office.until(1, NotificationState.DELIVERED)
    assert office.outbox.lag()["ops"] == 0


async def test_a_worker_that_hangs_outside_of_a_send_is_late(office: Office) -> None:
    office.hold = asyncio.Event()
    office.post(1)
    await asyncio.sleep(0.2)
    assert office.outbox.lag()["ops"] >= 0.15
    office.hold.set()
    await office.until(1, NotificationState.DELIVERED)
    assert office.outbox.lag()["ops"] == 0


async def test_workers_that_do_not_run_have_infinite_lag(office: Office) -> None:
    await office.outbox.stop(1)
    assert office.outbox.lag() == {"ops": math.inf, "mail": math.inf}
