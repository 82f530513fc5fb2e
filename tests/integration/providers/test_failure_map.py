"""The whole map from answers to reasons in one table: any provider, then what each says itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.answers import KEY, provider_of, wire

from monitor.core.model import Reason
from monitor.providers import REGISTRY, catalog
from monitor.providers.base import PollError, Provider
from monitor.providers.http import HttpClient

R = Reason
HTML = "<html>down</html>"
CAPPED = "Points used by apiKey has exceeded the hourly limit. Try again in 300 seconds."

MAP: list[tuple[str, int, Any, R]] = [
    # Any provider, by the HTTP status alone
    *(
        ("meshy", status, {}, reason)
        for statuses, reason in (
            ((401,), R.UNAUTHORIZED),
            ((402,), R.OUT_OF_CREDITS),
            ((403, 451), R.FORBIDDEN),
            ((404, 410), R.NOT_FOUND),
            ((408,), R.TIMEOUT),
            ((429,), R.RATE_LIMITED),
            ((400, 405, 406, 409, 412, 413, 415, 422), R.BAD_RESPONSE),
            ((301, 302, 307), R.BAD_RESPONSE),
            ((500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530), R.SERVER_ERROR),
        )
        for status in statuses
    ),
    ("meshy", 204, "", R.BAD_RESPONSE),
    ("meshy", 407, {}, R.CONNECTION),
    ("meshy", 503, {"message": "scheduled maintenance"}, R.MAINTENANCE),
    ("meshy", 200, "", R.BAD_RESPONSE),
    ("meshy", 200, HTML, R.BAD_RESPONSE),
    ("meshy", 200, {}, R.BAD_RESPONSE),
    ("meshy", 200, {"balance": None}, R.BAD_RESPONSE),
    ("meshy", 200, {"balance": True}, R.BAD_RESPONSE),
    # kie.ai and services of its shape
    *(
        (name, 200, {"code": code, "msg": "no", "data": None}, reason)
        for name in ("kie", "sunoapi", "veo3api")
        for code, reason in (
            (401, R.UNAUTHORIZED),
            (402, R.OUT_OF_CREDITS),
            (404, R.NOT_FOUND),
            (429, R.RATE_LIMITED),
            (433, R.KEY_CAPPED),
            (455, R.MAINTENANCE),
            (500, R.SERVER_ERROR),
            (501, R.SERVER_ERROR),
            (505, R.UNSUPPORTED),
            (400, R.BAD_RESPONSE),
            (422, R.BAD_RESPONSE),
            (999, R.BAD_RESPONSE),
            (200, R.BAD_RESPONSE),
        )
    ),
    ("kie", 403, "", R.FORBIDDEN),
    ("kie", 403, {"code": 433, "msg": CAPPED}, R.KEY_CAPPED),
    ("kie", 200, {"status": 404, "error": "Not Found", "path": "/x"}, R.NOT_FOUND),
    ("kie", 522, HTML, R.SERVER_ERROR),
    ("kie", 200, HTML, R.BAD_RESPONSE),
    # kinovi.ai
    ("kinovi", 400, {"message": "Invalid taskId"}, R.BAD_RESPONSE),
    ("kinovi", 401, {"message": "API Key has expired"}, R.UNAUTHORIZED),
    ("kinovi", 402, {"message": "Insufficient credits", "available": 0}, R.OUT_OF_CREDITS),
    ("kinovi", 403, {"message": "API access not enabled"}, R.FORBIDDEN),
    ("kinovi", 404, {"message": "No such page"}, R.NOT_FOUND),
    ("kinovi", 429, {"message": "Concurrency limit reached"}, R.RATE_LIMITED),
    # useapi.net
    ("useapi", 401, {"error": "Unauthorized", "code": 401}, R.UNAUTHORIZED),
    ("useapi", 402, {"error": "Subscription required"}, R.SUBSCRIPTION_INACTIVE),
    ("useapi", 402, {"error": "The account has no credits"}, R.OUT_OF_CREDITS),
    ("useapi", 200, {"subscriptionIsActive": False}, R.SUBSCRIPTION_INACTIVE),
    ("useapi", 403, {"error": "Forbidden"}, R.FORBIDDEN),
    ("useapi", 404, {"error": "Not found"}, R.NOT_FOUND),
    ("useapi", 412, {"error": "Not enough credits"}, R.OUT_OF_CREDITS),
    ("useapi", 429, {"error": "Too many"}, R.RATE_LIMITED),
    ("useapi", 500, {"error": "Login failed: invalid credentials"}, R.SESSION_BROKEN),
    ("useapi", 596, {"error": "refresh token rejected", "code": 596}, R.SESSION_BROKEN),
    # Providers with words or codes of their own
    ("openrouter", 401, {"error": {"message": "No auth", "code": 401}}, R.UNAUTHORIZED),
    ("openrouter", 403, {"error": {"message": "Only management keys"}}, R.WRONG_KEY_KIND),
    ("fal", 403, {"detail": "admin key required"}, R.WRONG_KEY_KIND),
    ("featherless", 403, {"code": "organization_permission_denied"}, R.WRONG_KEY_KIND),
    ("zenmux", 403, {"error": "management key required"}, R.WRONG_KEY_KIND),
    ("xai", 403, {"error": "management key required"}, R.WRONG_KEY_KIND),
    ("moonshot", 401, {"error": {"message": "Invalid"}}, R.UNAUTHORIZED),
    ("moonshot", 200, {"code": 5, "data": None}, R.BAD_RESPONSE),
    ("siliconflow", 200, {"code": 30001, "status": False}, R.BAD_RESPONSE),
    ("deepseek", 200, {"is_available": False, "balance_infos": []}, R.BAD_RESPONSE),
    ("heygen", 200, {"data": {"billing_type": "subscription"}}, R.UNSUPPORTED),
    ("worldlabs", 404, {"detail": "not an API user"}, R.FORBIDDEN),
    ("worldlabs", 503, {"detail": "billing backend down"}, R.SERVER_ERROR),
    ("runpod", 200, {"errors": [{"message": "Unauthorized"}]}, R.UNAUTHORIZED),
    ("runpod", 200, {"errors": [{"message": "syntax"}]}, R.BAD_RESPONSE),
    ("one-api", 200, {"error": {"message": "invalid token"}}, R.UNAUTHORIZED),
    ("one-api", 200, {"error": {"message": "quota query failed"}}, R.BAD_RESPONSE),
    *(
        ("klingai", 200, {"code": code, "message": "no"}, R.UNAUTHORIZED)
        for code in range(1001, 1005)
    ),
    ("klingai", 200, {"code": 1102, "message": "used up"}, R.OUT_OF_CREDITS),
    *(("klingai", 200, {"code": code, "message": "wait"}, R.RATE_LIMITED) for code in (1302, 1303)),
]


def _provider(name: str, url: str) -> Provider:
    if name in catalog.names():
        return provider_of(name, url)
    key = {"name": "k", "provider": name, "key": KEY, "url": url}
    return REGISTRY.model(name).model_validate(key).build()


@pytest.mark.parametrize(
    "row",
    MAP,
    ids=[f"{name}: {status} {str(body)[:60]}: {says}" for name, status, body, says in MAP],
)
async def test_an_answer_has_its_reason(
    row: tuple[str, int, Any, Reason], start_server: Callable[..., Awaitable[Any]], http: HttpClient
) -> None:
    name, status, body, reason = row
    answer = {"status": status, "text" if isinstance(body, str) else "body": body}
    server = await start_server(answer=wire(answer))
    with pytest.raises(PollError) as caught:
        await _provider(name, server.url).poll(http)
    assert caught.value.reason is reason


def test_the_table_has_every_reason_that_an_answer_can_have() -> None:
    assert {reason for *_, reason in MAP} == set(R) - {
        R.TLS
    }  # no answer at all: test_http_tls_and_proxy
