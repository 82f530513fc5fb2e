"""kie.ai: one balance in credits per account, read from ``GET /api/v1/chat/credit``.

kie reports most errors in the member ``code`` of the body under HTTP 200, but real HTTP statuses
occur as well, so both are judged: the code first, then the status, then the shape of ``data``.
Source: https://docs.kie.ai/common-api/get-account-credits
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

from pydantic import Field, model_validator

from monitor.core.model import MeterReading, Reason
from monitor.providers.base import KeySettings, PollError, Provider, ProviderInfo
from monitor.providers.exchange import Answer, Request, Url, check_plain_http, host_of, site_of
from monitor.providers.judge import (
    LONGEST_WAIT,
    Words,
    amount,
    check_status,
    reason_of_status,
    try_decode,
    waiting_time,
)

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

BASE_URL = "https://api.kie.ai"
PATH = "/api/v1/chat/credit"
UNIT = "credits"

INFO = ProviderInfo(
    name="kie",
    title="kie.ai",
    key_kind="an ordinary API key, from kie.ai/api-key",
    reads="the balance of the account, in credits (1 credit = 0.005 USD)",
    request=f"GET {BASE_URL}{PATH}",
    limits="none documented for this call",
    top_up_url="https://kie.ai/billing",
    documentation="https://docs.kie.ai/common-api/get-account-credits",
    confidence="documented",
    environment=("KIE_API_KEY",),
    notes=(
        "the call is free",
        (
            "the figure is the account's: a cap of the key does not show in it; a capped key is "
            "told as key_capped (code 433, seen in live answers but not documented)"
        ),
        "credits of failed tasks come back, so the balance rises without a top-up",
    ),
)

_SUCCESS = 200
_CAPPED = 433  # not in the documented list; seen in live answers of capped keys
_BY_CODE = {
    401: Reason.UNAUTHORIZED,
    402: Reason.OUT_OF_CREDITS,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    429: Reason.RATE_LIMITED,
    _CAPPED: Reason.KEY_CAPPED,
    455: Reason.MAINTENANCE,
    500: Reason.SERVER_ERROR,
    501: Reason.SERVER_ERROR,
    505: Reason.UNSUPPORTED,
    400: Reason.BAD_RESPONSE,
    422: Reason.BAD_RESPONSE,
}
_CAP = re.compile(r"hourly|daily|total", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,7}) ?s(?:econds?)?\b", re.IGNORECASE | re.ASCII)


class KieKey(KeySettings):
    """A key of kie.ai, or of a service of the same shape under another ``url``."""

    provider: Literal["kie"] = Field(default="kie", description="kie.ai")
    url: Url = Field(default=BASE_URL, repr=False, description="base address of the API")
    allow_plain_http: str = Field(
        default="", description="host of url that may be asked without TLS, repeated by name"
    )

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        check_plain_http(self.url, self.allow_plain_http)
        return self

    @property
    def top_up_url(self) -> str:
        """kie.ai's page for buying credits; unknown for a service under another address."""
        return INFO.top_up_url if host_of(self.url) == host_of(BASE_URL) else ""

    @property
    def origin(self) -> str:
        """kie.ai, or the site of another service of its shape, which is down by itself."""
        return self.provider if host_of(self.url) == host_of(BASE_URL) else site_of(self.url)

    def build(self) -> Provider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        if self.key is None:
            raise ValueError(f"key {self.name} has no credential")
        return KieProvider(
            self.url,
            self.key.get_secret_value(),
            secrets=self.sent,
            timeout=self.timeout.total_seconds(),
            plain_http_host=self.allow_plain_http,
        )


@dataclass(frozen=True, slots=True)
class KieProvider:
    """Reads the credits of one kie.ai account, or of a service of the same shape.

    The request is made anew for every poll: kept, those of 10,000 keys would hold 5 MB.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)
    timeout: float
    plain_http_host: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def limit_group(self) -> str:
        """The site: kie.ai limits per account, which we cannot tell apart by key."""
        return site_of(self.url)

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """The account's balance as the one meter; raises :class:`PollError`."""
        answer = await http.fetch(self._request(), timeout=self.timeout)
        return (self.judge(answer),)

    def _request(self) -> Request:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return Request(
            "GET", self.url.rstrip("/") + PATH, headers, plain_http_host=self.plain_http_host
        )

    def judge(self, answer: Answer) -> MeterReading:
        """The balance in *answer*; raises :class:`PollError`, whose text is free of secrets."""
        return judge(answer, (self.key, *self.secrets))


def judge(answer: Answer, secrets: Iterable[str]) -> MeterReading:
    """The balance in *answer*; raises :class:`PollError`, whose text is free of *secrets*."""
    document, unreadable = try_decode(answer.body)
    words = Words(document, secrets)
    members = document if isinstance(document, dict) else {}
    code = _number(members.get("code"))
    if code is not None and code != _SUCCESS:
        _refuse(code, answer, words)
    check_status(answer, words)
    if unreadable:
        raise unreadable
    if code is None:
        _refuse_without_code(members, words)
    if "data" not in members:
        raise PollError(Reason.BAD_RESPONSE, "data is missing")
    return MeterReading(unit=UNIT, balance=amount(members["data"], "data"))


def _refuse(code: int, answer: Answer, words: Words) -> NoReturn:
    """Raise what *code* means; an unknown one says less than an HTTP status that is an error."""
    if code not in _BY_CODE:
        check_status(answer, words)
    reason = _BY_CODE.get(code, Reason.BAD_RESPONSE)
    detail, wait = words.after(f"code {code}"), waiting_time(answer)
    if reason is Reason.KEY_CAPPED:
        detail, wait = _cap(detail), wait or _seconds(detail)
    raise PollError(reason, detail, retry_after=wait)


def _refuse_without_code(members: dict[str, Any], words: Words) -> NoReturn:
    """Raise for an answer under HTTP 200 that is no envelope of kie's, perhaps Spring's own."""
    status = _number(members.get("status"))
    reason = reason_of_status(status) if status is not None else None
    if reason is None:
        raise PollError(Reason.BAD_RESPONSE, "code is missing")
    raise PollError(reason, words.after(f"status {status}"))


def _number(value: object) -> int | None:
    """A code as a number, also when it comes as text."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,5}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cap(detail: str) -> str:
    """Say which cap of the key is reached; the account may still be full."""
    which = _CAP.search(detail)
    return f"the {which[0].lower()} cap of this key is reached ({detail})" if which else detail


def _seconds(detail: str) -> timedelta | None:
    found = _SECONDS.search(detail)
    return min(timedelta(seconds=int(found[1])), LONGEST_WAIT) if found else None
