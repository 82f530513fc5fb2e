"""Servers on loopback that answer with exactly the bytes a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trustme

from monitor.providers.http import HttpClient

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Sends ``answer`` for every request, those of ``first`` before it; ``handler`` takes the
    connection over instead.
    """

    answer: bytes = b""
    handler: Handler | None = None
    url: str = ""
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    first: list[bytes] = field(default_factory=list)
    _open: set[tuple[asyncio.Task[None] | None, asyncio.StreamWriter]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add((asyncio.current_task(), writer))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            if self.handler is not None:
                await self.handler(reader, writer)
            else:
                await self._answer_all(reader, writer)
        writer.close()

    async def aclose(self) -> None:
        """Drop every connection and wait for those who served them."""
        for _, writer in self._open:
            writer.transport.abort()
        for task, writer in self._open:
            await asyncio.gather(
                *filter(None, [task]), writer.wait_closed(), return_exceptions=True
            )

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.first.pop(0) if self.first else self.answer)
            await writer.drain()


StartServer = Callable[..., Awaitable[RawServer]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers: ``await start_server(answer=..., handler=..., tls=...)``."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            answer: bytes = b"", handler: Handler | None = None, tls: ssl.SSLContext | None = None
        ) -> RawServer:
            server = RawServer(answer, handler)
            listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
            stack.push_async_callback(server.aclose)
            stack.callback(listener.close)
            server.port = listener.sockets[0].getsockname()[1]
            server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
            return server

        yield start


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()
