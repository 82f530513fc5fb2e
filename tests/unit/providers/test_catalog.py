"""The catalog's file, its entries, and what keys of them take and keep to themselves."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from monitor.config.document import parse
from monitor.config.problems import Findings
from monitor.config.secrets import FromEnvironment
from monitor.core.model import Reason
from monitor.providers import REGISTRY, catalog
from monitor.providers.base import KeySettings, PollError
from monitor.providers.catalogued import CatalogKey
from monitor.providers.exchange import Answer

FILE = Path(catalog.__file__).with_name("catalog.yaml")
KEY = "catalog-test-key-0123456789"


def key_of(provider: str, **fields: Any) -> KeySettings:
    given = {"name": "k", "provider": provider, "key": KEY} | fields
    return REGISTRY.model(provider).model_validate(given)


# -- the file -------------------------------------------------------------------------------


def test_the_file_is_cut_as_yaml_reads_it() -> None:
    whole = yaml.safe_load(FILE.read_text("utf-8"))

    assert tuple(whole) == catalog.names()
    assert dict(catalog.environment_names()) == {
        variable: name for name, entry in whole.items() for variable in entry.get("environment", ())
    }


def test_no_field_of_an_entry_is_given_twice() -> None:
    findings = Findings()
    parse(FILE.read_text("utf-8"), FromEnvironment, findings)

    assert findings.items == []


def test_there_are_forty_balances_and_more() -> None:
    assert sum(not catalog.entry(name).key_check for name in catalog.names()) >= 40


@pytest.mark.parametrize("name", catalog.names())
def test_an_entry_is_asked_over_tls_and_says_where_that_is_documented(name: str) -> None:
    entry = catalog.entry(name)

    assert all(url.startswith(("https://", "{url}/")) for url in entry.addresses)
    assert entry.documentation.startswith("https://")
    assert not entry.top_up or entry.top_up.startswith("https://")
    assert entry.interval >= timedelta(minutes=5)


def test_an_entry_is_read_when_it_is_used_and_only_once() -> None:
    catalog.entry.cache_clear()
    key_of("deepseek")
    one, other = catalog.entry("deepseek"), catalog.entry("deepseek")

    assert one is other
    assert catalog.entry.cache_info().currsize <= 2  # with one that its model was made of before


WHOLE = {
    "name": "x",
    "title": "X",
    "group": "relays",
    "key": "any",
    "reads": "credits",
    "url": "https://api.example.com/",
    "balance": "left",
    "unit": "USD",
    "documentation": "https://docs.example.com",
    "confidence": "documented",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"url": "http://api.example.com/"}, "must begin with https:// or {url}"),
        ({"url": "{url}x y"}, "a blank"),
        ({"lookup": [{"url": "http://a.example", "take": {"x": "x"}}]}, "must begin with https"),
        ({"url": "https://api.example.com/{team}"}, "in place of {team}"),
        ({"headers": {"X-Id": "{idd}"}, "settings": {"id": {"description": "d"}}}, "called idd"),
        ({"auth": {"basic": "{sid}:{key}"}}, "called sid"),
        ({"confidence": "sure"}, "documented"),
        ({"group": "others"}, "language models"),
        ({"title": None}, "valid string"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_wrong_entry_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        catalog.Entry.model_validate(WHOLE | change)
    assert problem in str(caught.value)


# -- keys -----------------------------------------------------------------------------------


def test_the_settings_of_an_entry_are_fields_of_its_keys() -> None:
    with pytest.raises(ValidationError) as caught:
        key_of("twilio")
    assert [error["loc"] for error in caught.value.errors()] == [("account_sid",)]
    with pytest.raises(ValidationError, match="Extra inputs"):
        key_of("deepseek", account_sid="AC1")
    with pytest.raises(ValidationError, match="at most 200"):
        key_of("twilio", account_sid="A" * 201)
    with pytest.raises(ValidationError, match="pattern"):
        key_of("creatify", api_id="a\nb")


def test_a_setting_goes_where_the_entry_says() -> None:
    twilio: Any = key_of("twilio", account_sid="AC/1").build()
    request = twilio.request(twilio.values)

    assert request.url.endswith("/Accounts/AC%2F1/Balance.json")
    credentials = base64.b64encode(f"AC/1:{KEY}".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {credentials}"
    creatify: Any = key_of("creatify", api_id="id-1").build()
    headers = creatify.request(creatify.values).headers
    assert (headers["X-API-ID"], headers["X-API-KEY"]) == ("id-1", KEY)


def test_parts_of_a_credential_are_secrets_too() -> None:
    secrets = key_of("twilio", account_sid="AC0123456789").secrets

    assert {KEY, "AC0123456789", f"AC0123456789:{KEY}"} <= set(secrets)


def test_a_look_up_is_left_out_where_its_value_is_given() -> None:
    given: Any = key_of("xai", team="t-1").build()

    assert given.request(given.values).url.endswith("/teams/t-1/prepaid/balance")
    assert given.endpoint.lookup[0].take.keys() <= given.values.keys()


def test_another_address_has_another_origin_and_no_page_to_top_up() -> None:
    usual, other = key_of("openrouter"), key_of("openrouter", url="https://gate.example/or")

    assert (usual.origin, usual.top_up_url) == (
        "openrouter",
        "https://openrouter.ai/settings/credits",
    )
    assert (other.origin, other.top_up_url) == ("gate.example", "")
    assert other.build().limit_group == "gate.example"
    assert usual.build().limit_group == "openrouter.ai"


@pytest.mark.parametrize(
    ("provider", "fields", "problem"),
    [
        ("openrouter", {"url": "http://gate.example/"}, "allow_plain_http: gate.example"),
        ("openrouter", {"url": "gate.example"}, "is not an http or https address"),
        ("one-api", {}, "Field required"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(
    provider: str, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        key_of(provider, **fields)
    assert problem in str(caught.value)


def test_a_key_is_needed() -> None:
    with pytest.raises(ValueError, match="key k has no credential"):
        key_of("deepseek", key=None).build()


def test_nothing_secret_is_shown_of_a_key() -> None:
    key = key_of("one-api", url="https://relay.example/hidden-path")

    assert isinstance(key, CatalogKey)
    assert KEY not in repr(key) + repr(key.build())
    assert "hidden-path" not in repr(key) + repr(key.build())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"XAI_TEAM_ID": "t"}, {"team": "XAI_TEAM_ID"}),
    ],
)
def test_settings_are_found_in_the_environment(
    environ: dict[str, str], expected: dict[str, str]
) -> None:
    assert catalog.settings_in("xai", environ) == expected


def test_a_provider_is_left_out_where_a_needed_setting_is_not_in_the_environment() -> None:
    assert catalog.settings_in("twilio", {}) is None
    assert catalog.settings_in("twilio", {"TWILIO_ACCOUNT_SID": "AC1"}) == {
        "account_sid": "TWILIO_ACCOUNT_SID"
    }
    assert catalog.settings_in("kie", {}) == {}


TWO = b"""{"balance_infos": [
    {"currency": "CNY", "total_balance": "0.00"}, {"currency": "USD", "total_balance": "7.50"}
]}"""


def test_only_the_amounts_that_are_named_are_read() -> None:
    one: Any = key_of("deepseek", only=["USD"]).build()
    assert [meter.meter for meter in one.judge(Answer(200, {}, TWO))] == ["USD"]

    other: Any = key_of("deepseek", only=["EUR"]).build()
    with pytest.raises(PollError) as caught:
        other.judge(Answer(200, {}, TWO))
    assert caught.value.reason is Reason.UNSUPPORTED
    assert caught.value.detail == "no amount is called EUR; there is CNY, USD"
