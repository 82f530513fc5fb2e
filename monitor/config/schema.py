"""The JSON Schema of the configuration file, for editors and for "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from monitor.config.models import Settings
from monitor.config.problems import Path
from monitor.core.fields import format_duration
from monitor.providers import REGISTRY

_SWITCH: dict[str, Any] = {"enum": ["on", "off", True, False]}


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as one writes them: ``5m`` and ``20%``, not what they become."""

    def encode_default(self, dft: Any) -> Any:
        """*dft* as it stands in a file."""
        if isinstance(dft, timedelta):
            return format_duration(dft)
        if hasattr(dft, "__get_pydantic_core_schema__"):
            return TypeAdapter(type(dft)).dump_python(dft, mode="json")
        return super().encode_default(dft)


def schema() -> dict[str, Any]:
    """What a configuration file may hold, as JSON Schema 2020-12 (json-schema.org)."""
    document = Settings.model_json_schema(schema_generator=_AsWritten)
    document["required"] = ["keys"]  # the store is filled in by the loader
    for rule in document["$defs"]["Rules"]["properties"].values():
        rule["anyOf"] = [*rule["anyOf"], _SWITCH]
    document["properties"]["web"]["anyOf"].append(_SWITCH)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document,
        "title": "credit-monitor configuration",
    }


_ENTRY = 2
"""Steps to an entry of a section: its name, and the position."""


def fields_at(path: Path, document: Any) -> list[str]:
    """The names of the fields that may stand in the mapping at *path* of *document*."""
    return sorted({name for form in _forms_at(path, document) for name in _fields(form)})


def description_at(path: Path, document: Any) -> str:
    """What the field at *path* of *document* is; empty where nothing is said about it."""
    *above, name = path
    if not isinstance(name, str):
        return ""
    if path[0] == "keys" and len(above) == _ENTRY:  # the schema is loose about the catalog
        entry = _descend(_descend(document, "keys"), path[1])
        own = REGISTRY.model(str(_descend(entry, "provider"))).model_fields.get(name)
        return (own.description if own else None) or ""
    found = (_fields(form).get(name, {}) for form in _forms_at(tuple(above), document))
    return next((text for each in found if (text := each.get("description"))), "")


def _forms_at(path: Path, document: Any) -> list[dict[str, Any]]:
    whole = _cached()
    nodes = [whole]
    value = document
    for step in path:
        forms = [form for node in nodes for form in _forms(node, value, whole)]
        nodes = [child for form in forms if (child := _child(form, step)) is not None]
        value = _descend(value, step)
    return [form for node in nodes for form in _forms(node, value, whole)]


def _fields(form: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = form.get("properties", {})
    return fields


@cache
def _cached() -> dict[str, Any]:
    return schema()


def _forms(node: dict[str, Any], value: Any, whole: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The alternatives of *node*; of entries told apart by a field, the one that *value* is."""
    if "$ref" in node:
        yield from _forms(whole["$defs"][node["$ref"].rpartition("/")[2]], value, whole)
        return
    discriminator = node.get("discriminator")
    if discriminator and isinstance(value, dict):
        chosen = discriminator["mapping"].get(str(value.get(discriminator["propertyName"])))
        if chosen is not None:
            yield from _forms({"$ref": chosen}, value, whole)
            return
    if "properties" in node or "items" in node or "additionalProperties" in node:
        yield node
        return
    for form in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
        yield from _forms(form, value, whole)


def _child(form: dict[str, Any], step: str | int) -> dict[str, Any] | None:
    if isinstance(step, int):
        child = form.get("items")
    else:
        child = form.get("properties", {}).get(step, form.get("additionalProperties"))
    return child if isinstance(child, dict) else None


def _descend(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None
