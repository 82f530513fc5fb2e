"""The HTTP door behind TLS and behind a proxy, with real handshakes on loopback."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.core.model import Reason
from monitor.providers import KieKey
from monitor.providers.base import PollError
from monitor.providers.exchange import Request
from monitor.providers.http import HttpClient

StartServer = Callable[..., Awaitable[Any]]
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"code":200,"data":7.5}'
NAME = "api.provider.example"


def tls_for(authority: trustme.CA, *names: str, **more: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def trusting(ca_file: str) -> AsyncIterator[HttpClient]:
    client = HttpClient(ca_file=ca_file)
    yield client
    await client.aclose()


async def failure(http: HttpClient, url: str) -> PollError:
    with pytest.raises(PollError) as caught:
        await http.fetch(Request("GET", url, {}), timeout=5)
    return caught.value


async def test_a_certificate_of_the_configured_authority_is_trusted(
    authority: trustme.CA, start_server: StartServer, trusting: HttpClient
) -> None:
    server = await start_server(answer=OK, tls=tls_for(authority, "127.0.0.1"))

    assert (await trusting.fetch(Request("GET", server.url, {}), timeout=5)).status == 200


async def test_the_usual_variable_names_the_authority_too(
    authority: trustme.CA,
    ca_file: str,
    start_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    server = await start_server(answer=OK, tls=tls_for(authority, "127.0.0.1"))
    http = HttpClient()

    assert (await http.fetch(Request("GET", server.url, {}), timeout=5)).status == 200
    await http.aclose()


async def test_a_certificate_that_nobody_vouches_for(
    authority: trustme.CA, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=OK, tls=tls_for(authority, "127.0.0.1"))

    assert (await failure(http, server.url)).reason is Reason.TLS
    assert server.requests == []


async def test_a_certificate_for_another_name(
    authority: trustme.CA, start_server: StartServer, trusting: HttpClient
) -> None:
    server = await start_server(answer=OK, tls=tls_for(authority, "other.example"))

    assert (await failure(trusting, server.url)).reason is Reason.TLS


async def test_an_expired_certificate(
    authority: trustme.CA, start_server: StartServer, trusting: HttpClient
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    tls = tls_for(authority, "127.0.0.1", not_after=yesterday)
    server = await start_server(answer=OK, tls=tls)

    assert (await failure(trusting, server.url)).reason is Reason.TLS


async def test_plain_http_behind_an_https_address(
    start_server: StartServer, trusting: HttpClient
) -> None:
    async def talk_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await start_server(handler=talk_plainly)

    error = await failure(trusting, server.url.replace("http:", "https:"))

    assert error.reason is Reason.TLS


# -- proxies --------------------------------------------------------------------------------------


class ConnectProxy:
    """An HTTP proxy that takes CONNECT to any name and leads it to one port on loopback."""

    def __init__(self, target: int, refuse: bytes = b"") -> None:
        self.target, self.refuse = target, refuse
        self.heads: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        if self.refuse:
            writer.write(self.refuse)
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_poll_goes_through_the_proxy_of_the_environment(
    authority: trustme.CA,
    ca_file: str,
    start_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = await start_server(answer=OK, tls=tls_for(authority, NAME))
    connect = ConnectProxy(provider.port)
    proxy = await start_server(handler=connect)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
    http = HttpClient(ca_file=ca_file)
    key = KieKey(name="studio", key="proxied-key-0123456789", url=f"https://{NAME}").build()

    for _ in range(2):
        [meter] = await key.poll(http)
        assert str(meter.balance) == "7.5"
    await http.aclose()

    [head] = connect.heads  # the tunnel is kept, too
    assert head.startswith(f"connect {NAME}:443 http/1.1")
    credentials = base64.b64encode(b"user:p@ss").decode().lower()
    assert f"proxy-authorization: basic {credentials}" in head
    assert "proxied-key" not in head
    assert b"proxy-authorization" not in provider.requests[0].lower()


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", id="needs a login"),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", id="cannot reach the provider"),
        pytest.param(b"garbage\r\n\r\n", id="is no proxy"),
    ],
)
async def test_a_proxy_that_does_not_let_us_through(
    refusal: bytes, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await start_server(handler=ConnectProxy(0, refuse=refusal))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:hidden-word@"))
    http = HttpClient()

    error = await failure(http, f"https://{NAME}/")
    await http.aclose()

    assert error.reason is Reason.CONNECTION
    assert "hidden-word" not in str(error)


async def test_a_proxy_that_is_not_there(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{unused_tcp_port}")  # also without a scheme
    http = HttpClient()

    error = await failure(http, f"https://{NAME}/")
    await http.aclose()

    assert (error.reason, error.detail) == (Reason.CONNECTION, "the proxy could not be used")


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "http://", "gopher://x"])
async def test_a_proxy_of_another_kind_is_named_as_the_fault(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", address)
    http = HttpClient()

    error = await failure(http, f"https://{NAME}/")

    assert (error.reason, error.detail) == (
        Reason.CONNECTION,
        "the proxy of the environment is no http proxy",
    )


@pytest.mark.parametrize("exempt", ["nobody.invalid", ".invalid", "*"])
async def test_a_host_in_no_proxy_is_asked_directly(
    exempt: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await start_server(handler=ConnectProxy(0, refuse=b"HTTP/1.1 500 No\r\n\r\n"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    http = HttpClient()

    error = await failure(http, "https://nobody.invalid/")
    await http.aclose()

    assert error.detail == "the name of the host was not found"
    assert proxy.connections == 0


async def test_loopback_is_never_asked_of_a_proxy(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await start_server(handler=ConnectProxy(0, refuse=b"HTTP/1.1 500 No\r\n\r\n"))
    server = await start_server(answer=OK)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    http = HttpClient()

    assert (await http.fetch(Request("GET", server.url, {}), timeout=5)).status == 200
    await http.aclose()

    assert proxy.connections == 0


async def test_an_allowed_plain_host_goes_through_the_http_proxy(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await start_server(answer=OK)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:pass@"))
    http = HttpClient()
    request = Request("GET", "http://relay.invalid/me", {}, plain_http_host="relay.invalid")

    assert (await http.fetch(request, timeout=5)).status == 200
    await http.aclose()

    assert proxy.requests[0].startswith(b"GET http://relay.invalid/me HTTP/1.1\r\n")
    assert b"proxy-authorization: basic" in proxy.requests[0].lower()
