"""The OpenAPI document of the JSON API; the schemas are read off the values that are sent."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from monitor.overviews import KeyOverview
from monitor.queries import KeyHistory
from monitor.web import api

_ANSWERS = (api.KeyList, KeyOverview, KeyHistory, api.AlertList, api.NotificationList)


class _Schemas(GenerateJsonSchema):
    """JSON Schema of our values as :func:`monitor.jsonable.to_json` writes them."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:  # noqa: ARG002 - given
        """A text with all digits."""
        return {"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002 - given
        """A number of seconds."""
        return {"type": "number", "description": "seconds"}

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: ARG002, FBT001 - given
        """Every field is always sent."""
        return True


@lru_cache(maxsize=1)
def document(version: str) -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "credit-monitor",
            "version": version,
            "description": (
                "What credit-monitor knows, read-only. Amounts are decimal texts in the unit "
                "beside them; times are ISO 8601 in UTC."
            ),
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    adapters: Any = [(kind, "serialization", TypeAdapter(kind)) for kind in _ANSWERS]
    _, found = TypeAdapter.json_schemas(
        adapters, schema_generator=_Schemas, ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    schemas["Subject"]["properties"] |= {"id": {"type": "string"}, "label": {"type": "string"}}
    schemas["Subject"]["required"] += ["id", "label"]
    schemas["Error"] = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "parameter"],
                "properties": {
                    "message": {"type": "string"},
                    "parameter": {"type": ["string", "null"]},
                },
            }
        },
    }
    return schemas


def _paths() -> dict[str, Any]:
    limit = _integer("limit", 1, api.MAX_RECORDS, api.DEFAULT_RECORDS)
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    since = {
        "name": "since",
        "in": "query",
        "description": "a length such as 24h or 7d, or a time such as 2026-05-01T00:00:00Z",
        "schema": {"type": "string", "default": "24h"},
    }
    keys_limit = _integer("limit", 1, api.MAX_KEYS, api.DEFAULT_KEYS)
    offset = _integer("offset", 0, api.MAX_OFFSET, 0)
    return {
        "/api/v1/keys": _get("The watched keys", "KeyList", keys_limit, offset),
        "/api/v1/keys/{name}": _get("One watched key", "KeyOverview", name),
        "/api/v1/keys/{name}/history": _get("A key's balances", "KeyHistory", name, since),
        "/api/v1/alerts": _get(
            "The newest alerts", "AlertList", _choice("state", api.ALERT_STATES), limit
        ),
        "/api/v1/notifications": _get(
            "The newest notifications",
            "NotificationList",
            _choice("state", api.NOTIFICATION_STATES),
            limit,
        ),
    }


def _get(summary: str, answer: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": _response("what was asked for", answer)}
    if any(parameter["in"] == "query" for parameter in parameters):
        responses["400"] = _response("a parameter cannot be used; it is named", "Error")
    if any(parameter["in"] == "path" for parameter in parameters):
        responses["404"] = _response("no key of this name is watched", "Error")
    responses["503"] = _response("the store does not answer", "Error")
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}


def _response(text: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}


def _integer(name: str, low: int, high: int, default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return {"name": name, "in": "query", "schema": schema}


def _choice(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    schema = {"type": "string", "enum": [str(word) for word in words], "default": api.ALL}
    return {"name": name, "in": "query", "schema": schema}
