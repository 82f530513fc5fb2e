"""Reports leave when they are due: once, whatever happens to the daemon in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from support import recorded

from monitor.config import ChannelSettings
from monitor.core.messages import Message, decode, encode
from monitor.core.notifications import Notification
from monitor.core.periods import Every, parse_send_time
from monitor.reporter import Reporter, ReportPlan
from monitor.store import open_store
from monitor.store.base import Changes, Store, StoreError
from monitor.world import WatchedKey

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)


@dataclass
class Daemon:
    """What of a daemon a reporter needs; :meth:`restart` forgets all that is not stored."""

    store: Store
    every: Every = Every.DAY
    at: str = "09:00"
    channels: tuple[ChannelSettings, ...] = ()
    zone: tzinfo = UTC
    account: str = ""

    def __post_init__(self) -> None:
        self.channels = self.channels or (channel("ops"),)
        self.restart()

    def restart(self) -> None:
        self.reporter = Reporter(
            ReportPlan(
                every=self.every,
                at=parse_send_time(self.at),
                zone=self.zone,
                watched=[
                    WatchedKey(
                        name=name,
                        provider="kie",
                        interval=timedelta(minutes=5),
                        account=self.account if name == "lab" else "",
                    )
                    for name in ("studio", "lab")
                ],
                recipients=self.channels,
            ),
            store=self.store,
            enqueue=self.enqueue,
            record=lambda changes: self.store.write([changes]),
        )

    def enqueue(self, name: str, message: Message, now: datetime) -> Notification:
        number = self.store.load().last_notification_id + 1 + self.channels.index(self.named(name))
        return recorded.notification(number, (), channel=name, body=encode(message), created_at=now)

    def named(self, name: str) -> ChannelSettings:
        return next(c for c in self.channels if c.name == name)

    @property
    def sent(self) -> list[Message]:
        return [decode(n.body) for n in reversed(self.store.notifications())]


def channel(name: str, **more: object) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": name, "url": "console:", **more})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite://{tmp_path}/store.db")
    keys = [recorded.key(name, recorded.reading("400")) for name in ("studio", "lab")]
    samples = [
        recorded.sample(balance, MONDAY - 2 * DAY + hours * HOUR, key=name)
        for name in ("studio", "lab")
        for hours, balance in ((0, "500"), (30, "400"))
    ]
    store.write([Changes(keys=keys, samples=samples)])
    yield store
    store.close()


async def test_the_first_report_comes_at_the_first_time_after_it_was_configured(
    store: Store,
) -> None:
    daemon = Daemon(store)
    await daemon.reporter.check(MONDAY - HOUR)
    assert daemon.sent == []
    await daemon.reporter.check(MONDAY)
    (message,) = daemon.sent
    assert message.title.startswith("Daily report, Sun 3 May 2026: 200 credits used")
    assert message.notes == ()


async def test_it_comes_once_however_often_it_is_asked_and_restarted(store: Store) -> None:
    daemon = Daemon(store)
    for minutes in range(-60, 24 * 60, 7):
        await daemon.reporter.check(MONDAY + timedelta(minutes=minutes))
        if minutes % 5 == 0:
            daemon.restart()
    assert len(daemon.sent) == 1


async def test_one_that_was_missed_comes_once_and_says_so(store: Store) -> None:
    daemon = Daemon(store)
    await daemon.reporter.check(MONDAY - 5 * DAY)
    daemon.restart()
    await daemon.reporter.check(MONDAY + 3 * HOUR)
    daemon.restart()
    await daemon.reporter.check(MONDAY + 4 * HOUR)
    (message,) = daemon.sent
    assert "Sun 3 May 2026" in message.title
    assert message.notes == (
        "This report was due at 2026-05-04 09:00 UTC and could not be made before.",
    )


async def test_a_daemon_that_is_down_at_its_first_time_sends_it_afterwards(store: Store) -> None:
    daemon = Daemon(store)
    await daemon.reporter.check(MONDAY - HOUR)
    daemon.restart()
    await daemon.reporter.check(MONDAY + HOUR)
    assert len(daemon.sent) == 1


async def test_another_time_of_day_does_not_repeat_the_report_of_a_period(store: Store) -> None:
    daemon = Daemon(store, every=Every.WEEK)
    await daemon.reporter.check(MONDAY - DAY)
    await daemon.reporter.check(MONDAY)
    daemon.at = "Tue 09:00"
    daemon.restart()
    await daemon.reporter.check(MONDAY + DAY)
    assert len(daemon.sent) == 1
    await daemon.reporter.check(MONDAY + 8 * DAY)
    assert len(daemon.sent) == 2


async def test_a_clock_that_was_set_back_repeats_nothing(store: Store) -> None:
    daemon = Daemon(store)
    await daemon.reporter.check(MONDAY - HOUR)
    for at in (MONDAY, MONDAY - 3 * DAY, MONDAY + HOUR):
        await daemon.reporter.check(at)
    assert len(daemon.sent) == 1


async def test_a_channel_is_told_of_its_own_keys_only(store: Store) -> None:
    channels = (
        channel("all", rules=["silent"], severities=["critical"]),
        channel("lab", keys=["la*"]),
        channel("none", providers=["json"]),
    )
    daemon = Daemon(store, channels=channels)
    await daemon.reporter.check(MONDAY - HOUR)
    await daemon.reporter.check(MONDAY)
    everything, lab, nothing = daemon.sent
    assert [s.name for s in everything.stories] == ["Summary", "lab", "studio"]
    assert [s.name for s in lab.stories] == ["Summary", "lab"]
    assert "100 credits used" in lab.title
    assert not any("all" in label for label, _ in lab.stories[0].facts)
    assert "no balance was read" in nothing.title


async def test_a_key_without_account_is_not_told_to_a_channel_for_accounts(store: Store) -> None:
    channels = (channel("main", accounts=["ma*"]), channel("any", accounts=["*"]))
    daemon = Daemon(store, channels=channels, account="main")
    await daemon.reporter.check(MONDAY - HOUR)
    await daemon.reporter.check(MONDAY)
    main, everything = daemon.sent
    assert [s.name for s in main.stories] == ["Summary", "account main"]
    assert {s.name for s in everything.stories} == {"Summary", "account main", "studio"}


@pytest.mark.parametrize(
    ("last_day", "hours"),
    [
        pytest.param(datetime(2026, 3, 28, tzinfo=BERLIN), [23, 24, 24], id="spring has 23 hours"),
        pytest.param(datetime(2026, 10, 24, tzinfo=BERLIN), [25, 24, 24], id="autumn has 25"),
    ],
)
async def test_a_daily_report_comes_at_nine_on_the_wall_when_the_clocks_change(
    store: Store, last_day: datetime, hours: list[int]
) -> None:
    daemon = Daemon(store, zone=BERLIN)
    start = last_day.astimezone(UTC)
    found: dict[datetime, Message] = {}
    for minutes in range(0, 4 * 24 * 60, 15):
        now = start + timedelta(minutes=minutes)
        await daemon.reporter.check(now)
        for message in daemon.sent[len(found) :]:
            found[now.astimezone(BERLIN)] = message
    assert {(at.hour, at.minute) for at in found} == {(9, 0)}
    times = [at.astimezone(UTC) for at in found]
    assert [(b - a) / HOUR for a, b in pairwise(times)] == hours
    assert all(not message.notes for message in found.values()), "none of them is late"


class Flaky:
    """A store whose disk fails when told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        if self.fails:
            raise StoreError("store x: disk I/O error")
        return getattr(self.store, name)


async def test_a_store_that_does_not_answer_delays_the_report(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    flaky = Flaky(store)
    daemon = Daemon(cast("Store", flaky))
    await daemon.reporter.check(MONDAY - HOUR)
    flaky.fails = True
    await daemon.reporter.check(MONDAY)
    flaky.fails = False
    assert daemon.sent == []
    assert "cannot be made yet: store x: disk I/O error" in caplog.text
    await daemon.reporter.check(MONDAY + timedelta(minutes=1))
    assert len(daemon.sent) == 1
