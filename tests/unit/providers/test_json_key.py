"""``provider: json``: its settings, its forms of auth, and how an answer is judged."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.model import MeterReading, Reason
from monitor.providers import JsonKey
from monitor.providers.base import PollError
from monitor.providers.declarative import JsonProvider
from monitor.providers.exchange import Answer

KEY = "json-test-key-0123456789"
SETTINGS: dict[str, Any] = {
    "name": "relay",
    "provider": "json",
    "url": "https://api.example.com/me",
    "key": KEY,
    "balance": "limit - used",
    "unit": "USD",
}


def provider(**changes: Any) -> JsonProvider:
    built = JsonKey.model_validate(SETTINGS | changes).build()
    assert isinstance(built, JsonProvider)
    return built


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(document).encode())


GOOD = {"limit": 100, "used": "0.50"}


@pytest.mark.parametrize(
    ("auth", "headers", "url"),
    [
        ("bearer", {"Authorization": f"Bearer {KEY}"}, "https://api.example.com/me"),
        ("header:X-Api-Key", {"X-Api-Key": KEY}, "https://api.example.com/me"),
        ({"header": "Authorization", "prefix": "Token "}, {"Authorization": f"Token {KEY}"}, None),
        ({"header": "x-key"}, {"x-key": KEY}, None),
        ("query:api_key", {}, f"https://api.example.com/me?api_key={KEY}"),
        ("none", {}, "https://api.example.com/me"),
    ],
)
def test_the_key_travels_as_configured(auth: Any, headers: dict[str, str], url: str | None) -> None:
    request = provider(auth=auth).request()

    assert (request.headers, request.url) == (headers, url or SETTINGS["url"])


def test_basic_auth_takes_user_and_password_as_one_key() -> None:
    request = provider(auth="basic", key="user:pass").request()

    expected = "Basic " + base64.b64encode(b"user:pass").decode()
    assert request.headers == {"Authorization": expected}


def test_a_key_in_the_query_is_quoted_and_joins_other_parameters() -> None:
    request = provider(auth="query:key", key="a&b=c/d", url="https://x.example/?v=1").request()

    assert request.url == "https://x.example/?v=1&key=a%26b%3Dc%2Fd"


def test_method_headers_and_body_are_sent_as_written() -> None:
    request = provider(
        method="POST", headers={"X-Version": "2024-11-06"}, body=[{"taskType": "balance"}]
    ).request()

    assert request.method == "POST"
    assert request.headers["X-Version"] == "2024-11-06"
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == b'[{"taskType": "balance"}]'


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"auth": "token"}, "auth is bearer, basic, none"),
        ({"auth": "header:"}, "the name of a header"),
        ({"auth": "header:X Y"}, "the name of a header"),
        ({"auth": "bearer:X"}, "auth is bearer"),
        ({"auth": {"query": "x"}}, "auth is bearer"),
        ({"auth": {"header": 5}}, "the name of a header"),
        ({"auth": {"header": "X", "prefix": "a\n"}}, "a prefix is"),
        ({"auth": 5}, "auth is bearer"),
        ({"balance": "limit **"}, "cannot be read"),
        ({"balance": 5}, "an expression is a text"),
        ({"success": "code = 0"}, "cannot be read"),
        ({"unit": ""}, "give one of unit and unit_from"),
        ({"scale": 0}, "is zero"),
        ({"scale": "many"}, "is not a number"),
        ({"method": "DELETE"}, "'GET' or 'POST'"),
        ({"body": {"a": 1}}, "a body needs method: POST"),
        ({"headers": {"Content-Length": "5"}}, "set by the HTTP library"),
        ({"headers": {"Bad Name": "5"}}, "a name of a header"),
        ({"headers": {"X": "line\nbreak"}}, "character that no HTTP header can carry"),
        ({"url": "http://api.example.com/"}, "allow_plain_http: api.example.com"),
        (
            {"url": "http://api.example.com/", "allow_plain_http": "example.com"},
            "allow_plain_http: api.example.com",
        ),
        ({"failures": [{"reason": "unauthorized"}]}, "a failure needs status, when or says"),
        ({"failures": [{"status": 1, "reason": "unauthorized"}]}, "greater than or equal to 100"),
        ({"failures": [{"status": 402, "reason": "gone"}]}, "Input should be"),
        ({"balanse": "x"}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_fix(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JsonKey.model_validate(SETTINGS | changes)

    assert problem in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_key_is_needed_unless_auth_is_none() -> None:
    with pytest.raises(ValueError, match="key relay has no credential"):
        provider(key=None)
    assert provider(key=None, auth="none").request().headers == {}


def test_settings_are_written_back_as_they_were_read() -> None:
    forms = ["bearer", "header:X-Api-Key", {"header": "A", "prefix": "Key "}, "query:k"]
    for form in forms:
        key = JsonKey.model_validate(SETTINGS | {"auth": form, "headers": {"X": "hidden-word"}})
        dumped = key.model_dump(mode="json")
        assert dumped["auth"] == form
        assert dumped["balance"] == "limit - used"
        assert "hidden-word" not in key.model_dump_json()


@pytest.mark.parametrize(
    ("changes", "document", "expected"),
    [
        pytest.param({}, GOOD, {"balance": Decimal("99.5")}, id="a difference"),
        pytest.param(
            {"balance": "cents", "scale": "0.01"},
            {"cents": 12345},
            {"balance": Decimal("123.45")},
            id="a scale",
        ),
        pytest.param(
            {"balance": "total.val", "scale": -0.01},
            {"total": {"val": "-1000"}},
            {"balance": Decimal(10)},
            id="an inverted sign",
        ),
        pytest.param(
            {"balance": "left", "limit": "cap", "scale": "0.0001"},
            {"left": "5000", "cap": 10000},
            {"balance": Decimal("0.5"), "limit": Decimal(1)},
            id="a limit, scaled too",
        ),
        pytest.param(
            {"balance": "left", "limit": "cap"},
            {"left": 5, "cap": None},
            {"balance": Decimal(5), "limit": None},
            id="no limit",
        ),
        pytest.param(
            {"balance": "left", "unlimited": "left == null"},
            {"left": None},
            {"balance": None},
            id="null declared as unlimited",
        ),
        pytest.param(
            {"balance": "left", "unlimited": "unlimited_credits"},
            {"left": 5, "unlimited_credits": False},
            {"balance": Decimal(5)},
            id="a flag that is off",
        ),
        pytest.param(
            {"balance": "left", "expires": "until"},
            {"left": 5, "until": "2026-12-31T23:59:59Z"},
            {"balance": Decimal(5), "expires_at": datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)},
            id="an expiry in words",
        ),
        pytest.param(
            {"balance": "left", "expires": "until / 1000"},
            {"left": 5, "until": 1767225600000},
            {"balance": Decimal(5), "expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
            id="an expiry in milliseconds",
        ),
        pytest.param(
            {"balance": "left", "expires": "until"},
            {"left": 5, "until": None},
            {"balance": Decimal(5)},
            id="no expiry",
        ),
        pytest.param(
            {"balance": "left", "meter": "gift", "unit": "CNY"},
            {"left": 5},
            {"balance": Decimal(5), "meter": "gift", "unit": "CNY"},
            id="a named meter",
        ),
    ],
)
def test_an_answer_is_read_as_declared(
    changes: dict[str, Any], document: Any, expected: dict[str, Any]
) -> None:
    reading = MeterReading(**{"unit": "USD", **expected})

    assert provider(**changes).judge(answer(document)) == (reading,)


FAILURES = [
    {"status": 402, "when": "has(subscription)", "reason": "subscription_inactive"},
    {"when": "code == 1004", "reason": "unauthorized"},
    {"status": 596, "reason": "session_broken"},
]


@pytest.mark.parametrize(
    ("changes", "given", "reason", "detail"),
    [
        pytest.param(
            {}, answer({"limit": 1}), Reason.BAD_RESPONSE, "used is missing", id="a missing path"
        ),
        pytest.param(
            {},
            answer({"limit": None, "used": 1}),
            Reason.BAD_RESPONSE,
            "limit is null",
            id="null is not unlimited unless declared",
        ),
        pytest.param(
            {"balance": "limit"},
            answer({"limit": None}),
            Reason.BAD_RESPONSE,
            "limit is null",
            id="a null balance",
        ),
        pytest.param(
            {"success": "code == 0"},
            answer({**GOOD, "code": 7, "msg": f"bad key {KEY}"}),
            Reason.BAD_RESPONSE,
            "code == 0 does not hold: bad key ***",
            id="an error inside HTTP 200",
        ),
        pytest.param(
            {"success": "code == 0"},
            answer(GOOD),
            Reason.BAD_RESPONSE,
            "code == 0 does not hold",
            id="no success mark at all",
        ),
        pytest.param(
            {},
            answer({"error": {"message": "no"}}, 401),
            Reason.UNAUTHORIZED,
            "HTTP 401: no",
            id="the status",
        ),
        pytest.param(
            {}, answer(GOOD, 500), Reason.SERVER_ERROR, "HTTP 500", id="good body, bad status"
        ),
        pytest.param(
            {"failures": FAILURES},
            answer({"code": 1004, "message": "login fail"}),
            Reason.UNAUTHORIZED,
            "code == 1004: login fail",
            id="a declared failure by its body",
        ),
        pytest.param(
            {"failures": FAILURES},
            Answer(596, {}, b"<html>"),
            Reason.SESSION_BROKEN,
            "HTTP 596",
            id="a declared failure by its status",
        ),
        pytest.param(
            {"failures": FAILURES},
            answer({"message": "pay"}, 402),
            Reason.OUT_OF_CREDITS,
            "HTTP 402: pay",
            id="both have to fit",
        ),
        pytest.param(
            {"failures": FAILURES},
            answer({"subscription": "over"}, 402),
            Reason.SUBSCRIPTION_INACTIVE,
            "has(subscription)",
            id="both fit",
        ),
        pytest.param(
            {}, Answer(200, {}, b"<html>"), Reason.BAD_RESPONSE, "the answer is not JSON", id="HTML"
        ),
        pytest.param(
            {"expires": "until"},
            answer({**GOOD, "until": "next week"}),
            Reason.BAD_RESPONSE,
            "until is not a time",
            id="an expiry that is none",
        ),
        pytest.param(
            {"expires": "until"},
            answer({**GOOD, "until": 10**17}),
            Reason.BAD_RESPONSE,
            "until is not a time",
            id="an expiry beyond the calendar",
        ),
        pytest.param(
            {"balance": "limit / used"},
            answer({"limit": 1, "used": 0}),
            Reason.BAD_RESPONSE,
            "limit / used divides by zero",
            id="a division by zero",
        ),
        pytest.param(
            {"balance": "limit", "unlimited": "flag"},
            answer({"limit": 1, "flag": "no"}),
            Reason.BAD_RESPONSE,
            "flag is neither true nor false",
            id="a flag that is no flag",
        ),
    ],
)
def test_what_is_no_reading_is_a_failure_with_its_reason(
    changes: dict[str, Any], given: Answer, reason: Reason, detail: str
) -> None:
    with pytest.raises(PollError) as caught:
        provider(**changes).judge(given)

    assert (caught.value.reason, caught.value.detail) == (reason, detail)


def test_the_waiting_time_of_a_declared_failure_is_kept() -> None:
    busy = provider(failures=[{"status": 420, "reason": "rate_limited"}])

    with pytest.raises(PollError) as caught:
        busy.judge(Answer(420, {"Retry-After": "9"}, b""))

    assert caught.value.retry_after == timedelta(seconds=9)


def test_the_token_in_a_header_comes_back_hidden_without_its_scheme_too() -> None:
    built = provider(headers={"X-Other": "Token other-secret-value"})

    with pytest.raises(PollError) as caught:
        built.judge(answer({"message": "unknown: other-secret-value"}, 401))

    assert caught.value.detail == "HTTP 401: unknown: ***"


def test_nothing_that_may_be_secret_is_in_the_repr() -> None:
    built = provider(auth="query:k", headers={"X-Other": "other-secret-value"})

    assert KEY not in repr(built)
    assert "other-secret-value" not in repr(built)
