"""No failure of any provider shows a key: not its text, not its chain, not the logs at DEBUG."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from monitor.providers import AnyKey
from monitor.providers.base import KeySettings, PollError
from monitor.providers.http import HttpClient

StartServer = Callable[..., Awaitable[Any]]
KEY = "sk+secret/0123456789=="
USER_AND_KEY = f"someone:{KEY}"
KINDS: dict[str, dict[str, Any]] = {
    "kie": {"provider": "kie"},
    "simulated": {"provider": "simulated"},
    "kinovi": {"provider": "kinovi"},
    "useapi": {"provider": "useapi", "linked": [{"login": "a@b.example", "password": KEY}]},
    "json bearer": {"provider": "json", "auth": "bearer"},
    "json header": {"provider": "json", "auth": "header:X-Key"},
    "json query": {"provider": "json", "auth": "query:key"},
    "json basic": {"provider": "json", "auth": "basic", "key": USER_AND_KEY},
    "json extra header": {"provider": "json", "auth": "none", "headers": {"X-Other": KEY}},
}
FORMS = (
    KEY,
    quote(KEY, safe=""),
    quote(KEY),
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(USER_AND_KEY.encode()).decode(),
)
REPEATED = json.dumps({"code": 401, "msg": "wrong: " + " | ".join(FORMS[:4])}).encode()


def _whole(status: int, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} Any", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


ANSWERS = {
    "repeated in a refusal": _whole(401, REPEATED),
    "repeated in HTTP 200": _whole(200, REPEATED),
    "repeated outside of JSON": _whole(500, b"<p>" + KEY.encode()),
    "repeated in a redirect": _whole(302, b"", f"Location: https://x.invalid/?key={KEY}"),
    "repeated in a status line": f"HTTP/1.1 abc {KEY}\r\n\r\n".encode(),
    "repeated in a broken header": f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(),
    "repeated in a broken chunk": (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n".encode()
    ),
    "repeated as the amount": _whole(200, json.dumps({"code": 200, "data": KEY}).encode()),
    "repeated as an encoding": _whole(200, b"x", f"Content-Encoding: {KEY}"),
    "repeated in Retry-After": _whole(429, b"{}", f"Retry-After: {KEY}"),
    "nothing": b"",
}


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything any library logs, at the lowest level that a user could ask for."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, root = Collector(), logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


def _settings(kind: str, url: str) -> KeySettings:
    more = {"balance": "data", "unit": "USD"} if KINDS[kind]["provider"] == "json" else {}
    values = {"name": "studio", "url": url, "key": KEY, "timeout": "1s"} | more | KINDS[kind]
    settings: KeySettings = TypeAdapter(AnyKey).validate_python(values)
    return settings


def _everything_shown(error: BaseException, logged: list[str]) -> str:
    links: list[BaseException | None] = [error, error.__cause__, error.__context__]
    shown = [*logged, *traceback.format_exception(error)]
    return "\n".join([*shown, *(repr(link) + repr(getattr(link, "args", "")) for link in links)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_brings_a_key_to_light(
    kind: str, name: str, start_server: StartServer, http: HttpClient, logged: list[str]
) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWERS[name])
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    server = await start_server(handler=once)
    provider = _settings(kind, server.url).build()

    with pytest.raises(PollError) as caught:
        await provider.poll(http)

    shown = _everything_shown(caught.value, logged) + repr(provider)
    assert not [form for form in FORMS if form in shown]


async def test_basic_credentials_that_come_back_as_they_were_sent_are_not_shown(
    start_server: StartServer, http: HttpClient
) -> None:
    body = json.dumps({"message": f"bad Authorization: Basic {FORMS[4]} of {KEY}"}).encode()
    server = await start_server(answer=_whole(401, body))

    with pytest.raises(PollError) as caught:
        await _settings("json basic", server.url).build().poll(http)

    assert caught.value.detail == "HTTP 401: bad Authorization: Basic *** of ***"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}"])
async def test_no_failed_connection_brings_a_key_to_light(
    kind: str, url: str, unused_tcp_port: int, http: HttpClient, logged: list[str]
) -> None:
    provider = _settings(kind, url.format(port=unused_tcp_port)).build()

    with pytest.raises(PollError) as caught:
        await provider.poll(http)

    shown = _everything_shown(caught.value, logged)
    assert not [form for form in FORMS if form in shown]


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"useapi", "kinovi"}))
async def test_a_good_poll_logs_nothing_of_the_request(
    kind: str, start_server: StartServer, http: HttpClient, logged: list[str]
) -> None:
    server = await start_server(answer=_whole(200, b'{"code":200,"data":5}'))

    await _settings(kind, server.url).build().poll(http)

    shown = "\n".join(logged)
    assert not [form for form in FORMS if form in shown]
    assert KEY.encode() in server.requests[0] or any(
        form.encode() in server.requests[0] for form in FORMS
    )
