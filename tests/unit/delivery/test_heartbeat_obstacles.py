"""What holds a heartbeat back, from facts alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from monitor.delivery.heartbeat import Progress, obstacles, stalls

WELL = Progress(longest_poll=10, channels_behind={"ops": 0.0, "mail": 0.0}, longest_send=30)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({}, id="all is well"),
        pytest.param({"schedule_lag": 59.0}, id="polls start a little late"),
        pytest.param({"polls_stalled": 69.0}, id="the slowest poll takes its time"),
        pytest.param({"store_behind": 59.0}, id="the store takes a while"),
        pytest.param({"channels_behind": {"ops": 89.0}}, id="a send takes its whole time"),
        pytest.param({"channels_behind": {}}, id="there are no channels"),
    ],
)
def test_nothing_is_in_the_way(facts: dict[str, Any]) -> None:
    assert obstacles(replace(WELL, **facts)) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param(
            {"schedule_lag": 75.2}, "polls are 75 s behind their schedule", id="no poll starts"
        ),
        pytest.param(
            {"polls_stalled": 71.0}, "no poll has come to an end for 71 s", id="no poll ends"
        ),
        pytest.param(
            {"evaluation_behind": 61.0},
            "alerts have not been judged for 61 s",
            id="nothing is judged",
        ),
        pytest.param(
            {"store_error": "no space left", "store_behind": 90.0},
            "the store fails: no space left",
            id="the store fails",
        ),
        pytest.param(
            {"store_behind": 61.0},
            "the store has not taken a change for 61 s",
            id="the store hangs",
        ),
        pytest.param(
            {"channels_behind": {"ops": 91.0, "mail": 0.0, "am": math.inf}},
            "delivery is stuck: am, ops",
            id="two workers are stuck",
        ),
    ],
)
def test_one_part_that_does_not_get_on_is_named(facts: dict[str, Any], words: str) -> None:
    assert obstacles(replace(WELL, **facts)) == [words]


def test_every_part_that_does_not_get_on_is_named() -> None:
    facts = replace(
        WELL, schedule_lag=61, polls_stalled=99, store_error="gone", channels_behind={"ops": 91.0}
    )
    assert len(obstacles(facts)) == 4


def test_a_store_that_fails_holds_a_heartbeat_back_but_is_no_stall() -> None:
    facts = replace(WELL, store_error="no space left", store_behind=90.0)
    assert obstacles(facts)
    assert not stalls(facts)
