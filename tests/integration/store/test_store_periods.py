"""What a store tells of a stretch of time adds up as all of its samples do."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support import recorded

from monitor.core.digest import digest
from monitor.core.digest_values import KnownMeter, Records
from monitor.core.model import Sample, Subject
from monitor.core.notifications import NotificationState
from monitor.core.periods import Every, last_period, period_before
from monitor.store.base import Changes, Retention, Store, StoredConfiguration, StoredReport

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
WEEK = last_period(Every.WEEK, NOW, UTC)
BEFORE = period_before(WEEK, UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def history(seed: int) -> list[Sample]:
    """A balance over a month: falls, top-ups, refunds, standstills, gaps, now and then no cap."""
    rng = random.Random(seed)
    at, balance = BEFORE.since - timedelta(days=10), Decimal(5000)
    found: list[Sample] = []
    while at < NOW:
        step = rng.random()
        if step < 0.04:
            balance += rng.choice([Decimal(3000), Decimal("0.5"), Decimal(40)])
        elif step < 0.9:
            balance -= Decimal(rng.randint(1, 900)) / 100
        known = None if rng.random() < 0.01 else str(balance)
        lasted = MINUTE * rng.choice([0, 0, 5, 30, 200])
        if not found or known is None or found[-1].balance != balance:
            found.append(recorded.sample(known, at, lasted=lasted))
        at += lasted + MINUTE * rng.choice([1, 5, 20, 90])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_an_outline_gives_the_same_report_as_all_samples(store: Store, seed: int) -> None:
    samples = history(seed)
    store.write([Changes(samples=samples, keys=[recorded.key()])])
    outline = store.period(BEFORE.since, WEEK.since, WEEK.until).samples
    assert set(outline) < set(samples)
    assert list(outline) == sorted(outline, key=lambda s: s.at)
    meter = KnownMeter(subject=Subject("kie", "", "studio"), meter="balance", keys=("studio",))

    def report(of: list[Sample]) -> object:
        found = digest(
            WEEK, BEFORE, at=NOW, meters=[meter], keys=[], channels=[], records=Records(samples=of)
        ).balances[0]
        return (
            found.consumed,
            found.consumed_before,
            found.topped_up.amount + found.refunded.amount,
            found.lowest,
        )

    assert report(list(outline)) == report([s for s in samples if s.at < WEEK.until])


def test_the_run_before_the_time_asked_for_is_told_however_old(store: Store) -> None:
    old = recorded.sample("7", WEEK.since - timedelta(days=90))
    later = recorded.sample("5", WEEK.until)
    store.write([Changes(samples=[old, recorded.sample("9", old.at - HOUR), later])])
    assert store.period(BEFORE.since, WEEK.since, WEEK.until).samples == (old,)


def test_outages_alerts_and_notifications_of_the_time_are_told(store: Store) -> None:
    at = WEEK.since + HOUR
    long = recorded.outage(WEEK.since - HOUR, at)
    past = recorded.outage(WEEK.since - 3 * HOUR, WEEK.since - 2 * HOUR)
    still_open = recorded.alert(1, WEEK.since - HOUR)
    over = recorded.alert(2, WEEK.since - 3 * HOUR, resolved_at=WEEK.since - HOUR)
    ended = recorded.alert(3, WEEK.since - 3 * HOUR, resolved_at=at)
    future = recorded.alert(4, WEEK.until)
    sent = recorded.notification(1, created_at=at)
    before = recorded.notification(2, created_at=WEEK.since - MINUTE)
    after = recorded.notification(3, created_at=WEEK.until)
    store.write(
        [
            Changes(
                outages=[long, past],
                alerts=[still_open, over, ended, future],
                notifications=[sent, before, after],
            )
        ]
    )
    found = store.period(BEFORE.since, WEEK.since, WEEK.until)
    assert found.outages == (long,)
    assert found.alerts == (still_open, ended)
    assert found.notifications == (sent,)


def test_the_last_report_of_each_kind_is_remembered(store: Store) -> None:
    assert store.last_report("week") is None
    first = StoredReport(
        kind="week", period_start=BEFORE.since, period_end=BEFORE.until, enqueued_at=None
    )
    last = StoredReport(
        kind="week", period_start=WEEK.since, period_end=WEEK.until, enqueued_at=NOW
    )
    store.write([Changes(reports=[last]), Changes(reports=[first]), Changes(reports=[last])])
    assert store.last_report("week") == last
    assert store.last_report("day") is None


def test_the_configuration_is_one_row_that_the_next_one_replaces(store: Store) -> None:
    assert store.configuration() is None
    read = StoredConfiguration(read_at=BEFORE.until)
    refused = replace(read, refused_at=NOW, problems=("config.yaml:1:1: rulez: unknown", "two"))
    store.write([Changes(configurations=[read, refused])])
    assert store.configuration() == refused
    store.write([Changes(configurations=[read])])
    assert store.configuration() == read


def test_a_notification_keeps_its_body_until_it_is_pruned(store: Store) -> None:
    done = recorded.notification(1, (), NotificationState.DELIVERED, body='{"title":"é"}')
    newest = recorded.notification(2, (), body="two")
    store.write([Changes(notifications=[done, newest])])
    assert store.notifications() == [newest, done]
    assert store.load().notifications == (newest,)
    store.thin(recorded.NOW + timedelta(days=900), Retention())
    assert store.notifications() == [newest]
    store.write([Changes(notifications=[recorded.notification(1, (), channel="again")])])
    assert store.notifications()[1].body == ""
