"""A service manager that listens: the socket that systemd gives a service with Type=notify."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Self


class ListeningManager:
    """Receives what a service tells; *address* is what ``NOTIFY_SOCKET`` says."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self.told: list[dict[str, str]] = []
        self._unseen: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __enter__(self) -> Self:
        self._socket.bind(self.address.replace("@", "\0", 1))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def read(self) -> list[dict[str, str]]:
        """What has arrived since the last call."""
        new = []
        while True:
            try:
                datagram = self._socket.recv(65536).decode()
            except BlockingIOError:
                break
            new.append(dict(line.split("=", 1) for line in datagram.splitlines()))
        self.told += new
        return new

    async def until(self, name: str, value: str = "", seconds: float = 20) -> dict[str, str]:
        """Wait for a message that gives *name*, with *value* in it."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._unseen += self.read()
                    while self._unseen:
                        message = self._unseen.pop(0)
                        if name in message and value in message[name]:
                            return message
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"no {name}={value} in {self.told}") from None
