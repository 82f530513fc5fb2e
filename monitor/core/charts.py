"""What a chart in a message shows, as data; ``delivery/charts.py`` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from monitor.core.model import Sample, Severity


def chart_file(number: int) -> str:
    """The name of a message's chart as a file, counted from 1; HTML mail refers to it."""
    return f"chart-{number}.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One meter's balance in [since, until], oldest sample first.

    ``name`` is what a person calls the key or account; the line breaks off where no reading came
    for longer than ``longest_gap``; ``thresholds`` are in ``unit``; times are shown in
    ``timezone``.
    """

    name: str
    unit: str
    samples: tuple[Sample, ...]
    since: datetime
    until: datetime
    longest_gap: timedelta = timedelta(hours=1)
    thresholds: tuple[tuple[Severity, Decimal], ...] = ()
    timezone: tzinfo = UTC

    @property
    def last(self) -> Decimal | None:
        """The last known balance."""
        return next((s.balance for s in reversed(self.samples) if s.balance is not None), None)
