"""What a mirror posts, and when, seen by a receiver that answers as told."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import pairwise

import pytest
from support import recorded
from support.receiver import Receiver

from monitor.clock import Clock
from monitor.core.events import Alert, Facts
from monitor.core.messages import Message, decode
from monitor.core.model import Severity, Subject
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.address import alertmanager_address
from monitor.delivery.mirror import AlertmanagerMirror, MirrorContext
from monitor.providers.http import HttpClient
from monitor.store.base import Changes

SPEED = 600  # a minute in a tenth of a second
MINUTE = timedelta(minutes=1)


class Site:
    def __init__(self, receiver: Receiver, http: HttpClient) -> None:
        self.receiver = receiver
        self.clock = Clock(speed=SPEED)
        self.open: list[Alert] = []
        self.bug = False
        self.outcomes: list[str] = []
        self.recorded: list[Changes] = []
        user = receiver.url.replace("//", "//user:pass@")
        context = MirrorContext(
            current=self.current,
            http=http,
            listener=self,
            clock=self.clock,
            timeout=1.0,
            rng=random.Random(1),
            enqueue=recorded.message,
            record=self.recorded.append,
        )
        self.mirror = AlertmanagerMirror("am", [alertmanager_address(user)], context)

    def current(self) -> Iterable[Alert]:
        if self.bug:
            raise RuntimeError
        return self.open

    def notification(self, channel: str, outcome: str) -> None:
        self.outcomes.append(outcome)

    def notification_delay(self, channel: str, seconds: float) -> None:
        raise AssertionError("states have no due time")

    def alert(self, name: str = "studio", severity: Severity = Severity.WARNING) -> Alert:
        now = self.clock.now() - timedelta(hours=1)
        return Alert(
            id=len(self.open) + 1,
            subject=Subject("kie", "", name),
            meter="balance",
            rule="low_balance",
            severity=severity,
            worst=severity,
            opened_at=now,
            changed_at=now,
            facts=Facts(balance=Decimal(1), unit="credits"),
        )

    def show(self, *alerts: Alert) -> None:
        self.open = list(alerts)
        self.mirror.changed()

    def posts(self) -> list[dict[str, datetime]]:
        """Of every post: key and severity with the end they were given."""
        return [
            {
                f"{a['labels']['key']} {a['labels']['severity']}": datetime.fromisoformat(
                    a["endsAt"]
                )
                for a in got.json
            }
            for got in self.receiver.got
        ]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Receiver() as receiver:
        http = HttpClient()
        site = Site(receiver, http)
        site.mirror.start()
        yield site
        await site.mirror.stop(1.0)
        await http.aclose()


async def test_nothing_is_posted_while_nothing_is_open(site: Site) -> None:
    await asyncio.sleep(0.3)
    assert site.receiver.got == []
    assert site.mirror.pending() == (0, 0.0)
    assert site.mirror.lag() < 1


async def test_a_post_is_json_to_the_api_with_the_password_of_the_address(site: Site) -> None:
    site.show(site.alert())
    await site.receiver.until(1)
    (got,) = site.receiver.got[:1]
    assert (got.method, got.path) == ("POST", "/api/v2/alerts")
    assert got.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert got.headers["content-type"] == "application/json"


async def test_what_happens_at_once_is_one_post(site: Site) -> None:
    await asyncio.sleep(0.05)
    first, second = site.alert("a"), site.alert("b")
    site.show(first)
    site.show(first, second)
    await site.receiver.until(1)
    assert site.posts()[0].keys() == {"a warning", "b warning"}


async def test_what_is_open_is_posted_every_minute_with_an_end_four_minutes_ahead(
    site: Site,
) -> None:
    site.show(site.alert())
    await site.receiver.until(4)
    ends = [post["studio warning"] for post in site.posts()]
    for before, after in pairwise(ends[1:]):
        assert after - before >= MINUTE
    assert site.clock.now() < ends[-1] <= site.clock.now() + 4 * MINUTE


async def test_a_changed_severity_ends_one_alert_and_begins_another_in_one_post(
    site: Site,
) -> None:
    site.show(site.alert())
    await site.receiver.until(1)
    site.show(replace(site.alert(), severity=Severity.CRITICAL))
    await asyncio.sleep(0.05)
    await site.receiver.until(2)
    post = next(p for p in site.posts() if "studio critical" in p)
    assert post.keys() == {"studio warning", "studio critical"}
    assert post["studio warning"] <= site.clock.now()


async def test_an_end_is_repeated_for_a_quarter_of_an_hour_with_the_same_time(site: Site) -> None:
    site.show(site.alert())
    await site.receiver.until(1)
    began = site.clock.now()
    site.show()
    await asyncio.sleep(2.2)  # 22 minutes
    ends = [p["studio warning"] for p in site.posts() if p["studio warning"] < began + MINUTE]
    assert 8 <= len(ends) <= 17
    assert len(set(ends)) == 1
    count = len(site.receiver.got)
    await asyncio.sleep(0.3)
    assert len(site.receiver.got) == count


async def test_what_fires_again_is_not_ended_any_more(site: Site) -> None:
    alert = site.alert()
    site.show(alert)
    await site.receiver.until(1)
    site.show()
    await site.receiver.until(2)
    site.show(alert)
    await site.receiver.until(4)
    assert site.posts()[-1]["studio warning"] > site.clock.now()


@pytest.mark.parametrize(
    ("status", "outcome"), [(503, "retry"), (429, "retry"), (400, "refused"), (401, "refused")]
)
async def test_an_end_that_was_not_taken_is_kept_until_it_is(
    site: Site, status: int, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.show(site.alert())
    await site.receiver.until(1)
    site.receiver.status = status
    site.show()
    count = len(site.receiver.got)
    await site.receiver.until(count + 3)
    assert site.mirror.pending()[0] == 1
    assert outcome in site.outcomes
    assert f"HTTP {status}" in caplog.text
    assert "pass" not in caplog.text
    (pending,) = shown(site)
    assert pending.state is NotificationState.PENDING
    assert decode(pending.body).title == "the state of 1 alert"
    assert f"HTTP {status}" in pending.error
    assert "pass" not in pending.error
    site.receiver.status = 200
    count = len(site.receiver.got)
    await site.receiver.until(count + 2)
    assert site.posts()[-1]["studio warning"] < site.clock.now()
    assert site.mirror.pending() == (0, 0.0)
    (delivered,) = shown(site)
    assert (delivered.state, delivered.error) == (NotificationState.DELIVERED, "")
    assert delivered.attempts >= 4


async def test_a_failure_that_the_last_process_left_on_record_ends_with_the_first_post(
    site: Site,
) -> None:
    left = recorded.message("am", Message(title="t", severity=None, stories=()), site.clock.now())
    site.mirror.inherit([replace(left, error="HTTP 503")])
    site.show(site.alert())
    await site.receiver.until(1)
    await asyncio.sleep(0.05)
    (delivered,) = shown(site)
    assert delivered.state is NotificationState.DELIVERED


def shown(site: Site) -> list[Notification]:
    """What the record of deliveries shows, each in its last version."""
    return list({n.id: n for changes in site.recorded for n in changes.notifications}.values())


async def test_a_failing_alertmanager_is_not_pressed_by_changes(site: Site) -> None:
    site.receiver.status = 503
    site.show(site.alert("0"))
    await site.receiver.until(5)  # the waits are a minute by now
    count = len(site.receiver.got)
    for number in range(20):
        site.show(site.alert(str(number)))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert len(site.receiver.got) <= count + 1


async def test_a_bug_counts_as_stuck_and_ends_with_it(site: Site) -> None:
    site.bug = True
    site.mirror.changed()
    await asyncio.sleep(0.2)
    assert site.mirror.lag() == math.inf
    site.bug = False
    site.show(site.alert())
    await site.receiver.until(1)
    await asyncio.sleep(0.05)
    assert site.mirror.lag() < 1


async def test_a_mirror_that_was_stopped_posts_no_more_and_counts_as_stuck(site: Site) -> None:
    site.show(site.alert())
    await site.receiver.until(1)
    await site.mirror.stop(1.0)
    count = len(site.receiver.got)
    await asyncio.sleep(0.3)
    assert len(site.receiver.got) == count
    assert site.mirror.lag() == math.inf


async def test_an_alertmanager_whose_clock_is_past_every_end_counts_as_refusing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = site.clock.now() + timedelta(hours=12)
    site.receiver.more = f"Date: {format_datetime(ahead, usegmt=True)}\r\n"
    site.show(site.alert())
    await site.receiver.until(2)
    assert site.outcomes[0] == "refused"
    assert "its clock is ahead" in caplog.text
    behind = site.clock.now() - timedelta(hours=12)
    site.receiver.more = f"Date: {format_datetime(behind, usegmt=True)}\r\n"
    await site.receiver.until(4)
    assert site.outcomes[-1] == "delivered"
