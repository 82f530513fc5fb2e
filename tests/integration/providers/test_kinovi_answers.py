"""Every recorded answer of kinovi.ai, read through the real HTTP stack."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.providers import KinoviKey
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient

RECORDED = Path(__file__).parents[2] / "fixtures" / "providers" / "kinovi"
ANSWERS = {file.stem: json.loads(file.read_text()) for file in sorted(RECORDED.glob("*.json"))}
KEY = "kinovi-test-key-0123456789"
StartServer = Callable[..., Awaitable[Any]]


def _wire(recorded: dict[str, Any]) -> bytes:
    body = recorded["text"] if "text" in recorded else json.dumps(recorded["body"])
    headers = {"Content-Type": "application/json"} | recorded.get("headers", {})
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {recorded['status']} Any", *lines, f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def key(url: str) -> KinoviKey:
    return KinoviKey.model_validate({"name": "lab", "provider": "kinovi", "key": KEY, "url": url})


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_read_as_it_says(
    name: str, start_server: StartServer, http: HttpClient
) -> None:
    recorded = ANSWERS[name]
    server = await start_server(answer=_wire(recorded))

    if recorded.get("good"):
        assert await key(server.url).build().poll(http) == ()
        return
    with pytest.raises(PollError) as caught:
        await key(server.url).build().poll(http)
    wait = recorded.get("retry_after")
    assert (caught.value.reason, caught.value.detail, caught.value.retry_after) == (
        recorded["reason"],
        recorded["detail"],
        None if wait is None else timedelta(seconds=wait),
    )


def test_there_is_an_answer_for_every_documented_status() -> None:
    found = {answer["status"] for answer in ANSWERS.values()}
    assert found == {200, 400, 401, 402, 403, 404, 429, 500}


async def test_the_request_asks_for_the_state_of_a_task_and_creates_none(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=_wire(ANSWERS["good_404_task_not_found"]))

    await key(server.url + "/").build().poll(http)

    [request] = server.requests
    line, *lines = request.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ") for text in lines)}
    unknown = "task_cl00000000000000000000000"
    assert line == f"GET /api/v1/jobs/recordInfo?taskId={unknown} HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("message", [None, 5, [], {"a": 1}, "task", "", "not found"])
@pytest.mark.parametrize("status", [403, 404])
async def test_only_the_documented_words_make_a_refusal_a_good_key(
    status: int, message: object, start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=_wire({"status": status, "body": {"message": message}}))
    with pytest.raises(PollError):
        await key(server.url).build().poll(http)
