"""Durations, amounts and thresholds: what is read, what is refused, and that it reads back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from monitor.core.fields import (
    STRICT,
    Amount,
    Duration,
    Threshold,
    format_duration,
    parse_amount,
    parse_duration,
)

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


class Settings(BaseModel):
    model_config = STRICT

    limit: Threshold = Threshold(share=Decimal("0.2"))
    every: Duration = timedelta(minutes=5)
    min: Amount = Decimal(0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("0s", 0),
        ("0.25s", 0.25),
        ("3650d", 315_360_000),
    ],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param("5", id="a number without a unit"),
        pytest.param("5 m", id="a blank inside"),
        pytest.param("-5m", id="a negative one"),
        pytest.param("5M", id="a capital unit"),
        pytest.param("1y", id="an unknown unit"),
        pytest.param("５m", id="full-width digits"),  # noqa: RUF001 - what is tested
        pytest.param("1e3s", id="an exponent"),
        pytest.param("infs", id="infinity"),
        pytest.param("3651d", id="more than ten years"),
        pytest.param("9" * 400 + "s", id="more than a float holds"),
        pytest.param(300, id="a bare int, as YAML reads 5:00"),
        pytest.param(1.5, id="a bare float"),
        pytest.param(True, id="a bool"),
        pytest.param(None, id="null"),
    ],
)
def test_a_duration_refuses(value: object) -> None:
    with pytest.raises(ValidationError, match="a duration"):
        DURATION.validate_python(value)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=7), "7d"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(days=1, microseconds=100), "1d0.0001s"),
        (timedelta(minutes=-5), "-5m"),
    ],
)
def test_a_duration_is_written(span: timedelta, text: str) -> None:
    assert format_duration(span) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_every_duration_reads_back_as_written(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        pytest.param(0, "0", id="an int"),
        pytest.param(-3, "-3", id="a debt"),
        pytest.param(0.1, "0.1", id="a float as it is written, not as it is stored"),
        pytest.param("0.90", "0.90", id="text"),
        pytest.param("1e3", "1000", id="an exponent"),
        pytest.param("-12.5", "-12.5", id="negative text"),
        pytest.param(Decimal("1.23456789012345678901"), "1.23456789012345678901", id="all digits"),
        pytest.param(Decimal("-0"), "0", id="minus zero is zero"),
        pytest.param(Decimal("0E+999999"), "0", id="a long zero is zero"),
        pytest.param(
            Decimal("0.1000000000000000055511151231257827021181583404541015625"),
            "0.100000000000000005551115123126",
            id="an exactly printed float is kept to thirty places",
        ),
        pytest.param(Decimal("1e-99"), "0", id="less than anybody bills is zero"),
        pytest.param(10**29, "1e29", id="thirty digits"),
    ],
)
def test_an_amount_is_read_exactly(value: object, amount: str) -> None:
    assert parse_amount(value) == Decimal(amount)


def test_minus_zero_loses_its_sign() -> None:
    assert str(parse_amount("-0")) == "0"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("NaN", id="NaN as text"),
        pytest.param("Infinity", id="infinity as text"),
        pytest.param(Decimal("NaN"), id="NaN"),
        pytest.param(Decimal("sNaN"), id="signalling NaN"),
        pytest.param(float("nan"), id="float NaN"),
        pytest.param(float("-inf"), id="minus infinity"),
        pytest.param(1e400, id="1e400, which Python reads as infinity"),
        pytest.param(Decimal("1e400"), id="1e400 as a decimal"),
        pytest.param(Decimal("1e999999"), id="a decimal that would fill the memory when written"),
        pytest.param("1e99", id="1e99 as text"),
        pytest.param(10**30, id="an int of 31 digits"),
        pytest.param("1_000", id="an underscore"),
        pytest.param("1,000", id="a comma"),
        pytest.param("１２", id="full-width digits"),  # noqa: RUF001 - what is tested
        pytest.param("٣", id="Arabic digits"),
        pytest.param(" 5", id="a blank before"),
        pytest.param("5\n", id="a line break after"),
        pytest.param("+5", id="a plus"),
        pytest.param(".5", id="no digit before the point"),
        pytest.param("5.", id="no digit after the point"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("", id="nothing"),
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(None, id="null"),
        pytest.param([5], id="a list"),
        pytest.param({"balance": 5}, id="an object"),
    ],
)
def test_an_amount_refuses(value: object) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        parse_amount(value)


bounded = st.decimals(min_value=-(10**29), max_value=10**29, places=30, allow_nan=False)


@given(bounded)
def test_every_amount_reads_back_as_written(amount: Decimal) -> None:
    assert parse_amount(f"{amount:f}") == amount
    assert parse_amount(amount) == amount


@given(st.one_of(st.text(max_size=12), st.floats(), st.decimals(), st.integers()))
def test_whatever_is_read_is_finite_and_short(value: object) -> None:
    try:
        amount = parse_amount(value)
    except ValueError:
        return
    assert amount.is_finite()
    assert len(f"{amount:f}") <= 62


@pytest.mark.parametrize(
    ("value", "threshold"),
    [
        pytest.param("20%", Threshold(share=Decimal("0.2")), id="a share"),
        pytest.param("20 %", Threshold(share=Decimal("0.2")), id="a share with a blank"),
        pytest.param("0.5%", Threshold(share=Decimal("0.005")), id="half a percent"),
        pytest.param("100%", Threshold(share=Decimal(1)), id="all of it"),
        pytest.param(2000, Threshold(amount=Decimal(2000)), id="an amount"),
        pytest.param("0.5", Threshold(amount=Decimal("0.5")), id="an amount as text"),
        pytest.param(0.5, Threshold(amount=Decimal("0.5")), id="an amount as float"),
        pytest.param(0, Threshold(amount=Decimal(0)), id="zero"),
        pytest.param(-100, Threshold(amount=Decimal(-100)), id="an allowed debt"),
    ],
)
def test_a_threshold_is_an_amount_or_a_share(value: object, threshold: Threshold) -> None:
    assert Threshold.parse(value) == threshold
    assert Settings.model_validate({"limit": value}).limit == threshold


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("0%", "above 0%", id="no share"),
        pytest.param("101%", "up to 100%", id="more than all"),
        pytest.param("-5%", "above 0%", id="a negative share"),
        pytest.param("%", "is not a number", id="a bare sign"),
        pytest.param(" 20%", "is not a number", id="a blank before"),
        pytest.param("NaN%", "is not a number", id="NaN percent"),
        pytest.param("20 percent", "an amount such as 2000 or a share", id="words"),
        pytest.param(True, "an amount such as 2000 or a share", id="a bool"),
        pytest.param(None, "an amount such as 2000 or a share", id="null"),
        pytest.param(float("nan"), "an amount such as 2000 or a share", id="NaN"),
    ],
)
def test_a_threshold_refuses(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Threshold.parse(value)
    with pytest.raises(ValidationError):
        Settings.model_validate({"limit": value})


def test_a_threshold_is_never_empty_nor_both() -> None:
    with pytest.raises(ValueError, match="either an amount or a share"):
        Threshold()
    with pytest.raises(ValueError, match="either an amount or a share"):
        Threshold(amount=Decimal(5), share=Decimal("0.5"))


@pytest.mark.parametrize(
    ("threshold", "reference", "expected"),
    [
        pytest.param("20%", "1000", "200", id="a share of the reference level"),
        pytest.param("20%", "0", "0", id="a share of nothing"),
        pytest.param("20%", "-1000", "0", id="a share of a debt is nothing, not a debt"),
        pytest.param("300", "1000", "300", id="an amount whatever the reference"),
        pytest.param("-300", "-1000", "-300", id="an allowed debt"),
        pytest.param("0", "1000", "0", id="zero"),
    ],
)
def test_a_threshold_as_an_amount(threshold: str, reference: str, expected: str) -> None:
    assert Threshold.parse(threshold).of(Decimal(reference)) == Decimal(expected)


percentages = st.decimals(min_value="0.0001", max_value=100, places=4).map(lambda p: f"{p:f}%")


@given(st.one_of(percentages, bounded.map(lambda amount: f"{amount:f}")))
def test_every_threshold_reads_back_as_written(text: str) -> None:
    threshold = Threshold.parse(text)
    assert Threshold.parse(str(threshold)) == threshold


def test_settings_write_what_they_read() -> None:
    settings = Settings.model_validate({"limit": "12.5%", "every": "90s", "min": "0.10"})
    assert settings.model_dump(mode="json") == {"limit": "12.5%", "every": "1m30s", "min": "0.10"}
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("value", [True, "NaN", " 5", "1_000", float("inf"), None])
def test_an_amount_in_the_settings_is_as_strict(value: Any) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"min": value})


def test_errors_do_not_show_the_value() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"limit": "s3cr3t", "every": "s3cr3t", "min": "s3cr3t"})
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.error_count() == 3


def test_the_schema_describes_what_is_read() -> None:
    properties = Settings.model_json_schema()["properties"]
    assert properties["every"]["type"] == "string"
    assert {"type": "number"} in properties["limit"]["anyOf"]
