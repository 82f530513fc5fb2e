"""Options and parameter types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import click

from monitor.core.fields import parse_amount, parse_duration

Command = TypeVar("Command", bound=Callable[..., Any])


def format_option(*formats: str) -> Callable[[Command], Command]:
    """``--format`` with *formats*, the first of which is the default; passed as output_format."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print it.",
    )


def limit_option(default: int, what: str) -> Callable[[Command], Command]:
    """``--limit``: how many of the newest *what* to show."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 100_000),
        metavar="NUMBER",
        default=default,
        show_default=True,
        help=f"Show at most this many {what}, the newest first.",
    )


class DurationType(click.ParamType[timedelta]):
    """``30m``, ``1h30m``, ``7d``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """A timedelta, or click's error with the sentence of the parser."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class AmountType(click.ParamType[Decimal]):
    """An exact amount, such as ``500`` or ``0.5``."""

    name = "amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """A finite decimal, or click's error."""
        try:
            return parse_amount(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
