"""What all tables share: lists of values in a condition."""

from __future__ import annotations

import pytest
from sqlalchemy import column
from sqlalchemy.sql.elements import BinaryExpression

from monitor.store.columns import one_of


def values_in(condition: object) -> list[int]:
    assert isinstance(condition, BinaryExpression)
    found: list[int] = condition.right.value
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 500])
def test_a_list_keeps_its_values_and_their_order(count: int) -> None:
    wanted = [*range(100, 100 + count)]
    given = values_in(one_of(column("id"), wanted))
    assert given[:count] == wanted
    assert set(given) == set(wanted)


def test_lists_of_a_thousand_lengths_are_eleven_different_statements() -> None:
    lengths = {len(values_in(one_of(column("id"), [*range(n)]))) for n in range(1, 1025)}
    assert lengths == {2**power for power in range(11)}
