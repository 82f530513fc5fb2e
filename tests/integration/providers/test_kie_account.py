"""What the keys of one kie.ai account tell over time, read through the real HTTP stack."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from monitor.core.ledger import MovementKind, advance, open_ledger
from monitor.core.model import Reason
from monitor.providers import KieKey
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient
from monitor.schedule import next_delay

KEY = "kie-test-key-0123456789"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
StartServer = Callable[..., Awaitable[Any]]


def envelope(**members: Any) -> bytes:
    body = json.dumps(members).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_what_failed_tasks_give_back_is_no_top_up(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server()
    provider = KieKey(name="studio", key=KEY, url=server.url).build()
    ledger, kinds = open_ledger(NOON, Decimal(1000), "credits"), []

    for minute, left in enumerate([940, 880.5, 940.5, 1000, 970, 5970]):
        server.answer = envelope(code=200, msg="success", data=left)
        [reading] = await provider.poll(http)
        assert reading.balance is not None
        at = NOON + timedelta(minutes=minute)
        ledger, movement = advance(ledger, at, reading.balance)
        assert movement is not None
        kinds.append(movement.kind)

    used, back, paid = MovementKind.CONSUMPTION, MovementKind.REFUND, MovementKind.TOP_UP
    assert kinds == [used, used, back, back, used, paid]
    assert (ledger.refunded_total, ledger.topped_up_total) == (Decimal("119.5"), Decimal(5000))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("exceeded the hourly limit. Try again in 300 seconds.", 300),
        ("exceeded the hourly limit. Try again in 1,200 seconds.", 1200),
        ("exceeded the hourly limit. Try again in 299.5 seconds.", 300),
        ("exceeded the hourly limit, retry after 45s", 45),
        ("exceeded the hourly limit. Try again in 12 minutes.", 720),
        ("exceeded the daily limit. Try again in 2 hours.", 7200),
        ("exceeded the daily limit. Try again in 9999999 hours.", 86400),
        ("exceeded the daily limit of 5000 points", None),
        ("exceeded the daily limit (key v2s)", None),
        ("exceeded the total limit", None),
    ],
)
async def test_the_wait_that_a_cap_names_is_kept_for_the_schedule(
    said: str, seconds: int | None, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=envelope(code=433, msg=f"Points used by apiKey has {said}"))

    with pytest.raises(PollError) as caught:
        await KieKey(name="studio", key=KEY, url=server.url).build().poll(http)

    wait = caught.value.retry_after
    assert caught.value.reason is Reason.KEY_CAPPED
    assert wait == (None if seconds is None else timedelta(seconds=seconds))
    if wait is not None and wait < timedelta(hours=6):  # longer ones count as a mistake there
        delay = next_delay(
            interval=60,
            failures=1,
            reason=Reason.KEY_CAPPED,
            retry_after=wait.total_seconds(),
            jitter=Random(1).uniform(-1, 1),
        )
        assert delay >= wait.total_seconds()


async def test_a_capped_key_leaves_the_balance_to_the_other_keys_of_its_account(
    start_server: StartServer, http: HttpClient
) -> None:
    capped = await start_server(answer=envelope(code=433, msg="exceeded the total limit"))
    fine = await start_server(answer=envelope(code=200, msg="success", data=250.5))
    one, two = (
        KieKey(name=name, key=f"{KEY}-{name}", account="studio", url=server.url).build()
        for name, server in (("one", capped), ("two", fine))
    )

    with pytest.raises(PollError) as caught:
        await one.poll(http)

    assert caught.value.detail.startswith("the total cap of this key is reached")
    assert [reading.balance for reading in await two.poll(http)] == [Decimal("250.5")]
