"""A broken answer of kie.ai never yields a number that was not there."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.providers import KieKey, SimulatedKey
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer
from monitor.providers.kie import INFO, judge

KEY = "kie-test-key-0123456789"
GOOD = b'{"code":200,"msg":"success","data":1234.5}'
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def read(status: int, body: bytes) -> Decimal | None:
    """The balance, or None for a failure; anything but a PollError is a bug."""
    try:
        return judge(Answer(status, {}, body), [KEY]).balance
    except PollError:
        return None


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_answer_gives_no_balance(length: int) -> None:
    assert read(200, GOOD[:length]) is None


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_a_damaged_answer_gives_no_balance_but_one_that_it_spells_out(
    place: int, damage: bytes
) -> None:
    body = GOOD[:place] + damage + GOOD[place + len(damage) :]

    balance = read(200, body)

    if balance is not None:
        document = json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
        assert balance == Decimal(document["data"])
        assert int(document["code"]) == 200


@given(st.integers(100, 599), JUNK, JUNK)
def test_only_code_200_with_an_amount_under_a_good_status_is_a_balance(
    status: int, code: Any, data: Any
) -> None:
    body = json.dumps({"code": code, "msg": "x", "data": data}).encode()

    balance = read(status, body)

    if balance is not None:
        assert code in (200, "200")
        assert code is not True
        assert 200 <= status < 300
        assert isinstance(data, int | float | str)
        assert not isinstance(data, bool)
        assert balance == Decimal(str(data))


@given(JUNK)
def test_an_answer_of_any_shape_is_a_failure_unless_it_is_the_envelope(document: Any) -> None:
    assert read(200, json.dumps(document).encode()) is None


@given(st.binary(max_size=200), st.integers(100, 599))
def test_any_bytes_are_a_failure(body: bytes, status: int) -> None:
    assert read(status, body) is None


def test_a_code_in_text_counts() -> None:
    assert read(200, b'{"code":"200","data":5}') == 5
    assert read(200, b'{"code":"401","data":5}') is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": "http://api.kie.ai"}, "allow_plain_http: api.kie.ai"),
        ({"url": "api.kie.ai"}, "is not an http or https address"),
        ({"url": "https://user:pass@api.kie.ai"}, "holds a user or password"),
        ({"url": "https://api.kie.ai/#x"}, "fragment"),
        ({"url": "https://api.kie.ai:99999"}, "is not an http or https address"),
        ({"url": "https://kïe.ai"}, "character that no address can carry"),
        ({"url": ""}, "is not an http or https address"),
        ({"key": f"{KEY}\n"}, "blank or line break"),
        ({"key": f" {KEY}"}, "blank or line break"),
        ({"key": "schlüssel"}, "character that no HTTP header can carry"),
        ({"key": "a\nb"}, "character that no HTTP header can carry"),
        ({"key": ""}, "is empty"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_fix(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KieKey.model_validate({"name": "studio", "key": KEY} | changes)

    assert problem in str(caught.value)
    assert KEY not in str(caught.value)


def test_plain_http_is_taken_on_loopback_and_for_a_host_allowed_by_name() -> None:
    assert KieKey(name="a", key=KEY, url="http://127.0.0.1:1").build().limit_group == "127.0.0.1:1"
    assert KieKey(name="a", key=KEY, url="http://[::1]:1").build().limit_group == "[::1]:1"
    named = KieKey(name="a", key=KEY, url="http://Relay.lan", allow_plain_http="Relay.lan")
    assert named.build().limit_group == "relay.lan"


def test_services_at_different_addresses_do_not_share_an_outage() -> None:
    assert KieKey(name="a", key=KEY).origin == "kie"
    mirror = KieKey(name="a", key=KEY, url="https://Mirror.example.com/kie")
    assert mirror.origin == "mirror.example.com"
    assert KieKey(name="a", key=KEY, url="http://127.0.0.1:8080").origin == "127.0.0.1:8080"


def test_a_key_without_a_credential_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="key studio has no credential"):
        KieKey(name="studio", key_file="/run/secrets/kie").build()


def test_the_page_for_buying_credits_is_kies_only_for_kie_itself() -> None:
    assert KieKey(name="a", key=KEY).top_up_url == INFO.top_up_url == "https://kie.ai/billing"
    assert KieKey(name="a", key=KEY, url="https://api.sunoapi.org").top_up_url == ""


def test_a_simulated_key_names_its_account_by_its_own_name_unless_told() -> None:
    key = SimulatedKey(provider="simulated", name="idle", url="http://127.0.0.1:1")

    assert key.build() == KieKey(name="idle", key="idle", url="http://127.0.0.1:1").build()


def test_no_provider_shows_its_key() -> None:
    key = KieKey(name="studio", key=KEY)

    assert KEY not in repr(key)
    assert KEY not in repr(key.build())
    assert KEY not in key.model_dump_json()
