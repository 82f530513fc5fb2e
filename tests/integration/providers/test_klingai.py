"""``klingai``: the token that is signed for each poll, and every recorded answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.answers import wire

from monitor.core.model import MeterReading
from monitor.providers.base import PollError
from monitor.providers.http import HttpClient
from monitor.providers.klingai import KlingAiKey, KlingAiProvider, signed

RECORDED = Path(__file__).parents[2] / "fixtures" / "providers" / "klingai"
ANSWERS = {file.stem: json.loads(file.read_text()) for file in sorted(RECORDED.glob("*.json"))}
ACCESS, SECRET = "access-0123456789", "secret-0123456789"
NOW = 1_770_000_000.5


def provider(key: str = f"{ACCESS}:{SECRET}", **fields: Any) -> KlingAiProvider:
    built = KlingAiKey(name="kling", provider="klingai", key=key, **fields).build()
    assert isinstance(built, KlingAiProvider)
    return built


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_of_kling_is_read_as_it_says(
    name: str, start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    recorded = ANSWERS[name]
    server = await start_server(answer=wire(recorded))

    if "balance" in recorded:
        ends = recorded.get("expires_at")
        reading = MeterReading(
            unit="units",
            balance=Decimal(recorded["balance"]),
            expires_at=datetime.fromisoformat(ends) if ends else None,
        )
        assert await provider(url=server.url).poll(http) == (reading,)
        return
    with pytest.raises(PollError) as caught:
        await provider(url=server.url).poll(http)
    assert (caught.value.reason, caught.value.detail) == (recorded["reason"], recorded["detail"])


def test_the_token_is_signed_as_the_standard_says() -> None:
    head, claims, signature = signed(ACCESS, SECRET, NOW).split(".")
    expected = hmac.new(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()

    assert _decoded(head) == {"alg": "HS256", "typ": "JWT"}
    assert _decoded(claims) == {"iss": ACCESS, "exp": 1_770_001_800, "nbf": 1_769_999_995}
    assert base64.urlsafe_b64decode(signature + "==") == expected


def _decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def test_the_request_names_the_last_four_hundred_days_and_carries_a_fresh_token() -> None:
    built = provider().at(NOW)
    request = built.request(built.values)
    query = parse_qs(urlsplit(request.url).query)

    assert request.url.startswith("https://api-singapore.klingai.com/account/costs?")
    assert query == {"start_time": ["1735440000500"], "end_time": ["1770000000500"]}
    assert request.headers["Authorization"] == f"Bearer {signed(ACCESS, SECRET, NOW)}"


def test_a_plain_key_is_sent_as_it_is() -> None:
    assert provider("plain-key-1").at(NOW).request(provider().at(NOW).values).headers == {
        "Authorization": "Bearer plain-key-1"
    }


def test_no_part_of_the_credential_is_shown() -> None:
    built = provider().at(NOW)
    token = signed(ACCESS, SECRET, NOW)

    assert {ACCESS, SECRET, token} <= set(built.secrets)
    assert not [part for part in (ACCESS, SECRET, token) if part in repr(built) + repr(provider())]


def test_a_region_is_kling_and_another_address_is_not() -> None:
    keys = [
        KlingAiKey(name="k", provider="klingai", key="a:b", url=url)
        for url in ("https://api-beijing.klingai.com", "https://gate.example")
    ]

    assert [key.origin for key in keys] == ["klingai", "gate.example"]
    assert [bool(key.top_up_url) for key in keys] == [True, False]
    with pytest.raises(ValueError, match="no credential"):
        KlingAiKey(name="k", provider="klingai").build()
