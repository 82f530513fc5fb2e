"""Which HTTP stack carries the polls: requests per second, and CPU per poll, on one core.

Run it with ``python benchmarks/http_transport.py [--seconds 3]``.  The server is a process of its
own on loopback, so that the CPU times are the client's alone.  Each row keeps a number of requests
in flight as fast as it can; "paced" starts 333 polls a second whose answers take 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.connection import Connection

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from monitor.providers.http import HttpClient, Request
from monitor.providers.kie import KieProvider

BODY = b'{"code":200,"msg":"success","data":1234.5}'
HEADERS = {"Authorization": "Bearer bench-key", "Content-Type": "application/json"}
IN_FLIGHT = (20, 100, 500)
PACE = 333
DELAY = 0.1

Poll = Callable[[], Awaitable[object]]
Client = Callable[[str], contextlib.AbstractAsyncContextManager[Poll]]


class _Server(asyncio.Protocol):
    """Answers every request with the same body, after the delay that its path names."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        write = self.transport.write
        if data.startswith(b"GET /slow"):
            asyncio.get_running_loop().call_later(DELAY, write, answer % len(BODY) + BODY)
        else:
            write(answer % len(BODY) + BODY)


def _serve(pipe: Connection) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


@contextlib.asynccontextmanager
async def plain_httpx(url: str) -> AsyncIterator[Poll]:
    """httpx.AsyncClient on its own pool."""
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        yield lambda: client.get(url, headers=HEADERS)


@contextlib.asynccontextmanager
async def httpx_over_aiohttp(url: str) -> AsyncIterator[Poll]:
    """httpx.AsyncClient over the httpx-aiohttp transport."""
    async with HttpxAiohttpClient(limits=httpx.Limits(max_connections=1000)) as client:
        yield lambda: client.get(url, headers=HEADERS)


@contextlib.asynccontextmanager
async def transport_alone(url: str) -> AsyncIterator[Poll]:
    """The httpx-aiohttp transport with httpx.Request and httpx.Response, without AsyncClient."""
    transport = AiohttpTransport(limits=httpx.Limits(max_connections=1000))

    async def poll() -> object:
        request = httpx.Request("GET", url, headers=HEADERS)
        response = await transport.handle_async_request(request)
        return await response.aread()

    yield poll
    await transport.aclose()


@contextlib.asynccontextmanager
async def our_door(url: str) -> AsyncIterator[Poll]:
    """monitor.providers.http.HttpClient: deadline, body cap, proxies, error map included."""
    client = HttpClient()
    request = Request("GET", url, HEADERS)
    yield lambda: client.fetch(request, timeout=10)
    await client.aclose()


@contextlib.asynccontextmanager
async def whole_poll(url: str) -> AsyncIterator[Poll]:
    """A poll of provider kie: our door, and the judgement of the answer."""
    client = HttpClient()
    provider = KieProvider(url, "bench-key", timeout=10)
    yield lambda: provider.poll(client)
    await client.aclose()


@contextlib.asynccontextmanager
async def raw_aiohttp(url: str) -> AsyncIterator[Poll]:
    """Aiohttp by itself, for comparison: its interface is not httpx's."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as session:

        async def poll() -> object:
            async with session.get(url, headers=HEADERS) as response:
                return await response.read()

        yield poll


@contextlib.asynccontextmanager
async def nothing(url: str) -> AsyncIterator[Poll]:
    """No request at all: what the measuring itself costs."""
    yield lambda: asyncio.sleep(DELAY if url.endswith("/slow") else 0)


CLIENTS: dict[str, Client] = {
    "nothing": nothing,
    "httpx, own pool": plain_httpx,
    "httpx over httpx-aiohttp": httpx_over_aiohttp,
    "httpx-aiohttp transport alone": transport_alone,
    "HttpClient (ours)": our_door,
    "a whole kie poll (ours)": whole_poll,
    "aiohttp alone": raw_aiohttp,
}


async def saturated(
    client: Client, url: str, in_flight: int, seconds: float
) -> tuple[float, float]:
    """Requests per second, and CPU seconds per 1,000, with *in_flight* requests at all times."""
    async with client(url) as poll:
        await asyncio.gather(*(poll() for _ in range(in_flight)))  # opens the connections
        count = 0
        end = time.perf_counter() + seconds

        async def worker() -> None:
            nonlocal count
            while time.perf_counter() < end:
                await poll()
                count += 1

        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        took, used = time.perf_counter() - started, time.process_time() - cpu
    return count / took, used / count * 1000


async def paced(client: Client, url: str, seconds: float) -> tuple[float, float]:
    """Milliseconds at p50 from the planned start, and CPU seconds per 1,000, at a fixed pace."""
    delays: list[float] = []

    async def one(poll: Poll, planned: float) -> None:
        await poll()
        delays.append(time.perf_counter() - planned)

    async with client(f"{url}/slow") as poll:
        cpu, started = time.process_time(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(PACE * seconds)):
                planned = started + number / PACE
                if planned > (now := time.perf_counter()):
                    await asyncio.sleep(planned - now)
                group.create_task(one(poll, planned))
        used = time.process_time() - cpu
    return sorted(delays)[len(delays) // 2] * 1000, used / len(delays) * 1000


async def table(url: str, seconds: float) -> None:
    """Measure and print every row."""
    heads = [f"{count} in flight" for count in IN_FLIGHT]
    print(f"{'':32}" + "".join(f"{head:>20}" for head in heads) + f"{f'paced {PACE}/s':>24}")
    for name, client in CLIENTS.items():
        cells = []
        for count in IN_FLIGHT:
            rate, cpu = await saturated(client, url, count, seconds)
            cells.append(f"{f'{rate:,.0f}/s ({cpu:.3f})':>20}")
        delay, cpu = await paced(client, url, seconds)
        print(f"{name:32}" + "".join(cells) + f"{f'p50 {delay:,.0f} ms ({cpu:.3f})':>24}")
    print("in brackets: CPU seconds per 1,000 requests, that is milliseconds per request")


def main() -> None:
    """Start the server, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per cell")
    parser.add_argument("--uvloop", action="store_true", help="run the client on uvloop")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs,), daemon=True
    )
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    factory = None
    if options.uvloop:
        import uvloop  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - optional

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(table(url, options.seconds))
    server.terminate()


if __name__ == "__main__":
    main()
