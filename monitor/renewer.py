"""Renews logins after a poll has shown that they are broken or about to end.

The pipeline stays pure: it is shown the observation as ever.  What is to be done about it is
decided by :func:`monitor.core.renewals.due`, written down as begun, done here, and what became of
it goes back through the pipeline as a unit of work of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from monitor.clock import Clock
from monitor.core.model import Observation, Reading
from monitor.core.renewals import Outcome, Renewal, due
from monitor.providers.base import PollError, Renewing
from monitor.world import World

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

log = logging.getLogger(__name__)

LONGEST = 180.0
"""Real seconds after which a renewal has failed: three calls of at most a minute each."""


class Recording(Protocol):
    """Where renewals are written down; the daemon gives its pipeline and recorder."""

    def __call__(self, renewal: Renewal) -> None:
        """Take in that a renewal has begun or ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewerContext:
    """What the renewer needs of the daemon.

    ``written`` waits until what was recorded is in the store and tells whether it is; ``renewed``
    is told the key of a login that works again.
    """

    world: World
    http: HttpClient
    record: Recording
    written: Callable[[], Awaitable[bool]]
    renewed: Callable[[str], None]
    clock: Clock


class Renewer:
    """Logs in again, once per account and hour at most, whatever polls and restarts there are."""

    def __init__(self, providers: Mapping[str, Renewing], context: RenewerContext) -> None:
        self._providers = providers
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def consider(self, observation: Observation) -> None:
        """Begin to renew what *observation* shows to need it; returns at once."""
        provider = self._providers.get(observation.key)
        if provider is None or not isinstance(observation, Reading):
            return
        context = self._context
        for meter in due(observation, provider.renewable, context.world.renewals, observation.at):
            begun = self._begin(observation.key, meter)
            task = asyncio.create_task(self._renew(provider, begun), name=f"renew {begun.meter}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def replace(self, providers: Mapping[str, Renewing]) -> None:
        """Renew what these renew from now on; what is under way goes on."""
        self._providers = providers

    async def stop(self) -> None:
        """Give up what is under way; it stays written down as begun."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, key: str, meter: str) -> Renewal:
        """Written down before it is done: not even a crash in between makes it two in an hour."""
        last = self._context.world.renewals.get((key, meter))
        begun = Renewal(
            key=key,
            meter=meter,
            at=self._context.clock.now(),
            outcome=Outcome.BEGUN,
            failures=(last.failures if last else 0) + 1,
        )
        self._context.record(begun)
        return begun

    async def _renew(self, provider: Renewing, begun: Renewal) -> None:
        if not await self._context.written():
            log.warning("key %s: %s is not renewed: the store fails", begun.key, begun.meter)
            return
        detail = await self._try(provider, begun)
        outcome = Outcome.FAILED if detail else Outcome.RENEWED
        log.info("key %s: login of %s %s", begun.key, begun.meter, outcome)
        self._context.record(
            Renewal(
                key=begun.key,
                meter=begun.meter,
                at=self._context.clock.now(),
                outcome=outcome,
                detail=detail,
                failures=begun.failures if detail else 0,
            )
        )
        if not detail:
            self._context.renewed(begun.key)

    async def _try(self, provider: Renewing, begun: Renewal) -> str:
        """Renew; returns why it failed, empty if it did not."""
        try:
            async with asyncio.timeout(LONGEST):
                await provider.renew(self._context.http, begun.meter)
        except PollError as error:
            return str(error)
        except TimeoutError:
            return "no answer in time"
        except Exception as error:  # noqa: BLE001 - boundary: a bug in one provider, the daemon goes on
            # Its text may hold the password, so neither it nor a traceback is logged.
            log.error("bug while renewing %s: %s", begun.meter, type(error).__name__)
            return "internal error"
        return ""
