from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import wording

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

AMOUNTS = {
    "thousands are separated": ("10012", "credits", "10,012 credits"),
    "one of something is singular": ("1", "credits", "1 credit"),
    "ninety cents are not zero": ("0.90", "USD", "0.90 USD"),
    "a currency has two decimals": ("12.5", "USD", "12.50 USD"),
    "a currency without cents stays whole": ("2000", "CNY", "2,000 CNY"),
    "trailing zeros of credits go": ("10000.000", "credits", "10,000 credits"),
    "just below a threshold stays below": ("499.99", "credits", "499.99 credits"),
    "surplus decimals are cut, not rounded up": ("499.999999", "credits", "499.9999 credits"),
    "a debt is cut towards zero as well": ("-0.000012349", "USD", "-0.00001234 USD"),
    "a tiny amount keeps its digits": ("0.00000123456", "", "0.000001234"),
    "an exponent is written out": ("1E+6", "credits", "1,000,000 credits"),
    "a negative exponent is written out": ("5E-7", "", "0.0000005"),
    "nothing is zero": ("0.000", "credits", "0 credits"),
    "zero has no sign": ("-0", "", "0"),
    "a great number stays exact": (
        "123456789012345678901234567890.5",
        "",
        "123,456,789,012,345,678,901,234,567,890.5",
    ),
}


@pytest.mark.parametrize(("value", "unit", "text"), AMOUNTS.values(), ids=AMOUNTS)
def test_an_amount_is_written_for_people(value: str, unit: str, text: str) -> None:
    assert wording.amount(Decimal(value), unit) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_what_is_shown_of_an_amount_is_never_further_from_zero_nor_zero(value: Decimal) -> None:
    shown = Decimal(wording.amount(value).replace(",", ""))
    assert abs(shown) <= abs(value)
    assert (shown == 0) == (value == 0)
    with localcontext(prec=100):  # with the usual 28 digits the difference would be rounded up
        assert abs(value - shown) < Decimal("0.0001")


SPANS = {
    "seconds": (timedelta(seconds=40.9), "40 s"),
    "minutes": (timedelta(minutes=25, seconds=59), "25 min"),
    "an hour": (timedelta(hours=1), "1 h"),
    "hours and minutes": (timedelta(hours=2, minutes=5), "2 h 5 min"),
    "many hours": (timedelta(hours=12, minutes=5), "12 h"),
    "days and hours": (timedelta(days=3, hours=4), "3 d 4 h"),
    "many days": (timedelta(days=40, hours=4), "40 d"),
    "a clock that went back": (timedelta(seconds=-5), "0 s"),
}


@pytest.mark.parametrize(("length", "text"), SPANS.values(), ids=SPANS)
def test_a_span_has_at_most_two_units(length: timedelta, text: str) -> None:
    assert wording.span(length) == text


ZONES = {
    "utc": (UTC, "2026-05-01 12:00 UTC"),
    "summer time": (ZoneInfo("Europe/Berlin"), "2026-05-01 14:00 CEST"),
    "a zone without a name": (ZoneInfo("America/Sao_Paulo"), "2026-05-01 09:00 UTC-03"),
    "a fixed offset": (timezone(timedelta(hours=2)), "2026-05-01 14:00 UTC+02:00"),
}


@pytest.mark.parametrize(("zone", "text"), ZONES.values(), ids=ZONES)
def test_a_time_names_its_zone(zone: ZoneInfo, text: str) -> None:
    assert wording.clock(NOW, zone) == text


def test_a_moment_in_the_future_is_now() -> None:
    assert wording.ago(NOW + timedelta(seconds=30), NOW) == "just now"


LISTS = {
    "all of a few": (["a", "b"], 10, "a, b"),
    "as many as fit": (["alpha", "beta", "gamma"], 17, "alpha and 2 more"),
    "the first in any case": (["a-very-long-name", "b"], 5, "a-very-long-name and 1 more"),
    "only one": (["a-very-long-name"], 5, "a-very-long-name"),
}


@pytest.mark.parametrize(("names", "limit", "text"), LISTS.values(), ids=LISTS)
def test_a_list_says_how_many_more_there_are(names: list[str], limit: int, text: str) -> None:
    assert wording.listing(names, limit) == text


def test_clipped_text_ends_with_an_ellipsis_within_the_limit() -> None:
    assert wording.clip("hello world", 7) == "hello…"
    assert wording.clip("hello", 5) == "hello"
    assert wording.clip("hello", 0) == ""
