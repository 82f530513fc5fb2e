"""What a variable stood for inside a url, a header or a body is as secret as the key itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.secrets import secrets_of
from monitor.config import ConfigError, Settings, load, show
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer

SECRET = "s3cr3t/0123456789+abcdef"
PLACES = {
    "the url of a json key": "provider: json, balance: data, unit: USD, url: 'https://x.example/${K}/me'",
    "the query of a json key": "provider: json, balance: data, unit: USD, url: 'https://x.example/?k=${K}'",
    "a header": "provider: json, balance: data, unit: USD, url: 'https://x.example/',"
    " headers: {X-Token: 'Token ${K}'}",
    "the body": "provider: json, balance: data, unit: USD, url: 'https://x.example/', method: POST,"
    " body: {list: [1, {token: 'pre-${K}-post'}]}",
    "the prefix of auth": "provider: json, balance: data, unit: USD, url: 'https://x.example/',"
    " auth: {header: X-Key, prefix: '${K}:'}",
    "the url of a look-up": "provider: json, balance: data, unit: USD, url: 'https://x.example/',"
    " lookup: [{url: 'https://x.example/${K}', take: {a: a}}]",
    "the url of a key of the catalog": "provider: deepseek, url: 'https://x.example/${K}'",
    "a setting of a key of the catalog": "provider: creatify, api_id: '${K}'",
    "the url of a kie key": "provider: kie, url: 'https://x.example/${K}'",
    "the url of a simulated key": "provider: simulated, url: 'http://127.0.0.1:9/${K}'",
}


def settings(directory: Path, entry: str) -> Settings:
    file = directory / "config.yaml"
    file.write_text(f"keys:\n  - {{name: a, key: sk-1, {entry}}}\n")
    file.chmod(0o600)
    return load(file, {"HOME": "/home/operator", "K": SECRET}).settings


@pytest.fixture(params=[pytest.param(entry, id=place) for place, entry in PLACES.items()])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings(tmp_path, request.param)


def test_it_is_not_in_what_is_printed_for_people(found: Settings) -> None:
    for text in (repr(found), str(found), show(found), repr(found.keys[0].build())):
        assert SECRET not in text


def test_it_is_taken_out_of_the_log(found: Settings) -> None:
    assert SECRET in secrets_of(found)


def test_it_is_taken_out_of_what_the_provider_answers(found: Settings) -> None:
    body = json.dumps({"code": 401, "msg": f"no {SECRET} here"}).encode()
    provider: Any = found.keys[0].build()
    with pytest.raises(PollError) as caught:
        provider.judge(Answer(401, {}, body))
    assert caught.value.detail.endswith("no *** here")


def test_a_host_that_came_from_the_environment_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("keys:\n  - {name: a, key: sk-1, url: 'http://${K}.example/'}\n")
    with pytest.raises(ConfigError, match="comes from the environment") as caught:
        load(file, {"HOME": "/home/operator", "K": "hush-0123456789"})
    assert "hush" not in str(caught.value)


def test_no_warning_tells_a_host_that_came_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "keys: [{name: a, key: sk-1, interval: 1s, timeout: 1s, url: 'https://${K}.example/'}]\n"
        "limits: {default: {rate: 0.5}, hush-0123456788.example: {rate: 1}}\n"
    )
    found = load(file, {"HOME": "/home/operator", "K": "hush-0123456789"})
    told = [each.message for each in found.warnings]
    assert any(text.startswith("the keys of kie ask for 1 polls per second") for text in told)
    assert not [text for text in told if "hush" in text]


def test_an_amount_in_a_body_is_sent_as_it_is_written(tmp_path: Path) -> None:
    entry = (
        "provider: json, balance: data, unit: USD, url: 'https://x.example/', method: POST,"
        ' body: {price: 0.10, list: [1, 0.1234567890123456789, 1e-7, null, true, "é", {}], k: ${K}}'
    )
    provider: Any = settings(tmp_path, entry).keys[0].build()
    assert provider.request().body == (
        b'{"price": 0.10, "list": [1, 0.1234567890123456789, 1E-7, null, true, "\\u00e9", {}],'
        b' "k": "' + SECRET.encode() + b'"}'
    )
