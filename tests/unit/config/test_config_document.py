"""What a YAML text means: one reading for every scalar, exact places, bounded work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitor.config.document import UnreadableError, decode, locate, parse
from monitor.config.problems import Findings
from monitor.config.secrets import FromEnvironment


def read(text: str) -> Any:
    findings = Findings()
    value = parse(text, lambda each: FromEnvironment(each.replace("${X}", "a: [b")), findings)
    assert findings.items == []
    return value


@pytest.mark.parametrize(
    ("scalar", "meaning"),
    [
        pytest.param("no", "no", id="no is a text, not false"),
        pytest.param("off", "off", id="off is a text, not false"),
        pytest.param("Yes", "Yes", id="Yes is a text, not true"),
        pytest.param("true", True, id="true is true"),
        pytest.param("False", False, id="False is false"),
        pytest.param("", None, id="nothing is null"),
        pytest.param("~", None, id="a tilde is null"),
        pytest.param("'null'", "null", id="null in quotes is a text"),
        pytest.param("1:30", "1:30", id="1:30 is not 90"),
        pytest.param("010", "010", id="010 is not 8"),
        pytest.param("0x1F", "0x1F", id="0x1F is a text"),
        pytest.param("1_000", "1_000", id="1_000 is a text"),
        pytest.param("2026-01-01", "2026-01-01", id="a date is a text"),
        pytest.param("20", 20, id="20 is a whole number"),
        pytest.param("-5", -5, id="-5 is a whole number"),
        pytest.param("'20'", "20", id="20 in quotes is a text"),
        pytest.param("!!str 20", "20", id="20 tagged as a text is a text"),
        pytest.param("0.1", Decimal("0.1"), id="0.1 is exact"),
        pytest.param(".5", Decimal("0.5"), id=".5 is exact"),
        pytest.param("1e3", Decimal(1000), id="1e3 is a number"),
        pytest.param("1e999999999", "1e999999999", id="a number that would fill memory is a text"),
        pytest.param("9" * 31, "9" * 31, id="a number beyond 30 digits is a text"),
        pytest.param(".nan", ".nan", id="not-a-number is a text"),
        pytest.param(".inf", ".inf", id="infinity is a text"),
        pytest.param("e5", "e5", id="e5 is a text"),
        pytest.param("-", ["-"], id="a hyphen alone opens no number"),
    ],
)
def test_a_scalar_means_what_it_looks_like(scalar: str, meaning: Any) -> None:
    if scalar == "-":
        assert read("- '-'") == meaning
        return
    value = read(f"field: {scalar}\n")["field"]
    assert value == meaning
    assert type(value) is type(meaning)


def test_a_reference_needs_no_quotes_inside_braces() -> None:
    assert read("{url: ${Y}, name: ops}") == {"url": "${Y}", "name": "ops"}


def test_what_a_variable_holds_is_never_read_as_yaml() -> None:
    assert read("{url: ${X}}") == {"url": "a: [b"}


def test_a_place_is_exact_behind_a_reference_and_wide_characters() -> None:
    text = "café: {url: ${Y}, name: ops}\n"
    place = locate(text, [("café", "name")])["café", "name"]
    assert place.name == (1, 19)
    assert place.value == (1, 25)


def test_places_of_list_entries_and_of_the_whole_are_found() -> None:
    text = "# first\nkeys:\n  - a\n  - b: c\n"
    places = locate(text, [(), ("keys",), ("keys", 1), ("keys", 1, "b"), ("nowhere",)])
    assert {path: place.value for path, place in places.items()} == {
        (): (2, 1),
        ("keys",): (3, 3),
        ("keys", 1): (4, 5),
        ("keys", 1, "b"): (4, 8),
    }


def test_a_place_inside_an_alias_is_that_of_the_alias() -> None:
    text = "a: &x {n: 1}\nb: *x\n"
    assert locate(text, [("b",), ("b", "n")]).keys() == {("b",)}


def test_an_alias_stands_for_its_anchor() -> None:
    assert read("a: &x {n: 1}\nb: *x\nc: &y text\nd: *y\n")["b"] == {"n": 1}


def test_a_million_laughs_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(UnreadableError, match="more than 2,000,000 values"):
        parse("\n".join(lines), FromEnvironment, Findings())


def test_deep_nesting_is_refused_without_recursion() -> None:
    with pytest.raises(UnreadableError, match="nested deeper than 40 levels"):
        parse("[" * 100_000 + "]" * 100_000, FromEnvironment, Findings())


def test_a_second_field_of_a_name_is_told_and_the_first_one_counts() -> None:
    findings = Findings()
    value = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n", FromEnvironment, findings)
    assert value == {"a": 1, "b": {"c": 1}}
    assert [(item.path, item.mark) for item in findings.items] == [
        (("b", "c"), (2, 11)),
        (("a",), (3, 1)),
    ]


@pytest.mark.parametrize(
    ("content", "message", "mark"),
    [
        pytest.param("a: 1".encode("utf-16"), "UTF-16", None, id="UTF-16"),
        pytest.param(b"a: \0", "not a text file", None, id="zero bytes"),
        pytest.param(b"\x7fELF\x02\0\0", "not a text file", None, id="a program"),
        pytest.param("ä: 1\nb: é\n".encode("latin-1"), "not UTF-8", (1, 1), id="Latin-1"),
        pytest.param(b"a: 1\nb: x\xff\n", "not UTF-8", (2, 5), id="one wrong byte"),
    ],
)
def test_bytes_that_are_no_utf8_text_are_refused(
    content: bytes, message: str, mark: tuple[int, int] | None
) -> None:
    with pytest.raises(UnreadableError, match=message) as caught:
        decode(content)
    assert caught.value.mark == mark


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode(b"\xef\xbb\xbfa: 1") == "a: 1"


def test_a_control_character_is_refused_at_its_place() -> None:
    with pytest.raises(UnreadableError, match="control character") as caught:
        parse("a: 1\nb: é\x07\n", FromEnvironment, Findings())
    assert caught.value.mark == (2, 5)


def test_nothing_at_all_is_null() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None
