"""A real Alertmanager is shown what is open, and tells its own receiver."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support import recorded
from support.alertmanager import Alertmanager, running_alertmanager
from support.patience import HANGS

from monitor.clock import Clock
from monitor.core.events import Alert, Facts
from monitor.core.messages import trial_message
from monitor.core.model import Severity, Subject
from monitor.delivery.address import alertmanager_address
from monitor.delivery.alertmanager import AlertmanagerSender
from monitor.delivery.base import Outcome
from monitor.delivery.mirror import AlertmanagerMirror, MirrorContext
from monitor.providers.http import HttpClient

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None,
    reason="needs prometheus-alertmanager (Debian package prometheus-alertmanager)",
)

PAGE = (Path(__file__).parents[3] / "docs" / "channels.md").read_text(encoding="utf-8")
EVERY = timedelta(seconds=0.5)
LOW = Alert(
    id=1,
    subject=Subject("kie", "", "studio"),
    meter="balance",
    rule="low_balance",
    severity=Severity.WARNING,
    worst=Severity.WARNING,
    opened_at=datetime.now(UTC) - timedelta(minutes=25),
    changed_at=datetime.now(UTC) - timedelta(minutes=25),
    facts=Facts(balance=Decimal(412), unit="credits", threshold=Decimal(500)),
)
OUTAGE = replace(LOW, id=2, subject=Subject("relay"), meter="", rule="silent")


@dataclass
class Monitor:
    """Open alerts, and a mirror of them that can be stopped and made anew."""

    http: HttpClient
    urls: tuple[str, ...]
    alerts: list[Alert] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        context = MirrorContext(
            current=lambda: self.alerts,
            http=self.http,
            listener=self,
            clock=Clock(),
            timeout=5.0,
            rng=random.Random(1),
            enqueue=recorded.message,
            record=lambda changes: None,
            every=EVERY,
        )
        addresses = [alertmanager_address(url) for url in self.urls]
        self.mirror = AlertmanagerMirror("am", addresses, context)
        self.mirror.start()

    def show(self, *alerts: Alert) -> None:
        self.alerts[:] = alerts
        self.mirror.changed()

    def notification(self, channel: str, outcome: str) -> None:
        assert channel == "am"
        self.outcomes.append(outcome)
        self.seen.set()

    def notification_delay(self, channel: str, seconds: float) -> None:
        raise AssertionError("states have no due time")

    async def until(self, outcome: str) -> None:
        self.outcomes.clear()
        async with asyncio.timeout(HANGS):
            while outcome not in self.outcomes:
                self.seen.clear()
                await self.seen.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Alertmanager]:
    async with running_alertmanager(tmp_path) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


@pytest.fixture
async def monitor(server: Alertmanager, http: HttpClient) -> AsyncIterator[Monitor]:
    monitor = Monitor(http, (server.url,))
    monitor.start()
    yield monitor
    await monitor.mirror.stop(2.0)


async def test_an_open_alert_fires_there_with_all_that_is_known_of_it(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW)
    await server.until_notified(("firing", "studio", "warning"))
    (alert,) = await server.alerts()
    assert alert["labels"] == {
        "alertname": "CreditLowBalance",
        "job": "credit-monitor",
        "key": "studio",
        "provider": "kie",
        "meter": "balance",
        "rule": "low_balance",
        "severity": "warning",
    }
    assert alert["annotations"]["summary"] == "WARNING: studio has 412 credits left"
    assert "Threshold: 500 credits" in alert["annotations"]["description"]
    began = datetime.fromisoformat(alert["startsAt"])
    assert abs(began - LOW.opened_at) <= timedelta(milliseconds=1)
    ends = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
    assert timedelta(0) < ends <= 4 * EVERY


async def test_it_stays_alive_beyond_its_end_time_because_it_is_posted_again(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW)
    await server.until_firing(("studio", "warning"))
    (first,) = await server.alerts()
    while datetime.now(UTC) <= datetime.fromisoformat(first["endsAt"]) + EVERY:
        await monitor.until("delivered")
        assert await server.firing() == [("studio", "warning")]
    (later,) = await server.alerts()
    assert later["fingerprint"] == first["fingerprint"]
    assert server.notified == [("firing", "studio", "warning")]


async def test_an_alert_that_is_over_is_resolved_there_at_once(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW, OUTAGE)
    await server.until_firing(("studio", "warning"), ("", "warning"))
    monitor.show(OUTAGE)
    await server.until_notified(("resolved", "studio", "warning"))
    assert await server.firing() == [("", "warning")]
    assert ("resolved", "", "warning") not in server.notified


async def test_an_alert_that_comes_again_fires_again(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW)
    await server.until_notified(("firing", "studio", "warning"))
    monitor.show()
    await server.until_notified(("resolved", "studio", "warning"))
    monitor.show(replace(LOW, id=3, opened_at=datetime.now(UTC)))
    await server.until_firing(("studio", "warning"))
    await monitor.until("delivered")
    assert await server.firing() == [("studio", "warning")]


async def test_another_severity_is_another_alert_and_the_one_before_is_resolved(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW)
    await server.until_notified(("firing", "studio", "warning"))
    monitor.show(replace(LOW, severity=Severity.CRITICAL))
    await server.until_notified(("firing", "studio", "critical"), ("resolved", "studio", "warning"))
    assert await server.firing() == [("studio", "critical")]
    monitor.show(LOW)
    await server.until_firing(("studio", "warning"))


async def test_while_it_is_down_nothing_is_lost_and_it_is_told_when_it_is_back(
    server: Alertmanager, monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.show(OUTAGE)
    await server.until_firing(("", "warning"))
    await server.stop()
    monitor.show(LOW)
    await monitor.until("retry")
    await monitor.until("retry")
    assert monitor.mirror.pending()[0] == 2
    assert monitor.mirror.pending()[1] > 0
    assert monitor.mirror.lag() < 5
    await server.start()
    await server.until_notified(("firing", "studio", "warning"))
    await monitor.until("delivered")
    assert await server.firing() == [("studio", "warning")]
    assert monitor.mirror.pending() == (0, 0.0)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "the connection was refused" in warnings[0]
    assert "again" in warnings[1]


async def test_after_our_own_restart_what_is_open_goes_on_and_the_rest_ends_by_itself(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW, OUTAGE)
    await server.until_notified(("firing", "studio", "warning"), ("firing", "", "warning"))
    await monitor.mirror.stop(2.0)
    monitor.alerts[:] = [LOW]
    monitor.start()
    await server.until_notified(("resolved", "", "warning"))
    assert await server.firing() == [("studio", "warning")]
    assert server.notified.count(("firing", "studio", "warning")) == 1
    assert ("resolved", "studio", "warning") not in server.notified


async def test_what_changed_right_before_the_stop_is_still_posted(
    server: Alertmanager, monitor: Monitor
) -> None:
    monitor.show(LOW)
    await monitor.mirror.stop(2.0)
    assert await server.firing() == [("studio", "warning")]


async def test_more_alerts_than_go_into_one_post_all_arrive(
    server: Alertmanager, monitor: Monitor
) -> None:
    many = [replace(LOW, id=n, subject=Subject("kie", "", f"key-{n}")) for n in range(150)]
    monitor.show(*many)
    await server.until_firing(*((f"key-{n}", "warning") for n in range(150)))


async def test_an_unreachable_member_of_a_cluster_does_not_hold_up_the_others(
    server: Alertmanager, http: HttpClient
) -> None:
    monitor = Monitor(http, ("http://127.0.0.1:1", server.url))
    monitor.start()
    monitor.show(LOW)
    await server.until_firing(("studio", "warning"))
    assert monitor.mirror.pending()[0] == 1
    await monitor.mirror.stop(2.0)


async def test_a_test_message_is_an_alert_of_severity_info(server: Alertmanager) -> None:
    async with AsyncExitStack() as stack:
        client = HttpClient()
        stack.push_async_callback(client.aclose)
        address = alertmanager_address(server.url)
        sender = AlertmanagerSender("am", [address], http=client, clock=Clock(), timeout=5.0)
        delivery = await sender.send(trial_message("am", now=datetime.now(UTC)))
    assert delivery.outcome is Outcome.DELIVERED
    await server.until_notified(("firing", "", "info"))
    (alert,) = await server.alerts()
    assert alert["labels"]["alertname"] == "CreditMonitorTest"
    assert alert["labels"]["channel"] == "am"


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="needs amtool (package prometheus-alertmanager)"
)
def test_the_routing_example_on_the_page_is_valid(tmp_path: Path) -> None:
    (routing,) = re.findall(r"```yaml\n(route:.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "alertmanager.yml"
    path.write_text(routing)
    done = subprocess.run(["amtool", "check-config", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
