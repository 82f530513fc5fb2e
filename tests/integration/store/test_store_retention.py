"""What is dropped in time, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support import recorded

from monitor.core.ledger import advance, open_ledger
from monitor.core.model import Sample
from monitor.core.notifications import NotificationState
from monitor.store import thinning
from monitor.store.base import Changes, Retention, Store

OpenStore = Callable[..., Store]

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + 100 * DAY
RETENTION = Retention()
EVER = datetime(9000, 1, 1, tzinfo=UTC)


def _kept(store: Store, key: str = "studio") -> list[Sample]:
    return store.samples(key, None, START - 1000 * DAY, EVER)


def _thin_all(store: Store, now: datetime, retention: Retention = RETENTION) -> int:
    total = 0
    while dropped := store.thin(now, retention):
        total += dropped
    return total


def _falling(minutes: int, *, start: datetime = START, key: str = "studio") -> list[Sample]:
    return [recorded.sample(str(100_000 - n), start + n * MINUTE, key=key) for n in range(minutes)]


def _totals(samples: list[Sample]) -> tuple[Decimal, Decimal]:
    """What was consumed and what was paid in or given back, according to *samples*."""
    amounts = [(sample.at, sample.balance) for sample in samples if sample.balance is not None]
    state = open_ledger(amounts[0][0], amounts[0][1], "credits")
    for at, balance in amounts[1:]:
        state, _ = advance(state, at, balance)
    return state.consumed_total, state.topped_up_total + state.refunded_total


def test_young_samples_are_all_kept(store: Store) -> None:
    samples = _falling(120)
    store.write([Changes(samples=samples)])
    assert _thin_all(store, START + 14 * DAY) == 0
    assert _kept(store) == samples


def test_of_old_samples_the_last_of_each_hour_is_kept_and_the_very_first(store: Store) -> None:
    samples = _falling(181)
    store.write([Changes(samples=samples)])
    assert _thin_all(store, LATER) == 181 - 5
    assert _kept(store) == [samples[n] for n in (0, 59, 119, 179, 180)]
    assert _thin_all(store, LATER + DAY) == 0


def test_both_sides_of_a_rise_are_kept(store: Store) -> None:
    balances = ["50", "40", "30", "20", "500", "490", "480", "470", "475", "470", "460"]
    samples = [recorded.sample(b, START + n * MINUTE) for n, b in enumerate(balances)]
    store.write([Changes(samples=samples)])
    _thin_all(store, LATER)
    assert _kept(store) == [samples[n] for n in (0, 3, 4, 7, 8, 10)]


def test_where_a_cap_came_or_went_both_sides_are_kept(store: Store) -> None:
    balances = ["50", "40", "30", None, None, None, "20", "10", "9"]
    samples = [recorded.sample(b, START + n * MINUTE) for n, b in enumerate(balances)]
    store.write([Changes(samples=samples)])
    _thin_all(store, LATER)
    assert _kept(store) == [samples[n] for n in (0, 2, 3, 5, 6, 8)]


def test_thinning_goes_on_where_it_stopped_and_after_a_restart(
    url: str, open_at: OpenStore
) -> None:
    days = 3
    samples = _falling(days * 1440)
    store = open_at(url, lock=True)
    store.write([Changes(samples=samples)])
    dropped = _thin_all(store, START + 15 * DAY)
    assert dropped == 1440 - 25
    store.close()
    store = open_at(url, lock=True)
    dropped += _thin_all(store, START + 16 * DAY)
    dropped += _thin_all(store, LATER)
    kept = [samples[0], *samples[59::60]]
    assert _kept(store) == kept
    assert dropped == len(samples) - len(kept)


def test_a_backlog_is_worked_off_in_bounded_pieces_with_the_same_outcome(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "ROWS_PER_CALL", 7)
    samples = _falling(150)
    store.write([Changes(samples=samples)])
    pieces = []
    while dropped := store.thin(LATER, RETENTION):
        pieces.append(dropped)
    assert max(pieces) <= 7
    assert _kept(store) == [samples[n] for n in (0, 59, 119, 149)]


def test_thousands_of_meters_take_their_turns(store: Store) -> None:
    count = 2 * thinning.METERS_PER_CALL + 1
    samples = [s for n in range(count) for s in _falling(3, key=f"key-{n}")]
    store.write([Changes(samples=samples)])
    assert [store.thin(LATER, RETENTION) for _ in range(4)] == [
        thinning.METERS_PER_CALL,
        thinning.METERS_PER_CALL,
        1,
        0,
    ]


def test_very_old_samples_are_dropped_but_for_the_newest(store: Store) -> None:
    old = _falling(120)
    store.write([Changes(samples=old)])
    _thin_all(store, START + 500 * DAY)
    assert _kept(store) == [old[-1]]
    assert store.load().runs == (old[-1],)


def test_a_shorter_retention_is_worked_off_in_bounded_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinning, "ROWS_PER_CALL", 10)
    samples = _falling(95)
    store.write([Changes(samples=samples)])
    pieces = []
    while dropped := store.thin(START + 500 * DAY, RETENTION):
        pieces.append(dropped)
    assert max(pieces) <= 20
    assert sum(pieces) == 94
    assert _kept(store) == [samples[-1]]


def test_a_run_that_lasts_into_what_is_kept_stays(store: Store) -> None:
    idle = recorded.sample("7", START, lasted=300 * DAY)
    gone = recorded.sample("8", START - HOUR)
    new = recorded.sample("6", START + 301 * DAY)
    store.write([Changes(samples=[gone, idle, new])])
    _thin_all(store, START + 450 * DAY)
    assert _kept(store) == [idle, new]


def test_what_was_consumed_and_paid_in_still_adds_up(store: Store) -> None:
    balance, samples = Decimal(10_000), []
    for n in range(2000):
        balance += Decimal("312.5") if n % 97 == 96 else Decimal("-0.37") * (n % 5)
        samples.append(recorded.sample(str(balance), START + n * 2 * MINUTE))
    store.write([Changes(samples=samples)])
    assert _thin_all(store, LATER) > 1500
    assert _totals(_kept(store)) == _totals(samples)


def test_closed_records_are_dropped_in_time(store: Store) -> None:
    done = {"opened_at": START, "resolved_at": START}
    sent = NotificationState.DELIVERED
    store.write(
        [
            Changes(
                alerts=[recorded.alert(n, **done) for n in (1, 2)],
                events=[recorded.event(n, n) for n in (1, 2)],
                notifications=[
                    recorded.notification(n, (n,), sent, finished_at=START) for n in (1, 2)
                ],
                attempts=[recorded.attempt(1), recorded.attempt(2)],
                outages=[recorded.outage(START + n * HOUR) for n in (1, 2)],
            )
        ]
    )
    assert store.thin(START + 400 * DAY, RETENTION) == 0
    assert len(store.alerts()) == 2
    store.thin(START + 402 * DAY, RETENTION)
    store.thin(START + 404 * DAY, RETENTION)
    assert [alert.id for alert in store.alerts()] == [2]
    assert [event.id for event in store.events([1, 2])] == [2]
    assert [n.id for n in store.notifications()] == [2]
    assert [attempt.notification_id for attempt in store.attempts([1, 2])] == [2]
    assert [outage.at for outage in store.outages("studio", START, EVER)] == [START + 2 * HOUR]
    snapshot = store.load()
    numbers = snapshot.last_alert_id, snapshot.last_event_id, snapshot.last_notification_id
    assert numbers == (2, 2, 2)


def test_open_alerts_and_pending_notifications_stay_with_all_they_need(store: Store) -> None:
    changes = Changes(
        alerts=[
            recorded.alert(1, START),
            recorded.alert(2, START, resolved_at=START),
            recorded.alert(3, START, resolved_at=START),
            recorded.alert(4, LATER + 1000 * DAY),
        ],
        events=[recorded.event(n, n) for n in (1, 2, 3, 4)],
        notifications=[
            recorded.notification(1, (2,), created_at=START),
            recorded.notification(2, (4,), NotificationState.DELIVERED),
        ],
    )
    store.write([changes])
    store.thin(START + 1000 * DAY, RETENTION)
    assert [alert.id for alert in store.alerts()] == [4, 2, 1]
    assert [event.id for event in store.events([1, 2, 3, 4])] == [1, 2, 4]
    assert [n.event_ids for n in store.notifications()] == [(4,), (2,)]


def test_what_belongs_to_an_alert_or_a_notification_goes_with_it(store: Store) -> None:
    sent, alert = NotificationState.DELIVERED, recorded.alert(1, START)
    old = {"created_at": START, "finished_at": START, "body": "a report"}
    store.write([Changes(alerts=[alert, recorded.alert(2, LATER)])])
    store.acknowledge([1], START, "anna", "mine")
    ended = Changes(
        alerts=[replace(alert, resolved_at=START)],
        events=[recorded.event(1, 1), recorded.event(2, 2)],
        suppressed=[recorded.suppressed(1), recorded.suppressed(2)],
        notifications=[recorded.notification(n, (), sent, **old) for n in (1, 2)],
    )
    store.write([ended])
    by_hand = store.add_sent(recorded.notification(0, (), sent, **old), recorded.attempt(0))
    store.thin(START + 500 * DAY, RETENTION)
    assert [n.id for n in store.notifications()] == [2]
    assert not store.acks([1])
    assert not store.attempts([by_hand.id])
    assert [s.event_id for s in store.suppressed([1, 2])] == [2]
    store.write([Changes(notifications=[recorded.notification(n, ()) for n in (1, by_hand.id)])])
    assert [n.body for n in store.notifications() if n.id != 2] == ["", ""], "a body was left"


def test_many_old_records_are_dropped_over_several_calls(store: Store) -> None:
    count = 1200
    alerts = [recorded.alert(n, START, resolved_at=START) for n in range(count)]
    store.write([Changes(alerts=alerts)])
    left = []
    for _ in range(4):
        store.thin(START + 500 * DAY, RETENTION)
        left.append(len(store.alerts(limit=count)))
    assert left == [700, 200, 1, 1]


def test_a_clock_that_is_set_back_does_not_stop_retention(store: Store) -> None:
    alerts = [replace(recorded.alert(n, START), resolved_at=START) for n in (1, 2)]
    store.thin(START + 3000 * DAY, RETENTION)
    store.write([Changes(alerts=alerts)])
    store.thin(START + 500 * DAY, RETENTION)
    assert [alert.id for alert in store.alerts()] == [2]
