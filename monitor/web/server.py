"""The HTTP server inside the daemon's loop: uvicorn without signals, with bounds."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.web.app import create_app
from monitor.web.context import Reader, WebContext
from monitor.web.entry import Entry

MAX_CONNECTIONS = 64
HEADER_TIMEOUT = 10.0
KEEP_ALIVE_TIMEOUT = 75
"""Above Prometheus' usual scrape interval of a minute, so that it keeps its connection."""

MAX_HEADER_BYTES = 16 * 1024
GRACE = 1
"""Seconds that running requests get to end when the server stops."""


class WebServerError(Exception):
    """The server cannot listen; the text names the address and what to do."""


class WebServer:
    """Serves the pages, the API and the metrics on one address until stopped.

    *port* 0 takes any free one; :attr:`port` tells which.
    """

    def __init__(
        self, context: WebContext, host: str, port: int, entry: Entry | None = None
    ) -> None:
        self.host = host
        self.port = port
        self._certificate = entry.certificate if entry else None
        self._reader = Reader()
        app = create_app(context, host=host, entry=entry, reader=self._reader)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_TIMEOUT,
                timeout_graceful_shutdown=GRACE,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the dashboard."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://{host}:{self.port}/"

    async def start(self) -> None:
        """Listen; raises :class:`WebServerError` when the address cannot be had."""
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = self._server.config
        config.load()
        if self._certificate is not None:
            config.ssl = self._certificate.context
            self._renewing = asyncio.create_task(self._certificate.watch(), name="web certificate")
        self._serving = asyncio.create_task(self._server.serve([listener]), name="web server")

    async def stop(self) -> None:
        """Let running requests end for a second, then close everything; may be called twice."""
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._serving = None
            self._server.drop_connections()
        self._reader.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which would take the daemon's signals for itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def drop_connections(self) -> None:
        """Close what a client kept open beyond the grace period."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which would wait for ever for the headers of a request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # so there
        """A client is here and owes the headers of a request."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Once the headers of a request are whole, time is the business of the application."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect_headers()
        else:
            self._end_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._end_deadline()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_TIMEOUT, self.transport.abort)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, address = _resolve(host, port)
        listener = socket.create_server(address, family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise WebServerError(f"cannot listen on {host}:{port}: {_advice(error)}") from error
    listener.setblocking(False)
    return listener


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The first IPv4 address of *host*, else its first one: most clients try 127.0.0.1 first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def _advice(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known; set web.listen to an address of this machine"
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop what uses it, or set web.listen to another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "not permitted; set web.listen to a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; set web.listen to one it has"
    return f"{error.strerror or error}; set web.listen to another address"
