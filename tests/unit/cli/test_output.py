"""How tables, amounts and states are printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.cli import output
from monitor.core import wording

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_table_in_a_pipe_is_aligned_text() -> None:
    table = output.Table(("key", "balance", "note"), right=frozenset({"balance"}))
    table.add("studio", "12,000", "")
    table.add("a", "5", "low")
    assert output.plain(table) == [
        "KEY     BALANCE  NOTE",
        "studio   12,000",
        "a             5  low",
    ]


def test_on_a_terminal_the_widest_column_gives_way_and_words_stay_whole() -> None:
    table = output.Table(("key", "state", "read"))
    table.add("a-long-name", "answer not understood", "12 s ago")
    assert output.widths(table, 80) == [11, 21, 8]
    assert output.widths(table, 35) == [11, 10, 8]
    assert output.widths(table, 30) == [10, 10, 4]


def test_in_a_very_narrow_terminal_no_column_vanishes() -> None:
    table = output.Table(("key", "state"))
    table.add("x" * 200, "y" * 100)
    assert output.widths(table, 24) == [10, 10]
    assert output.widths(table, 1) == [1, 1]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        pytest.param("login session broken", 20, "login session broken", id="what fits stays"),
        pytest.param("login session broken", 14, "login session\nbroken", id="words stay whole"),
        pytest.param(
            "the kling:a41f09.session", 12, "the kling:\na41f09.\nsession", id="behind punctuation"
        ),
        pytest.param("12,876.35 credits", 9, "12,876.35\ncredits", id="no number is cut"),
        pytest.param("2026-12-01", 4, "2026-12-01", id="nor a day: the table cuts it in the end"),
        pytest.param("", 4, "", id="nothing"),
    ],
)
def test_a_cell_breaks_where_a_reader_would_break_it(text: str, width: int, expected: str) -> None:
    assert output.folded(text, width) == expected


def test_a_name_breaks_behind_its_punctuation_before_any_column_is_cut_anywhere() -> None:
    table = output.Table(("key", "meter"))
    table.add("tools", "kling:a41f09.session")
    assert output.widths(table, 25 + output.GAP * 2) == [5, 20]
    assert output.widths(table, 13 + output.GAP * 2) == [5, 8]
    assert output.widths(table, 12 + output.GAP * 2) == [5, 7]


def test_a_column_that_says_nothing_can_be_left_out() -> None:
    table = output.Table(("key", "account", "state"), right=frozenset({"state"}))
    table.add("studio", "-", "ok", tone="faint")
    table.add("old", "-", "-")
    kept = table.without_empty_columns()
    assert (kept.headings, kept.rows) == (("key", "state"), [("studio", "ok"), ("old", "-")])
    assert (kept.right, kept.tones) == (table.right, ["faint", ""])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain Ünïcode 余额", "plain Ünïcode 余额", id="letters of any script stay"),
        pytest.param("a\nb\tc", "a b c", id="line breaks and tabs become blanks"),
        pytest.param("\x1b[2Jgone", " [2Jgone", id="a terminal's commands are disarmed"),
        pytest.param("a\u202eb", "a b", id="reversed writing is disarmed"),
    ],
)
def test_foreign_text_cannot_move_the_cursor(text: str, expected: str) -> None:
    table = output.Table(("x",))
    table.add(text)
    assert table.rows[0][0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "no cap"), (Decimal("0.90"), "0.90 USD"), (Decimal(12000), "12,000.00 USD")],
)
def test_amounts_carry_their_unit(value: Decimal | None, expected: str) -> None:
    shown = output.amount(value, "USD")
    assert shown.replace(".00", "") == expected.replace(".00", "")


def test_times_are_utc_and_their_absence_is_a_dash() -> None:
    assert output.time(NOW) == "2026-05-01 12:00:00Z"
    assert output.time(None) == "-"
    assert output.ago(None, NOW) == "never"
    assert output.ago(NOW - timedelta(minutes=4), NOW) == "4 min ago"


@pytest.mark.parametrize(
    ("word", "detail", "expected"),
    [
        ("ok", "", "ok"),
        ("unknown", "", "not polled yet"),
        ("unauthorized", "", "key refused"),
        ("timeout", "no answer in 10 s", "no answer in time: no answer in 10 s"),
    ],
)
def test_states_are_told_in_words(word: str, detail: str, expected: str) -> None:
    shown = output.state(word, detail)
    assert shown == expected or (detail and shown.endswith(f": {detail}"))


@pytest.mark.parametrize(("number", "expected"), [(0, "0 keys"), (1, "1 key"), (2, "2 keys")])
def test_counted_nouns(number: int, expected: str) -> None:
    assert wording.count(number, "key") == expected


def test_a_state_is_told_by_its_cause_where_the_detail_names_one() -> None:
    detail = "the hourly cap of this key is reached (code 433: ...)"

    assert output.short_state("key_capped", detail) == "hourly cap of the key reached"
    assert output.short_state("key_capped", "code 433") == "cap of the key reached"
    assert output.state("key_capped", detail) == f"hourly cap of the key reached: {detail}"
    assert output.state("ok", detail) == "ok"
