"""Numbers, spans and moments as people read them: exact, short, never scientific."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Protocol

from monitor.core.events import Suppression
from monitor.core.model import Kind

MAX_DECIMALS = 4
"""Decimals shown of an amount from one up; of a smaller one, as many significant digits."""

SUPPRESSIONS = {
    Suppression.SILENCED: "silenced",
    Suppression.INHIBITED: "not sent, another alert tells it",
    Suppression.FLAPPING: "not sent while it came and went",
    Suppression.QUIET: "held during quiet hours",
    Suppression.PASSED: "not sent, over before its time",
    Suppression.LIMITED: "held, the channel had its fill for this hour",
}
"""Why a channel was not told, or not yet."""

_CURRENCY_LENGTH = 3  # ISO 4217 codes such as USD or CNY
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TWO_UNITS_BELOW = 10  # "2 h 5 min", but "12 h"


def amount(value: Decimal, unit: str = "") -> str:
    """*value* with thousands separators and its unit: ``10,012 credits``, ``0.90 USD``.

    Surplus decimals are cut, not rounded: 499.99999 is not yet 500, and 0.00002 is not 0.
    """
    whole, _, fraction = f"{value.copy_abs():,f}".partition(".")
    fraction = _shorten(whole, fraction)
    if fraction and _is_currency(unit):
        fraction = fraction.ljust(2, "0")
    text = f"{whole}.{fraction}" if fraction else whole
    if value < 0:
        text = f"-{text}"
    return f"{text} {_unit(unit, value)}" if unit else text


class Holding(Protocol):
    """What a meter holds: a reading of it, or a record or finding about one."""

    @property
    def kind(self) -> Kind:
        """What its number is."""
        ...

    @property
    def balance(self) -> Decimal | None:
        """The number, in ``unit``."""
        ...

    @property
    def unit(self) -> str:
        """The unit of the number."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When it ends."""
        ...


def holding(meter: Holding) -> str:
    """What a meter holds, in words: an amount, ``no cap``, or until when a login lasts."""
    if meter.kind is Kind.SESSION:
        end = meter.expires_at
        return f"until {end.astimezone(UTC):%Y-%m-%d %H:%MZ}" if end else "active"
    if meter.balance is None:
        return "no cap"
    text = amount(meter.balance, meter.unit)
    return f"{text} (entered by hand)" if meter.kind is Kind.MANUAL else text


def _shorten(whole: str, fraction: str) -> str:
    shown = MAX_DECIMALS
    if whole == "0":
        shown += len(fraction) - len(fraction.lstrip("0"))
    return fraction[:shown].rstrip("0")


def _is_currency(unit: str) -> bool:
    return len(unit) == _CURRENCY_LENGTH and unit.isascii() and unit.isupper()


def _unit(unit: str, value: Decimal) -> str:
    return unit[:-1] if value == 1 and unit.endswith("s") else unit


def three_digits(value: Decimal) -> Decimal:
    """An estimate to three digits: more would pretend to be exact."""
    return Decimal(f"{Decimal(f'{value:.3g}'):f}")


def percentage(share: Decimal) -> str:
    """A share as people write it: 0.05 is ``5%``."""
    return f"{amount(share * 100)}%"


def span(length: timedelta) -> str:
    """A length of time in one or two units: ``40 s``, ``25 min``, ``2 h 5 min``, ``3 d 4 h``."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two_units(seconds, _HOUR, "h", _MINUTE, "min")
    return _two_units(seconds, _DAY, "d", _HOUR, "h")


def _two_units(seconds: int, big: int, big_name: str, small: int, small_name: str) -> str:
    count, left = divmod(seconds, big)
    rest = left // small
    if rest and count < _TWO_UNITS_BELOW:
        return f"{count} {big_name} {rest} {small_name}"
    return f"{count} {big_name}"


def ago(at: datetime, now: datetime) -> str:
    """How long before *now* it was; a moment that is not past (clocks differ) is ``just now``."""
    if (now - at).total_seconds() < 1:
        return "just now"
    return f"{span(now - at)} ago"


def clock(at: datetime, timezone: tzinfo) -> str:
    """Date, time and zone: ``2026-05-01 14:03 CEST``."""
    local = at.astimezone(timezone)
    name = local.tzname() or ""
    if not name[:1].isalpha():  # zones without an abbreviation call themselves "+03"
        name = f"UTC{name}"
    return f"{local:%Y-%m-%d %H:%M} {name}"


def since(at: datetime, now: datetime, timezone: tzinfo) -> str:
    """Since when and for how long, short: ``since 14:02 CEST, 6 h``; with the date if not today."""
    text = clock(at, timezone)
    same_day = at.astimezone(timezone).date() == now.astimezone(timezone).date()
    return f"since {text.partition(' ')[2] if same_day else text}, {span(now - at)}"


def moment(at: datetime, now: datetime, timezone: tzinfo) -> str:
    """Date, time, zone and age: ``2026-05-01 14:03 CEST, 25 min ago``."""
    return f"{clock(at, timezone)}, {ago(at, now)}"


def clip(text: str, limit: int) -> str:
    """*text*, or its beginning with an ellipsis, in at most *limit* characters."""
    if len(text) <= limit:
        return text
    return f"{text[: max(0, limit - 1)].rstrip()}…"[:limit]


def count(number: int, one: str, many: str = "") -> str:
    """*number* with its noun, such as ``1 key`` or ``3 keys``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[str], limit: int) -> str:
    """As many *names* as fit into *limit* characters, and how many more there are.

    The first name always stands, so the result may be longer than *limit*.
    """
    whole = ", ".join(names)
    if len(whole) <= limit or len(names) <= 1:
        return whole
    shown: list[str] = []
    for number, name in enumerate(names):
        tail = f" and {len(names) - number - 1} more"
        if shown and len(", ".join([*shown, name])) + len(tail) > limit:
            break
        shown.append(name)
    return f"{', '.join(shown)} and {len(names) - len(shown)} more"
