"""The real program as a child process, and real receivers for what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from support.patience import HANGS

PROGRAM = (sys.executable, "-m", "monitor")

_alive: dict[int, Process] = {}


def end_leftovers() -> None:
    """Kill what a test that failed left running."""
    while _alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_alive.popitem()[0], signal.SIGKILL)


async def end_processes_of_this_loop() -> None:
    """Kill what a test that failed left running, and close its pipes while their loop still runs:
    the garbage collector of Python 3.11 may crash on them afterwards.
    """
    loop = asyncio.get_running_loop()
    for process in [each for each in _alive.values() if each.loop is loop]:
        await process.kill()


def environment(home: Path, **more: str) -> dict[str, str]:
    """A clean environment: nothing of the developer's configuration, keys or proxies."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "COVERAGE_PROCESS_START")}
    return kept | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "TZ": "UTC"} | more


class Process:
    """``credit-monitor ARGUMENTS`` with its output kept line by line."""

    def __init__(self, *arguments: str, home: Path, env: Mapping[str, str] | None = None) -> None:
        self.arguments = arguments
        self.env = environment(home, **(env or {}))
        self.lines: list[str] = []
        self.loop: asyncio.AbstractEventLoop
        self._child: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]
        self._news = asyncio.Condition()

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *self.arguments,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.loop = asyncio.get_running_loop()
        _alive[self._child.pid] = self
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            async with self._news:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def until(self, text: str, seconds: float = HANGS) -> str:
        """Wait for a line that contains *text*, and return it."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: any(text in line for line in self.lines))
        except TimeoutError:
            raise AssertionError(f"no {text!r} in:\n{self.output}") from None
        return next(line for line in self.lines if text in line)

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    async def wait(self, seconds: float = HANGS) -> int:
        async with asyncio.timeout(seconds):
            code = await self._child.wait()
            _alive.pop(self._child.pid, None)
            await self._reader
        return code

    async def stop(self, seconds: float = HANGS) -> int:
        """SIGTERM, and the exit code."""
        if self._child.returncode is None:
            self.send(signal.SIGTERM)
        return await self.wait(seconds)

    async def kill(self) -> None:
        if self._child.returncode is None:
            self.send(signal.SIGKILL)
        await self.wait()


async def run_program(
    *arguments: str, home: Path, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run the program to its end: exit code and everything it printed."""
    process = Process(*arguments, home=home, env=env)
    await process.start()
    code = await process.wait()
    return code, process.output


@dataclass
class Hook:
    """A web hook on loopback: every JSON body that was posted, with the time it was complete.

    ``delay`` seconds pass before it answers, so that a sender can be killed while it waits.
    """

    delay: float = 0.0
    status: int = 200
    got: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    port: int = 0
    _answering: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.arrived = asyncio.Condition()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def messages(self) -> list[str]:
        return [f"{body.get('title', '')}\n{body.get('message', '')}" for _, body in self.got]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            if self.status == 200:
                async with self.arrived:
                    self.got.append((time.monotonic(), body))
                    self.arrived.notify_all()
            await asyncio.sleep(self.delay)
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status
            )
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender was killed
        finally:
            writer.close()

    async def until(self, text: str, seconds: float = HANGS) -> str:
        """Wait for a message that contains *text*, and return it."""
        try:
            async with asyncio.timeout(seconds), self.arrived:
                await self.arrived.wait_for(lambda: any(text in m for m in self.messages))
        except TimeoutError:
            raise AssertionError(f"no {text!r} in {self.messages}") from None
        return next(m for m in self.messages if text in m)

    async def until_count(self, count: int, seconds: float = HANGS) -> None:
        """Wait until so many messages have come."""
        try:
            async with asyncio.timeout(seconds), self.arrived:
                await self.arrived.wait_for(lambda: len(self.got) >= count)
        except TimeoutError:
            raise AssertionError(f"not {count} messages: {self.messages}") from None
