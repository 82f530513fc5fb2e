"""A provider in a process of its own: kie.ai's answers at little cost, every request noted.

``GET /api/v1/chat/credit`` answers with a balance; ``POST /fall`` sets the moment from which some
balances are gone; ``POST`` anything else is a webhook, noted with its time; ``GET /report`` gives
all notes as JSON.  Times are of the monotonic clock, the same in all processes of a machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import time

CHANGING = 5
"""Every fifth key's balance changes from poll to poll; the others are idle."""


class Book:
    """What the endpoint has seen, and when which balance falls."""

    def __init__(self) -> None:
        self.starts: dict[str, list[float]] = {}
        self.webhooks: list[float] = []
        self.fallen: dict[str, float] = {}
        self.falls_at = float("inf")

    def balance(self, key: str, now: float) -> float:
        """The balance of *key*; those named ``fall-...`` are gone from ``falls_at`` on."""
        seen = self.starts.setdefault(key, [])
        seen.append(now)
        kind, _, number = key.partition("-")
        if kind == "fall":
            if now < self.falls_at:
                return 100_000.0
            self.fallen.setdefault(key, now)
            return 1.0
        return 100_000.0 - 0.5 * len(seen) if int(number) % CHANGING == 0 else 100_000.0

    def report(self) -> bytes:
        """Everything as JSON."""
        notes = {"starts": self.starts, "webhooks": self.webhooks, "fallen": self.fallen}
        return json.dumps(notes).encode()


class Endpoint(asyncio.Protocol):
    """One kept connection; requests come one after the other."""

    def __init__(self, book: Book, delay: float) -> None:
        self._book = book
        self._delay = delay
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in what has come so far."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = _length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            original = self._buffer[:end]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(original, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        now = time.monotonic()
        if head.startswith(b"GET /api/"):
            key = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
            balance = self._book.balance(key, now)
            answer = _response(b'{"code":200,"msg":"success","data":%.1f}' % balance)
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
                return
        elif head.startswith(b"GET /report"):
            answer = _response(self._book.report())
        elif head.startswith(b"POST /fall"):
            self._book.falls_at = float(body)
            answer = _response(b"{}")
        else:
            self._book.webhooks.append(now)
            answer = _response(b"{}")
        self._transport.write(answer)


def _length(head: bytes) -> int:
    number = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(number or b"0")


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


async def serve(port: int, delay: float) -> None:
    """Print the port and answer until the process is ended."""
    book = Book()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Endpoint(book, delay), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--core", type=int, default=None, help="processor core to stay on")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.delay))


if __name__ == "__main__":
    main()
