"""Lines of a CSV as polls, and what is said of those that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from monitor.core.model import Reason
from monitor.replay import SampleError, SampleReader, Sighting

AT = datetime(2026, 5, 1, 18, tzinfo=UTC)
UNIX = int(AT.timestamp())


def read(*lines: str) -> list[Sighting]:
    reader = SampleReader(["studio"])
    return [seen for line in lines if (seen := reader.read(line)) is not None]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [f"{UNIX},12.50"],
            Sighting(AT, "studio", "balance", Decimal("12.50")),
            id="time and balance",
        ),
        pytest.param(
            [f"{UNIX}.0,1"],
            Sighting(AT, "studio", "balance", Decimal(1)),
            id="a fraction of a second",
        ),
        pytest.param(
            ["2026-05-01T18:00Z,1"], Sighting(AT, "studio", "balance", Decimal(1)), id="ISO 8601"
        ),
        pytest.param(
            ["2026-05-01T20:00:00+02:00,1"],
            Sighting(AT, "studio", "balance", Decimal(1)),
            id="in any zone",
        ),
        pytest.param(
            [f"{UNIX},a,usd,1"], Sighting(AT, "a", "usd", Decimal(1)), id="with key and meter"
        ),
        pytest.param(
            [f"{UNIX},a,,1"], Sighting(AT, "a", "balance", Decimal(1)), id="a meter without a name"
        ),
        pytest.param(
            ["balance,time,key", f'1,{UNIX},"a, b"'],
            Sighting(AT, "a, b", "balance", Decimal(1)),
            id="named columns in any order, quoted",
        ),
        pytest.param(
            ["\ufeffTime,Balance", f"{UNIX},1"],
            Sighting(AT, "studio", "balance", Decimal(1)),
            id="a heading of a spreadsheet",
        ),
        pytest.param(
            ["# all", "", f" {UNIX} , 1 \r\n"],
            Sighting(AT, "studio", "balance", Decimal(1)),
            id="comments, blanks and line ends",
        ),
        pytest.param(
            [f"{UNIX},a,balance,1"],
            Sighting(AT, "a", "balance", Decimal(1)),
            id="a meter named as a column is no heading",
        ),
        pytest.param(
            [f"{UNIX},"],
            Sighting(AT, "studio", "balance", None, Reason.CONNECTION),
            id="no balance is a failed poll",
        ),
        pytest.param(
            [f"{UNIX},NaN"],
            Sighting(AT, "studio", "balance", None, Reason.CONNECTION),
            id="no number is a failed poll",
        ),
        pytest.param(
            [f"{UNIX},unauthorized"],
            Sighting(AT, "studio", "balance", None, Reason.UNAUTHORIZED),
            id="with its reason",
        ),
        pytest.param([f"{UNIX},unlimited"], Sighting(AT, "studio", "balance", None), id="no cap"),
    ],
)
def test_a_line_says(lines: list[str], expected: Sighting) -> None:
    assert read(*lines) == [expected]


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        pytest.param(
            ["1,2,3"],
            "has 3 fields: lines are time,balance or",
            id="a number of columns that says nothing",
        ),
        pytest.param(
            [f"{UNIX},1", f"{UNIX},1,2"], "has 3 fields instead of 2", id="a line unlike the first"
        ),
        pytest.param(["time,credit"], "unknown column 'credit'", id="a misspelt column"),
        pytest.param(["time,key"], "there is no column 'balance'", id="a column that is missing"),
        pytest.param(["time,balance,time"], "named twice", id="a column twice"),
        pytest.param(["yesterday,1"], "'yesterday' is not a time", id="no time"),
        pytest.param(["-5,1"], "is not a time", id="a time before 1970"),
        pytest.param(["nan,1"], "is not a time", id="not a number"),
        pytest.param([f"{UNIX}000,1"], "milliseconds", id="milliseconds"),
        pytest.param(
            ["2026-05-01T18:00,1"],
            "has no time zone: write 2026-05-01T18:00Z",
            id="a time without zone",
        ),
        pytest.param([f"{UNIX},much"], "the balance 'much' is not a number", id="no balance"),
        pytest.param([f"{UNIX},Infinity"], "is not a number", id="a balance without end"),
        pytest.param([f'{UNIX},"1'], "is not CSV", id="a quote that is left open"),
        pytest.param([f"{UNIX},,balance,1"], "the key has no name", id="a key without a name"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_a_way_out(lines: list[str], error: str) -> None:
    with pytest.raises(SampleError) as caught:
        read(*lines)
    assert error in str(caught.value)
