"""The plot of a balance in blocks of text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.cli import plot
from monitor.core.model import Outage, Reason, Sample

START = datetime(2026, 5, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def sample(hours: float, balance: str | None) -> Sample:
    value = None if balance is None else Decimal(balance)
    return Sample(key="a", meter="balance", at=at(hours), until=at(hours), balance=value)


def frame(width: int = 4, height: int = 2, blocks: str = plot.UNICODE_BLOCKS) -> plot.Frame:
    return plot.Frame(since=at(0), until=at(4), width=width, height=height, blocks=blocks)


def chart(lines: list[str]) -> list[str]:
    return [line.partition("| ")[2] for line in lines if "|" in line]


def test_a_balance_holds_until_the_next_one_is_read() -> None:
    shown = plot.levels([sample(0.5, "8"), sample(2.5, "4")], frame())
    assert shown == [Decimal(8), Decimal(8), Decimal(4), Decimal(4)]


def test_before_the_first_reading_nothing_is_shown() -> None:
    assert plot.levels([sample(3.5, "8")], frame()) == [None, None, None, Decimal(8)]


def test_what_was_read_before_the_time_span_still_counts() -> None:
    assert plot.levels([sample(-9, "8")], frame()) == [Decimal(8)] * 4


def test_a_falling_balance_is_drawn_as_falling_bars() -> None:
    points = [sample(0, "16"), sample(1.5, "12"), sample(2.5, "8"), sample(3.5, "1")]
    assert chart(plot.draw(points, [], frame(), "")) == ["█▄", "███▁"]


def test_an_encoding_without_blocks_gets_ascii() -> None:
    points = [sample(0, "16"), sample(1.5, "8"), sample(2.5, "8"), sample(3.5, "0")]
    lines = plot.draw(points, [], frame(blocks=plot.blocks_for("ascii")), "")
    assert chart(lines) == ["#", "###"]
    assert "".join(lines).isascii()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", plot.UNICODE_BLOCKS),
        ("latin-1", plot.ASCII_BLOCKS),
        ("no-such-encoding", plot.ASCII_BLOCKS),
        (None, plot.ASCII_BLOCKS),
    ],
)
def test_blocks_follow_the_encoding(encoding: str | None, expected: str) -> None:
    assert plot.blocks_for(encoding) == expected


def test_the_labels_tell_the_highest_amount_and_the_bottom() -> None:
    lines = plot.draw([sample(0, "1600.5")], [], frame(), "credits")
    assert lines[0].startswith("1,600.5 credits | ")
    assert lines[1].lstrip().startswith("0 | ")


def test_a_debt_reaches_below_zero() -> None:
    lines = plot.draw([sample(0, "8"), sample(2, "-8")], [], frame(), "")
    assert lines[1].startswith("-8 | ")
    assert chart(lines) == ["█", "█"]


def test_only_zeros_draw_an_empty_chart_with_its_axes() -> None:
    assert chart(plot.draw([sample(0, "0")], [], frame(), "")) == ["", ""]


def test_times_without_a_reading_are_marked_under_the_axis() -> None:
    outage = Outage(key="a", at=at(1.2), until=at(2.2), reason=Reason.TIMEOUT)
    lines = plot.draw([sample(0, "8")], [outage], frame(), "")
    assert lines[2].strip() == "xx"
    assert lines[2].index("x") == lines[0].index("| ") + 2 + 1


def test_without_any_amount_it_says_so() -> None:
    assert plot.draw([sample(1, None)], [], frame(), "") == ["(no balance in this time)"]
    assert plot.draw([], [], frame(), "") == ["(no balance in this time)"]


def test_the_time_axis_names_both_ends() -> None:
    axis = plot.draw([sample(0, "8")], [], frame(width=50), "")[-1]
    assert axis.split() == ["2026-05-01", "00:00", "2026-05-01", "04:00"]
