"""Every recorded answer of the catalog's providers, read through the real HTTP stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from support.answers import FOLDER, KEY, Recorded, answer_of, provider_of, recorded_answers, wire

from monitor.providers import REGISTRY, catalog
from monitor.providers.base import PollError
from monitor.providers.expressions import Scope
from monitor.providers.http import HttpClient
from monitor.providers.judge import try_decode

ANSWERS = list(recorded_answers())


@pytest.mark.parametrize("recorded", ANSWERS, ids=lambda recorded: recorded.id)
async def test_a_recorded_answer_is_read_as_it_says(
    recorded: Recorded, start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    *first, last = map(wire, recorded.answers)
    server = await start_server(answer=last)
    server.first = first
    provider = recorded.provider_at(server.url)

    if recorded.is_reading:
        assert await provider.poll(http) == recorded.reading
        assert len(server.requests) == len(recorded.answers)
        return
    with pytest.raises(PollError) as caught:
        await provider.poll(http)
    wait = recorded.content.get("retry_after")
    assert (caught.value.reason, caught.value.detail, caught.value.retry_after) == (
        recorded.content["reason"],
        recorded.content["detail"],
        None if wait is None else timedelta(seconds=wait),
    )


@pytest.mark.parametrize("name", catalog.names())
def test_a_provider_has_a_recorded_success_and_says_where_it_is_from(name: str) -> None:
    mine = [each for each in ANSWERS if each.provider == name]

    assert [each for each in mine if each.is_reading], f"no success under {FOLDER / name}"
    assert all(each.content.get("source") for each in mine)
    for each in mine:
        if each.is_reading:
            assert bool(each.reading) is not catalog.entry(name).key_check


@pytest.mark.parametrize("name", catalog.names())
def test_every_failure_that_a_provider_declares_has_a_recorded_answer(name: str) -> None:
    entry = catalog.entry(name)
    fired = set()
    for recorded in ANSWERS:
        if recorded.provider == name and not recorded.is_reading:
            answer = answer_of(recorded.answers[-1])
            document, _ = try_decode(answer.body)
            scope = Scope(document, document)
            fired.add(next((r for r in entry.failures if r.matches(answer, scope)), None))

    assert [rule for rule in entry.failures if rule not in fired] == []


def test_every_folder_of_answers_belongs_to_a_provider() -> None:
    folders = {f.name.partition("_")[0] for f in FOLDER.iterdir() if f.is_dir()}  # kie_links: kie

    assert folders <= set(REGISTRY.names())


@pytest.mark.parametrize("name", catalog.names())
async def test_a_request_carries_the_key_where_the_entry_says(
    name: str, start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    server = await start_server(answer=wire({"status": 500, "text": ""}))
    provider = provider_of(name, server.url)

    with pytest.raises(PollError):
        await provider.poll(http)

    [request] = server.requests
    head = request.decode()
    line, _, headers = head.partition("\r\n")
    auth = catalog.entry(name).auth
    if auth.kind == "query":
        assert f"{auth.name}={KEY}" in line
        assert KEY not in headers
    else:
        assert KEY not in line
        expected = {"host": None, **auth.headers(KEY, provider.values)}
        for header, value in expected.items():
            assert value is None or f"\r\n{header}: {value}\r\n".lower() in head.lower()
