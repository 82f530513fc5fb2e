"""What a chart in a message shows, as data; ``delivery/charts.py`` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from monitor.core.model import Sample, Severity
from monitor.core.projection import Outlook

AHEAD_SHARE = 0.5
"""At most so much of the time shown, beside it, is what lies ahead."""


def chart_file(number: int) -> str:
    """The name of a message's chart as a file, counted from 1; HTML mail refers to it."""
    return f"chart-{number}.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One meter's balance in [since, until], oldest sample first.

    ``name`` is what a person calls the key or account; the line breaks off where no reading came
    for longer than ``longest_gap``; ``thresholds`` are in ``unit``; times are shown in
    ``timezone``; ``ahead`` is when it runs out, as of ``until``.
    """

    name: str
    unit: str
    samples: tuple[Sample, ...]
    since: datetime
    until: datetime
    longest_gap: timedelta = timedelta(hours=1)
    thresholds: tuple[tuple[Severity, Decimal], ...] = ()
    timezone: tzinfo = UTC
    ahead: Outlook = Outlook()  # noqa: RUF009 - frozen, so one shared empty value is safe

    @property
    def end(self) -> datetime:
        """Where the picture ends: behind the likely ends of the balance, if these are near."""
        ahead = self.ahead
        if ahead.runs_out_at is None or ahead.runs_out_at <= self.until:
            return self.until
        most = self.until + AHEAD_SHARE * (self.until - self.since)
        return min(ahead.latest or most, most)

    @property
    def last(self) -> Decimal | None:
        """The last known balance."""
        return next((s.balance for s in reversed(self.samples) if s.balance is not None), None)
