"""What every chart of a balance needs: where the line breaks off, and round ends for its scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.core.model import Sample


@dataclass(frozen=True, slots=True)
class Scale:
    """From moments and amounts to places in a picture, whose y grows downwards.

    *since* and *low* are at *left* and *bottom*, *until* and *high* at *right* and *top*.
    """

    since: datetime
    until: datetime
    low: float
    high: float
    left: float
    right: float
    top: float
    bottom: float

    def x(self, at: datetime) -> float:
        """Where *at* is, to a tenth; what lies outside is at the edge."""
        share = (at - self.since) / (self.until - self.since)
        return round(self.left + (self.right - self.left) * min(1.0, max(0.0, share)), 1)

    def y(self, amount: float | Decimal) -> float:
        """Where *amount* is, to a tenth; what lies outside is at the edge."""
        share = (float(amount) - self.low) / (self.high - self.low)
        return round(self.bottom - (self.bottom - self.top) * min(1.0, max(0.0, share)), 1)


_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def round_range(lowest: Decimal, highest: Decimal) -> tuple[float, float]:
    """Round ends that hold both amounts, and zero."""
    high = _round_up(max(0.0, float(highest)))
    low = -_round_up(max(0.0, -float(lowest)))
    return (low, high) if high > low else (0.0, 1.0)


def _round_up(amount: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, ... from *amount* up; 0 stays 0."""
    if amount <= 0:
        return 0.0
    unit: float = 10.0 ** math.floor(math.log10(amount))
    return next((unit * step for step in _STEPS if unit * step >= amount), unit * _STEPS[-1])


def grid_amount(value: float) -> Decimal:
    """A height of the scale as an amount to show, without the noise of binary fractions."""
    return Decimal(f"{value:.12g}")


def runs(samples: Iterable[Sample], longest: timedelta) -> Iterator[list[Sample]]:
    """Samples with amounts, split where none came for longer than *longest*."""
    run: list[Sample] = []
    for sample in samples:
        is_broken = bool(run) and sample.at - run[-1].until > longest
        if run and (is_broken or sample.balance is None):
            yield run
            run = []
        if sample.balance is not None:
            run.append(sample)
    if run:
        yield run
