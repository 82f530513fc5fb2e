"""What every provider is: its parameters (a settings model) and how one poll of a key is done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.core.model import MeterReading, Reason
    from monitor.providers.http import HttpClient


class PollError(Exception):
    """A poll that gave no reading; raised by providers and by the HTTP door, caught by the poller.

    ``detail`` is shown to people: short, without URL, header, body or key.
    """

    def __init__(
        self, reason: Reason, detail: str = "", *, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class Provider(Protocol):
    """One configured key of one kind of API, ready to be polled."""

    @property
    def limit_group(self) -> str:
        """Keys with the same group share rate and concurrency limits (usually the host)."""
        ...

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """Read all meters of the key once; raises :class:`PollError` and nothing else."""
        ...
