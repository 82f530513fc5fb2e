"""Temporary links: made within a rate, kept while they are good, and not asked for in vain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from monitor.clock import Clock
from monitor.core.model import Reason
from monitor.downloads.outcome import FileError, Listener, StopError
from monitor.downloads.patience import Patience, Setback
from monitor.limits import RateLimit
from monitor.providers.base import PollError

MARGIN = timedelta(minutes=1)
"""A link this close to its end is not begun with."""

_FOR_ALL = frozenset(
    {
        Reason.UNAUTHORIZED,
        Reason.WRONG_KEY_KIND,
        Reason.KEY_CAPPED,
        Reason.OUT_OF_CREDITS,
        Reason.SUBSCRIPTION_INACTIVE,
        Reason.UNSUPPORTED,
        Reason.MAINTENANCE,
        Reason.TLS,
    }
)
"""What is said of the key or the API, not of one file: asking for the next one is of no use."""

_UNREACHABLE = frozenset({Reason.RATE_LIMITED, Reason.TIMEOUT, Reason.CONNECTION})
"""What may pass, and is said of the API, too: once it has not passed, it ends the run."""

_PASSING = _UNREACHABLE | {Reason.SERVER_ERROR}


class LinkMaker(Protocol):
    """Who makes links: kie.ai, through one key."""

    async def link(self, file_url: str) -> str:
        """A temporary link for the file; raises :class:`PollError`."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A temporary link; ``fresh_until`` in the clock's monotonic seconds."""

    url: str = field(repr=False)
    expires_at: datetime
    fresh_until: float


class Links:
    """Links by file URL, at most *rate* new ones a second.

    Once the key was refused or the API could not be reached, every further call raises that
    :class:`StopError` unasked.
    """

    def __init__(
        self,
        maker: LinkMaker,
        *,
        lifetime: timedelta,
        rate: float,
        retries: int,
        clock: Clock,
        random: Random,
        listener: Listener,
    ) -> None:
        self._maker = maker
        self._lifetime = lifetime
        self._rate = RateLimit(rate)
        self._retries = retries
        self._clock = clock
        self._random = random
        self._listener = listener
        self._links: dict[str, Link] = {}
        self._refused: StopError | None = None

    async def get(self, url: str) -> Link:
        """A link that is good for a while; raises :class:`FileError` or :class:`StopError`."""
        link = self._links.get(url)
        if link is None or self._clock.monotonic() >= link.fresh_until:
            link = self._links[url] = await self._make(url)
        return link

    def drop(self, url: str) -> None:
        """Forget the link of *url*: it was refused, or is not needed any more."""
        self._links.pop(url, None)

    async def _make(self, url: str) -> Link:
        patience = Patience(self._retries)
        while True:
            await self._turn()
            if self._refused is not None:
                raise self._refused
            try:
                return self._link(await self._maker.link(url))
            except PollError as error:
                setback = self._setback(error)
            self._listener.waiting(url, setback.detail)
            await self._clock.sleep(self._pause(setback, patience))

    async def _turn(self) -> None:
        """Wait until the rate allows another request."""
        while True:
            wait = self._rate.take(self._clock.monotonic())
            if not wait:
                return
            await self._clock.sleep(wait)

    def _link(self, address: str) -> Link:
        fresh = (self._lifetime - MARGIN).total_seconds()
        return Link(address, self._clock.now() + self._lifetime, self._clock.monotonic() + fresh)

    def _pause(self, setback: Setback, patience: Patience) -> float:
        """Seconds until the next attempt; raises when it is enough."""
        try:
            return patience.seconds(setback, self._random.random())
        except FileError as enough:
            if setback.reason not in _UNREACHABLE:
                raise
            self._refused = StopError(enough.reason, enough.detail)
        raise self._refused

    def _setback(self, error: PollError) -> Setback:
        """What *error* leaves to try; raises where nothing is left."""
        detail = f"no link: {error.detail}" if error.detail else "no link"
        if error.reason in _FOR_ALL:
            self._refused = StopError(error.reason, detail)
            raise self._refused from None
        if error.reason not in _PASSING:
            raise FileError(error.reason, detail) from None
        return Setback(error.reason, detail, error.retry_after)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of asking for one link: the link, or why there is none."""

    url: str
    link: Link | None = None
    error: FileError | None = None


async def make_all(
    urls: Iterable[str], links: Links, *, parallel: int
) -> AsyncGenerator[Made, None]:
    """A link for each of *urls*, in their order, each as soon as it and those before it are there.

    At most *parallel* requests are under way at a time.
    """
    places = asyncio.Semaphore(parallel)

    async def make(url: str) -> Made:
        async with places:
            try:
                return Made(url, link=await links.get(url))
            except FileError as error:
                return Made(url, error=error)

    tasks = [asyncio.create_task(make(url)) for url in urls]
    try:  # no task group: closing this generator early would make an error of it
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
