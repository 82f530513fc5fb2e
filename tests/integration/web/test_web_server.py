"""The server on a real socket: starting, stopping, and clients that do not behave."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import pytest
from support.patience import HANGS
from support.scene import Scene

from monitor.web import WebServer, WebServerError
from monitor.web import server as web_server

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(server: WebServer) -> AsyncIterator[Connection]:
    """A connection to *server*, gone without a trace afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def server(full_scene: Scene) -> AsyncIterator[WebServer]:
    server = WebServer(full_scene.context, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


async def test_it_serves_pages_and_metrics_over_http(server: WebServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert "credit-monitor" in (await client.get("/")).text
        metrics = await client.get("/metrics")
        assert metrics.headers["transfer-encoding"] == "chunked"
        assert "server" not in metrics.headers


async def test_it_leaves_the_signals_to_the_daemon(scene: Scene) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    server = WebServer(scene.context, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        await client.get("/healthz")
    assert [signal.getsignal(number) for number in numbers] == before
    await server.stop()


async def test_a_port_in_use_is_named_with_what_to_do(server: WebServer, scene: Scene) -> None:
    second = WebServer(scene.context, "127.0.0.1", server.port)
    with pytest.raises(WebServerError) as caught:
        await second.start()
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert "in use" in str(caught.value)
    assert "web.listen" in str(caught.value)
    await second.stop()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        pytest.param("192.0.2.1", "no such address", id="an address of nobody (RFC 5737)"),
        pytest.param("nowhere.invalid", "name is not known", id="a name of nobody (RFC 2606)"),
    ],
)
async def test_an_address_that_cannot_be_had_is_named(scene: Scene, host: str, says: str) -> None:
    server = WebServer(scene.context, host, 9750)
    with pytest.raises(WebServerError, match=says):
        await server.start()
    await server.stop()


async def test_localhost_is_the_ipv4_address_first(scene: Scene) -> None:
    server = WebServer(scene.context, "localhost", 0)
    await server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        pass
    await server.stop()


async def test_ipv6_has_brackets_in_its_address(scene: Scene) -> None:
    server = WebServer(scene.context, "::1", 0)
    try:
        await server.start()
    except WebServerError:
        pytest.skip("needs IPv6 on loopback")
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/healthz")).status_code == 200
    assert server.url == f"http://[::1]:{server.port}/"
    await server.stop()


async def test_it_stops_within_two_seconds_whatever_clients_do(full_scene: Scene) -> None:
    server = WebServer(full_scene.context, "127.0.0.1", 0)
    for number in range(3000):  # enough that the answer does not fit into the buffers
        full_scene.world.keys[f"many-{number}"] = full_scene.world.keys["low"]
    await server.start()
    async with connected(server), connected(server) as (reader, writer):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()
        started = time.monotonic()
        await server.stop()
        await server.stop()
        assert time.monotonic() - started < 2
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_the_port_can_be_had_again_at_once(scene: Scene) -> None:
    first = WebServer(scene.context, "127.0.0.1", 0)
    await first.start()
    async with httpx.AsyncClient(base_url=first.url) as client:
        await client.get("/healthz")
    await first.stop()
    second = WebServer(scene.context, "127.0.0.1", first.port)
    await second.start()
    await second.stop()


async def test_who_sends_no_headers_is_let_go(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "HEADER_TIMEOUT", 0.05)
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
        async with connected(server) as (reader, writer), asyncio.timeout(HANGS):
            writer.write(sent)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""


async def test_a_whole_request_has_no_deadline_for_its_headers(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "HEADER_TIMEOUT", 0.05)
    async with connected(server) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await reader.readuntil(b"ok\n")
            await asyncio.sleep(0.1)  # longer than the deadline for headers


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n", id="an endless line"),
    ],
)
async def test_what_is_no_request_is_refused(server: WebServer, request_text: bytes) -> None:
    async with connected(server) as (reader, writer), asyncio.timeout(HANGS):
        writer.write(request_text)
        assert (await reader.readline()).startswith(b"HTTP/1.1 4")
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_too_many_clients_are_turned_away_and_later_served(server: WebServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        async with AsyncExitStack() as crowd:
            for _ in range(web_server.MAX_CONNECTIONS):
                await crowd.enter_async_context(connected(server))
            assert (await client.get("/healthz")).status_code == 503
        async with asyncio.timeout(HANGS):
            while (await client.get("/healthz")).status_code != 200:
                pass
