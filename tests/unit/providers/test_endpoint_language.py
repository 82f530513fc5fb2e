"""The parts of the language that more than one amount, answer or request need."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.model import Kind, MeterReading, Reason
from monitor.providers import JsonKey
from monitor.providers.base import PollError
from monitor.providers.declarative import JsonProvider, rebased
from monitor.providers.exchange import Answer
from monitor.providers.expressions import Expression, Scope
from monitor.providers.json_values import ExpressionError
from monitor.providers.judge import decode
from monitor.providers.placeholders import fill, fill_document, fill_url

KEY = "language-test-key-0123456789"
BASE: dict[str, Any] = {
    "name": "relay",
    "provider": "json",
    "url": "https://api.example.com/me",
    "key": KEY,
}
ONE = {"balance": "left", "unit": "USD"}


def provider(**fields: Any) -> JsonProvider:
    built = JsonKey.model_validate(BASE | fields).build()
    assert isinstance(built, JsonProvider)
    return built


def answer(document: Any, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(document).encode())


def read(document: Any, **fields: Any) -> tuple[MeterReading, ...]:
    return provider(**fields).judge(answer(document))


def refusal(document: Any, status: int = 200, **fields: Any) -> PollError:
    with pytest.raises(PollError) as caught:
        provider(**fields).judge(answer(document, status))
    return caught.value


def meter(balance: str | None, unit: str = "USD", name: str = "balance", **more: Any) -> Any:
    amount = None if balance is None else Decimal(balance)
    return MeterReading(meter=name, unit=unit, balance=amount, **more)


# -- several amounts ------------------------------------------------------------------------

EACH = {"each": "infos", "meter_from": "currency", "unit_from": "currency", "balance": "total"}
INFOS = {"infos": [{"currency": "cny", "total": "1.10"}, {"currency": "USD", "total": 2}]}


def test_every_element_of_a_list_is_an_amount_of_its_own() -> None:
    assert read(INFOS, **EACH) == (meter("1.10", "CNY", "cny"), meter("2", "USD", "USD"))


def test_several_amounts_have_a_rule_each() -> None:
    meters = [
        {"meter": "paid", "unit": "credits", "balance": "paid", "limit": "answer.cap"},
        {"meter": "gift", "unit": "credits", "balance": "gift", "when": "has(gift)"},
    ]
    assert read({"paid": 5, "gift": 1, "cap": 9}, meters=meters) == (
        meter("5", "credits", "paid", limit=Decimal(9)),
        meter("1", "credits", "gift"),
    )
    assert [m.meter for m in read({"paid": 5, "gift": None, "cap": 9}, meters=meters)] == ["paid"]


def test_names_of_an_element_come_before_those_of_the_answer() -> None:
    fields = EACH | {"limit": "answer.cap", "when": 'currency != "EUR"'}
    lots = [{"currency": "USD", "total": 1, "cap": 5}, {"currency": "EUR", "total": 2}]

    assert read({"infos": lots, "cap": 9}, **fields) == (
        meter("1", "USD", "USD", limit=Decimal(9)),
    )


def test_jobs_are_counted() -> None:
    fields = ONE | {"jobs_limit": "max", "jobs_running": "now"}

    assert read({"left": 1, "max": "5", "now": 0}, **fields) == (
        meter("1", jobs_limit=5, jobs_running=0),
    )
    assert read({"left": 1, "max": None, "now": None}, **fields) == (meter("1"),)


@pytest.mark.parametrize(
    ("document", "fields", "detail"),
    [
        pytest.param({"infos": []}, EACH, "the answer holds no amount", id="an empty list"),
        pytest.param({"infos": {}}, EACH, "infos is not a list", id="no list at all"),
        pytest.param({}, EACH, "infos is missing", id="the list is missing"),
        pytest.param(
            {"infos": [{"currency": "USD", "total": 1}] * 2},
            EACH,
            "two amounts of the answer have the same name",
            id="the same name twice",
        ),
        pytest.param(
            {"infos": [{"currency": "USD", "total": 1}] * 101},
            EACH,
            "infos has 101 elements, which is too many",
            id="more than anybody has",
        ),
        pytest.param(
            {"infos": [{"currency": None, "total": 1}]}, EACH, "currency is null", id="no name"
        ),
        pytest.param(
            {"infos": [{"currency": "x" * 64, "total": 1}]},
            EACH | {"unit_from": '"USD"'},
            "currency has more than 63 characters",
            id="a name that is too long",
        ),
        pytest.param(
            {"infos": [{"currency": "a\nb", "total": 1}]},
            EACH,
            "currency is not a short text",
            id="a name of two lines",
        ),
        pytest.param(
            {"infos": [{"currency": ["USD"], "total": 1}]},
            EACH,
            "currency is not a text",
            id="a list for a name",
        ),
        pytest.param({"left": 1, "max": 1.5}, ONE | {"jobs_limit": "max"}, "max", id="half a job"),
        pytest.param({"left": 1, "max": -1}, ONE | {"jobs_limit": "max"}, "max", id="minus a job"),
    ],
)
def test_amounts_that_cannot_be_told_are_a_failure(
    document: Any, fields: dict[str, Any], detail: str
) -> None:
    error = refusal(document, **fields)

    assert error.reason is Reason.BAD_RESPONSE
    assert error.detail.startswith(detail)


# -- a key check ----------------------------------------------------------------------------


def test_a_key_check_is_a_reading_without_an_amount() -> None:
    assert read({"data": []}, key_check=True, success="has(data)") == ()


def test_a_key_check_that_is_answered_by_another_page_is_a_failure() -> None:
    assert refusal({"html": 1}, key_check=True, success="has(data)").reason is Reason.BAD_RESPONSE


# -- what an answer means -------------------------------------------------------------------

RULES = [
    {
        "status": [401, 403],
        "says": ["Admin KEY", "scope"],
        "reason": "wrong_key_kind",
        "hint": "ask",
    },
    {"says": ["schlüssel"], "reason": "unauthorized"},
    {"status": 409, "reason": "maintenance"},
]


@pytest.mark.parametrize(
    ("status", "document", "reason", "detail"),
    [
        (403, {"error": {"message": "an admin key, please"}}, "wrong_key_kind", "; ask"),
        (401, {"reason": "missing_scope"}, "wrong_key_kind", "HTTP 401; ask"),
        (401, {"message": "no"}, "unauthorized", "HTTP 401: no"),
        (200, {"msg": "Falscher SCHLÜSSEL"}, "unauthorized", "HTTP 200: Falscher"),
        (409, {}, "maintenance", "HTTP 409"),
        (403, {}, "forbidden", "HTTP 403"),
    ],
)
def test_a_failure_is_told_by_status_and_words(
    status: int, document: Any, reason: str, detail: str
) -> None:
    error = refusal(document, status, failures=RULES, **ONE)

    assert error.reason == reason
    assert detail in error.detail


def test_words_are_looked_for_in_what_is_no_json_too() -> None:
    page = Answer(403, {}, b"<h1>Bad Scope</h1>")

    with pytest.raises(PollError) as caught:
        provider(failures=RULES, **ONE).judge(page)
    assert caught.value.reason is Reason.WRONG_KEY_KIND


@pytest.mark.parametrize(
    "document",
    [
        {"msg": "why"},
        {"detail": {"message": "why"}},
        {"detail": {"error": "why"}},
        {"error": {"message": "why"}},
        {"errors": [{"message": "why"}, {"message": "more"}]},
        {"errors": ["why"]},
        {"err_msg": "why"},
    ],
    ids=str,
)
def test_a_providers_words_are_found_wherever_they_stand(document: Any) -> None:
    assert refusal(document, 500, **ONE).detail == "HTTP 500: why"


# -- look-ups -------------------------------------------------------------------------------

LOOKUP: dict[str, Any] = {
    "lookup": [{"url": "https://api.example.com/teams", "take": {"team": "teams[].id"}}],
    "url": "https://api.example.com/teams/{team}/balance",
    "meter_from": "found.team",
    **ONE,
}


def test_what_was_looked_up_is_part_of_the_address_and_of_expressions() -> None:
    built = provider(**LOOKUP)
    found = built.take(
        built.endpoint.lookup[0], answer({"teams": [{"id": "a/b?c"}, {"id": 7}]}), {}
    )
    one, other = built.each(found)

    assert built.request(one).url == "https://api.example.com/teams/a%2Fb%3Fc/balance"
    assert built.request(other).url == "https://api.example.com/teams/7/balance"
    assert built.read(answer({"left": 3}), other) == [meter("3", name="7")]
    assert built.first_request(built.endpoint.lookup[0], {}).headers == {
        "Authorization": f"Bearer {KEY}"
    }


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({"teams": []}, "teams[].id finds 0 values"),
        ({"teams": [{"id": 1}] * 101}, "teams[].id finds 101 values"),
        ({"team": 1}, "teams is missing"),
    ],
)
def test_a_look_up_that_finds_nothing_is_a_failure(document: Any, detail: str) -> None:
    built = provider(**LOOKUP)

    with pytest.raises(PollError) as caught:
        built.take(built.endpoint.lookup[0], answer(document), {})
    assert (caught.value.reason, caught.value.detail) == (Reason.BAD_RESPONSE, detail)


@pytest.mark.parametrize("value", [None, True, [], {}, "", "a\nb", "x" * 201], ids=repr)
def test_what_is_no_short_text_never_becomes_part_of_an_address(value: Any) -> None:
    with pytest.raises(PollError) as caught:
        provider(**LOOKUP).request({"team": value})
    assert caught.value.reason is Reason.BAD_RESPONSE


# -- parts of a balance ------------------------------------------------------------------------

PARTS = [
    {"meter": "prepaid", "unit": "USD", "balance": "paid", "limit": "cap", "adds_to": "all"},
    {"meter": "gift", "unit": "USD", "balance": "gift", "unlimited": "gift == null"}
    | {"limit": "cap", "when": "has(gift)", "adds_to": "all"},
    {"meter": "key", "unit": "USD", "balance": "key"},
]


def test_amounts_that_are_spent_one_after_the_other_are_one_balance_and_its_parts() -> None:
    assert read({"paid": "5.01", "gift": "0.1", "key": 3, "cap": 10}, meters=PARTS) == (
        meter("5.11", name="all", limit=Decimal(20)),
        meter("5.01", name="prepaid", limit=Decimal(10), kind=Kind.PART),
        meter("0.1", name="gift", limit=Decimal(10), kind=Kind.PART),
        meter("3", name="key"),
    )


def test_a_sum_is_of_the_parts_that_are_there_and_has_no_cap_where_one_has_none() -> None:
    assert read({"paid": 5, "key": 3, "cap": None}, meters=PARTS)[0] == meter("5", name="all")
    lasting = [PARTS[0], PARTS[1] | {"when": "true"}]
    found = read({"paid": 5, "gift": None, "cap": None}, meters=lasting)
    assert found[0] == meter(None, name="all")


def test_parts_whose_sum_is_not_wanted_are_balances() -> None:
    found = replace(provider(meters=PARTS), only=("prepaid",)).judge(
        answer({"paid": 5, "gift": 1, "key": 3, "cap": None})
    )
    assert found == (meter("5", name="prepaid"),)


def test_parts_in_several_units_are_a_failure() -> None:
    mixed = [PARTS[0], PARTS[1] | {"unit": "EUR"}]
    failure = refusal({"paid": 5, "gift": 1, "cap": 1}, meters=mixed)
    assert (failure.reason, failure.detail) == (
        Reason.BAD_RESPONSE,
        "the parts of all have several units",
    )


# -- what is refused when it is read --------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "give one of balance (with unit), meters and key_check"),
        (ONE | {"key_check": True}, "give one of balance"),
        (ONE | {"meters": [ONE]}, "give one of balance"),
        ({"balance": "left"}, "give one of unit and unit_from"),
        (ONE | {"unit_from": "currency"}, "give one of unit and unit_from"),
        (ONE | {"each": "lots"}, "each needs meter_from"),
        ({"meters": [{"meter": "gift", "unit": "USD"}]}, "meter gift: balance is missing"),
        ({"meters": [ONE | {"meter": "a", "adds_to": "a"}]}, "adds_to is the name of the sum"),
        (ONE | {"url": "https://api.example.com/{team}"}, "in place of {team}"),
        (ONE | {"lookup": [{"url": "https://a.example/{x}", "take": {"x": "x"}}]}, "of {x}"),
        (ONE | {"lookup": [{"url": "http://api.example.com/", "take": {"x": "x"}}]}, "readable"),
        (ONE | {"lookup": [{"url": "https://a.example", "take": {}}]}, "at least 1 item"),
        (ONE | {"lookup": [{"url": "https://a.example", "take": {"X": "x"}}]}, "pattern"),
        (ONE | {"auth": {"basic": "key"}}, "a text with {key} and a colon"),
        (ONE | {"failures": [{"says": [], "reason": "timeout"}]}, "needs status, when or says"),
        (ONE | {"failures": [{"status": [99], "reason": "timeout"}]}, "greater than or equal"),
    ],
)
def test_a_description_that_cannot_work_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JsonKey.model_validate(BASE | fields)

    assert problem in str(caught.value)


# -- pieces ---------------------------------------------------------------------------------


def test_basic_auth_may_put_the_key_into_a_form() -> None:
    headers = provider(auth={"basic": "{key}:"}, **ONE).request().headers

    expected = base64.b64encode(f"{KEY}:".encode()).decode()
    assert headers == {"Authorization": f"Basic {expected}"}


def test_a_body_has_a_new_uuid_every_time_and_keeps_its_other_braces() -> None:
    built = provider(method="POST", body=[{"id": "{uuid}", "query": "{ me { left } }"}], **ONE)
    one, other = (json.loads(built.request().body or b"") for _ in range(2))

    assert one[0]["id"] != other[0]["id"]
    assert len(one[0]["id"]) == 36
    assert one[0]["query"] == "{ me { left } }"


def test_placeholders_are_filled_by_what_is_known() -> None:
    assert fill("{a} {b} {", {"a": 1}) == "1 {b} {"
    assert fill_url("https://x.example/{a}?q={a}", {"a": "ö /&"}).endswith(
        "/%C3%B6%20%2F%26?q=%C3%B6%20%2F%26"
    )
    assert fill_document({"n": 5, "t": ["{a}"]}, {"a": "x"}) == {"n": 5, "t": ["x"]}


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("https://a.example/v1/x?y=1", "", "https://a.example/v1/x?y=1"),
        ("https://a.example/v1/x?y=1", "http://127.0.0.1:8/", "http://127.0.0.1:8/v1/x?y=1"),
        ("https://a.example/v1", "https://gate.example/a/", "https://gate.example/a/v1"),
        ("{url}/v1/x", "https://relay.example/", "https://relay.example/v1/x"),
    ],
)
def test_another_base_takes_the_place_of_scheme_and_host(
    url: str, base: str, expected: str
) -> None:
    assert rebased(url, base) == expected


DOCUMENT = decode(b'{"a": 1.5, "b": null, "c": "2.25", "none": [], "lots": [{"end": null}]}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("total(a, b, c)", Decimal("3.75")),
        ("total(a)", Decimal("1.5")),
        ("a if has(a) else nowhere", Decimal("1.5")),
        ("nowhere if has(b) else c", "2.25"),
        ("null if a > 1 else a", None),
        ("earliest(none)", None),
        ("earliest(lots[].end)", None),
    ],
)
def test_choices_and_sums_of_what_is_there(text: str, value: Any) -> None:
    assert Expression(text).value(DOCUMENT) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("total(b)", "b is null"),
        ("total(b, b)", "b and b are null"),
        ("total(a, nowhere)", "nowhere is missing"),
        ("total(a, none)", "none is a list"),
        ("a if b else c", "b is neither true nor false"),
        ("earliest(a)", "a is not a list"),
        ("earliest(lots[].start)", "start is missing"),
        ("found.team", "found.team is missing"),
    ],
)
def test_choices_and_sums_of_what_is_not_there_name_it(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        Expression(text).value(DOCUMENT)


@pytest.mark.parametrize("text", ["total()", "sum(a, c)", "has()", "total(x=1)"])
def test_a_function_with_the_wrong_number_of_paths_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="takes one path"):
        Expression(text)


MOMENT = datetime(2026, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-31T12:00:00Z",
        "2026-12-31T13:00:00+01:00",
        "2026-12-31T12:00:00",
        int(MOMENT.timestamp()),
        str(int(MOMENT.timestamp())),
        int(MOMENT.timestamp() * 1000),
        [{"end": None}, {"end": "2027-01-01"}, {"end": int(MOMENT.timestamp())}],
    ],
    ids=str,
)
def test_a_time_is_read_in_every_form_that_providers_use(value: Any) -> None:
    expires = "earliest(until[].end)" if isinstance(value, list) else "until"

    assert read({"left": 1, "until": value}, expires=expires, **ONE)[0].expires_at == MOMENT


@pytest.mark.parametrize("value", [True, "soon", [], 10**30, "2026-13-01"], ids=str)
def test_what_is_no_time_is_a_failure(value: Any) -> None:
    error = refusal({"left": 1, "until": value}, 200, expires="until", **ONE)

    assert error.detail == "until is not a time"


def test_a_scope_gives_elements_their_own_names() -> None:
    scope = Scope({"a": 1}, {"a": 1}, {"x": 5}).at({"a": 2})

    assert Expression("a + answer.a + found.x").amount(scope) == 8


def test_the_interval_of_a_key_is_its_own() -> None:
    key = JsonKey.model_validate(BASE | ONE | {"interval": timedelta(minutes=1)})

    assert key.interval == timedelta(minutes=1)
