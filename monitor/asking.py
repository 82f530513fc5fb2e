"""One poll of one key: what is asked, and what its end is taken for."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.clock import Clock
from monitor.core.model import Failure, Reading, Reason
from monitor.providers import access
from monitor.providers.base import PollError, Provider

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollJob:
    """One key to poll; ``interval`` in the clock's time, ``timeout`` of a whole poll in real time.

    ``provider_name`` is the label under which the poll is counted; ``fingerprint`` differs where
    what is asked, or with which credential, differs.
    """

    name: str
    provider_name: str
    provider: Provider
    interval: timedelta
    timeout: timedelta
    fingerprint: bytes = b""

    def polls_like(self, other: PollJob) -> bool:
        """Whether both ask the same at the same pace."""
        return (self.provider_name, self.fingerprint) == (
            other.provider_name,
            other.fingerprint,
        ) and (self.interval, self.timeout) == (other.interval, other.timeout)


class Asker:
    """Polls keys over *http*; nothing that a provider raises gets out but a cancellation."""

    def __init__(self, http: HttpClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._bugs: set[tuple[str, type[BaseException]]] = set()

    async def ask(self, job: PollJob) -> Reading | Failure:
        """One poll of *job*, at most as long as its timeout."""
        access.asking.set(job.name)
        try:
            async with asyncio.timeout(job.timeout.total_seconds()):
                found = await job.provider.poll(self._http)
            return Reading.of(job.name, self._clock.now(), found)
        except PollError as error:
            return self._failure(job, error.reason, error.detail, error.retry_after)
        except TimeoutError:
            seconds = job.timeout.total_seconds()
            return self._failure(job, Reason.TIMEOUT, f"no answer within {seconds:g} s")
        except Exception as error:  # noqa: BLE001 - boundary: a bug in one provider, the rest polls on
            self._report_bug(job, error)
            detail = f"internal error in provider {job.provider_name}"
            return self._failure(job, Reason.BAD_RESPONSE, detail)

    def _failure(
        self,
        job: PollJob,
        reason: Reason,
        detail: str,
        retry_after: timedelta | None = None,
    ) -> Failure:
        now = self._clock.now()
        return Failure(key=job.name, at=now, reason=reason, detail=detail, retry_after=retry_after)

    def _report_bug(self, job: PollJob, error: Exception) -> None:
        """Log where *error* came from, once per provider and kind.

        Neither its text nor values are logged: they may hold the key.
        """
        kind = (job.provider_name, type(error))
        if kind in self._bugs:
            return
        self._bugs.add(kind)
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error(
            "bug in provider %s: %s while polling %s\n%s",
            job.provider_name,
            type(error).__name__,
            job.name,
            frames,
        )
