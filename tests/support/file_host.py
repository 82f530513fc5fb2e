"""kie.ai's link call and a file host on loopback that cuts, drips, lies, refuses and redirects."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

KEY = "kie-test-key-0123456789"
SOURCE = "https://tempfile.example.com/s/"


def pattern(size: int, seed: int = 1) -> bytes:
    """Bytes in which no two parts are alike, so that a part in the wrong place shows."""
    block = b"".join(hashlib.sha256(b"%d-%d" % (seed, i)).digest() for i in range(1024))
    blocks = (b"%08d" % i + block[8:] for i in range(size // len(block) + 1))
    return b"".join(blocks)[:size]


@dataclass
class Mood:
    """How one request is answered instead of well."""

    status: int = 0  # with this status and no file
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # break the connection after so many bytes of the body
    ignore_range: bool = False
    claim: int | None = None  # a Content-Length that is not true
    instead: bytes | None = None  # another body
    hang: bool = False  # say nothing
    stall: int | None = None  # say nothing more after so many bytes of the body


@dataclass
class Served:
    """One file; each request takes the next of ``moods``, then all is well."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    moods: list[Mood] = field(default_factory=list)
    chunked: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class FileHost:
    """``files`` by name; each request for a link takes the next of ``link_moods``, a body."""

    files: dict[str, Served] = field(default_factory=dict)
    link_moods: list[Any] = field(default_factory=list)
    link_base: str = ""
    pause: float = 0.0  # seconds between pieces of 16 KiB
    seen: list[Seen] = field(default_factory=list)
    links: int = 0
    expired: set[str] = field(default_factory=set)
    under_way: int = 0
    most_under_way: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str, content: bytes, *moods: Mood, **headers: str) -> str:
        """Serve *content* under *name* and return the URL that kie.ai would have given."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        self.files[name] = Served(content, given, list(moods))
        return SOURCE + name

    def gets(self, name: str = "") -> list[Seen]:
        """The requests for files, or for the one called *name*."""
        return [s for s in self.seen if s.method == "GET" and s.path.startswith(f"/d/{name}")]

    def expire_links(self) -> None:
        """Refuse every link made so far."""
        self.expired |= {str(number) for number in range(self.links + 1)}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._exchange(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split()
        seen = Seen(method, path, headers, body)
        self.seen.append(seen)
        if method == "POST":
            _write(writer, 200, {}, self._make_link(seen))
        else:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            try:
                await self._send_file(seen, writer)
            finally:
                self.under_way -= 1
        await writer.drain()

    def _make_link(self, seen: Seen) -> bytes:
        assert seen.path == "/api/v1/common/download-url"
        assert seen.headers["authorization"] == f"Bearer {KEY}"
        if self.link_moods:
            return json.dumps(self.link_moods.pop(0)).encode()
        url = json.loads(seen.body)["url"]
        self.links += 1
        link = f"{self.link_base or self.url}/d/{url.removeprefix(SOURCE)}?t={self.links}"
        return json.dumps({"code": 200, "msg": "success", "data": link}).encode()

    async def _send_file(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        assert "authorization" not in seen.headers
        assert KEY not in str(seen)
        path, _, token = seen.path.partition("?t=")
        name = path.removeprefix("/d/")
        file = self.files.get(name)
        if token in self.expired or file is None:
            _write(writer, 403 if file else 404, {}, b"expired")
            return
        mood = file.moods.pop(0) if file.moods else Mood()
        if mood.hang:
            await asyncio.sleep(3600)
        if mood.status:
            _write(writer, mood.status, mood.headers, b"no")
            return
        await self._send_body(seen, writer, file, mood)

    async def _send_body(
        self, seen: Seen, writer: asyncio.StreamWriter, file: Served, mood: Mood
    ) -> None:
        content = file.content if mood.instead is None else mood.instead
        headers, status, start = {**file.headers, **mood.headers}, 200, 0
        asked = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        validators = (headers.get("ETag"), headers.get("Last-Modified"))
        if asked and not mood.ignore_range and seen.headers.get("if-range") in validators:
            start = int(asked[1])
            if start >= len(content):
                _write(writer, 416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                return
            status = 206
            headers = {
                "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"
            } | headers
        rest = content[start:]
        if file.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(rest) if mood.claim is None else mood.claim)
        _write_head(writer, status, headers)
        await self._drip(writer, rest[: mood.stall if mood.cut is None else mood.cut], file)
        if mood.stall is not None:
            await asyncio.sleep(3600)
        if mood.cut is not None or mood.claim is not None:
            writer.close()
            raise ConnectionError
        if file.chunked:
            writer.write(b"0\r\n\r\n")

    async def _drip(self, writer: asyncio.StreamWriter, body: bytes, file: Served) -> None:
        for at in range(0, len(body), 16384):
            piece = body[at : at + 16384]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if file.chunked else piece)
            await writer.drain()
            if self.pause:
                await asyncio.sleep(self.pause)


def _write_head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def _write(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    _write_head(writer, status, {**headers, "Content-Length": str(len(body))})
    writer.write(body)


@asynccontextmanager
async def file_host() -> AsyncIterator[FileHost]:
    """A host in the loop of the test."""
    host = FileHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        tasks = list(host._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def file_host_in_thread() -> Iterator[FileHost]:
    """A host with a loop and thread of its own, for commands that run theirs."""
    loop = asyncio.new_event_loop()
    started, ended = threading.Event(), asyncio.Event()
    hosts: list[FileHost] = []

    async def run() -> None:
        async with file_host() as host:
            hosts.append(host)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    started.wait(10)
    try:
        yield hosts[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
