"""``json``: any endpoint that answers JSON, described in the configuration.

The description is data, in the language of :mod:`monitor.providers.endpoint`; the catalog is
written in the same one and read by the same :class:`JsonProvider`.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from monitor.core.model import MeterReading, Reason
from monitor.providers.addressed import PLAIN_HTTP_FIELD
from monitor.providers.base import KeySettings, PollError, Provider, ProviderInfo
from monitor.providers.endpoint import OWN_ADDRESS, UUID, Endpoint, Lookup
from monitor.providers.exchange import Answer, Request, check_plain_http, site_of
from monitor.providers.expressions import Scope
from monitor.providers.json_values import Each, ExpressionError, MissingError
from monitor.providers.judge import Words, check_status, presentable, try_decode, waiting_time
from monitor.providers.meters import MOST_METERS, checked, read_all
from monitor.providers.placeholders import NOTHING, fill, fill_document, fill_url

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

INFO = ProviderInfo(
    name="json",
    title="any endpoint that answers JSON",
    key_kind="whatever the endpoint asks for",
    reads="the amounts that your expressions name, in your units",
    request="GET or POST of your url",
    limits="the endpoint's own: mind them when choosing interval",
    top_up_url="",
    documentation="docs/json.md",
    confidence="yours",
    example=(("url", "https://api.example.com/me"), ("balance", "limit - used"), ("unit", "USD")),
    notes=('auth: bearer, basic (key is "user:password"), header:NAME, query:NAME or none',),
)


class JsonKey(KeySettings, Endpoint):
    """A key of an endpoint that the configuration describes."""

    provider: Literal["json"] = Field(description="any endpoint that answers JSON")
    allow_plain_http: str = PLAIN_HTTP_FIELD

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        for url in self.addresses:
            check_plain_http(url, self.allow_plain_http)
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also the halves of ``user:password``; values of headers, with and without a scheme."""
        halves = self.auth.parts(self.key.get_secret_value()) if self.key else ()
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
        is_open = self.auth.kind == "none" and self.key is None
        return JsonProvider(
            endpoint=self,
            url=self.url,
            key="" if is_open else self.credential,
            timeout=self.timeout.total_seconds(),
            secrets=self.secrets,
            plain_http_host=self.allow_plain_http,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonProvider:
    """Reads the amounts that *endpoint* names; many keys may share one endpoint.

    ``values`` are the settings of the key, for the places that the endpoint leaves open; ``base``
    takes the place of scheme and host of every address; ``only`` names the amounts that are wanted,
    where not all of them are.  Requests are made anew for every poll:
    kept, those of 10,000 keys would hold 5 MB.
    """

    endpoint: Endpoint = field(repr=False)
    url: str = field(repr=False)
    key: str = field(repr=False)
    timeout: float
    secrets: tuple[str, ...] = field(repr=False)
    values: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    base: str = field(default="", repr=False)
    plain_http_host: str = ""
    only: tuple[str, ...] = ()

    @property
    def limit_group(self) -> str:
        """The site."""
        return site_of(self.base or self.url)

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """All amounts, none for a key check; raises :class:`PollError`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.timeout

        async def ask(request: Request) -> Answer:
            return await http.fetch(request, timeout=max(deadline - clock(), 0))

        found: dict[str, Any] = dict(self.values)
        for lookup in self.endpoint.lookup:
            if not lookup.take.keys() <= found.keys():
                found |= self.take(lookup, await ask(self.first_request(lookup, found)), found)
        meters: list[MeterReading] = []
        for one in self.each(found):
            meters += self.read(await ask(self.request(one)), one)
        return self.result(meters)

    def judge(self, answer: Answer) -> tuple[MeterReading, ...]:
        """The amounts in the *answer* to the one request of an endpoint without look-ups."""
        return self.result(self.read(answer, self.values))

    def request(self, found: Mapping[str, Any] = NOTHING) -> Request:
        """The request that tells the balance, given what was *found* before."""
        endpoint, body = self.endpoint, None
        with _bad_response():
            headers = self._headers(found)
            url = self._address(endpoint.url, found)
            if endpoint.body is not None:
                headers = {"Content-Type": "application/json", **headers}
                values = {**found, UUID: str(uuid.uuid4())}
                body = _json(fill_document(endpoint.body, values)).encode()
        return Request(endpoint.method, url, headers, body, self.plain_http_host)

    def first_request(self, lookup: Lookup, found: Mapping[str, Any]) -> Request:
        """The request of a look-up."""
        with _bad_response():
            url, headers = self._address(lookup.url, found), self._headers(found)
        return Request("GET", url, headers, None, self.plain_http_host)

    def _headers(self, found: Mapping[str, Any]) -> dict[str, str]:
        written = self.endpoint.headers.items()
        headers = {name: fill(value.get_secret_value(), found) for name, value in written}
        return headers | self.endpoint.auth.headers(self.key, found)

    def _address(self, url: str, found: Mapping[str, Any]) -> str:
        return self.endpoint.auth.url(fill_url(rebased(url, self.base), found), self.key)

    def take(self, lookup: Lookup, answer: Answer, found: Mapping[str, Any]) -> dict[str, Any]:
        """What *lookup* wants of *answer*; raises :class:`PollError`."""
        scope = self._accepted(answer, found)
        with _bad_response():
            self._check_success(scope)
            taken = {name: rule.value(scope) for name, rule in lookup.take.items()}
            for name, value in taken.items():
                if isinstance(value, Each) and not 0 < len(value) <= MOST_METERS:
                    raise ExpressionError(f"{lookup.take[name].text} finds {len(value)} values")
        return taken

    def read(self, answer: Answer, found: Mapping[str, Any]) -> list[MeterReading]:
        """The amounts in *answer*; known failures first, then the status, then the success rule."""
        scope = self._accepted(answer, found)
        with _bad_response():
            self._check_success(scope)
            return read_all(self.endpoint.amounts, scope, self.only)

    def result(self, meters: list[MeterReading]) -> tuple[MeterReading, ...]:
        """What the amounts of all answers come to; raises :class:`PollError`."""
        if self.endpoint.key_check:
            return ()
        with _bad_response():
            found = checked(meters)
        known = [meter.meter for meter in found]
        missing = next((name for name in self.only if name not in known), None)
        if missing is not None:
            there = presentable(", ".join(known), self.secrets)
            raise PollError(Reason.UNSUPPORTED, f"no amount is called {missing}; there is {there}")
        return tuple(meter for meter in found if not self.only or meter.meter in self.only)

    def _accepted(self, answer: Answer, found: Mapping[str, Any]) -> Scope:
        """The document of an answer that is no failure; raises :class:`PollError`."""
        document, unreadable = try_decode(answer.body)
        words = Words(document, self.secrets)
        scope = Scope(document, document, found)
        self._check_failures(answer, scope, words)
        check_status(answer, words)
        if unreadable:
            raise unreadable
        return scope

    def _check_failures(self, answer: Answer, scope: Scope, words: Words) -> None:
        for rule in self.endpoint.failures:
            if rule.matches(answer, scope):
                detail = words.after(rule.label(answer.status))
                hint = f"; {rule.hint}" if rule.hint else ""
                raise PollError(rule.reason, detail + hint, retry_after=waiting_time(answer))

    def _check_success(self, scope: Scope) -> None:
        rule = self.endpoint.success
        if rule is None:
            return
        try:
            holds = rule.holds(scope)
        except MissingError:
            holds = False
        if not holds:
            words = Words(scope.document, self.secrets)
            raise PollError(Reason.BAD_RESPONSE, words.after(f"{rule.text} does not hold"))

    @staticmethod
    def each(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """*found* once, or once for every value where a look-up found several."""
        name = next((name for name, value in found.items() if isinstance(value, Each)), None)
        if name is None:
            yield found
            return
        for value in found[name]:
            yield {**found, name: value}


@contextmanager
def _bad_response() -> Iterator[None]:
    """What an expression does not find, as a poll that gave no reading."""
    try:
        yield
    except ExpressionError as error:
        problem = str(error)
    else:
        return
    raise PollError(Reason.BAD_RESPONSE, problem)


def rebased(url: str, base: str) -> str:
    """*url* with *base* in place of its scheme and host, or of ``{url}``, where there is a base."""
    if not base:
        return url
    if url.startswith(OWN_ADDRESS):
        return base.rstrip("/") + url.removeprefix(OWN_ADDRESS)
    _, _, behind = url.partition("://")
    _, slash, path = behind.partition("/")
    return base.rstrip("/") + slash + path


def _json(value: Any) -> str:
    """*value* as JSON; a Decimal is written digit by digit, as no float could be."""
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}: {_json(each)}" for name, each in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
