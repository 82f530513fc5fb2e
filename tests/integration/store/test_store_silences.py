"""Silences, acknowledgements and suppressions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support import recorded
from support.recorded import NOW

from monitor.core.events import Change, Suppression, Why
from monitor.core.model import Severity
from monitor.core.notifications import NotificationState
from monitor.store.base import Changes, Retention, Store, StoreError
from monitor.world import restore

OpenStore = Callable[..., Store]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RETENTION = Retention(records=30 * DAY)

# -- silences -------------------------------------------------------------------------------


def test_a_silence_comes_back_with_the_identity_the_store_gave_it(store: Store) -> None:
    wanted = recorded.silence(
        0, accounts="a*", providers="kie", rules="low_*", reason="it's paid; 100 % sure \0"
    )
    first, second = store.add_silence(wanted), store.add_silence(wanted)
    assert first == replace(wanted, id=1, reason="it's paid; 100 % sure \ufffd")
    assert second.id == 2
    assert store.silences() == [second, first]
    assert store.silences(limit=1) == [second]


def test_two_processes_that_add_at_once_get_two_silences(url: str, open_at: OpenStore) -> None:
    one, other = open_at(url), open_at(url)
    with ThreadPoolExecutor(2) as threads:
        added = [threads.submit(s.add_silence, recorded.silence(0)) for s in (one, other) * 10]
        numbers = [future.result().id for future in added]
    assert len(set(numbers)) == 20
    assert {silence.id for silence in one.silences()} == set(numbers)


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        pytest.param(NOW - HOUR, True, id="by a clock that was set back since"),
        pytest.param(NOW, True, id="from the moment it was made"),
        pytest.param(NOW + 4 * HOUR - MINUTE, True, id="until its time is over"),
        pytest.param(NOW + 4 * HOUR, False, id="and no longer"),
    ],
)
def test_a_silence_holds(store: Store, at: datetime, holds: bool) -> None:  # noqa: FBT001 - a table's column
    silence = store.add_silence(recorded.silence(0))
    assert store.silences(active_at=at) == ([silence] if holds else [])
    assert silence.active(at) is holds


def test_a_silence_that_was_ended_holds_no_longer_and_says_when(store: Store) -> None:
    first, second = (store.add_silence(recorded.silence(0)) for _ in range(2))
    assert store.end_silence([first.id, 99], NOW + HOUR) == 1
    assert store.silences(active_at=NOW + HOUR) == [second]
    assert store.silences()[1] == replace(first, ended_at=NOW + HOUR)


def test_a_silence_ends_once(store: Store) -> None:
    ended, over = store.add_silence(recorded.silence(0)), store.add_silence(recorded.silence(0))
    store.end_silence([ended.id], NOW + HOUR)
    assert store.end_silence([ended.id, over.id], NOW + 4 * HOUR) == 0
    assert store.end_silence([], NOW) == 0
    assert [silence.ended_at for silence in store.silences()] == [None, NOW + HOUR]


def test_a_start_loads_the_silences_that_nobody_ended(store: Store) -> None:
    kept, ended = store.add_silence(recorded.silence(0)), store.add_silence(recorded.silence(0))
    store.end_silence([ended.id], NOW + HOUR)
    assert store.load().silences == (kept,)
    assert restore([], store.load()).silences == (kept,)


# -- acknowledgements -----------------------------------------------------------------------


def test_only_open_alerts_are_acknowledged(store: Store) -> None:
    store.write([Changes(alerts=[recorded.alert(1), recorded.alert(2, resolved_at=NOW)])])
    assert store.acknowledge([2, 1, 3], NOW, "anna", "it's on me") == [1]
    assert store.acknowledge([], NOW, "anna", "") == []
    assert store.acks([1, 2, 3]) == [recorded.ack(1, NOW, "anna", "it's on me")]


def test_the_last_acknowledgement_of_an_alert_counts(store: Store) -> None:
    store.write([Changes(alerts=[recorded.alert(1)])])
    store.acknowledge([1], NOW, "anna", "")
    store.acknowledge([1], NOW + HOUR, "ben", "taken over")
    assert store.acks([1]) == [recorded.ack(1, NOW + HOUR, "ben", "taken over")]


def test_a_start_loads_the_acknowledgements_of_open_alerts(store: Store) -> None:
    alerts = [recorded.alert(1), recorded.alert(2)]
    store.write([Changes(alerts=alerts)])
    store.acknowledge([1, 2], NOW, "anna", "")
    store.write([Changes(alerts=[replace(alerts[0], resolved_at=NOW)])])
    mine = recorded.ack(2, NOW, "anna", "")
    assert store.load().acks == (mine,)
    assert restore([], store.load()).acks == {2: mine}
    assert [ack.alert_id for ack in store.acks([1, 2])] == [1, 2]  # the record keeps both


def test_acknowledging_works_beside_a_running_daemon(url: str, open_at: OpenStore) -> None:
    daemon = open_at(url, lock=True)
    daemon.write([Changes(alerts=[recorded.alert(1)])])
    assert open_at(url).acknowledge([1], NOW, "anna", "") == [1]
    assert [ack.by for ack in daemon.acks([1])] == ["anna"]


def test_when_an_alert_was_told_is_kept(store: Store) -> None:
    alert = recorded.alert(1, told_at=NOW + MINUTE)
    store.write([Changes(alerts=[alert])])
    assert store.load().alerts == (alert,)


# -- suppressions ---------------------------------------------------------------------------


def test_a_suppression_is_kept_by_event_channel_and_reason(store: Store) -> None:
    silenced = recorded.suppressed(1)
    quiet = recorded.suppressed(1, reason=Suppression.QUIET)
    everybody = recorded.suppressed(2, channel="")
    later = replace(silenced, at=NOW + HOUR)
    store.write([Changes(suppressed=[silenced, quiet, everybody])])
    store.write([Changes(suppressed=[later, later])])
    assert store.suppressed([1, 2]) == [quiet, later, everybody]
    assert store.suppressed([2]) == [everybody]
    assert store.suppressed([]) == []


# -- what fails, what is dropped ------------------------------------------------------------


def test_a_reader_cannot_silence_or_acknowledge(url: str, open_at: OpenStore) -> None:
    open_at(url).close()
    reader = open_at(url, readonly=True)
    with pytest.raises(StoreError, match="read only"):
        reader.add_silence(recorded.silence(0))
    with pytest.raises(StoreError, match="read only"):
        reader.acknowledge([1], NOW, "", "")
    assert reader.silences() == []


def test_silences_that_are_over_are_dropped_in_time_but_for_the_newest(store: Store) -> None:
    ran_out, ended, long, newest = (
        store.add_silence(recorded.silence(0, until=NOW + length))
        for length in (HOUR, 300 * DAY, 300 * DAY, HOUR)
    )
    store.end_silence([ended.id], NOW + HOUR)
    store.thin(NOW + 29 * DAY, RETENTION)
    assert len(store.silences()) == 4
    store.thin(NOW + 31 * DAY, RETENTION)
    assert [silence.id for silence in store.silences()] == [newest.id, long.id]
    assert ran_out.id < store.add_silence(recorded.silence(0)).id == newest.id + 1


def test_what_belongs_to_an_alert_goes_with_it(store: Store) -> None:
    done = {"opened_at": NOW, "resolved_at": NOW}
    alerts = [recorded.alert(n, opened_at=NOW) for n in (1, 2, 3)]
    store.write(
        [
            Changes(
                alerts=alerts,
                events=[recorded.event(n, n) for n in (1, 2, 3)],
                suppressed=[recorded.suppressed(n) for n in (1, 2, 3)],
            )
        ]
    )
    store.acknowledge([1, 2, 3], NOW, "anna", "")
    store.write([Changes(alerts=[recorded.alert(n, **done) for n in (1, 3)])])
    store.thin(NOW + 31 * DAY, RETENTION)
    assert [alert.id for alert in store.alerts()] == [3, 2]
    assert [ack.alert_id for ack in store.acks([1, 2, 3])] == [2, 3]
    assert [one.event_id for one in store.suppressed([1, 2, 3])] == [2, 3]


# -- what a start has to know ---------------------------------------------------------------


def test_a_start_knows_what_a_silence_has_left_untold(store: Store) -> None:
    told: dict[str, Any] = {"severities": (Severity.WARNING,), "told_at": NOW}
    end = {"change": Change.RESOLVED, "why": Why.RECOVERED, "told": False}
    alerts = [recorded.alert(n, resolved_at=NOW, **told) for n in (1, 2, 3)]
    alerts += [recorded.alert(4, resolved_at=NOW), recorded.alert(5, **told)]
    ends = [
        recorded.event(1, 1, **end),
        recorded.event(2, 2, **end | {"told": True}),  # told when the silence was over
        recorded.event(3, 3, **end | {"why": Why.SILENCE_OVER}),  # no news any more by then
        recorded.event(4, 4, **end),  # of what nobody was told
    ]
    silenced = [recorded.suppressed(n, "") for n in (1, 2, 3, 4)]
    waited = [recorded.suppressed(5, "mail"), recorded.suppressed(1, "mail")]
    changes = Changes(
        alerts=alerts, events=[*ends, recorded.event(5, 5)], suppressed=[*silenced, *waited]
    )
    store.write([changes])
    snapshot = store.load()
    assert [(alert.id, event.id) for alert, event in snapshot.silenced_ends] == [(1, 1)]
    assert snapshot.withheld == (5,)
    store.write([Changes(alerts=[recorded.alert(5, **told | {"told_at": NOW + MINUTE})])])
    assert store.load().withheld == ()


def test_a_start_knows_which_open_alerts_a_fallback_was_told(store: Store) -> None:
    handed: dict[str, Any] = {"handed_to": "mail", "state": NotificationState.DEAD}
    changes = Changes(
        alerts=[recorded.alert(1), recorded.alert(2, resolved_at=NOW), recorded.alert(3)],
        events=[recorded.event(n, n) for n in (1, 2, 3)],
        notifications=[
            recorded.notification(1, (1, 2), **handed),
            recorded.notification(2, (3,), NotificationState.DELIVERED),
        ],
    )
    store.write([changes])
    assert store.load().handed == (("ops", 1),)
    end = recorded.event(4, 2, change=Change.RESOLVED)
    store.write([Changes(events=[end], notifications=[recorded.notification(3, (4,))])])
    assert store.load().handed == (("ops", 1), ("ops", 2))


def test_what_commands_send_is_numbered_apart_from_what_the_daemon_sends(store: Store) -> None:
    sent = recorded.notification(0, (), NotificationState.DELIVERED, body="{}")
    first, second = (store.add_sent(sent, recorded.attempt(0)) for _ in range(2))
    assert (first.id, second.id) == (-1, -2)
    assert store.load().last_notification_id == 0
    assert [n.id for n in store.notifications()] == [-1, -2]
    assert [a.notification_id for a in store.attempts([-1])] == [-1]
