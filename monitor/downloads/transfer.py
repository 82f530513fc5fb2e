"""One file, from its link to its last byte: attempts, redirects, ranges, and what the bytes prove.

No request here carries a key.  Redirects are followed, because file hosts use them, but only to
where a link itself may point.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from urllib.parse import urljoin, urlsplit

from monitor.clock import Clock
from monitor.core.model import Reason
from monitor.downloads.answers import Known, Step, Verdict, judge, request_headers
from monitor.downloads.checksums import Content, content_of, disagreement
from monitor.downloads.folder import Folder
from monitor.downloads.links import Links
from monitor.downloads.outcome import FileError, Listener, StopError, Trouble
from monitor.downloads.partial import Partial
from monitor.downloads.patience import Patience, Setback
from monitor.providers.base import PollError
from monitor.providers.exchange import (
    Answer,
    Request,
    check_url,
    host_of,
    is_loopback,
    plain_http_allowed,
)
from monitor.providers.http import HttpClient, Stream
from monitor.providers.judge import waiting_time

REDIRECTS = 5

PROGRESS = 64 * 1024
"""Bytes that make a cut attempt a good one: retries are counted anew after it."""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


@dataclass(frozen=True, slots=True)
class Rules:
    """How files may be had: ``retries`` after failures in a row.

    ``plain_http_host`` may be reached without TLS; ``local`` tells that the API is in this network
    itself, so that its links may be, too.  A host has ``patience`` seconds to begin its answer, and
    as many for each pause in it.
    """

    retries: int
    plain_http_host: str = ""
    local: bool = False
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """Gets one file at a time; shared by all."""

    http: HttpClient
    links: Links
    folder: Folder
    rules: Rules
    clock: Clock
    random: Random
    listener: Listener

    async def complete(self, url: str, name: str, partial: Partial) -> Content:
        """Bring *partial* to its end and prove it; raises :class:`FileError`."""
        patience, refusals = Patience(self.rules.retries), 0
        while True:
            before = partial.size
            try:
                await self._attempt(url, name, partial)
                return await self._proven(partial)
            except _LinkRefusedError as refused:
                refusals = 1 if partial.size > before else refusals + 1
                setback: Setback = refused
            except Setback as error:
                setback = error
            except OSError as error:
                raise disk_error(error) from None
            if refusals > 1:
                raise FileError(setback.reason, f"{setback.detail}, with a fresh link too")
            if partial.size - before >= PROGRESS:
                patience.failed = 0
            await self._wait(url, setback, patience)

    async def _wait(self, url: str, setback: Setback, patience: Patience) -> None:
        seconds = patience.seconds(setback, self.random.random())
        if isinstance(setback, _LinkRefusedError):
            self.links.drop(url)
            return  # nothing to wait for: the fresh link is good at once
        self.listener.waiting(url, setback.detail)
        await self.clock.sleep(seconds)

    async def _attempt(self, url: str, name: str, partial: Partial) -> None:
        """Ask once and write what comes; raises :class:`Setback` where that was not all."""
        link = await self.links.get(url)
        headers = request_headers(partial.size, partial.known)
        try:
            async with self._answer(link.url, headers) as stream:
                offset = partial.size if "Range" in headers else 0
                verdict = judge(
                    stream.status, stream.headers, offset=offset, known=partial.known, name=name
                )
                if self._prepare(verdict, stream, partial):
                    self.listener.started(url, name, partial.size, partial.known.size)
                    await self._write(url, stream, partial)
        except PollError as error:
            detail = f"{error.detail} (file host){_place(partial)}"
            raise Setback(error.reason, detail, error.retry_after) from None
        _check_end(partial)

    def _prepare(self, verdict: Verdict, stream: Stream, partial: Partial) -> bool:
        """Make *partial* ready for the body; whether there is anything to write."""
        match verdict.step:
            case Step.WHOLE:
                self._check_space(verdict.known)
                partial.begin(verdict.known)
            case Step.REST:
                partial.note(verdict.known)
            case Step.COMPLETE:
                return False
            case Step.RESTART:
                partial.discard()
                raise Setback(verdict.reason, verdict.detail)
            case Step.FRESH_LINK:
                raise _LinkRefusedError(verdict.reason, verdict.detail)
            case Step.AGAIN:
                answer = Answer(stream.status, stream.headers, b"")
                raise Setback(verdict.reason, verdict.detail, waiting_time(answer))
            case _:
                raise FileError(verdict.reason, verdict.detail)
        return True

    def _check_space(self, known: Known) -> None:
        free = self.folder.free_space()
        if known.size is not None and known.size > free:
            detail = f"the file has {known.size:,} bytes, and the disk only {free:,} free"
            raise FileError(Trouble.DISK, detail)

    async def _write(self, url: str, stream: Stream, partial: Partial) -> None:
        with partial.appending():
            async for chunk in stream.chunks(idle=self.rules.patience):
                partial.write(chunk)
                self.listener.advanced(url, len(chunk))

    async def _proven(self, partial: Partial) -> Content:
        """The content of the complete file, where nothing told of it speaks against it."""
        content = await asyncio.to_thread(content_of, partial.path)
        wrong = disagreement(content, partial.known.checksums)
        if wrong:
            partial.discard()
            raise Setback(Trouble.BAD_CHECKSUM, f"the {wrong} checksum of the host does not fit")
        return content

    @asynccontextmanager
    async def _answer(self, address: str, headers: dict[str, str]) -> AsyncIterator[Stream]:
        """The answer behind all redirects."""
        for _ in range(REDIRECTS + 1):
            check_address(address, self.rules)
            request = Request("GET", address, headers, plain_http_host=self.rules.plain_http_host)
            async with self.http.stream(request, timeout=self.rules.patience) as stream:
                target = _redirect(address, stream)
                if not target:
                    yield stream
                    return
            address = target
        raise FileError(Reason.BAD_RESPONSE, f"the file host redirects more than {REDIRECTS} times")


class _LinkRefusedError(Setback):
    """The host refuses the link, perhaps because its time is over."""


def disk_error(error: OSError) -> FileError:
    """What *error* of the disk means, for this file or for all."""
    detail = os.strerror(error.errno or 0)
    if error.errno in _DISK_FULL:
        return StopError(Trouble.DISK, f"{detail}: nothing more can be saved")
    return FileError(Trouble.DISK, f"cannot be written: {detail}")


def check_address(address: str, rules: Rules) -> None:
    """Refuse an address where no file of a public service can be; raises :class:`FileError`."""
    host = host_of(address)
    try:
        check_url(address)
    except ValueError:
        problem = "the link cannot be used"
    else:
        if _is_local(host) and not rules.local:
            problem = "the link points into this network"
        elif urlsplit(address).scheme != "https" and not plain_http_allowed(
            host, rules.plain_http_host
        ):
            problem = "the link is without TLS"
        else:
            return
    raise FileError(Reason.BAD_RESPONSE, problem)


def _is_local(host: str) -> bool:
    """Whether *host* names this machine or an address that is not public."""
    if is_loopback(host):
        return True
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def is_local_url(url: str) -> bool:
    """Whether *url* is on this machine or, by its address, in a network that is not public."""
    return _is_local(host_of(url))


def _redirect(address: str, stream: Stream) -> str:
    """Where *stream* sends us; empty if it is no redirect."""
    verdict = judge(stream.status, stream.headers, offset=0, known=Known(), name="")
    if verdict.step is not Step.REDIRECT:
        return ""
    try:
        return urljoin(address, stream.headers["Location"])
    except (KeyError, ValueError):
        raise FileError(Reason.BAD_RESPONSE, "the file host redirects to no address") from None


def _place(partial: Partial) -> str:
    """How far the file has come, to go on a sentence."""
    of = "" if partial.known.size is None else f" of {partial.known.size:,}"
    return f" at byte {partial.size:,}{of}" if partial.size else ""


def _check_end(partial: Partial) -> None:
    size = partial.known.size
    if size is not None and partial.size < size:
        raise Setback(Reason.CONNECTION, f"the answer ended{_place(partial)}")
    if size is not None and partial.size > size:
        partial.discard()
        raise Setback(Reason.BAD_RESPONSE, "the file is longer than its host said")
    if not partial.size:
        raise Setback(Reason.BAD_RESPONSE, "the file is empty")
