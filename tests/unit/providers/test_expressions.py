"""The expression language: what it reads, what it refuses, and that it is exact."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.expressions import Expression
from monitor.providers.json_values import ExpressionError
from monitor.providers.judge import decode

DOCUMENT = decode(
    b"""{
    "limit": 10.10, "used": "0.1", "code": 0, "success": true, "none": null, "tiny": 1e-9,
    "data": {"total_credits": 25, "total_usage": 4.25, "from": 3, "x-left": 2, "empty": []},
    "remains": [
        {"credit_remain": 1.5, "status": "active"},
        {"credit_remain": "2.25", "status": "active"},
        {"credit_remain": 100, "status": "expired"}
    ],
    "infos": [{"currency": "CNY", "total": "110.00"}, {"currency": "USD", "total": "7.5"}],
    "nested": [{"lots": [{"left": 1}, {"left": 2}]}, {"lots": [{"left": 3}]}]
}"""
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("limit", "10.10"),
        ("limit - used", "10.00"),
        ("data.total_credits - data.total_usage", "20.75"),
        ("-limit", "-10.10"),
        ("-(limit) + 2 * 0.1", "-9.90"),
        ("0.1 + 0.2", "0.3"),
        ("1.00000000000000000000000001 + 0", "1.00000000000000000000000001"),
        ("limit * 0.01", "0.101"),
        ("tiny * 1000000000", "1"),
        ("data.total_credits / 100", "0.25"),
        ("sum(remains[].credit_remain)", "103.75"),
        ('sum(remains[status == "active"].credit_remain)', "3.75"),
        ('sum(remains[status == "active" and credit_remain > 2].credit_remain)', "2.25"),
        ('sum(remains[status == "gone"].credit_remain)', "0"),
        ("sum(remains[ ].credit_remain)", "103.75"),
        ('only(infos[currency == "USD"].total)', "7.5"),
        ("min(remains[].credit_remain)", "1.5"),
        ("max(remains[].credit_remain)", "100"),
        ("sum(nested[].lots[].left)", "6"),
        ("sum(nested[].lots[left > 1].left)", "5"),
        ("sum(nested[].lots[0].left)", "4"),
        ("remains[1].credit_remain", "2.25"),
        ('data["x-left"] + data["from"]', "5"),
        ('answer["limit"]', "10.10"),
        ("sum(remains[credit_remain < answer.limit].credit_remain)", "3.75"),
    ],
)
def test_an_amount_is_exact(text: str, amount: str) -> None:
    assert Expression(text).amount(DOCUMENT) == Decimal(amount)


def test_a_long_path_in_brackets_is_read_in_no_time() -> None:
    path = "answer" + '["a"]' * 28

    with pytest.raises(ExpressionError, match="is missing"):
        Expression(path).value({"b": 1})


def test_a_list_at_the_top_is_the_answer_itself() -> None:
    assert Expression("answer[0].balance").amount([{"balance": 5}]) == 5
    assert Expression("sum(answer[].balance)").amount([{"balance": 5}, {"balance": 6}]) == 11


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("code == 0", True),
        ("code == 0.0", True),
        ("code != 0", False),
        ("code == false", False),
        ('code == "0"', False),
        ("success", True),
        ("success == 1", False),
        ("success == true and not (code > 0)", True),
        ("none == null", True),
        ("code == null", False),
        ("0 < limit <= 10.10", True),
        ("limit > used", True),
        ("has(error)", False),
        ("has(none)", False),
        ("has(none.deeper)", False),
        ("has(limit.deeper)", False),
        ("has(data.total_usage)", True),
        ("has(data.empty[])", False),
        ('has(infos[currency == "EUR"])', False),
        ('has(infos[currency == "USD"])', True),
        ("not has(error) or error.code == 0", True),
        ("has(remains[7])", False),
        ('infos[0].currency == "CNY"', True),
    ],
)
def test_a_condition_holds_or_does_not(text: str, *, holds: bool) -> None:
    assert Expression(text).holds(DOCUMENT) is holds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("data.remaining", "data.remaining is missing"),
        ("data.deeper.still - used", "data.deeper is missing"),
        ("used.deeper", "used is not an object"),
        ("none.deeper", "none is null"),
        ("none - 1", "none is null"),
        ("success + 1", "success is true or false, not an amount"),
        ("data * 2", "data is a list or object, not a number"),
        ("infos[0].currency + 1", "infos[0].currency is not a number"),
        ("remains[].credit_remain", "remains[].credit_remain is a list or object, not a number"),
        ("remains.credit_remain", "remains is not an object"),
        ("sum(remains[].credit)", "remains[].credit is missing"),
        ("sum(limit)", "limit is not a list"),
        ("sum(limit[])", "limit is not a list"),
        ("sum(none[])", "none is null"),
        ("remains[9].credit_remain", "remains[9] is missing"),
        ("only(remains[].credit_remain)", "remains[].credit_remain finds 3 values instead of one"),
        (
            'only(infos[currency == "EUR"].total)',
            "infos[currency == 'EUR'].total finds 0 values instead of one",
        ),
        ("min(data.empty[].x)", "data.empty[].x finds no value"),
        ("max(data.empty[].x)", "data.empty[].x finds no value"),
        ("limit / code", "limit / code divides by zero"),
        ("code / code", "code / code divides by zero"),
        ("limit / (used - used)", "limit / (used - used) divides by zero"),
        ("code == 0", "code == 0 is true or false, not an amount"),
        ('"five"', '"five" is not a number'),
        ("sum(remains[code].credit_remain > 1)", ""),
        ("sum(remains[].credit_remain) * 1e29", "is too large for an amount"),
    ],
)
def test_what_has_no_amount_says_which_path_and_shows_no_data(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text).amount(DOCUMENT)

    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["limit", "limit and success", "not limit", "none", '"yes"'])
def test_only_true_and_false_are_conditions(text: str) -> None:
    with pytest.raises(ExpressionError, match="neither true nor false"):
        Expression(text).holds(DOCUMENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "limit -",
        "limit - - ",
        "(" * 240 + "1" + ")" * 240,
        "-" * 400 + "1",
        "a" + ".b" * 100,
        "1" + " + 1" * 100,
        "a" * 501,
        "a b",
        "data.from",
        "data.class.x",
        "limit ** 2",
        "limit % 2",
        "limit // 2",
        "limit << 2",
        "~limit",
        "+limit",
        "limit if code",
        "lambda: limit",
        "[limit, used]",
        "{limit}",
        "{'a': 1}",
        "(limit, used)",
        "f'{limit}'",
        "x := 1",
        "x = 1",
        "limit; used",
        "import os",
        "__import__('os').system('true')",
        "open('x')",
        "answer.get('x')",
        "().__class__",
        "sum(a, b)",
        "sum()",
        "sum(a=1)",
        "sum(*a)",
        "eval('1')",
        "len(remains)",
        "True",
        "None",
        "1j",
        "b'x'",
        "...",
        "remains[...]",
        "remains[-1]",
        "remains[0:2]",
        "remains[limit]",
        "remains[1.5]",
        "remains[True]",
        "remains[[0]]",
        "limit in data",
        "limit is null",
        "[x for x in remains]",
        "await limit",
        "yield",
        '"a\\x41"',
        "limit\0",
        "\ud800",
    ],
)
def test_what_is_not_of_the_language_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("data.from", 'data["from"]'),
        ("len(x)", "there is sum, only, min, max, total"),
        ("a ** 2", "there is + - * / and no other operator"),
        ("True", "true, false, null"),
        ("a[-1]", "in brackets stands nothing"),
        ("a in b", "there is == != < <= > >="),
    ],
)
def test_a_refusal_says_what_to_write_instead(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)

    assert hint in str(caught.value)


NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=6)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_arithmetic_is_that_of_decimals(a: Decimal, b: Decimal, c: Decimal) -> None:
    document: dict[str, Any] = {"a": a, "b": str(b), "c": c}

    with localcontext(prec=100):  # the usual 28 digits would round, and the expression does not
        assert Expression("a - b * c").amount(document) == a - b * c
        assert Expression("(a - b) + c").amount(document) == a - b + c


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        expression = Expression(text)
    except ExpressionError:
        return
    try:
        expression.value(DOCUMENT)
    except ExpressionError:
        return
