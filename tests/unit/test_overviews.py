"""What queries turn into JSON, and whom an alert concerns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from monitor.core.model import KeyState, Reason, Severity, Subject
from monitor.jsonable import iso, to_json
from monitor.overviews import concerns
from monitor.world import WatchedKey


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Decimal("0.10"), "0.10", id="a decimal keeps its digits as text"),
        pytest.param(Decimal("1E+3"), "1000", id="a decimal is never scientific"),
        pytest.param(Severity.WARNING, "warning", id="an enum is its word"),
        pytest.param(timedelta(minutes=2), 120.0, id="a duration is in seconds"),
        pytest.param({"a": (Decimal(1), None)}, {"a": ["1", None]}, id="containers are followed"),
        pytest.param(True, True, id="a truth value stays one"),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    assert to_json(value) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01T12:00:00Z", id="whole"),
        pytest.param(
            datetime(2026, 5, 1, 12, 0, 0, 5000, tzinfo=UTC),
            "2026-05-01T12:00:00.005Z",
            id="with milliseconds",
        ),
        pytest.param(
            datetime(2026, 5, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-04-30T23:00:00Z",
            id="from another zone",
        ),
    ],
)
def test_a_moment_is_iso_8601_in_utc(moment: datetime, expected: str) -> None:
    assert iso(moment) == expected


def test_a_record_becomes_an_object_with_its_fields() -> None:
    state = KeyState(key="a", reason=Reason.TIMEOUT, failures=2)
    shown = json.loads(json.dumps(to_json(state)))
    assert (shown["key"], shown["reason"], shown["failures"]) == ("a", "timeout", 2)


def test_a_subject_carries_its_identity_and_what_people_call_it() -> None:
    assert to_json(Subject("kie", "main")) == {
        "id": "account:kie/main",
        "label": "account main",
        "provider": "kie",
        "account": "main",
        "key": "",
    }


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(Subject("kie", "main", "studio"), True, id="its own alert"),
        pytest.param(
            Subject("kie", "", "studio"), True, id="its own from before it had an account"
        ),
        pytest.param(Subject("kie", "main"), True, id="its account's"),
        pytest.param(Subject("kie"), True, id="its provider's"),
        pytest.param(Subject("kie", "main", "other"), False, id="another key's"),
        pytest.param(Subject("json", "main"), False, id="an account of another provider"),
        pytest.param(Subject("json"), False, id="another provider's"),
    ],
)
def test_an_alert_concerns_a_key(subject: Subject, expected: bool) -> None:  # noqa: FBT001 - a table's column
    key = WatchedKey(name="studio", provider="kie", account="main", interval=timedelta(minutes=5))
    assert concerns(subject, key) is expected
