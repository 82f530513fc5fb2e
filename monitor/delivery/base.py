"""What every channel can do: take one message and say how it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.core.messages import Message


class Outcome(StrEnum):
    """How one attempt to deliver ended."""

    DELIVERED = "delivered"
    RETRY = "retry"  # may pass: time-out, connection, 408, 425, 429, 5xx
    REFUSED = "refused"  # will not pass by itself: bad token, unknown recipient, other 4xx


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The result of one attempt; ``detail`` is free of URLs, tokens and recipients' secrets."""

    outcome: Outcome
    detail: str = ""
    retry_after: timedelta | None = None


class Sender(Protocol):
    """One channel's way out."""

    async def send(self, message: Message) -> Delivery:
        """Hand *message* over, bounded in time by the caller; never raises for a failed send."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads; sends still running are abandoned."""
        ...
