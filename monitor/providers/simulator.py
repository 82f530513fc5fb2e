"""A simulated provider: a real HTTP server on loopback that speaks kie.ai's wire format.

``demo``, ``replay`` and the tests poll it over the same HTTP stack as a real provider.  Accounts
are scripted and follow the clock they are given, so a run with the same seed and times repeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

import uvicorn

from monitor.clock import Clock
from monitor.providers.kie import PATH

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Mode(StrEnum):
    """How a simulated account answers."""

    OK = "ok"
    REVOKED = "revoked"  # code 401 in HTTP 200, as kie.ai does
    CAPPED = "capped"
    RATE_LIMITED = "rate_limited"
    MAINTENANCE = "maintenance"
    SERVER_ERROR = "server_error"
    HTML = "html"
    NO_DATA = "no_data"
    SILENT = "silent"  # takes the request and never answers


PASSING_FAULTS = (Mode.SERVER_ERROR, Mode.HTML, Mode.RATE_LIMITED)
"""What an account with ``failure_share`` answers now and then."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it goes over the wire."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


def _envelope(code: int, message: str, **members: Any) -> bytes:
    return json.dumps({"code": code, "msg": message, **members}).encode()


_NOTHING = Reply(0, b"")
_NOT_FOUND = Reply(404, b'{"status":404,"error":"Not Found"}')
_REPLIES = {
    Mode.REVOKED: Reply(200, _envelope(401, "You do not have access permissions")),
    Mode.CAPPED: Reply(
        200,
        _envelope(
            433,
            "The current number of points used by apiKey has exceeded the daily limit",
            data=None,
        ),
    ),
    Mode.RATE_LIMITED: Reply(
        429,
        _envelope(429, "The request limit of this resource has been exceeded"),
        ((b"content-type", b"application/json"), (b"retry-after", b"2")),
    ),
    Mode.MAINTENANCE: Reply(200, _envelope(455, "The system is under maintenance")),
    Mode.SERVER_ERROR: Reply(500, _envelope(500, "Server exception, please try again later")),
    Mode.HTML: Reply(
        200, b"<!doctype html><title>One moment</title>", ((b"content-type", b"text/html"),)
    ),
    Mode.NO_DATA: Reply(200, _envelope(200, "success", data=None)),
    Mode.SILENT: _NOTHING,
}


@dataclass(slots=True, kw_only=True)
class Account:
    """A scripted account; its fields may be changed at any time.

    The balance falls by ``per_hour`` in charges of ``charge`` each, never below zero, and
    ``top_up`` is paid in every ``top_up_every``.  ``failure_share`` of the requests (0 to 1) get a
    passing fault.  ``latency`` is in real seconds.
    """

    token: str
    balance: Decimal = Decimal(1000)
    per_hour: Decimal = Decimal(0)
    charge: Decimal = Decimal("0.5")
    top_up: Decimal = Decimal(0)
    top_up_every: timedelta | None = None
    mode: Mode = Mode.OK
    failure_share: float = 0.0
    latency: float = 0.0
    requests: int = 0
    _since: datetime | None = field(default=None, repr=False)
    _next_top_up: datetime | None = field(default=None, repr=False)

    def advance(self, now: datetime) -> Decimal:
        """Charge and pay in what fell due up to *now*, and return the balance."""
        if self._since is None:
            self._since = now
            self._next_top_up = now + self.top_up_every if self.top_up_every else None
        while self._next_top_up is not None and self._next_top_up <= now and self.top_up_every:
            self._drain(self._next_top_up)
            self.balance += self.top_up
            self._next_top_up += self.top_up_every
        self._drain(now)
        return self.balance

    def _drain(self, until: datetime) -> None:
        """Take whole charges only; the time of a part of one is kept for the next call."""
        if self._since is None or self.per_hour <= 0:
            self._since = until
            return
        seconds_each = float(self.charge / self.per_hour) * 3600
        count = int((until - self._since).total_seconds() / seconds_each)
        if count > 0:
            self._since += timedelta(seconds=count * seconds_each)
            self.balance = max(Decimal(0), self.balance - count * self.charge)

    def answer(self, now: datetime, chance: random.Random) -> Reply:
        """What this account answers at *now*; *chance* decides on passing faults."""
        balance = self.advance(now)
        mode = self.mode
        if mode is Mode.OK and chance.random() < self.failure_share:
            mode = chance.choice(PASSING_FAULTS)
        if mode is not Mode.OK:
            return _REPLIES[mode]
        return Reply(200, f'{{"code":200,"msg":"success","data":{balance:f}}}'.encode())


class SimulatedServer:
    """Serves *accounts* on loopback; use it as ``async with SimulatedServer(...) as server``.

    ``server.accounts[token]`` may be changed while it runs; ``server.requests`` counts them all.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        clock: Clock | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.accounts = {account.token: account for account in accounts}
        self.requests = 0
        self.url = ""
        self._clock = clock or Clock()
        self._seed = seed
        self._port = port
        self._server = _Server(_configuration(self._serve))
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Listen; ``url`` is set afterwards.  Raises ``OSError`` when the port is taken.

        The socket queues connections at once, so there is no need to wait for the server loop.
        """
        listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self.url = "http://{}:{}".format(*listener.getsockname())
        self._running = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Close all connections, those of silent accounts too."""
        if self._running is not None:
            self._server.should_exit = True
            self._stopping.set()
            await self._running
            self._running = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        reply, latency = self._reply(scope)
        if latency:
            await asyncio.sleep(latency)
        if reply is _NOTHING:
            await self._keep_waiting(receive)
            return
        length = (b"content-length", str(len(reply.body)).encode())
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [*reply.headers, length],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})

    async def _keep_waiting(self, receive: Receive) -> None:
        """Answer nothing until the client goes away or the server stops."""
        events = (
            asyncio.create_task(_disconnected(receive)),
            asyncio.create_task(self._stopping.wait()),
        )
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        for event in events:
            event.cancel()

    def _reply(self, scope: Scope) -> tuple[Reply, float]:
        if scope["method"] != "GET" or scope["path"] != PATH:
            return _NOT_FOUND, 0.0
        token = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        account = self.accounts.get(token.removeprefix("Bearer "))
        if account is None:
            return _REPLIES[Mode.REVOKED], 0.0
        account.requests += 1
        chance = random.Random(f"{self._seed}/{account.token}/{account.requests}")  # noqa: S311 - a repeatable script, no secret
        return account.answer(self._clock.now(), chance), account.latency


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the process around it has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configuration(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        interface="asgi3",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        ws="none",
        server_header=False,
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
    )
