"""Every recorded answer of kie.ai, read through the real HTTP stack."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.core.model import MeterReading
from monitor.providers import KieKey
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient

RECORDED = Path(__file__).parents[2] / "fixtures" / "providers" / "kie"
ANSWERS = {file.stem: json.loads(file.read_text()) for file in sorted(RECORDED.glob("*.json"))}
KEY = "kie-test-key-0123456789"


def _wire(recorded: dict[str, Any]) -> bytes:
    body = recorded["text"] if "text" in recorded else json.dumps(recorded["body"])
    headers = {"Content-Type": "application/json"} | recorded.get("headers", {})
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {recorded['status']} Any", *lines, f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_read_as_it_says(
    name: str, start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    recorded = ANSWERS[name]
    server = await start_server(answer=_wire(recorded))
    provider = KieKey(name="studio", key=KEY, url=server.url).build()

    if "balance" in recorded:
        balance = Decimal(recorded["balance"])
        assert await provider.poll(http) == (MeterReading(unit="credits", balance=balance),)
        return
    with pytest.raises(PollError) as caught:
        await provider.poll(http)
    wait = recorded.get("retry_after")
    assert (caught.value.reason, caught.value.detail, caught.value.retry_after) == (
        recorded["reason"],
        recorded["detail"],
        None if wait is None else timedelta(seconds=wait),
    )


def test_there_is_an_answer_for_every_documented_code() -> None:
    codes = {answer.get("body", {}).get("code") for answer in ANSWERS.values()}

    assert codes >= {200, 401, 402, 404, 422, 429, 433, 455, 500, 501, 505}


async def test_the_request_is_the_documented_one(
    start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    server = await start_server(answer=_wire({"status": 200, "body": {"code": 200, "data": 1}}))

    await KieKey(name="studio", key=KEY, url=server.url + "/").build().poll(http)

    [request] = server.requests
    line, *lines = request.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ") for text in lines)}
    assert line == "GET /api/v1/chat/credit HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("credit-monitor/")
