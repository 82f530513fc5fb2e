"""``klingai``: resource packs of Kling's own API, whose requests carry a token signed per request.

The endpoint is described in the language of the catalog; what that cannot say is here: the token (a
JWT of HS256, RFC 7519) and the span of time that the request names.
``GET /account/costs`` lists packs by the time they were bought and costs nothing.  Seen in client
code; app.klingai.com/global/dev/document-api describes it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from monitor.clock import Clock
from monitor.providers.addressed import AddressedKey, address_field
from monitor.providers.base import Provider, ProviderInfo
from monitor.providers.declarative import JsonProvider
from monitor.providers.endpoint import Endpoint
from monitor.providers.exchange import Url, host_of

if TYPE_CHECKING:
    from monitor.core.model import MeterReading
    from monitor.providers.http import HttpClient

BASE_URL = "https://api-singapore.klingai.com"

TOKEN_SECONDS = 1800
"""How long a token is good for; Kling takes no longer ones."""

_LEEWAY_SECONDS = 5
_BOUGHT_WITHIN_SECONDS = 400 * 86_400
"""Packs are listed by when they were bought, and one bought for a year is still good."""

INFO = ProviderInfo(
    name="klingai",
    title="Kling AI, its own API",
    key_kind='access key and secret key as one text, "ACCESS:SECRET", or a plain API key',
    reads="units left in the resource packs that are active, with the earliest end of one",
    request=f"GET {BASE_URL}/account/costs (Authorization: Bearer, a token signed for 30 minutes)",
    limits="one request a second; the figure is up to 12 hours late",
    top_up_url="https://app.klingai.com/global/dev",
    documentation="https://app.klingai.com/global/dev/document-api",
    confidence="seen in client code",
    example=(("interval", "15m"),),
    notes=(
        "keys of one region are not known in another: url takes the address of yours",
        "credits of the web application are separate and not counted",
        "accounts linked through useapi.net are read by useapi",
    ),
)


class KlingAiKey(AddressedKey):
    """A key of Kling's own API."""

    info: ClassVar[ProviderInfo] = INFO

    provider: Literal["klingai"] = Field(description="Kling AI, its own API")
    url: Url = address_field(BASE_URL)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also both halves of the credential."""
        halves = self.key.get_secret_value().split(":") if self.key else ()
        return (*super().secrets, *filter(None, halves))

    @property
    def is_usual(self) -> bool:
        """Whether it asks Kling itself, whichever its region."""
        return host_of(self.url).endswith(".klingai.com")

    def build(self) -> Provider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        return KlingAiProvider(
            JsonProvider(
                endpoint=endpoint(),
                url=endpoint().url,
                key=self.credential,
                timeout=self.timeout.total_seconds(),
                secrets=self.secrets,
                base=self.url,
                plain_http_host=self.allow_plain_http,
            )
        )


class _Costs(Endpoint):
    @property
    def given_names(self) -> frozenset[str]:
        """The span of time, which each poll names."""
        return frozenset({"start", "end"})


@cache
def endpoint() -> Endpoint:
    """What is asked, and how its answer is read; shared by all keys."""
    packs = "data.resource_pack_subscribe_infos"
    known = ("online", "toBeOnline", "expired", "runOut")
    unknown = " and ".join(f'status != "{status}"' for status in known)
    return _Costs.model_validate(
        {
            "url": f"{BASE_URL}/account/costs?start_time={{start}}&end_time={{end}}",
            "success": "code == 0",
            "failures": [
                {"when": "code >= 1001 and code <= 1004", "reason": "unauthorized"},
                {"when": "code == 1102", "reason": "out_of_credits"},
                {"when": "code == 1302 or code == 1303", "reason": "rate_limited"},
                {
                    "when": f"code == 0 and has({packs}) and not has({packs}[])",
                    "reason": "unsupported",
                    "hint": "there are no resource packs, so the account is paid by use",
                },
                {
                    "when": f"code == 0 and has({packs}[{unknown}])",
                    "reason": "bad_response",
                    "hint": "a resource pack is in a state that nobody knows",
                },
            ],
            "balance": f'sum({packs}[status == "online"].remaining_quantity)',
            "unit": "units",
            "expires": f'earliest({packs}[status == "online"].invalid_time)',
        }
    )


@dataclass(frozen=True, slots=True)
class KlingAiProvider:
    """Signs a token for each poll; everything else is data."""

    inner: JsonProvider
    clock: Clock = field(default_factory=Clock, repr=False)

    @property
    def limit_group(self) -> str:
        """The site."""
        return self.inner.limit_group

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """The units of all packs as the one amount; raises ``PollError``."""
        return await self.at(self.clock.now().timestamp()).poll(http)

    def at(self, now: float) -> JsonProvider:
        """What is asked at *now*, in seconds since 1970."""
        access, colon, secret = self.inner.key.partition(":")
        token = signed(access, secret, now) if colon else access
        milliseconds = int(now * 1000)
        start = milliseconds - _BOUGHT_WITHIN_SECONDS * 1000
        values = {"start": str(start), "end": str(milliseconds)}
        secrets = (*self.inner.secrets, token)
        return replace(self.inner, key=token, values=values, secrets=secrets)


def signed(access: str, secret: str, now: float) -> str:
    """A token for *access*, signed with *secret*, good for half an hour from *now* on."""
    claims = {"iss": access, "exp": int(now) + TOKEN_SECONDS, "nbf": int(now) - _LEEWAY_SECONDS}
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_base64(signature)}"


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
