"""Messages that a command sends itself, and how that went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.cli import output
from monitor.config import ChannelSettings
from monitor.core.messages import Message
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.senders import make_sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a message to one channel went; ``seconds`` is how long it took."""

    channel: str
    outcome: Outcome
    detail: str
    seconds: float


async def send_each(
    channels: Sequence[ChannelSettings], messages: Mapping[str, Message], seconds: float
) -> Sequence[Sent]:
    """Send every channel its message at once; a send may take *seconds*, as in the daemon."""
    return await asyncio.gather(*(_send(c, messages[c.name], seconds) for c in channels))


async def _send(channel: ChannelSettings, message: Message, seconds: float) -> Sent:
    started = time.monotonic()
    sender = make_sender(channel.url.get_secret_value(), name=channel.name, timeout=seconds)
    try:
        async with asyncio.timeout(seconds):
            result = await sender.send(message)
    except TimeoutError:
        result = Delivery(outcome=Outcome.RETRY, detail=f"no answer within {seconds:g} s")
    finally:
        await sender.close()
    return Sent(
        channel=channel.name,
        outcome=result.outcome,
        detail=result.detail,
        seconds=round(time.monotonic() - started, 3),
    )


def sent_table(results: Sequence[Sent]) -> output.Table:
    """One row per channel."""
    table = output.Table(("channel", "result", "took", "detail"), right=frozenset({"took"}))
    for sent in results:
        tone = "" if sent.outcome is Outcome.DELIVERED else "critical"
        table.add(
            sent.channel, _RESULTS[sent.outcome], f"{sent.seconds:.1f} s", sent.detail, tone=tone
        )
    return table


_RESULTS = {
    Outcome.DELIVERED: "delivered",
    Outcome.RETRY: "failed, may pass",
    Outcome.REFUSED: "refused",
}
