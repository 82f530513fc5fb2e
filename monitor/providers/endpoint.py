"""How an endpoint is asked and its answer is read: the language of the catalog and of ``json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from monitor.core.fields import STRICT
from monitor.core.model import Reason
from monitor.providers.auth import HEADER_NAME, Auth
from monitor.providers.base import Secret
from monitor.providers.exchange import Answer, Url
from monitor.providers.expressions import Expression, Scope
from monitor.providers.json_values import ExpressionError
from monitor.providers.meters import MeterRule
from monitor.providers.placeholders import names_in

UUID = "uuid"
"""The placeholder for a new UUID in every request."""

OWN_ADDRESS = "{url}"
"""Where an address of the catalog begins with it, every user has their own to give."""

_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
_SEARCHED = 65536


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


def _several(value: object) -> object:
    return (value,) if isinstance(value, str | int) else value


Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Status = Annotated[int, Field(ge=100, le=999)]
FoundName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class FailureRule(BaseModel):
    """An answer that stands for a known failure, before any general rule."""

    model_config = STRICT

    status: Annotated[tuple[Status, ...], BeforeValidator(_several)] = Field(
        default=(), description="HTTP status, or several"
    )
    when: Expression | None = Field(
        default=None, description='condition on the answer, such as "code == 401"'
    )
    says: tuple[Word, ...] = Field(
        default=(), description="words of which one stands somewhere in the answer, in any case"
    )
    reason: Reason = Field(description="what it means")
    hint: str = Field(default="", max_length=200, description="what to do, told to the person")

    @model_validator(mode="after")
    def _check_condition(self) -> Self:
        if not (self.status or self.when or self.says):
            raise ValueError("a failure needs status, when or says")
        return self

    def matches(self, answer: Answer, scope: Scope) -> bool:
        """Whether the answer is this failure; a path that is not there does not match."""
        if self.status and answer.status not in self.status:
            return False
        if self.says and not self._is_said(answer, scope.document):
            return False
        try:
            return self.when is None or self.when.holds(scope)
        except ExpressionError:
            return False

    def _is_said(self, answer: Answer, document: Any) -> bool:
        if document is None:
            text = answer.body[:_SEARCHED].decode("utf-8", "replace")
        else:  # written anew, because a text may have come with its letters escaped
            text = json.dumps(document, ensure_ascii=False, default=str)[:_SEARCHED]
        return any(word.casefold() in text.casefold() for word in self.says)

    def label(self, status: int) -> str:
        """What was recognised, in front of the provider's own words; a hint says it better."""
        return self.when.text if self.when and not self.hint else f"HTTP {status}"


class Lookup(BaseModel):
    """A request before the one that tells the balance, for what that one needs to be asked."""

    model_config = STRICT

    url: str = Field(repr=False, min_length=1, description="address that is asked first, with GET")
    take: dict[FoundName, Expression] = Field(
        min_length=1,
        description="what is taken from its answer, by name: {name} in url, found.name in"
        " expressions; a list stands for a request each",
    )


class Endpoint(MeterRule):
    """One request (or a look-up and what follows) and how its answer is judged and read."""

    url: Url = Field(repr=False, description="address that answers with the balance")
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
    lookup: tuple[Lookup, ...] = Field(
        default=(), max_length=3, description="requests that come first, each using those before"
    )
    success: Expression | None = Field(
        default=None, description='condition that must hold, such as "code == 0"'
    )
    failures: tuple[FailureRule, ...] = Field(
        default=(), description="answers that stand for a known failure, first match wins"
    )
    key_check: bool = Field(
        default=False, description="there is no balance: the answer only tells that the key works"
    )
    meters: tuple[MeterRule, ...] = Field(
        default=(), description="several amounts, each with the fields of one"
    )

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.body is not None and self.method != "POST":
            raise ValueError("a body needs method: POST")
        if sum((self.balance is not None, bool(self.meters), self.key_check)) != 1:
            raise ValueError("give one of balance (with unit), meters and key_check: true")
        for rule in self.amounts:
            if complaint := rule.complaint():
                place = f"meter {rule.meter}: " if self.meters else ""
                raise ValueError(place + complaint)
        self._check_placeholders()
        return self

    def _check_placeholders(self) -> None:
        known = {UUID, *self.given_names}
        for lookup in self.lookup:
            _refuse_unknown(lookup.url, known)
            known |= lookup.take.keys()
        _refuse_unknown(self.url, known)

    @property
    def given_names(self) -> frozenset[str]:
        """Names of placeholders that the key's own settings fill."""
        return frozenset()

    @property
    def amounts(self) -> tuple[MeterRule, ...]:
        """One per amount; none for a key check."""
        return () if self.key_check else self.meters or (self,)

    @property
    def addresses(self) -> Iterator[str]:
        """Every address that is asked, in order."""
        yield from (lookup.url for lookup in self.lookup)
        yield self.url


def _refuse_unknown(url: str, known: set[str]) -> None:
    for name in names_in(url):
        if name not in known:
            raise ValueError(f"nothing is known to put in place of {{{name}}} in an address")
