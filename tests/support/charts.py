"""A chart as it comes with a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.core.charts import Chart
from monitor.core.model import Sample, Severity

UNTIL = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


def sample(hours_ago: float, balance: str | None, lasted: float = 0) -> Sample:
    """A balance that was first read so many hours before the end."""
    at = UNTIL - timedelta(hours=hours_ago)
    amount = None if balance is None else Decimal(balance)
    return Sample(
        key="studio", meter="balance", at=at, until=at + timedelta(hours=lasted), balance=amount
    )


def chart(*samples: Sample, **more: object) -> Chart:
    """The chart of two days of *samples*."""
    values: dict[str, object] = {
        "name": "studio",
        "unit": "credits",
        "samples": samples or (sample(48, "9000", 24), sample(24, "412", 24)),
        "since": UNTIL - timedelta(hours=48),
        "until": UNTIL,
        "thresholds": ((Severity.WARNING, Decimal(2000)), (Severity.CRITICAL, Decimal(500))),
    }
    return Chart(**{**values, **more})  # type: ignore[arg-type]  # fields of Chart
