"""How long to wait before the next attempt.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from monitor.downloads.outcome import FileError

FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
"""Seconds between attempts, doubling from the first to the longest."""

LONGEST_ASKED = timedelta(minutes=5)
"""What a host may ask us to wait; whoever waits at a terminal would rather be told of more."""


class Setback(Exception):  # noqa: N818 - no error yet: the next attempt may go well
    """An attempt that failed and may be made again; ``wait`` is what the host asked for."""

    def __init__(self, reason: str, detail: str, wait: timedelta | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.wait = wait


@dataclass(slots=True)
class Patience:
    """Counts the attempts that failed in a row; ``retries`` more than the first are made."""

    retries: int
    failed: int = 0

    def seconds(self, setback: Setback, jitter: float) -> float:
        """What to wait after *setback*; *jitter* lies in 0..1.

        Raises :class:`FileError` when it is enough.
        """
        self.failed += 1
        if setback.wait is not None and setback.wait > LONGEST_ASKED:
            minutes = round(setback.wait / timedelta(minutes=1))
            raise FileError(setback.reason, f"{setback.detail}; asks to wait {minutes} min")
        if self.failed > self.retries:
            raise FileError(setback.reason, _after(setback.detail, self.failed))
        asked = setback.wait.total_seconds() if setback.wait is not None else 0.0
        backoff: float = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self.failed - 1, 16))
        return max(asked, backoff * (1 + jitter) / 2)


def _after(detail: str, attempts: int) -> str:
    return detail if attempts == 1 else f"{detail}, after {attempts} attempts"
