"""What status, page and API show, asked of a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.scene import MINUTE, NOW, Scene, fill

from monitor import jsonable, queries, records
from monitor.core.model import Reason, Severity, Subject
from monitor.core.notifications import NotificationState
from monitor.overviews import KeyOverview, Overview
from monitor.store import open_store
from monitor.store.base import Store
from monitor.world import WatchedKey


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/queries.db")
    yield store
    store.close()


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


def of(overview: Overview, name: str) -> KeyOverview:
    return next(key for key in overview.keys if key.name == name)


def watched(name: str, every: timedelta = MINUTE) -> WatchedKey:
    return WatchedKey(name=name, provider="kie", interval=every)


def test_an_empty_store_shows_that_nothing_polls(store: Store) -> None:
    overview = queries.overview(store, NOW, [])
    assert (overview.polling, overview.last_poll_at, overview.keys) == (False, None, ())
    assert (overview.pending, overview.dead) == (0, 0)


def test_a_key_shows_its_last_balance_and_the_level_shares_refer_to(scene: Scene) -> None:
    key = scene.key("studio", 1000, 900, 850)
    overview = queries.overview(scene.store, NOW, [key])
    found = of(overview, "studio")
    assert (found.state, found.severity) == ("ok", None)
    assert [str(m.balance) for m in found.meters] == ["850"]
    assert (str(found.meters[0].reference), found.meters[0].fresh) == ("1000", True)
    assert overview.polling


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        pytest.param(4 * MINUTE, True, id="after three intervals and a minute it is current"),
        pytest.param(4 * MINUTE + timedelta(seconds=1), False, id="after that it is stale"),
    ],
)
def test_a_balance_is_fresh_for_three_intervals_and_the_time_between_writes(
    scene: Scene,
    age: timedelta,
    fresh: bool,  # noqa: FBT001 - a table's column
) -> None:
    key = scene.key("studio", 10, age=age)
    overview = queries.overview(scene.store, NOW, [key])
    assert of(overview, "studio").meters[0].fresh is fresh
    assert overview.polling is fresh


def test_a_key_that_was_never_polled_is_unknown(scene: Scene) -> None:
    found = of(queries.overview(scene.store, NOW, [watched("new")]), "new")
    assert (found.state, found.meters, found.last_poll_at) == ("unknown", (), None)


def test_a_key_that_left_the_configuration_is_not_shown(scene: Scene) -> None:
    scene.key("old", 10)
    kept = scene.key("kept", 10)
    assert [k.name for k in queries.overview(scene.store, NOW, [kept]).keys] == ["kept"]


def test_without_a_configuration_every_recorded_key_is_shown(scene: Scene) -> None:
    scene.key("a", 10)
    scene.key("b", 10)
    assert [k.name for k in queries.overview(scene.store, NOW).keys] == ["a", "b"]


def test_a_failing_key_keeps_its_last_balance_and_tells_why_it_fails(scene: Scene) -> None:
    key = scene.key("studio", 880, reason=Reason.TIMEOUT, detail="no answer in time")
    found = of(queries.overview(scene.store, NOW, [key]), "studio")
    assert (found.state, found.detail, found.failures) == ("timeout", "no answer in time", 3)
    assert str(found.meters[0].balance) == "880"


def test_the_worst_open_alert_of_key_account_and_provider_colours_a_key(scene: Scene) -> None:
    key = scene.key("studio", 10, account="main")
    scene.alert(Subject("kie", "main"), severity=Severity.WARNING)
    scene.alert(Subject("kie"), "silent", Severity.CRITICAL, meter="")
    scene.alert(Subject("kie", "", "other"), severity=Severity.CRITICAL)
    found = of(queries.overview(scene.store, NOW, [key]), "studio")
    assert found.severity is Severity.CRITICAL
    assert found.meters[0].severity is Severity.WARNING


def test_a_past_alert_colours_nothing(scene: Scene) -> None:
    key = scene.key("studio", 10)
    scene.alert(key.subject, lasted=MINUTE)
    overview = queries.overview(scene.store, NOW, [key])
    assert (of(overview, "studio").severity, overview.open_alerts) == (None, ())


def test_undelivered_notifications_are_counted_by_state(scene: Scene) -> None:
    key = scene.key("studio", 10)
    for delivery in (NotificationState.PENDING, NotificationState.DEAD, NotificationState.DEAD):
        scene.alert(key.subject, delivery=delivery)
    overview = queries.overview(scene.store, NOW, [key])
    assert (overview.pending, overview.dead) == (1, 2)


def test_history_has_each_meter_with_its_unit_and_the_outages(scene: Scene) -> None:
    scene.key("studio", 30, 20, reason=Reason.TIMEOUT, unit="USD")
    history = queries.key_history(scene.store, "studio", NOW - timedelta(hours=1), NOW)
    assert history is not None
    (meter,) = history.meters
    assert (meter.meter, meter.unit) == ("balance", "USD")
    assert [str(point.balance) for point in meter.points] == ["30", "20"]
    assert [outage.reason for outage in history.outages] == [Reason.TIMEOUT]


def test_history_of_a_quiet_time_still_names_the_meter(scene: Scene) -> None:
    scene.key("studio", 30)
    history = queries.key_history(
        scene.store, "studio", NOW - timedelta(days=9), NOW - timedelta(days=8)
    )
    assert history is not None
    assert [(meter.meter, meter.points) for meter in history.meters] == [("balance", ())]


def test_history_of_an_unknown_key_is_none(store: Store) -> None:
    assert queries.key_history(store, "nobody", NOW - MINUTE, NOW) is None


def test_an_alert_comes_with_its_changes_and_deliveries(scene: Scene) -> None:
    key = scene.key("studio", 10)
    scene.alert(key.subject, lasted=MINUTE, delivery=NotificationState.DEAD, error="bad token")
    scene.alert(key.subject, delivery=None)
    untold, told = records.alerts(scene.store)
    assert [event.change for event in told.events] == ["fired", "resolved"]
    (delivery,) = told.deliveries
    assert (delivery.notification.state, delivery.notification.error) == ("dead", "bad token")
    assert [attempt.outcome for attempt in delivery.attempts] == ["refused"]
    assert untold.deliveries == ()


def test_only_open_alerts_and_only_so_many_are_listed(scene: Scene) -> None:
    key = scene.key("studio", 10)
    for lasted in (MINUTE, None, None):
        scene.alert(key.subject, lasted=lasted)
    assert len(records.alerts(scene.store)) == 3
    assert len(records.alerts(scene.store, only_open=True)) == 2
    (newest,) = records.alerts(scene.store, limit=1)
    assert newest.alert.id == max(record.alert.id for record in records.alerts(scene.store))


def test_notifications_come_with_what_they_tell_and_their_attempts(scene: Scene) -> None:
    key = scene.key("studio", 10)
    scene.alert(key.subject, delivery=NotificationState.PENDING, error="timeout")
    scene.alert(key.subject, delivery=NotificationState.DELIVERED)
    (pending,) = records.notifications(scene.store, states=[NotificationState.PENDING])
    assert [event.subject.key for event in pending.events] == ["studio"]
    assert [attempt.detail for attempt in pending.attempts] == ["timeout"]
    assert len(records.notifications(scene.store)) == 2


def test_everything_becomes_json(scene: Scene) -> None:
    fill(scene)
    document = json.loads(
        json.dumps(
            jsonable.to_json(
                {
                    "overview": queries.overview(scene.store, NOW),
                    "alerts": records.alerts(scene.store),
                    "notifications": records.notifications(scene.store),
                    "history": queries.key_history(
                        scene.store, "calm", NOW - timedelta(days=1), NOW
                    ),
                }
            )
        )
    )
    assert document["overview"]["at"] == "2026-05-01T12:00:30Z"
    assert {key["name"] for key in document["overview"]["keys"]} >= {"calm", "small"}
    small = next(key for key in document["overview"]["keys"] if key["name"] == "small")
    assert small["meters"][0]["balance"] == "0.90"


def test_the_names_of_recorded_keys_are_listed(scene: Scene) -> None:
    scene.key("b", 1)
    scene.key("a", 1)
    assert queries.key_names(scene.store) == ["a", "b"]
