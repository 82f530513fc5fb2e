"""The forms in which APIs take a key: bearer, basic, a header, a query parameter, or not at all."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.providers.placeholders import NOTHING, fill

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""A token of RFC 9110: the name of a header, and more than enough for a query parameter."""

_AUTH_FORMS = (
    "auth is bearer, basic, none, header:NAME, query:NAME, "
    'or a mapping such as {header: Authorization, prefix: "Token "} or {basic: "{user}:{key}"}'
)


@dataclass(frozen=True, slots=True)
class Auth:
    """How the key is sent; ``name`` is that of the header or query parameter, or for ``basic`` what
    is sent, with ``{key}`` in it.
    """

    kind: Literal["bearer", "basic", "header", "query", "none"]
    name: str = ""
    prefix: str = field(default="", repr=False)

    def headers(self, key: str, values: Mapping[str, Any] = NOTHING) -> dict[str, str]:
        """The headers that carry *key*; *values* are for the places that a text leaves open."""
        match self.kind:
            case "bearer":
                return {"Authorization": f"Bearer {key}"}
            case "basic":
                credentials = self.credentials(key, values).encode()
                return {"Authorization": "Basic " + base64.b64encode(credentials).decode()}
            case "header":
                return {self.name: self.prefix + key}
            case _:
                return {}

    def credentials(self, key: str, values: Mapping[str, Any] = NOTHING) -> str:
        """User and password as one text, which *key* is unless a form is given."""
        return fill(self.name, {**values, "key": key}) if self.name else key

    def parts(self, key: str, values: Mapping[str, Any] = NOTHING) -> tuple[str, ...]:
        """What else of *key* must not be shown: user and password, alone and together."""
        together = self.credentials(key, values) if self.kind == "basic" else key
        return tuple(filter(None, (together, *together.split(":"))))

    def told(self) -> str:
        """How the key is sent, in words."""
        match self.kind:
            case "bearer":
                return "Authorization: Bearer KEY"
            case "basic":
                return f"Authorization: Basic, of {self.credentials('KEY')}"
            case "header":
                return f"{self.name}: {self.prefix}KEY"
            case "query":
                return f"?{self.name}=KEY"
            case _:
                return "no key is sent"

    def url(self, url: str, key: str) -> str:
        """*url*, with the key in it only where the endpoint takes it nowhere else."""
        if self.kind != "query":
            return url
        return f"{url}{'&' if '?' in url else '?'}{quote(self.name)}={quote(key, safe='')}"

    @classmethod
    def parse(cls, value: object) -> Auth:
        """From a word or mapping in the configuration; raises ``ValueError``."""
        if isinstance(value, Auth):
            return value
        if isinstance(value, Mapping) and set(value) in ({"header"}, {"header", "prefix"}):
            name, prefix = value["header"], value.get("prefix", "")
            return cls("header", _checked_name(name), _checked_prefix(prefix))
        if isinstance(value, Mapping) and set(value) == {"basic"}:
            return cls("basic", _checked_form(value["basic"]))
        word, separator, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        match word, separator:
            case ("bearer" | "basic" | "none") as kind, "":
                return cls(kind)
            case ("header" | "query") as kind, ":":
                return cls(kind, _checked_name(name))
        raise ValueError(_AUTH_FORMS)

    def written(self) -> str | dict[str, str]:
        """As the configuration writes it."""
        if self.prefix:
            return {"header": self.name, "prefix": self.prefix}
        if self.kind == "basic" and self.name:
            return {"basic": self.name}
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(_written),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        word = {"type": "string", "pattern": "^(bearer|basic|none|(header|query):.+)$"}
        parts = {"header": {"type": "string"}, "prefix": {"type": "string"}}
        mapping = {
            "type": "object",
            "properties": parts,
            "required": ["header"],
            "additionalProperties": False,
        }
        form = {
            "type": "object",
            "properties": {"basic": {"type": "string"}},
            "required": ["basic"],
            "additionalProperties": False,
        }
        return {"anyOf": [word, mapping, form]}


def _written(auth: Auth) -> str | dict[str, str]:
    return auth.written()


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise ValueError("auth: the name of a header or parameter has letters, digits and hyphens")
    return name


def _checked_form(form: object) -> str:
    if not isinstance(form, str) or "{key}" not in form or ":" not in form:
        raise ValueError('auth: basic is a text with {key} and a colon in it, such as "{key}:"')
    return form


def _checked_prefix(prefix: object) -> str:
    if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable():
        raise ValueError("auth: a prefix is a printable ASCII text")
    return prefix
