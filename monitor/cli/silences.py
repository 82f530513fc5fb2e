"""Silences as several commands show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.cli import output
from monitor.core import wording
from monitor.core.events import Silence

SILENCES_IN_FORCE = "Silences in force:"


def silence_table(silences: Sequence[Silence], now: datetime) -> output.Table:
    """One row per silence; one that is over is faint."""
    table = output.Table(
        ("id", "silences", "until", "state", "by", "reason"), right=frozenset({"id"})
    )
    for silence in silences:
        table.add(
            str(silence.id),
            silence.scope,
            output.time(silence.until),
            _state(silence, now),
            silence.by or output.NOTHING,
            silence.reason,
            tone="" if silence.active(now) else "faint",
        )
    return table


def _state(silence: Silence, now: datetime) -> str:
    if silence.active(now):
        return f"{wording.span(silence.until - now)} left"
    if silence.ended_at is not None:
        return f"ended {output.ago(silence.ended_at, now)}"
    return f"over {output.ago(silence.until, now)}"
