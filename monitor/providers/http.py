"""The only door to HTTP: one call, one error map, and the limits every answer has to keep.

httpx gives the words (request, response, transport), aiohttp the pool of connections underneath;
``docs/decisions/0006-http-transport.md`` has the measurements.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import logging
import os
import socket
import ssl
import sys
import time
import urllib.request
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey

# httpx imports its own command line, and with it rich and pygments, where those are installed:
# 5 MB and 60 ms that no poll needs.  None makes that import fail, which httpx is prepared for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # see the import system's docs

import httpx
import yarl

from monitor import __version__
from monitor.core.model import Reason
from monitor.providers import access
from monitor.providers.base import PollError
from monitor.providers.certificates import CertificatesError, trusting
from monitor.providers.exchange import Answer, Request, is_loopback, plain_http_allowed

BODY_LIMIT = 1024 * 1024
"""Bytes of a body, before and after decompression; a balance needs a few hundred."""

CONNECT_TIMEOUT = 5.0
"""Seconds to reach the provider, within the timeout of the whole poll."""

KEEP_ALIVE = 90.0
"""Seconds an idle connection is kept: a new TLS connection per poll costs 60 times a kept one."""

_ROUTES_KEPT = 1024
"""Distinct urls remembered; keys of one provider share theirs."""

_STANDARD_HEADERS = {
    "User-Agent": f"credit-monitor/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a balance is smaller than its compressed form
}


__all__ = ["Answer", "HttpClient", "Request", "Stream", "quiet_loggers", "transport_failure"]


def quiet_loggers() -> None:
    """Keep the HTTP libraries from logging URLs and headers, whatever level the user asks for.

    httpx logs the full URL at INFO, httpcore every header at DEBUG.
    """
    for name in ("httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Connector(aiohttp.TCPConnector):
    """A pool that takes the connection used last, not the one that has waited longest.

    A moment with many polls in flight (an outage, a stall) opens many connections.  Taken in turns,
    as aiohttp does, all of them would stay in use for ever, at 18 KB each and more with TLS; so the
    needless ones fall idle and are closed.  aiohttp has no setting for it: ``_release`` appends to
    ``_conns``, from whose left end the next one is taken (connector.py of 3.14).
    """

    def _release(
        self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        super()._release(key, protocol, should_close=should_close)
        idle = self._conns.get(key)
        if idle is not None and idle[-1][0] is protocol:
            idle.rotate(1)


class PooledTransport(httpx.AsyncBaseTransport):
    """httpx's transport interface over aiohttp's connection pool; raises aiohttp's errors.

    Nothing is followed, decompressed, retried with another method or remembered in cookies.
    """

    def __init__(
        self, tls: ssl.SSLContext, connect_timeout: float, proxy: httpx.Proxy | None = None
    ) -> None:
        """Needs a running event loop; *proxy* takes all requests of this transport."""
        self.proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=_Connector(ssl=tls, limit=0, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; the response streams its body as it came."""
        answer = await self._session.request(
            request.method,
            yarl.URL(str(request.url), encoded=True),  # as it is: a signature may cover it
            headers=request.headers,
            data=request.content or None,
            allow_redirects=False,
            proxy=str(self.proxy.url) if self.proxy else None,
            proxy_headers=self.proxy.headers if self.proxy else None,
        )
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=_Body(answer), request=request
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._answer.content.readany():
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        self._answer.release()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer of any length, whose body is still on its way and is never held as a whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    _body: httpx.AsyncByteStream = field(repr=False)

    async def chunks(self, *, idle: float) -> AsyncIterator[bytes]:
        """The body as it comes, not decompressed; raises :class:`PollError`.

        A pause of more than *idle* seconds is a time-out, a body shorter than announced a broken
        connection.
        """
        body = aiter(self._body)
        while True:
            try:
                async with asyncio.timeout(idle):
                    chunk = await anext(body, None)
            except _FOREIGN_ERRORS as error:
                failure = transport_failure(error)
            else:
                if chunk is None:
                    return
                yield chunk
                continue
            raise failure  # outside the handler, as in fetch


@dataclass(frozen=True, slots=True)
class _Route:
    """How the requests to one url go out; made once, because parsing costs more than sending."""

    url: httpx.URL
    headers: Mapping[str, str]
    transport: PooledTransport


class HttpClient:
    """A pool of connections that is opened at the first request and shared by all keys.

    Proxies come from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``; certificates are checked
    against *ca_file*, else ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``, else certifi's list.
    """

    def __init__(
        self, *, ca_file: str | None = None, connect_timeout: float = CONNECT_TIMEOUT
    ) -> None:
        """Raises :class:`CertificatesError` that names the file at fault by where it is set."""
        quiet_loggers()
        self._tls = _certificates(ca_file)
        self._connect_timeout = connect_timeout
        self._proxies = urllib.request.getproxies()
        self._transports: dict[str, PooledTransport] = {}
        self._routes: dict[tuple[str, str], _Route] = {}

    async def fetch(self, request: Request, *, timeout: float) -> Answer:  # noqa: ASYNC109 - the deadline of the whole poll is part of the error map
        """The answer to *request* within *timeout* seconds; raises :class:`PollError` only.

        Redirects are refused, so that no key travels to another host.
        """
        if not access.enabled():
            return await self._answer(request, timeout)
        began, status = time.monotonic(), "cancelled"
        try:
            answer = await self._answer(request, timeout)
            status = str(answer.status)
        except PollError as error:
            status = error.reason.value
            raise
        finally:
            seconds = time.monotonic() - began
            access.record(request.method, access.endpoint(request.url), status, seconds)
        return answer

    async def _answer(self, request: Request, timeout: float) -> Answer:  # noqa: ASYNC109 - as above
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(request)
        except _FOREIGN_ERRORS as error:
            failure = transport_failure(error)
        raise failure  # outside the handler: a library's error may carry the key in its text

    @asynccontextmanager
    async def stream(self, request: Request, *, timeout: float) -> AsyncIterator[Stream]:  # noqa: ASYNC109 - as fetch
        """The head of the answer to *request* within *timeout* seconds, and its body as it comes.

        For bodies that :meth:`fetch` would refuse for their size.  Redirects are answers here; who
        follows them must not send a key.  Raises :class:`PollError` only.
        """
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(request)
        except _FOREIGN_ERRORS as error:
            failure = transport_failure(error)
        else:
            try:
                yield Stream(response.status_code, response.headers, _raw(response))
            finally:
                await response.aclose()
            return
        raise failure  # outside the handler, as in fetch

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()
        self._routes.clear()

    async def _send(self, request: Request) -> httpx.Response:
        route = self._route(request)
        headers = {**route.headers, **request.headers}
        return await route.transport.handle_async_request(
            httpx.Request(request.method, route.url, headers=headers, content=request.body)
        )

    async def _exchange(self, request: Request) -> Answer:
        response = await self._send(request)
        try:
            if 300 <= response.status_code < 400:  # noqa: PLR2004 - the 3xx class
                raise PollError(
                    Reason.BAD_RESPONSE, f"redirect refused (HTTP {response.status_code})"
                )
            body = await _read(response)
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body)

    def _route(self, request: Request) -> _Route:
        known = self._routes.get((request.url, request.plain_http_host))
        if known is not None:
            return known
        url = httpx.URL(request.url)
        _refuse_plain_http(url, request.plain_http_host)
        transport = self._transport(self._proxy_for(url))
        headers = {"Host": httpx.Request("GET", url).headers["Host"], **_STANDARD_HEADERS}
        if transport.proxy is not None and url.scheme == "http":
            headers.update(transport.proxy.headers)  # no tunnel: the proxy reads this request
        route = _Route(url, headers, transport)
        if len(self._routes) >= _ROUTES_KEPT:
            self._routes.clear()
        self._routes[request.url, request.plain_http_host] = route
        return route

    def _transport(self, proxy: str) -> PooledTransport:
        if proxy not in self._transports:
            self._transports[proxy] = PooledTransport(
                self._tls, self._connect_timeout, _proxy(proxy) if proxy else None
            )
        return self._transports[proxy]

    def _proxy_for(self, url: httpx.URL) -> str:
        """The proxy to use, empty for none; what is meant for loopback never leaves the host."""
        if is_loopback(url.host) or urllib.request.proxy_bypass(url.host):
            return ""
        return self._proxies.get(url.scheme) or self._proxies.get("all") or ""


def _certificates(ca_file: str | None) -> ssl.SSLContext:
    file = ca_file or os.environ.get("SSL_CERT_FILE")
    if not file:
        return httpx.create_ssl_context()
    try:
        return trusting(file)
    except CertificatesError as error:
        source = "http.ca_file" if ca_file else "SSL_CERT_FILE"
        raise CertificatesError(f"{source}: {error}") from None


def _proxy(address: str) -> httpx.Proxy:
    """*address* with its user and password as a header, which is how aiohttp wants them."""
    try:
        proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in {"http", "https"} or not proxy.url.host:
        raise PollError(Reason.CONNECTION, "the proxy of the environment is no http proxy")
    if proxy.auth is None:
        return proxy
    credentials = base64.b64encode(":".join(proxy.auth).encode()).decode()
    return httpx.Proxy(proxy.url, headers={"Proxy-Authorization": f"Basic {credentials}"})


def _refuse_plain_http(url: httpx.URL, allowed_host: str) -> None:
    if url.scheme not in {"https", "http"}:
        raise PollError(Reason.BAD_RESPONSE, "the url is neither https nor http")
    if url.scheme == "http" and not plain_http_allowed(url.host, allowed_host):
        raise PollError(Reason.BAD_RESPONSE, "plain http refused: the key would travel readable")


async def _read(response: httpx.Response) -> bytes:
    """The whole body, decompressed, never more than the limit in memory."""
    body = bytearray()
    unpack = _unpacker(response.headers.get("content-encoding", ""))
    async for chunk in _raw(response):
        body += chunk if unpack is None else unpack.decompress(chunk, BODY_LIMIT + 1 - len(body))
        if len(body) > BODY_LIMIT or (unpack is not None and unpack.unconsumed_tail):
            raise PollError(Reason.BAD_RESPONSE, "the answer is larger than 1 MiB")
    if unpack is not None and not unpack.eof:
        raise PollError(Reason.BAD_RESPONSE, "the compressed answer is incomplete")
    return bytes(body)


def _raw(response: httpx.Response) -> httpx.AsyncByteStream:
    """The body without httpx's decoders, which have no limit."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport gave a stream that cannot be awaited")
    return response.stream


def _unpacker(encoding: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
        case _:
            raise PollError(Reason.BAD_RESPONSE, "the answer is compressed in an unknown way")


_FOREIGN_ERRORS = (
    aiohttp.ClientError,
    httpx.InvalidURL,
    OSError,  # with ssl.SSLError, socket.gaierror and TimeoutError
    ValueError,  # a header or URL that cannot be sent, with UnicodeError
    zlib.error,
)

_TRANSPORT_MAP: tuple[tuple[tuple[type[BaseException], ...], Reason, str], ...] = (
    ((ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError), Reason.TLS, "TLS failed"),
    (
        (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError),
        Reason.CONNECTION,
        "the proxy could not be used",
    ),
    ((socket.gaierror,), Reason.CONNECTION, "the name of the host was not found"),
    ((TimeoutError,), Reason.TIMEOUT, "no answer in time"),
    ((ConnectionRefusedError,), Reason.CONNECTION, "the connection was refused"),
    ((zlib.error,), Reason.BAD_RESPONSE, "the answer could not be decompressed"),
    ((aiohttp.InvalidURL, httpx.InvalidURL), Reason.BAD_RESPONSE, "the url cannot be used"),
    ((ValueError,), Reason.UNAUTHORIZED, "the key has a character that cannot be sent"),
)


def transport_failure(error: BaseException) -> PollError:
    """What *error* of a library means; the words are ours, because theirs repeat URL and headers.

    The cause chain decides: a TLS fault and a refused connection can be of the same class.
    """
    chain = tuple(_causes(error))
    for kinds, reason, text in _TRANSPORT_MAP:
        if any(isinstance(link, kinds) for link in chain):
            return PollError(reason, text)
    if any(isinstance(link, OSError) and link.errno in _NO_DESCRIPTOR for link in chain):
        return PollError(Reason.CONNECTION, "this host is out of file descriptors (LimitNOFILE=)")
    return PollError(Reason.CONNECTION, "the connection broke")


_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
