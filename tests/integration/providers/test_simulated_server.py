"""The simulated provider over real HTTP, read by the provider that ``demo`` uses."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from monitor.core.model import Reason
from monitor.providers import SimulatedKey
from monitor.providers.base import PollError
from monitor.providers.exchange import Request
from monitor.providers.http import HttpClient
from monitor.providers.simulator import Account, Mode, SimulatedServer


@pytest.fixture
async def server() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer([Account(token="studio", balance=Decimal("99.5"))]) as running:
        yield running


async def poll(
    server: SimulatedServer, http: HttpClient, name: str = "studio", within: str = "5s"
) -> Decimal | None:
    settings = {"provider": "simulated", "name": name, "url": server.url, "timeout": within}
    [reading] = await SimulatedKey.model_validate(settings).build().poll(http)
    return reading.balance


async def test_a_balance_set_now_is_read_next(server: SimulatedServer, http: HttpClient) -> None:
    assert await poll(server, http) == Decimal("99.5")

    server.accounts["studio"].balance = Decimal("0.125")

    assert await poll(server, http) == Decimal("0.125")
    assert (server.requests, server.accounts["studio"].requests) == (2, 2)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (Mode.REVOKED, Reason.UNAUTHORIZED),
        (Mode.CAPPED, Reason.KEY_CAPPED),
        (Mode.RATE_LIMITED, Reason.RATE_LIMITED),
        (Mode.MAINTENANCE, Reason.MAINTENANCE),
        (Mode.SERVER_ERROR, Reason.SERVER_ERROR),
        (Mode.HTML, Reason.BAD_RESPONSE),
        (Mode.NO_DATA, Reason.BAD_RESPONSE),
        (Mode.SILENT, Reason.TIMEOUT),
    ],
)
async def test_every_mode_is_a_failure_with_its_own_reason(
    mode: Mode, reason: Reason, server: SimulatedServer, http: HttpClient
) -> None:
    server.accounts["studio"].mode = mode

    with pytest.raises(PollError) as caught:
        await poll(server, http, within="1s" if mode is Mode.SILENT else "5s")

    assert caught.value.reason is reason


async def test_an_unknown_key_is_refused_as_kie_does_it(
    server: SimulatedServer, http: HttpClient
) -> None:
    with pytest.raises(PollError) as caught:
        await poll(server, http, name="stranger")

    assert caught.value.reason is Reason.UNAUTHORIZED


async def test_other_paths_are_not_found(server: SimulatedServer, http: HttpClient) -> None:
    answer = await http.fetch(Request("GET", server.url + "/api/v1/credit"), timeout=5)

    assert answer.status == 404


async def test_answers_come_as_late_as_told(server: SimulatedServer, http: HttpClient) -> None:
    server.accounts["studio"].latency = 0.05
    started = asyncio.get_running_loop().time()

    await poll(server, http)

    assert asyncio.get_running_loop().time() - started >= 0.05


async def test_it_leaves_the_signals_of_the_process_alone(server: SimulatedServer) -> None:
    assert server.url
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_it_stops_although_a_request_is_still_waiting(http: HttpClient) -> None:
    async with SimulatedServer([Account(token="studio", mode=Mode.SILENT)]) as server:
        waiting = asyncio.create_task(poll(server, http, within="60s"))
        while not server.requests:  # noqa: ASYNC110 - the server offers no event, and needs none
            await asyncio.sleep(0)
    with pytest.raises(PollError):
        await waiting


async def test_a_taken_port_is_told_at_once(server: SimulatedServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])

    with pytest.raises(OSError, match="in use"):
        await SimulatedServer([], port=port).start()
