"""Messages that a command sends itself, and how that went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TextIO

from monitor.cli import output
from monitor.config import ChannelSettings, Settings
from monitor.core.messages import Message, encode
from monitor.core.notifications import Attempt, Notification
from monitor.delivery.base import Delivery, Outcome, Sender
from monitor.delivery.patience import conclude
from monitor.delivery.senders import make_alertmanager_sender, make_sender
from monitor.store.base import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a message to one channel went; ``seconds`` is how long it took."""

    channel: str
    outcome: Outcome
    detail: str
    seconds: float


async def send_each(
    channels: Sequence[ChannelSettings],
    messages: Mapping[str, Message],
    settings: Settings,
    terminal: TextIO,
) -> Sequence[Sent]:
    """Send every channel its message at once; what goes to a console is written to *terminal*."""
    return await asyncio.gather(
        *(
            _send(_sender(c, settings, terminal), c.name, messages[c.name], settings)
            for c in channels
        )
    )


async def _send(sender: Sender, name: str, message: Message, settings: Settings) -> Sent:
    """A send that takes longer than the time-out has failed, as in the daemon."""
    started = time.monotonic()
    seconds = settings.notify.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            result = await sender.send(message)
    except TimeoutError:
        result = Delivery(outcome=Outcome.RETRY, detail=f"no answer within {seconds:g} s")
    finally:
        await sender.close()
    return Sent(
        channel=name,
        outcome=result.outcome,
        detail=result.detail,
        seconds=round(time.monotonic() - started, 3),
    )


def _sender(channel: ChannelSettings, settings: Settings, terminal: TextIO) -> Sender:
    seconds = settings.notify.timeout.total_seconds()
    if not channel.alertmanager:
        return make_sender(
            channel.messages_to,
            name=channel.name,
            timeout=seconds,
            words=channel.words,
            terminal=terminal,
        )
    urls = [url.get_secret_value() for url in channel.alertmanager]
    ca_file = settings.http.ca_file
    return make_alertmanager_sender(urls, name=channel.name, timeout=seconds, ca_file=ca_file)


def keep(store: Store, sent: Sent, message: Message, at: datetime) -> None:
    """Record what was sent *at* that moment, and how it went, among the notifications.

    What failed is a dead letter at once: a command does not wait to try again.
    """
    waiting = Notification(
        id=0,
        channel=sent.channel,
        event_ids=(),
        created_at=at,
        due_at=at,
        next_attempt_at=at,
        body=encode(message),
    )
    took = timedelta(seconds=sent.seconds)
    delivery = Delivery(outcome=sent.outcome, detail=sent.detail)
    over, outcome = conclude(waiting, delivery, now=at + took, give_up_after=timedelta(0), jitter=0)
    attempt = Attempt(
        notification_id=0,
        number=over.attempts,
        at=over.finished_at or at,
        outcome=outcome,
        detail=sent.detail,
        duration=took,
    )
    store.add_sent(over, attempt)


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
