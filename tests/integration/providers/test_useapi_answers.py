"""Every recorded poll of useapi.net, read through the real HTTP stack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from support.useapi import ANNA, BEN, PASSWORD, TOKEN, UseapiServer

from monitor.core.model import MeterFailure, MeterReading
from monitor.providers import UseapiKey
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient

RECORDED = Path(__file__).parents[2] / "fixtures" / "providers" / "useapi"
POLLS = {file.stem: json.loads(file.read_text()) for file in sorted(RECORDED.glob("*.json"))}


def _answer(recorded: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    text = recorded["text"] if "text" in recorded else json.dumps(recorded["body"])
    return recorded["status"], recorded.get("headers", {}), text


def key(url: str, **more: Any) -> UseapiKey:
    linked = [
        {"login": ANNA, "name": "anna", "password": PASSWORD},
        {"login": BEN, "name": "ben"},
    ]
    values = {"name": "tools", "provider": "useapi", "key": TOKEN, "url": url, "linked": linked}
    return UseapiKey.model_validate(values | more)


def _line(found: MeterReading | MeterFailure) -> str:
    """What was found as one line, every field of it."""
    if isinstance(found, MeterFailure):
        wait = f" wait {found.retry_after.total_seconds():g}" if found.retry_after else ""
        return f"{found.meter}: {found.reason}: {found.detail}{wait}"
    more = [
        f"{name}={value}"
        for name, value in (
            ("kind", found.kind if found.kind != "balance" else None),
            ("limit", found.limit),
            ("expires", found.expires_at and found.expires_at.isoformat()),
            ("jobs", found.jobs_running),
            ("jobs_limit", found.jobs_limit),
        )
        if value is not None
    ]
    return " ".join([f"{found.meter}: {found.balance} {found.unit}".rstrip(), *more])


@pytest.mark.parametrize("name", POLLS)
async def test_a_recorded_poll_is_read_as_it_says(name: str, http: HttpClient) -> None:
    recorded = POLLS[name]
    answers = {unquote(path): _answer(each) for path, each in recorded["answers"].items()}
    async with UseapiServer(answers=answers) as server:
        provider = key(server.url, **recorded.get("key", {})).build()
        try:
            found: list[str] | None = [_line(each) for each in await provider.poll(http)]
            fails = None
        except PollError as error:
            found = None
            wait = f" wait {error.retry_after.total_seconds():g}" if error.retry_after else ""
            fails = f"{error}{wait}"
    assert {"found": found, "fails": fails} == {n: recorded[n] for n in ("found", "fails")}


DOCUMENTED = {200, 401, 402, 403, 404, 408, 410, 412, 422, 429, 500, 502, 503, 504, 596}


def test_there_is_a_poll_for_every_documented_status() -> None:
    answers = [each for poll in POLLS.values() for each in poll["answers"].values()]
    assert {each["status"] for each in answers} == DOCUMENTED


@pytest.mark.parametrize("name", POLLS)
async def test_no_recorded_poll_names_a_person(name: str, http: HttpClient) -> None:
    shown = json.dumps([POLLS[name]["found"], POLLS[name]["fails"]])
    assert "studio.example" not in shown


async def test_every_request_carries_the_token_and_only_reads(http: HttpClient) -> None:
    async with UseapiServer() as server:
        server.link(ANNA, BEN)
        await key(server.url).build().poll(http)
    assert {method for method, _ in server.requests} == {"GET"}
    assert all(f"authorization: bearer {TOKEN}" in head.lower() for head in server.heads)
    assert not [path for path in server.paths() if "dreamina" in path]


async def test_dreamina_is_not_asked_for_credits_unless_switched_on(http: HttpClient) -> None:
    recorded = POLLS["success_dreamina_claimed"]
    answers = {unquote(path): _answer(each) for path, each in recorded["answers"].items()}
    async with UseapiServer(answers=answers) as server:
        await key(server.url).build().poll(http)
        assert server.paths()[-1] == "/v1/dreamina/accounts"
        await key(server.url, dreamina_daily_claim="on").build().poll(http)
        assert unquote(server.paths()[-1]) == "/v1/dreamina/accounts/US:anna@studio.example"


async def test_a_slow_account_times_out_alone(http: HttpClient) -> None:
    async with UseapiServer() as server:
        server.link(ANNA, BEN)
        server.slow[f"/v1/kling/accounts/{ANNA}"] = 30
        lines = [_line(each) for each in await key(server.url, timeout="1s").build().poll(http)]
    assert "kling:anna: timeout: no answer in time" in lines
    assert any(line.startswith("kling:ben: 5600 points") for line in lines)


async def test_many_accounts_are_read_few_at_a_time(http: HttpClient) -> None:
    emails = [f"user{number}@studio.example" for number in range(40)]
    async with UseapiServer() as server:
        server.link(*emails)
        found = await key(server.url, linked=[]).build().poll(http)
    read = [each for each in found if isinstance(each, MeterReading) and each.unit == "points"]
    assert len({each.meter for each in read}) == 40
    assert server.most_at_once <= 4


async def test_meters_have_stable_names_that_tell_nothing(http: HttpClient) -> None:
    async with UseapiServer() as server:
        server.link(ANNA)
        before = await key(server.url, linked=[]).build().poll(http)
        server.link("Zoe@studio.example")
        after = await key(server.url, linked=[]).build().poll(http)
    assert {each.meter for each in before} < {each.meter for each in after}
    assert not [each for each in after if "@" in each.meter]
    assert all(re.fullmatch(r"subscription|kling(:[0-9a-f]{8}(/\w+)?)?", e.meter) for e in after)
