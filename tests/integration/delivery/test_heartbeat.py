"""Pings to a real receiver, and the real parts under each fault that has to stop them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from support.receiver import Receiver

from monitor.clock import Clock
from monitor.delivery.address import heartbeat_address
from monitor.delivery.heartbeat import Heartbeat, Progress
from monitor.metrics import Format, Metrics
from monitor.providers.http import HttpClient

WELL = Progress(longest_poll=10, channels_behind={"ops": 0.0}, longest_send=30)
EVERY = timedelta(minutes=5)
SERIES = "credit_monitor_heartbeat_last_success_timestamp_seconds"


class Site:
    """A heartbeat, the facts that it is given, and whom it pings."""

    def __init__(self, receiver: Receiver, http: HttpClient) -> None:
        self.progress = WELL
        self.receiver = receiver
        self.metrics = Metrics("1")
        self.clock = Clock(speed=3000)  # five minutes in a tenth of a second
        self.heartbeat = Heartbeat(
            heartbeat_address(f"{receiver.url}/ping/s3cret"),
            EVERY,
            http=http,
            progress=lambda: self.progress,
            listener=self.metrics,
            clock=self.clock,
        )

    def taken_at(self) -> float | None:
        lines = self.metrics.render(Format.TEXT).decode().splitlines()
        return next((float(x.split()[1]) for x in lines if x.startswith(f"{SERIES} ")), None)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Receiver() as receiver:
        http = HttpClient()
        site = Site(receiver, http)
        yield site
        await site.heartbeat.stop()
        await http.aclose()


async def test_it_pings_in_its_time_with_a_plain_get(site: Site) -> None:
    assert site.taken_at() is None
    began = site.clock.monotonic()
    site.heartbeat.start()
    await site.receiver.until(4)
    assert site.clock.monotonic() - began >= 30 + 3 * 300
    assert {(got.method, got.path, got.body) for got in site.receiver.got} == {
        ("GET", "/ping/s3cret", b"")
    }
    assert site.taken_at() is not None


async def test_it_is_silent_at_first(site: Site) -> None:
    site.clock.speed = 100
    site.heartbeat.start()
    await asyncio.sleep(0.1)  # ten of thirty seconds
    assert site.receiver.got == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"schedule_lag": 300.0}, id="polls do not start"),
        pytest.param({"polls_stalled": 300.0}, id="polls do not end"),
        pytest.param({"store_error": "disk full"}, id="the store fails"),
        pytest.param({"store_behind": 300.0}, id="the store hangs"),
        pytest.param({"channels_behind": {"ops": 300.0}}, id="a worker is stuck"),
    ],
)
async def test_it_stops_while_a_part_does_not_get_on_and_says_so_once(
    site: Site, fault: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    await site.heartbeat.beat()
    site.progress = replace(WELL, **fault)  # type: ignore[arg-type]  # one field of each row
    for _ in range(3):
        await site.heartbeat.beat()
    assert len(site.receiver.got) == 1
    site.progress = WELL
    await site.heartbeat.beat()
    assert len(site.receiver.got) == 2
    told = [(r.levelno, r.getMessage().split(":")[1].strip()) for r in caplog.records]
    assert told == [(logging.ERROR, "held back"), (logging.WARNING, "goes on")]


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        (503, "", "HTTP 503"),
        (404, "", "HTTP 404"),
        (301, "Location: http://127.0.0.1:1/\r\n", "redirect refused (HTTP 301)"),
    ],
)
async def test_a_ping_that_is_not_taken_is_no_success_and_logged_once(
    site: Site, status: int, more: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.receiver.status, site.receiver.more = status, more
    await site.heartbeat.beat()
    await site.heartbeat.beat()
    assert site.taken_at() is None
    site.receiver.status, site.receiver.more = 200, ""
    await site.heartbeat.beat()
    assert site.taken_at() is not None
    messages = [r.getMessage() for r in caplog.records]
    assert len(messages) == 2
    assert words in messages[0]
    assert "s3cret" not in "".join(messages)


async def test_a_receiver_that_is_gone_does_not_end_the_heartbeat(site: Site) -> None:
    port = site.receiver.port
    await site.receiver.__aexit__()
    site.heartbeat.start()
    await asyncio.sleep(0.3)  # three times
    assert site.taken_at() is None
    server = await asyncio.start_server(site.receiver._connect, "127.0.0.1", port)
    await site.receiver.until(1)
    server.close()


async def test_facts_that_cannot_be_had_hold_it_back_and_do_not_end_it(site: Site) -> None:
    def broken() -> Progress:
        raise RuntimeError

    site.heartbeat._progress = broken
    site.heartbeat.start()
    await asyncio.sleep(0.3)
    assert site.receiver.got == []
    site.heartbeat._progress = lambda: WELL
    await site.receiver.until(1)


async def test_the_time_of_the_last_ping_is_that_of_the_clock(site: Site) -> None:
    before = site.clock.now()
    await site.heartbeat.beat()
    at = site.taken_at()
    assert at is not None
    assert before <= datetime.fromtimestamp(at, before.tzinfo) <= site.clock.now()
