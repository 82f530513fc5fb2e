"""One answer to ``/metrics``, made piece by piece so that nothing else has to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from monitor.clock import Clock
from monitor.core.events import Alert
from monitor.metrics.daemon import Metrics
from monitor.metrics.families import (
    ALERT_FAMILY,
    KEY_FAMILIES,
    Columns,
    Family,
    alert_lines,
    columns,
)
from monitor.metrics.formats import Format, heading
from monitor.world import World

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

CHUNK = 200
"""Keys per piece: about a millisecond of work, in which no poll can start or end."""


class Scrape:
    """Renders the world and the daemon's own series from memory.

    The text is streamed, so it is never whole in memory; what stays for the time of one scrape are
    the label texts, about 0.3 KB per key.
    """

    def __init__(self, metrics: Metrics, world: World, clock: Clock) -> None:
        self._metrics = metrics
        self._world = world
        self._clock = clock
        self._turn = asyncio.Lock()

    async def stream(self, output: Format) -> AsyncIterator[bytes]:
        """The whole exposition in pieces of at most some hundred KB."""
        keys = await self._columns()
        for family in KEY_FAMILIES:
            yield heading(family.name, family.kind, family.text, output).encode()
            for some in keys:
                yield await self._in_turn(partial(_family_text, family, some))
        yield heading(*ALERT_FAMILY, output).encode()
        for alerts in _chunks(tuple(self._world.alerts.values())):
            yield await self._in_turn(partial(_alert_text, alerts))
        yield await self._in_turn(partial(self._metrics.render, output))

    async def _columns(self) -> list[Columns]:
        now = self._clock.now()
        chunks = _chunks(tuple(self._world.keys.values()))
        return [await self._in_turn(partial(columns, self._world, some, now)) for some in chunks]

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        """Do one piece of *work*, then let everything else run.

        However many scrapes there are at once, the loop sees one piece of one of them per round.
        """
        async with self._turn:
            result = work()
            await asyncio.sleep(0)
            return result


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _family_text(family: Family, some: Columns) -> bytes:
    return "".join(family.lines(family.sample_name, some)).encode()


def _alert_text(alerts: Iterable[Alert]) -> bytes:
    return "".join(alert_lines(alerts)).encode()
