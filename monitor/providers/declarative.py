"""``json``: any endpoint that answers JSON, described in the configuration.

The description is data: how to ask (:class:`JsonKey`), when the answer is a success or a known
failure, and which amounts it holds (:class:`MeterRule`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from monitor.core.fields import STRICT, parse_amount
from monitor.core.model import DEFAULT_METER, MeterReading, Reason
from monitor.providers.auth import HEADER_NAME, Auth
from monitor.providers.base import KeySettings, PollError, Provider, ProviderInfo, Secret
from monitor.providers.exchange import Answer, Request, Url, check_plain_http, site_of
from monitor.providers.expressions import Expression, product
from monitor.providers.json_values import ExpressionError, MissingError
from monitor.providers.judge import Words, check_status, try_decode, waiting_time

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

INFO = ProviderInfo(
    name="json",
    title="any endpoint that answers JSON",
    key_kind="whatever the endpoint asks for",
    reads="the amount that the expression in balance names, in your unit",
    request="GET or POST of your url",
    limits="the endpoint's own: mind them when choosing interval",
    top_up_url="",
    documentation="docs/providers.md",
    confidence="yours",
    notes=('auth: bearer, basic (key is "user:password"), header:NAME, query:NAME or none',),
)

_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}


def _header_names(headers: object) -> object:
    for name in headers if isinstance(headers, Mapping) else ():
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise ValueError("a name of a header has letters, digits and hyphens")
        if name.lower() in _FRAMING:
            raise ValueError(f"the header {name} is set by the HTTP library")
    return headers


def _document(value: object) -> object:
    if not isinstance(value, dict | list | None):
        raise ValueError("must be a mapping or a list")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _factor(value: object) -> Decimal:
    factor = parse_amount(value)
    if not factor:
        raise ValueError("is zero, so every balance would be")
    return factor


class MeterRule(BaseModel):
    """Where one amount stands in the answer."""

    model_config = STRICT

    meter: str = Field(default=DEFAULT_METER, min_length=1, description="name of the amount")
    unit: str = Field(min_length=1, max_length=20, description="unit of the amount, such as USD")
    balance: Expression = Field(description='expression for what is left, such as "limit - used"')
    limit: Expression | None = Field(
        default=None, description="expression for what a full balance is; null in it: none"
    )
    expires: Expression | None = Field(
        default=None,
        description="expression for the expiry: ISO 8601, or seconds since 1970; null in it: none",
    )
    unlimited: Expression | None = Field(
        default=None, description='condition under which there is no cap, such as "limit == null"'
    )
    scale: Annotated[Decimal, BeforeValidator(_factor)] = Field(
        default=Decimal(1), description="balance and limit are multiplied by it: 0.01 for cents"
    )

    def read(self, document: Any) -> MeterReading:
        """The amount in *document*; raises :class:`ExpressionError`."""
        free = self.unlimited is not None and self.unlimited.holds(document)
        return MeterReading(
            meter=self.meter,
            unit=self.unit,
            balance=None if free else self._scaled(self._balance(document)),
            limit=self._limit(document),
            expires_at=self._expiry(document),
        )

    def _balance(self, document: Any) -> Decimal:
        amount = self.balance.amount(document)
        if amount is None:
            raise ExpressionError(f"{self.balance.text} is null")
        return amount

    def _limit(self, document: Any) -> Decimal | None:
        amount = self.limit.amount(document) if self.limit else None
        return None if amount is None else self._scaled(amount)

    def _scaled(self, amount: Decimal) -> Decimal:
        return amount if self.scale == 1 else product(amount, self.scale)

    def _expiry(self, document: Any) -> datetime | None:
        value = self.expires.value(document) if self.expires else None
        if value is None or self.expires is None:
            return None
        try:
            moment = _moment(value)
        except (ValueError, OverflowError, OSError):
            raise ExpressionError(f"{self.expires.text} is not a time") from None
        return moment


def _moment(value: object) -> datetime:
    """A time from ISO 8601 text (UTC unless it says otherwise) or seconds since 1970."""
    if isinstance(value, str) and not value.isdecimal():
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(parse_amount(value)), UTC)


class FailureRule(BaseModel):
    """An answer that stands for a known failure, before any general rule."""

    model_config = STRICT

    status: int | None = Field(default=None, ge=100, le=999, description="HTTP status")
    when: Expression | None = Field(
        default=None, description='condition on the answer, such as "code == 401"'
    )
    reason: Reason = Field(description="what it means")

    @model_validator(mode="after")
    def _check_condition(self) -> Self:
        if self.status is None and self.when is None:
            raise ValueError("a failure needs status or when")
        return self

    def matches(self, status: int, document: Any) -> bool:
        """Whether the answer is this failure; a path that is not there does not match."""
        if self.status is not None and self.status != status:
            return False
        if self.when is None:
            return True
        try:
            return self.when.holds(document)
        except ExpressionError:
            return False


class JsonKey(KeySettings, MeterRule):
    """A key of an endpoint that the configuration describes."""

    provider: Literal["json"] = Field(description="any endpoint that answers JSON")
    url: Url = Field(repr=False, description="address that answers with the balance")
    allow_plain_http: str = Field(
        default="", description="host of url that may be asked without TLS, repeated by name"
    )
    method: Literal["GET", "POST"] = Field(default="GET", description="how it is asked")
    headers: Annotated[dict[str, Secret], BeforeValidator(_header_names)] = Field(
        default={}, description="further headers; their values are treated as secrets"
    )
    body: Annotated[dict[str, Any] | list[Any] | None, BeforeValidator(_document)] = Field(
        default=None, repr=False, description="JSON that is sent, with method POST"
    )
    auth: Auth = Field(
        default=Auth("bearer"),
        description="how the key is sent: bearer, basic, header:NAME, query:NAME, none",
    )
    success: Expression | None = Field(
        default=None, description='condition that must hold, such as "code == 0"'
    )
    failures: tuple[FailureRule, ...] = Field(
        default=(), description="answers that stand for a known failure, first match wins"
    )

    @model_validator(mode="after")
    def _check_request(self) -> Self:
        check_plain_http(self.url, self.allow_plain_http)
        if self.body is not None and self.method != "POST":
            raise ValueError("a body needs method: POST")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also the halves of ``user:password``; values of headers, with and without a scheme."""
        halves = self.key.get_secret_value().split(":") if self.key else []
        headers = [value.get_secret_value() for value in self.headers.values()]
        behind_scheme = [value.partition(" ")[2] for value in headers]
        found = (*super().secrets, *halves, *headers, *behind_scheme)
        return tuple(dict.fromkeys(filter(None, found)))

    @property
    def origin(self) -> str:
        """The site: ``json`` itself is no service."""
        return site_of(self.url)

    def build(self) -> Provider:
        """The provider that polls this key; raises ``ValueError`` without a needed key."""
        key = self.key.get_secret_value() if self.key else ""
        if not key and self.auth.kind != "none":
            raise ValueError(f"key {self.name} has no credential")
        return JsonProvider(
            site=site_of(self.url),
            request=self._request(key),
            timeout=self.timeout.total_seconds(),
            secrets=self.secrets,
            success=self.success,
            failures=self.failures,
            meters=(self,),
        )

    def _request(self, key: str) -> Request:
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        body = None
        if self.body is not None:
            headers = {"Content-Type": "application/json", **headers}
            body = _json(self.body).encode()
        return Request(
            self.method,
            self.auth.url(self.url, key),
            headers | self.auth.headers(key),
            body,
            self.allow_plain_http,
        )


def _json(value: Any) -> str:
    """*value* as JSON; a Decimal is written digit by digit, as no float could be."""
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}: {_json(each)}" for name, each in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonProvider:
    """Reads the amounts that the rules name from one answer."""

    site: str
    request: Request
    timeout: float
    secrets: tuple[str, ...] = field(repr=False)
    success: Expression | None
    failures: tuple[FailureRule, ...]
    meters: tuple[MeterRule, ...]

    @property
    def limit_group(self) -> str:
        """The site."""
        return self.site

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """All meters of the answer; raises :class:`PollError`."""
        return self.judge(await http.fetch(self.request, timeout=self.timeout))

    def judge(self, answer: Answer) -> tuple[MeterReading, ...]:
        """The amounts in *answer*; known failures first, then the status, then the success rule."""
        document, unreadable = try_decode(answer.body)
        words = Words(document, self.secrets)
        self._check_failures(answer, document, words)
        check_status(answer, words)
        if unreadable:
            raise unreadable
        try:
            self._check_success(document, words)
            return tuple(rule.read(document) for rule in self.meters)
        except ExpressionError as error:
            problem = str(error)
        raise PollError(Reason.BAD_RESPONSE, problem)

    def _check_failures(self, answer: Answer, document: Any, words: Words) -> None:
        for rule in self.failures:
            if rule.matches(answer.status, document):
                condition = rule.when.text if rule.when else f"HTTP {answer.status}"
                raise PollError(
                    rule.reason, words.after(condition), retry_after=waiting_time(answer)
                )

    def _check_success(self, document: Any, words: Words) -> None:
        if self.success is None:
            return
        try:
            holds = self.success.holds(document)
        except MissingError:
            holds = False
        if not holds:
            raise PollError(Reason.BAD_RESPONSE, words.after(f"not {self.success.text}"))
