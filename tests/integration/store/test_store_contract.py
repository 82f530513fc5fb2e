"""What every store promises, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from support import recorded

from monitor.core.events import Change
from monitor.core.model import Severity
from monitor.core.notifications import NotificationState
from monitor.core.renewals import Outcome, Renewal
from monitor.store.base import Changes, Snapshot, Store, StoreError

OpenStore = Callable[..., Store]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PENDING, DEAD, DELIVERED = (
    NotificationState.PENDING,
    NotificationState.DEAD,
    NotificationState.DELIVERED,
)


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.load() == Snapshot()
    store.ping()


def test_what_was_written_is_there_after_opening_again(url: str, open_at: OpenStore) -> None:
    changes = Changes(
        keys=[recorded.key("studio", recorded.reading("12.50"))],
        ledgers=[recorded.ledger()],
        forecasts=[recorded.forecast()],
        samples=[recorded.sample("12.50")],
        outages=[recorded.outage()],
        alerts=[recorded.alert(3)],
        events=[recorded.event(7, 3)],
        notifications=[recorded.notification(9, (7,))],
        attempts=[recorded.attempt(9)],
    )
    first = open_at(url, lock=True)
    first.write([changes])
    first.close()
    found = open_at(url, lock=True)
    assert found.load() == Snapshot(
        keys=tuple(changes.keys),
        ledgers=tuple(changes.ledgers),
        forecasts=tuple(changes.forecasts),
        runs=tuple(changes.samples),
        outages=tuple(changes.outages),
        alerts=tuple(changes.alerts),
        notifications=tuple(changes.notifications),
        events=tuple(changes.events),
        recent=tuple(changes.events),
        last_alert_id=3,
        last_event_id=7,
        last_notification_id=9,
    )
    assert found.attempts([9]) == changes.attempts


def test_a_load_has_only_what_is_still_open_and_yet_all_numbers_given_out(store: Store) -> None:
    store.write(
        [
            Changes(
                alerts=[recorded.alert(1), recorded.alert(2, resolved_at=recorded.NOW)],
                events=[recorded.event(1, 1), recorded.event(2, 2), recorded.event(3, 2)],
                notifications=[
                    recorded.notification(1, (2, 1)),
                    recorded.notification(2, (2, 3), DELIVERED),
                    recorded.notification(3, (3,), DEAD),
                ],
            )
        ]
    )
    snapshot = store.load()
    assert [alert.id for alert in snapshot.alerts] == [1]
    assert [n.id for n in snapshot.notifications] == [1]
    assert snapshot.notifications[0].event_ids == (2, 1)
    assert [event.id for event in snapshot.events] == [1, 2]
    numbers = snapshot.last_alert_id, snapshot.last_event_id, snapshot.last_notification_id
    assert numbers == (2, 3, 3)


def test_a_load_has_what_happened_to_the_alerts_that_opened_last(store: Store) -> None:
    ages = {1: 3 * HOUR, 2: HOUR, 3: timedelta(0)}
    ended = recorded.event(4, 2, change=Change.RESOLVED)
    store.write(
        [
            Changes(
                alerts=[recorded.alert(i, recorded.NOW - age) for i, age in ages.items()],
                events=[*(recorded.event(i, i) for i in ages), ended],
            )
        ]
    )
    assert [event.id for event in store.load().recent] == [2, 3, 4]


def test_a_run_of_equal_balances_is_one_row_that_grows(store: Store) -> None:
    begun = recorded.sample("5")
    grown = replace(begun, until=begun.at + 3 * MINUTE)
    store.write([Changes(samples=[begun])])
    store.write([Changes(samples=[replace(begun, until=begun.at + MINUTE)])])
    store.write([Changes(samples=[grown])])
    assert store.samples("studio", "balance", recorded.NOW - DAY, recorded.NOW + DAY) == [grown]


def test_of_the_same_row_twice_in_a_batch_the_last_counts(store: Store) -> None:
    alert = recorded.alert()
    eased = replace(alert, severity=Severity.INFO)
    first = Changes(alerts=[alert], keys=[recorded.key("studio", recorded.reading("2"))])
    last = Changes(alerts=[eased], keys=[recorded.key("studio", recorded.reading("1"))])
    store.write([first, last])
    assert store.alerts() == [eased]
    assert store.keys() == last.keys


def test_a_meter_that_a_key_no_longer_reports_stays_as_last_read(store: Store) -> None:
    store.write(
        [
            Changes(
                keys=[recorded.key("k", recorded.reading("1", "USD"), recorded.reading("2", "CNY"))]
            )
        ]
    )
    store.write([Changes(keys=[recorded.key("k", recorded.reading("3", "CNY"))])])
    (key,) = store.keys()
    assert [(reading.meter, reading.balance) for reading, _ in key.meters] == [
        ("USD", Decimal(1)),
        ("CNY", Decimal(3)),
    ]


def test_a_failing_meter_is_kept_with_what_was_read_of_it_before(store: Store) -> None:
    failing = [recorded.trouble("kling:anna", polls=3), recorded.trouble("balance", detail="no")]
    key = replace(recorded.key("studio", recorded.reading("5")), troubles=tuple(failing))
    store.write([Changes(keys=[key])])
    [found] = store.keys()
    assert found.meters == key.meters
    assert {t.meter: t for t in found.troubles} == {t.meter: t for t in failing}
    store.write([Changes(keys=[recorded.key("studio", recorded.reading("4"))])])
    assert [t.meter for t in store.keys()[0].troubles] == ["kling:anna"]


def test_the_last_renewal_of_each_login_is_loaded(store: Store) -> None:
    begun = Renewal(key="tools", meter="kling:anna", at=recorded.NOW, outcome=Outcome.BEGUN)
    ended = replace(begun, outcome=Outcome.FAILED, detail="HTTP 500", failures=3)
    other = replace(begun, meter="kling:ben")
    store.write([Changes(renewals=[begun, other])])
    store.write([Changes(renewals=[ended])])
    assert sorted(store.load().renewals, key=lambda r: r.meter) == [ended, other]


def test_a_forgotten_meter_is_gone_but_its_history_stays(store: Store) -> None:
    key = replace(recorded.key("studio", recorded.reading("5")), troubles=(recorded.trouble(),))
    store.write([Changes(keys=[key], samples=[recorded.sample("5")])])
    gone = [("studio", "balance"), ("studio", "kling:anna")]
    store.write([Changes(keys=[recorded.key("studio")], forgotten=gone)])
    [found] = store.keys()
    assert (found.meters, found.troubles) == ((), ())
    assert len(store.samples("studio", None, recorded.NOW, recorded.NOW)) == 1
    store.write([Changes(forgotten=gone), Changes(keys=[key])])
    assert store.keys()[0].meters == key.meters


def test_keys_come_by_name(store: Store) -> None:
    store.write([Changes(keys=[recorded.key("b"), recorded.key("Z"), recorded.key("a")])])
    found = store.keys()
    assert [key.name for key in found] == ["Z", "a", "b"]


def test_samples_of_a_span_are_those_that_overlap_it_oldest_first(store: Store) -> None:
    now = recorded.NOW
    before = recorded.sample("9", now - 10 * MINUTE, lasted=2 * MINUTE)
    running = recorded.sample("8", now - 5 * MINUTE, lasted=6 * MINUTE)
    inside = recorded.sample("7", now + 2 * MINUTE)
    after = recorded.sample("6", now + 5 * MINUTE)
    store.write([Changes(samples=[after, inside, running, before])])
    span = ("studio", "balance", now, now + 3 * MINUTE)
    assert store.samples(*span) == [running, inside]
    assert store.samples("studio", "balance", now + 5 * MINUTE, now + DAY) == [after]
    assert store.samples("studio", "balance", now - DAY, now - 9 * MINUTE) == [before]


def test_samples_of_a_key_are_those_of_all_its_meters(store: Store) -> None:
    usd = recorded.sample("1", recorded.NOW, meter="USD")
    cny = recorded.sample("2", recorded.NOW + MINUTE, meter="CNY")
    other = recorded.sample("3", recorded.NOW, key="relay")
    store.write([Changes(samples=[cny, usd, other])])
    span = (recorded.NOW - DAY, recorded.NOW + DAY)
    assert store.samples("studio", None, *span) == [usd, cny]
    assert store.samples("studio", "USD", *span) == [usd]
    assert store.samples("nobody", None, *span) == []


def test_no_cap_is_kept_apart_from_zero(store: Store) -> None:
    samples = [recorded.sample(None), recorded.sample("0", recorded.NOW + MINUTE)]
    store.write([Changes(samples=samples)])
    assert store.samples("studio", None, recorded.NOW, recorded.NOW + DAY) == samples


def test_outages_of_a_span_are_those_that_overlap_it(store: Store) -> None:
    old = recorded.outage(recorded.NOW - DAY, recorded.NOW - DAY + MINUTE)
    new = recorded.outage(recorded.NOW, recorded.NOW + MINUTE, polls=2)
    store.write([Changes(outages=[new, old])])
    assert store.outages("studio", recorded.NOW - 2 * DAY, recorded.NOW) == [old, new]
    assert store.outages("studio", recorded.NOW - MINUTE, recorded.NOW) == [new]
    assert store.outages("relay", recorded.NOW - DAY, recorded.NOW) == []
    assert store.load().outages == (new,)


def test_alerts_come_newest_first_as_many_as_asked_for(store: Store) -> None:
    alerts = [recorded.alert(n, resolved_at=recorded.NOW if n % 2 else None) for n in range(1, 6)]
    store.write([Changes(alerts=alerts)])
    assert [a.id for a in store.alerts(limit=3)] == [5, 4, 3]
    assert [a.id for a in store.alerts(only_open=True)] == [4, 2]


def test_events_come_by_alert_or_by_identity_oldest_first(store: Store) -> None:
    events = [recorded.event(n, alert_id) for n, alert_id in ((1, 1), (2, 2), (3, 1), (4, 3))]
    store.write([Changes(events=events)])
    assert [e.id for e in store.events([3, 1])] == [1, 3, 4]
    assert [e.id for e in store.events_by_id([3, 2])] == [2, 3]
    assert store.events([]) == []


def test_many_identities_are_asked_for_in_parts(store: Store) -> None:
    store.write([Changes(events=[recorded.event(1), recorded.event(70_000)])])
    assert [e.id for e in store.events_by_id(range(70_000, 0, -1))] == [1, 70_000]


def test_notifications_come_by_state_newest_first(store: Store) -> None:
    states = (PENDING, DELIVERED, DEAD, PENDING)
    store.write(
        [
            Changes(
                notifications=[recorded.notification(n, (n,), s) for n, s in enumerate(states, 1)]
            )
        ]
    )
    assert [n.id for n in store.notifications()] == [4, 3, 2, 1]
    assert [n.id for n in store.notifications(limit=2)] == [4, 3]
    assert [n.id for n in store.notifications(states=[DEAD, PENDING])] == [4, 3, 1]


def test_notifications_are_counted_by_state(store: Store) -> None:
    assert store.count_notifications() == dict.fromkeys(NotificationState, 0)
    states = (PENDING, DEAD, PENDING)
    notifications = [recorded.notification(n, (n,), s) for n, s in enumerate(states)]
    store.write([Changes(notifications=notifications)])
    assert store.count_notifications() == {
        **dict.fromkeys(NotificationState, 0),
        PENDING: 2,
        DEAD: 1,
    }


def test_the_notifications_of_events_come_whole_and_once_oldest_first(store: Store) -> None:
    told = {3: (7, 8), 1: (8, 9), 2: (4,)}
    notifications = [recorded.notification(n, event_ids) for n, event_ids in told.items()]
    store.write([Changes(notifications=notifications)])
    found = store.notifications_of([8, 7])
    assert [(n.id, n.event_ids) for n in found] == [(1, (8, 9)), (3, (7, 8))]
    assert store.notifications_of([]) == []
    assert store.notifications_of([5]) == []


def test_the_events_of_a_notification_can_grow_and_shrink(store: Store) -> None:
    for event_ids in ((4,), (4, 2, 9), (2,), ()):
        store.write([Changes(notifications=[recorded.notification(1, event_ids)])])
        assert store.notifications()[0].event_ids == event_ids


def test_attempts_come_oldest_first(store: Store) -> None:
    attempts = [
        recorded.attempt(1, 1),
        recorded.attempt(2, 1, recorded.NOW + MINUTE),
        recorded.attempt(1, 2),
    ]
    attempts[2] = replace(attempts[2], at=recorded.NOW + DAY)
    store.write([Changes(attempts=attempts)])
    assert store.attempts([1, 2]) == attempts
    assert store.attempts([2]) == [attempts[1]]


def test_a_dead_notification_can_be_revived_and_goes_on_counting(store: Store) -> None:
    dead = recorded.notification(1, (5,), DEAD, attempts=7, error="refused")
    done = recorded.notification(2, (5,), DELIVERED)
    store.write([Changes(notifications=[dead, done])])
    later = recorded.NOW + DAY
    assert store.revive([1, 2, 3], later) == 1
    revived = replace(dead, state=PENDING, due_at=later, next_attempt_at=later, finished_at=None)
    assert store.notifications(states=[PENDING]) == [revived]
    assert store.revive([1], later) == 0
    assert store.revive([], later) == 0


def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    naive = replace(recorded.alert(), changed_at=recorded.NOW.replace(tzinfo=None))
    broken = Changes(samples=[recorded.sample("1", key="new")], alerts=[naive])
    with pytest.raises(StoreError, match="naive"):
        store.write([Changes(keys=[recorded.key()]), broken])
    assert store.load() == Snapshot()
    store.write(
        [Changes(samples=[recorded.sample("1", key="other"), recorded.sample("2", key="new")])]
    )
    assert {sample.key for sample in store.load().runs} == {"new", "other"}


def test_texts_that_a_database_refuses_are_kept_as_far_as_possible(store: Store) -> None:
    store.write(
        [Changes(keys=[recorded.key("k", detail="a\0b\ud800c", failures=10**30)], samples=[])]
    )
    state = store.keys()[0].state
    assert (state.detail, state.failures) == ("a\ufffdb?c", 2**63 - 1)


def test_a_meter_whose_name_is_refused_is_still_one_meter(store: Store) -> None:
    for minutes in (0, 1):
        at = recorded.NOW + minutes * MINUTE
        store.write(
            [Changes(samples=[recorded.sample("1", at, meter="a\0"), recorded.sample("2", at)])]
        )
    meters = [(sample.meter, sample.at) for sample in store.load().runs]
    assert sorted(meters) == [
        ("a\ufffd", recorded.NOW + MINUTE),
        ("balance", recorded.NOW + MINUTE),
    ]


def test_readers_see_what_was_committed_while_the_daemon_runs(
    url: str, store: Store, open_at: OpenStore
) -> None:
    store.write([Changes(keys=[recorded.key("a")])])
    reader = open_at(url, readonly=True)
    assert reader.keys() == store.keys()
    store.write([Changes(keys=[recorded.key("b")])])
    assert reader.keys() == store.keys()


def test_a_reader_refuses_to_write(url: str, store: Store, open_at: OpenStore) -> None:
    reader = open_at(url, readonly=True)
    with pytest.raises(StoreError, match="opened to read only"):
        reader.write([Changes(keys=[recorded.key()])])


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="it is closed"):
        store.ping()


def test_an_empty_batch_is_no_error(store: Store) -> None:
    store.write([])
    store.write([Changes()])
    assert store.load() == Snapshot()
