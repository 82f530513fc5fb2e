"""The HTTP door against real sockets: every way a connection or an answer can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.patience import HANGS

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Request
from monitor.providers.http import BODY_LIMIT, HttpClient

StartServer = Callable[..., Awaitable[Any]]
KEY = "door-test-key-0123456789"
GZIPPED = gzip.compress(b'{"a":1}')
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def request(url: str, **more: Any) -> Request:
    return Request("GET", url, {"Authorization": f"Bearer {KEY}"}, **more)


async def failure(http: HttpClient, url: str, seconds: float = 5, **more: Any) -> PollError:
    with pytest.raises(PollError) as caught:
        await http.fetch(request(url, **more), timeout=seconds)
    return caught.value


def answer(body: bytes, *headers: str, status: int = 200) -> bytes:
    head = [f"HTTP/1.1 {status} Any", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


# -- connections ----------------------------------------------------------------------------------


async def test_nobody_listens(http: HttpClient, unused_tcp_port: int) -> None:
    error = await failure(http, f"http://127.0.0.1:{unused_tcp_port}/")

    assert (error.reason, error.detail) == (Reason.CONNECTION, "the connection was refused")


async def test_a_name_that_does_not_exist(http: HttpClient) -> None:
    error = await failure(http, "https://nobody.invalid/")

    assert (error.reason, error.detail) == (Reason.CONNECTION, "the name of the host was not found")


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


def _send(text: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    return send


def _chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param(_close, Reason.CONNECTION, id="closed without an answer"),
        pytest.param(_reset, Reason.CONNECTION, id="reset"),
        pytest.param(_send(b"SSH-2.0-nothing\r\n"), Reason.CONNECTION, id="not HTTP at all"),
        pytest.param(
            _send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"),
            Reason.CONNECTION,
            id="body shorter than announced",
        ),
        pytest.param(_send(_chunked(b"{}")), Reason.CONNECTION, id="chunks that do not end"),
        pytest.param(
            _send(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"),
            Reason.CONNECTION,
            id="a header of 70 kB",
        ),
    ],
)
async def test_a_broken_connection(
    handler: Any, reason: Reason, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(handler=handler)

    assert (await failure(http, server.url)).reason is reason


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("handler", [_say_nothing, _drip], ids=["silence", "a byte at a time"])
async def test_the_deadline_is_for_the_whole_poll(
    handler: Any, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(handler=handler)

    error = await failure(http, server.url, seconds=0.2)

    assert (error.reason, error.detail) == (Reason.TIMEOUT, "no answer in time")


async def test_a_cancelled_poll_ends_at_once_and_frees_its_connection(
    start_server: StartServer, http: HttpClient
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()

    server = await start_server(handler=wait_for_the_end)
    poll = asyncio.create_task(http.fetch(request(server.url), timeout=60))
    await asked.wait()
    poll.cancel()

    with pytest.raises(asyncio.CancelledError):
        await poll
    async with asyncio.timeout(HANGS):
        await gone.wait()


async def test_one_connection_serves_many_polls(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=OK)

    for _ in range(5):
        assert (await http.fetch(request(server.url), timeout=5)).body == b"{}"

    assert (server.connections, len(server.requests)) == (1, 5)


async def test_after_a_burst_the_connections_that_are_not_needed_fall_idle(
    start_server: StartServer, http: HttpClient
) -> None:
    used: list[int] = []
    all_in_flight = asyncio.Barrier(30)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = server.connections
        while not reader.at_eof():
            await reader.readuntil(b"\r\n\r\n")
            used.append(number)
            if len(used) <= 30:
                await all_in_flight.wait()
            writer.write(OK)

    server = await start_server(handler=serve)
    await asyncio.gather(*(http.fetch(request(server.url), timeout=HANGS) for _ in range(30)))
    assert len(set(used)) == 30
    for _ in range(10):
        await http.fetch(request(server.url), timeout=5)
    assert len(set(used[30:])) == 1


async def test_a_connection_that_the_server_closed_meanwhile_costs_no_poll(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(handler=_send(OK))

    for _ in range(3):
        assert (await http.fetch(request(server.url), timeout=5)).status == 200

    assert server.connections == 3


async def test_a_closed_client_opens_again(start_server: StartServer, http: HttpClient) -> None:
    server = await start_server(answer=OK)
    await http.fetch(request(server.url), timeout=5)

    await http.aclose()

    assert (await http.fetch(request(server.url), timeout=5)).status == 200


async def test_cookies_are_not_kept(start_server: StartServer, http: HttpClient) -> None:
    server = await start_server(answer=answer(b"{}", "Set-Cookie: session=abc"))

    await http.fetch(request(server.url), timeout=5)
    await http.fetch(request(server.url), timeout=5)

    assert b"session" not in server.requests[1].lower()


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
async def test_a_redirect_is_refused_and_the_key_goes_nowhere_else(
    status: int, start_server: StartServer, http: HttpClient
) -> None:
    other = await start_server(answer=OK)
    server = await start_server(answer=answer(b"", f"Location: {other.url}/", status=status))

    error = await failure(http, server.url)

    assert (error.reason, error.detail) == (
        Reason.BAD_RESPONSE,
        f"redirect refused (HTTP {status})",
    )
    assert other.connections == 0


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(answer(b" " * (BODY_LIMIT + 1)), id="announced"),
        pytest.param(_chunked(*[b" " * 65536] * 17, b""), id="chunked"),
        pytest.param(
            answer(gzip.compress(b" " * (BODY_LIMIT + 1)), "Content-Encoding: gzip"),
            id="compressed",
        ),
    ],
)
async def test_a_body_over_one_mebibyte_is_refused(
    sent: bytes, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(handler=_send(sent))

    error = await failure(http, server.url)

    assert (error.reason, error.detail) == (
        Reason.BAD_RESPONSE,
        "the answer is larger than 1 MiB",
    )


async def test_an_endless_body_is_read_no_further_than_the_limit(
    start_server: StartServer, http: HttpClient
) -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65536)
            await writer.drain()
            sent += 65536

    server = await start_server(handler=pour)

    assert (await failure(http, server.url)).reason is Reason.BAD_RESPONSE
    assert sent < 16 * BODY_LIMIT  # what fits into the buffers of both kernels


async def test_a_gzip_bomb_is_not_inflated(
    start_server: StartServer, http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(b"\0" * (64 * BODY_LIMIT))
    server = await start_server(answer=answer(bomb, "Content-Encoding: gzip"))
    peak = await _peak_of(failure(http, server.url))

    assert peak < 8 * BODY_LIMIT


async def _peak_of(work: Any) -> int:
    import tracemalloc  # noqa: PLC0415 - traces from here on only

    tracemalloc.start()
    try:
        error = await work
        assert error.detail == "the answer is larger than 1 MiB"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", b'{"a":1}'),
        ("gzip", GZIPPED),
        ("x-gzip", GZIPPED),
        ("GZIP", GZIPPED),
        ("deflate", zlib.compress(b'{"a":1}')),
    ],
    ids=["identity", "gzip", "x-gzip", "GZIP", "deflate"],
)
async def test_a_compressed_answer_is_read_although_nobody_asked_for_it(
    encoding: str, body: bytes, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=answer(body, f"Content-Encoding: {encoding}"))

    assert (await http.fetch(request(server.url), timeout=5)).body == b'{"a":1}'


@pytest.mark.parametrize(
    ("encoding", "body", "detail"),
    [
        ("gzip", b"not gzip", "the answer could not be decompressed"),
        ("gzip", GZIPPED[:-9], "the compressed answer is incomplete"),
        ("br", b"x", "the answer is compressed in an unknown way"),
        ("gzip, gzip", b"x", "the answer is compressed in an unknown way"),
    ],
    ids=["no gzip at all", "cut off", "unknown", "twice"],
)
async def test_an_answer_that_cannot_be_decompressed(
    encoding: str, body: bytes, detail: str, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=answer(body, f"Content-Encoding: {encoding}"))

    error = await failure(http, server.url)

    assert (error.reason, error.detail) == (Reason.BAD_RESPONSE, detail)


@pytest.mark.parametrize("status", [200, 204, 404, 429, 503, 596])
async def test_an_answer_of_any_other_status_is_handed_over_with_its_headers(
    status: int, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=answer(b"", "Retry-After: 7", status=status))

    got = await http.fetch(request(server.url), timeout=5)

    assert (got.status, got.headers.get("retry-AFTER"), got.body) == (status, "7", b"")


async def test_a_body_is_sent_with_the_method_it_is_for(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=OK)

    await http.fetch(Request("POST", server.url + "/x?y=1", {}, b'{"query":1}'), timeout=5)

    assert server.requests[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert server.requests[0].endswith(b'\r\n\r\n{"query":1}')


# -- what is never sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("http://api.example.com/", "plain http refused: the key would travel readable"),
        ("http://127.0.0.1.example.com/", "plain http refused: the key would travel readable"),
        ("http://10.0.0.1/", "plain http refused: the key would travel readable"),
        ("ftp://127.0.0.1/", "the url is neither https nor http"),
        ("https://[::1", "the url cannot be used"),
        ("https://exa mple.com\n/", "the url cannot be used"),
        ("/relative", "the url is neither https nor http"),
    ],
)
async def test_an_address_that_is_not_asked(url: str, detail: str, http: HttpClient) -> None:
    error = await failure(http, url)

    assert (error.reason, error.detail) == (Reason.BAD_RESPONSE, detail)


async def test_plain_http_is_allowed_for_one_host_by_its_name(http: HttpClient) -> None:
    allowed = await failure(http, "http://relay.invalid/", plain_http_host="relay.invalid")
    other = await failure(http, "http://other.invalid/", plain_http_host="relay.invalid")

    assert allowed.reason is Reason.CONNECTION  # it was looked up, and does not exist
    assert other.detail == "plain http refused: the key would travel readable"


@pytest.mark.parametrize("key", ["a\nX-Injected: 1", "a\r\n\r\nGET / HTTP/1.1", "schlüssel", "a\0"])
async def test_a_key_that_no_header_can_carry_is_not_sent(
    key: str, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=OK)

    with pytest.raises(PollError) as caught:
        await http.fetch(Request("GET", server.url, {"Authorization": key}), timeout=5)

    assert caught.value.reason is Reason.UNAUTHORIZED
    assert key not in str(caught.value)
    assert server.requests == []


async def test_an_address_goes_out_as_it_is_written(
    start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    """A signature may cover every character of it."""
    server = await start_server(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    path = "/a%2Fb/%7Ec%20d?X-Credential=AK%2F2026%2Fus&sig=a%2Bb%3D%3D&t=1%7E2&p=a+b&e="

    await http.fetch(Request("GET", server.url + path), timeout=5)

    assert server.requests[0].split(b" ")[1] == path.encode()
