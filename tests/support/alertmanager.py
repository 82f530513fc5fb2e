"""A real Alertmanager on loopback that can be stopped and started again, and what it told whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from support.patience import HANGS

CONFIG = """
route:
  receiver: phone
  group_by: [alertname, key, severity]
  group_wait: 100ms
  group_interval: 200ms
receivers:
  - name: phone
    webhook_configs: [{{url: "http://127.0.0.1:{port}/", send_resolved: true}}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Alertmanager:
    """The server, its API, and a receiver that remembers what it was notified of."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.notified: list[tuple[str, str, str]] = []
        self._home = home
        self._news = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            "prometheus-alertmanager",
            f"--config.file={self._home}/alertmanager.yml",
            f"--storage.path={self._home}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=error",
        )
        async with asyncio.timeout(HANGS), httpx.AsyncClient() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/-/ready")).is_success:
                        return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop the server; what it wrote down stays."""
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
            self._process = None

    async def alerts(self) -> list[dict[str, Any]]:
        """What fires there now."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}/api/v2/alerts")
        found: list[dict[str, Any]] = answer.json()
        return found

    async def firing(self) -> list[tuple[str, str]]:
        """Key and severity of what fires there now."""
        found = (alert["labels"] for alert in await self.alerts())
        return sorted((labels.get("key", ""), labels["severity"]) for labels in found)

    async def until_firing(self, *wanted: tuple[str, str]) -> None:
        """Wait until exactly these fire there."""
        async with asyncio.timeout(HANGS):
            while await self.firing() != sorted(wanted):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def until_notified(self, *wanted: tuple[str, str, str]) -> None:
        """Wait until its receiver heard of each of these: status, key, severity."""
        async with asyncio.timeout(HANGS):
            while not set(wanted) <= set(self.notified):
                self._news.clear()
                await self._news.wait()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One notification comes in."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split()[0])
            message = json.loads(await reader.readexactly(length))
            for alert in message["alerts"]:
                labels = alert["labels"]
                self.notified.append((alert["status"], labels.get("key", ""), labels["severity"]))
            self._news.set()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running_alertmanager(home: Path) -> AsyncIterator[Alertmanager]:
    """A started Alertmanager that keeps its files in *home*."""
    server = Alertmanager(home)
    async with await asyncio.start_server(server.take, "127.0.0.1", 0) as receiver:
        port = receiver.sockets[0].getsockname()[1]
        (home / "alertmanager.yml").write_text(CONFIG.format(port=port))
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
