"""Options and parameter types that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import click

from monitor.core.fields import parse_amount, parse_duration
from monitor.core.model import require_aware

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


def by_option(command: Command) -> Command:
    """``--by``: who does it, in the record and in messages."""
    return click.option(
        "--by",
        metavar="NAME",
        default=lambda: os.environ.get("USER", ""),
        show_default="$USER",
        help="Who does it, for the others to know.",
    )(command)


class MomentType(click.ParamType[datetime]):
    """``2026-05-01T18:00Z``: a time with its zone, because a guess could be hours off."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """An aware UTC time, or click's error."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            require_aware(moment, self.name)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):  # OverflowError: beyond the year 9999 in UTC
            examples = "2026-05-01T18:00Z or 2026-05-01T20:00+02:00"
            self.fail(f"a time has a date and a zone, such as {examples}", param, ctx)


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
