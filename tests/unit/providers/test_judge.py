"""The one map from answers to failures, and what may be shown of an answer."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer
from monitor.providers.judge import (
    TEXT_LIMIT,
    Words,
    amount,
    check_status,
    decode,
    presentable,
    reason_of_status,
    waiting_time,
)

R = Reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (201, None),
        (206, None),
        (100, R.BAD_RESPONSE),
        (204, R.BAD_RESPONSE),
        (301, R.BAD_RESPONSE),
        (400, R.BAD_RESPONSE),
        (401, R.UNAUTHORIZED),
        (402, R.OUT_OF_CREDITS),
        (403, R.FORBIDDEN),
        (404, R.NOT_FOUND),
        (405, R.BAD_RESPONSE),
        (406, R.BAD_RESPONSE),
        (407, R.CONNECTION),
        (408, R.TIMEOUT),
        (409, R.BAD_RESPONSE),
        (410, R.NOT_FOUND),
        (412, R.BAD_RESPONSE),
        (413, R.BAD_RESPONSE),
        (415, R.BAD_RESPONSE),
        (418, R.BAD_RESPONSE),
        (422, R.BAD_RESPONSE),
        (429, R.RATE_LIMITED),
        (451, R.FORBIDDEN),
        (500, R.SERVER_ERROR),
        (502, R.SERVER_ERROR),
        (503, R.SERVER_ERROR),
        (504, R.SERVER_ERROR),
        (520, R.SERVER_ERROR),
        (530, R.SERVER_ERROR),
        (596, R.SERVER_ERROR),
        (999, R.SERVER_ERROR),
    ],
)
def test_a_status_means_one_reason(status: int, reason: Reason | None) -> None:
    assert reason_of_status(status) is reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(503, {}, b"Scheduled MAINTENANCE, back soon"), R.MAINTENANCE),
        (Answer(503, {"X-Status": "Maintenance"}, b""), R.MAINTENANCE),
        (Answer(503, {}, b"overloaded"), R.SERVER_ERROR),
        (Answer(500, {}, b"maintenance"), R.SERVER_ERROR),
    ],
    ids=["body speaks of it", "header speaks of it", "503 alone", "only 503 counts"],
)
def test_maintenance_is_told_by_its_word(answer: Answer, reason: Reason) -> None:
    with pytest.raises(PollError) as caught:
        check_status(answer, Words(None, []))

    assert caught.value.reason is reason


DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({}, None, id="no header"),
        pytest.param({"Retry-After": "30"}, 30, id="seconds"),
        pytest.param({"Retry-After": " 0 "}, 0, id="zero seconds with blanks"),
        pytest.param({"Retry-After": "999999999"}, 86400, id="at most a day"),
        pytest.param({"Retry-After": "9" * 400}, None, id="an absurd number"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "1.5"}, None, id="a fraction is not in the standard"),
        pytest.param({"Retry-After": "٣٠"}, None, id="digits of another script"),
        pytest.param({"Retry-After": "soon"}, None, id="a word"),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2026 12:02:00 GMT", "Date": DATE}, 120, id="a date"
        ),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT", "Date": DATE}, 0, id="a past date"
        ),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2027 11:00:00 GMT", "Date": DATE}, 86400, id="a far date"
        ),
        pytest.param({"Retry-After": DATE}, None, id="a date without the answer's own"),
        pytest.param({"Retry-After": DATE, "Date": DATE[:-4]}, None, id="no zone"),
    ],
)
def test_the_waiting_time_is_understood_or_left_out(
    headers: dict[str, str], wait: int | None
) -> None:
    expected = None if wait is None else timedelta(seconds=wait)

    assert waiting_time(Answer(429, headers, b"")) == expected


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(b"", "the answer is empty", id="empty"),
        pytest.param(b" \r\n\t", "the answer is empty", id="blank"),
        pytest.param(b"<html></html>", "the answer is not JSON", id="HTML"),
        pytest.param(b'{"data": 1', "the answer is not JSON", id="truncated"),
        pytest.param(b'{"data": 1} trailing', "the answer is not JSON", id="trailing text"),
        pytest.param(b'{"data": 01}', "the answer is not JSON", id="leading zero"),
        pytest.param(b"\xff\xfe\x00", "the answer is not UTF-8", id="no text at all"),
        pytest.param('{"data": 1}'.encode("utf-16"), "the answer is not UTF-8", id="UTF-16"),
        pytest.param(b'{"a": NaN}', "the answer holds NaN, which is not JSON", id="NaN"),
        pytest.param(
            b"[-Infinity]", "the answer holds -Infinity, which is not JSON", id="minus infinity"
        ),
        pytest.param(
            b'{"data": 1, "data": 2}', "the answer names a member twice", id="twice the same name"
        ),
        pytest.param(b"[" * 200_000, "the answer is not JSON", id="a pit of brackets"),
        pytest.param(b'{"a":' * 100_000, "the answer is not JSON", id="a pit of objects"),
        pytest.param(b"1" * 5000, "the answer is not JSON", id="an integer of 5000 digits"),
        pytest.param(
            b"1e99999999999999999999", "the answer is not JSON", id="an exponent beyond decimals"
        ),
    ],
)
def test_what_is_not_clear_json_is_refused(body: bytes, detail: str) -> None:
    with pytest.raises(PollError) as caught:
        decode(body)

    assert (caught.value.reason, caught.value.detail) == (R.BAD_RESPONSE, detail)


def test_numbers_keep_every_digit_and_a_byte_order_mark_does_no_harm() -> None:
    document = decode(b'\xef\xbb\xbf{"a": 0.1000, "b": 12345678901234567890123, "c": 1e2}')

    assert document["a"].as_tuple() == Decimal("0.1000").as_tuple()
    assert document["b"] == 12345678901234567890123
    assert document["c"] == Decimal(100)
    assert isinstance(document["c"], Decimal)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12)))
def test_an_amount_survives_the_wire_exactly(value: Decimal) -> None:
    sent = json.dumps({"data": "X"}).replace('"X"', f"{value:f}").encode()

    if value.adjusted() < 30:
        assert amount(decode(sent)["data"], "data") == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "x is null"),
        (True, "x is true or false, not an amount"),
        ([1], "x is a list or object, not a number"),
        ({"a": 1}, "x is a list or object, not a number"),
        ("", "x is not a number"),
        ("NaN", "x is not a number"),
        ("Infinity", "x is not a number"),
        ("1_000", "x is not a number"),
        (" 1", "x is not a number"),
        ("1\n", "x is not a number"),
        ("\uff11\uff12", "x is not a number"),
        ("0x10", "x is not a number"),
        ("1,5", "x is not a number"),
        ("$5", "x is not a number"),
    ],
)
def test_what_is_no_amount_is_never_one(value: object, problem: str) -> None:
    with pytest.raises(PollError) as caught:
        amount(value, "x")

    assert (caught.value.reason, caught.value.detail) == (R.BAD_RESPONSE, problem)


@pytest.mark.parametrize("value", [Decimal("1e300"), 10**40, "9e99"])
def test_an_amount_beyond_all_credit_is_refused(value: object) -> None:
    with pytest.raises(PollError):
        amount(value, "x")


def test_minus_zero_is_zero() -> None:
    assert str(amount(Decimal("-0.00"), "x")) == "0"


SECRET = "sk/abc+DEF==123&x"


@pytest.mark.parametrize(
    "told",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"{SECRET}:".encode()).decode(),
        base64.b64encode(f":{SECRET}".encode()).decode(),
        "sk/abc\u200b+DEF==123&x",
        "sk/abc\x00+DEF==123&x",
        "x" * (TEXT_LIMIT - 20) + SECRET,
    ],
)
def test_a_key_that_a_provider_repeats_is_not_shown(told: str) -> None:
    shown = presentable(f"Invalid key {told} given", [SECRET])

    assert "***" in shown
    assert "DEF==" not in shown
    assert SECRET.lower() not in shown.lower()


def test_a_text_is_shown_on_one_short_line_without_control_characters() -> None:
    shown = presentable("a\r\nb\x1b[31m\u202e\ud800" + "c" * 1000, [])

    assert shown.startswith("a b[31mc")
    assert len(shown) == TEXT_LIMIT
    assert shown.isprintable()
    assert shown.encode()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"msg": "m"}, "x: m"),
        ({"message": "m"}, "x: m"),
        ({"error": "m"}, "x: m"),
        ({"error": {"message": "m", "code": 1}}, "x: m"),
        ({"detail": "m"}, "x: m"),
        ({"msg": "", "message": "m"}, "x: m"),
        ({"msg": {"a": 1}, "detail": ["m"]}, "x"),
        ({}, "x"),
        ([], "x"),
        (None, "x"),
        ("text", "x"),
    ],
)
def test_a_providers_own_words_are_found_where_apis_put_them(document: object, words: str) -> None:
    assert Words(document, []).after("x") == words
