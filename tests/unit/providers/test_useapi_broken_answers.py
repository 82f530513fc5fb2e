"""Whatever becomes of an answer of useapi.net, no number is read that was not there."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.fields import parse_amount
from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.useapi.services import SERVICES, Linked, Service, moment

LOT = {"type": "plan", "amount": 6600, "balance": 5600, "startTime": 1, "endTime": 1797000000000}
ANSWERS: dict[str, dict[str, Any]] = {
    "kling": {"balance": {"points": [LOT], "tickets": [], "nextApplyTime": 1, "total": 5600}},
    "runway": {"permitted": {"numPlanCredits": 2250}, "used": {"numPlanCredits": 1315}},
    "mureka": {"user": {"vip_end_UTC": "2026-11-30T22:23:15.000Z"}, "credits": 15879},
    "minimax": {"totalCredits": 2278, "creditExpireText": [{"credit": 2, "endTime": 1797000000}]},
    "pixverse": {"credit_daily": 30, "credit_monthly": 5600, "credit_package": 20},
    "flowmusic": {"email": "a", "credits_remaining": 5000, "tokens_remaining": 60000},
    "dreamina": {"account": "US:a", "credits": {"total": 24065, "vip": 12000}},
}
AMOUNTS: dict[str, list[tuple[str, ...]]] = {
    "kling": [("balance", "total")],
    "runway": [("permitted", "numPlanCredits"), ("used", "numPlanCredits")],
    "mureka": [("credits",)],
    "minimax": [("totalCredits",)],
    "pixverse": [("credit_daily",), ("credit_monthly",), ("credit_package",)],
    "flowmusic": [("credits_remaining",)],
    "dreamina": [("credits", "total")],
}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.integers(-10, 10**9),
    st.just(...),  # the member is gone
)


def _places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [path] if path else []
    if isinstance(document, dict):
        found += [p for name, each in document.items() for p in _places(each, (*path, name))]
    elif isinstance(document, list):
        found += [p for at, each in enumerate(document) for p in _places(each, (*path, at))]
    return found


def _changed(document: Any, path: tuple[Any, ...], junk: Any) -> Any:
    broken = copy.deepcopy(document)
    parent = broken
    for step in path[:-1]:
        parent = parent[step]
    if junk is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return broken


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document[step] if isinstance(document, dict) and step in document else None
    return document


def _expected(service: Service, document: Any) -> Decimal | None:
    """The balance that stands in *document*; None where one of its amounts is none."""
    try:
        amounts = [parse_amount(_at(document, path)) for path in AMOUNTS[service.name]]
    except ValueError:
        return None
    rest = sum(amounts[1:], Decimal(0))
    return amounts[0] + (rest if service.name == "pixverse" else -rest)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
@given(data=st.data())
def test_a_broken_answer_gives_its_own_number_or_none(
    service: Service, data: st.DataObject
) -> None:
    document = ANSWERS[service.name]
    path = data.draw(st.sampled_from(_places(document)))
    broken = _changed(document, path, data.draw(JUNK))
    linked = Linked(login="a", meter=f"{service.name}:a", record={})
    expected = _expected(service, broken)
    if expected is not None:
        assert service.read(broken, linked).balance == expected
        return
    with pytest.raises(PollError) as caught:
        service.read(broken, linked)
    assert caught.value.reason in (Reason.BAD_RESPONSE, Reason.SERVER_ERROR)
    assert caught.value.detail.split(" ")[0].split(".")[0] in document  # it names the path


@pytest.mark.parametrize("whole", [None, [], 5, "text", True])
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_an_answer_that_is_no_object_is_not_understood(service: Service, whole: object) -> None:
    with pytest.raises(PollError) as caught:
        service.read(whole, Linked(login="a", meter="m", record={}))
    assert caught.value.reason is Reason.BAD_RESPONSE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-01-01T12:13:14.000Z", "2025-01-01T12:13:14+00:00"),
        (1797000000, "2026-12-11T14:40:00+00:00"),
        (1797000000000, "2026-12-11T14:40:00+00:00"),
        (123456789, None),
        (None, None),
        (True, None),
        ("soon", None),
        (10**20, None),
        (-1, None),
    ],
    ids=[
        "ISO text",
        "seconds",
        "milliseconds",
        "the dummy of the documentation",
        "null",
        "a boolean",
        "a word",
        "far too large",
        "before 1970",
    ],
)
def test_a_time_is_told_by_its_size(value: object, expected: str | None) -> None:
    found = moment(value)
    assert (found.isoformat() if found else None) == expected
