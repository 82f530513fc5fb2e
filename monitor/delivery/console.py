"""The channel ``console:``: messages on standard output, for the demo and without any channel."""

from __future__ import annotations

import os
import sys
import threading
from typing import TextIO

from monitor.core.markup import Flavour, render
from monitor.core.messages import Message
from monitor.core.model import Severity
from monitor.core.pen import MARKS
from monitor.delivery.base import Delivery, Outcome

LIMIT = 20_000
"""Longest body; beyond it nobody reads a terminal."""

_COLOURS = {
    Severity.CRITICAL: "\x1b[1;31m",
    Severity.WARNING: "\x1b[1;33m",
    Severity.INFO: "\x1b[1;34m",
    None: "\x1b[1;32m",
}
_PLAIN = "\x1b[0m"

_lock = threading.Lock()  # two console channels share one terminal


class ConsoleSender:
    """Prints each message at once and whole, with colour on a terminal unless NO_COLOR is set."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, message: Message) -> Delivery:
        """Print *message*; a closed pipe or a full disk behind it is worth another try."""
        stream = self._stream or sys.stdout
        try:
            with _lock:
                stream.write(_page(message, colour=_wants_colour(stream)))
                stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            return Delivery(outcome=Outcome.RETRY, detail=f"cannot print: {type(error).__name__}")
        return Delivery(outcome=Outcome.DELIVERED)

    async def close(self) -> None:
        """Nothing to let go of: the stream is the process's own."""


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _page(message: Message, *, colour: bool) -> str:
    rendered = render(message, Flavour.TEXT, limit=LIMIT)
    title = f"{MARKS[message.severity]} {rendered.title}"
    if colour:
        title = f"{_COLOURS[message.severity]}{title}{_PLAIN}"
    body = "\n".join(f"   {line}".rstrip() for line in rendered.body.splitlines())
    return f"\n{title}\n{body}\n"
