"""Which alerts a silence matches, one sentence per case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.bench import watched

from monitor.core.events import Silence
from monitor.core.model import HOST, Subject
from monitor.core.routing import is_silenced
from monitor.world import concern_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SITE = "api.example.com"
A = watched("a", account="main")
B = watched("b", account="main")
C = watched("c")
RELAY = watched("relay", provider="json", origin=SITE)
OTHER_RELAY = watched("other", provider="json", origin="api.example.org")

CASES: dict[str, tuple[dict[str, str], Subject, list[Any], bool]] = {
    "a key by its name": ({"keys": "a"}, A.subject, [A], True),
    "not another key": ({"keys": "b"}, A.subject, [A], False),
    "a key by its account": ({"accounts": "main"}, A.subject, [A], True),
    "a key without account by no name of an account": ({"accounts": "m*"}, C.subject, [C], False),
    "an account by its name": ({"accounts": "main"}, A.balance_subject, [A, B], True),
    "an account by a pattern of all its keys": ({"keys": "?"}, A.balance_subject, [A, B], True),
    "not an account by one of its keys": ({"keys": "a"}, A.balance_subject, [A, B], False),
    "a key by its provider": ({"providers": "json"}, RELAY.subject, [RELAY], True),
    "a key by its site": ({"providers": SITE}, RELAY.subject, [RELAY], True),
    "an outage by its provider": ({"providers": "kie"}, Subject("kie"), [A, C], True),
    "the outage of a site by the site": ({"providers": "api.*.com"}, Subject(SITE), [RELAY], True),
    "the outage of a site by its provider": ({"providers": "json"}, Subject(SITE), [RELAY], True),
    "not the outage of another site": (
        {"providers": SITE},
        Subject("api.example.org"),
        [OTHER_RELAY],
        False,
    ),
    "an outage by all of its keys": ({"keys": "[ab]"}, Subject("kie"), [A, B], True),
    "not an outage by some of its keys": ({"keys": "a"}, Subject("kie"), [A, C], False),
    "an outage by the account of all its keys": (
        {"accounts": "main"},
        Subject("kie"),
        [A, B],
        True,
    ),
    "not an outage by the account of some": ({"accounts": "main"}, Subject("kie"), [A, C], False),
    "the network by all providers": ({"providers": "*"}, HOST, [A, RELAY], True),
    "not the network by one provider": ({"providers": "kie"}, HOST, [A, RELAY], False),
    "only if all patterns match": ({"keys": "a", "rules": "silent"}, A.subject, [A], False),
}


@pytest.mark.parametrize(
    ("patterns", "subject", "keys", "expected"), CASES.values(), ids=CASES.keys()
)
def test_a_silence_matches(
    patterns: dict[str, str], subject: Subject, keys: list[Any], *, expected: bool
) -> None:
    silence = Silence(id=1, created_at=NOW, until=NOW + timedelta(hours=1))
    wanted = Silence(**{f: getattr(silence, f) for f in silence.__slots__} | patterns)
    assert is_silenced(concern_of(subject, "low_balance", keys), wanted) is expected
