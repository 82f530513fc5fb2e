"""What every chart of a balance needs: where the line breaks off, and round ends for its scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from monitor.core.model import Sample

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
