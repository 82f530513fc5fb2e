"""Every recorded answer of kie.ai's call for download links, read through the real HTTP stack."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import FOLDER, wire

from monitor.providers import KieKey
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer
from monitor.providers.http import HttpClient
from monitor.providers.kie_links import KieLinks, link_in

ANSWERS = {
    file.stem: json.loads(file.read_text("utf-8"))
    for file in sorted((FOLDER / "kie_links").glob("*.json"))
}
KEY = "kie-test-key-0123456789"
FILE = "https://tempfile.aiquickdraw.com/s/ä?x=1"
StartServer = Callable[..., Awaitable[Any]]


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_read_as_it_says(
    name: str, start_server: StartServer, http: HttpClient
) -> None:
    recorded = ANSWERS[name]
    server = await start_server(answer=wire(recorded))
    links = KieLinks.of(KieKey(name="studio", key=KEY, url=server.url), http)

    if "link" in recorded:
        assert await links.link(FILE) == recorded["link"]
        return
    with pytest.raises(PollError) as caught:
        await links.link(FILE)
    wait = recorded.get("retry_after")
    assert (caught.value.reason, caught.value.detail, caught.value.retry_after) == (
        recorded["reason"],
        recorded["detail"],
        None if wait is None else timedelta(seconds=wait),
    )


async def test_the_request_is_the_documented_one(
    start_server: StartServer, http: HttpClient
) -> None:
    server = await start_server(answer=wire(ANSWERS["success"]))

    await KieLinks.of(KieKey(name="studio", key=KEY, url=server.url + "/"), http).link(FILE)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/common/download-url HTTP/1.1\r\n")
    assert f"authorization: bearer {KEY}".encode() in head.lower()
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body) == {"url": FILE}


def test_no_answer_shows_the_key() -> None:
    said = {"code": 422, "msg": f"what is {KEY}?"}

    with pytest.raises(PollError) as caught:
        link_in(Answer(200, {}, json.dumps(said).encode()), [KEY])

    assert KEY not in str(caught.value)


@given(
    st.integers(100, 599),
    st.sampled_from([200, "200", 422, None, True]) | st.integers(),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2),
)
def test_a_broken_answer_never_yields_a_link_that_was_not_there(
    status: int, code: Any, data: Any
) -> None:
    body = json.dumps({"code": code, "msg": "x", "data": data}).encode()
    try:
        link = link_in(Answer(status, {}, body), [KEY])
    except PollError:
        return

    assert (link, code in (200, "200"), code is not True) == (data, True, True)
    assert link.startswith(("https://", "http://"))
