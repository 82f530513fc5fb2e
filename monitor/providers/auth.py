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

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""A token of RFC 9110: the name of a header, and more than enough for a query parameter."""

_AUTH_FORMS = (
    "auth is bearer, basic, none, header:NAME, query:NAME, "
    'or a mapping such as {header: Authorization, prefix: "Token "}'
)


@dataclass(frozen=True, slots=True)
class Auth:
    """How the key is sent; ``name`` is that of the header or query parameter."""

    kind: Literal["bearer", "basic", "header", "query", "none"]
    name: str = ""
    prefix: str = field(default="", repr=False)

    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry *key*."""
        match self.kind:
            case "bearer":
                return {"Authorization": f"Bearer {key}"}
            case "basic":
                return {"Authorization": "Basic " + base64.b64encode(key.encode()).decode()}
            case "header":
                return {self.name: self.prefix + key}
            case _:
                return {}

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
        return {"anyOf": [word, mapping]}


def _written(auth: Auth) -> str | dict[str, str]:
    return auth.written()


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise ValueError("auth: the name of a header or parameter has letters, digits and hyphens")
    return name


def _checked_prefix(prefix: object) -> str:
    if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable():
        raise ValueError("auth: a prefix is a printable ASCII text")
    return prefix
