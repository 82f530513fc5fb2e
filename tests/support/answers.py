"""Recorded answers of the catalog's providers, and what each must be read as."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from monitor.core.model import Kind, MeterReading
from monitor.providers import REGISTRY, catalog
from monitor.providers.declarative import JsonProvider
from monitor.providers.exchange import Answer

FOLDER = Path(__file__).parents[1] / "fixtures" / "providers"
KEY = "catalog-test-key-0123456789"
MANDATORY = "setting-text"
"""What stands for the settings that a key of an entry needs."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One file: the answers of a poll in their order, and what it must come to."""

    provider: str
    name: str
    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.name}"

    @property
    def answers(self) -> list[Mapping[str, Any]]:
        return [*self.content.get("lookup", ()), *self.content.get("more", ()), self.content]

    @property
    def is_reading(self) -> bool:
        return "reason" not in self.content

    @property
    def reading(self) -> tuple[MeterReading, ...]:
        """The amounts in the file; none for a key check."""
        return tuple(map(_meter, self.content.get("meters", ())))

    def provider_at(self, url: str | None = None, **more: Any) -> JsonProvider:
        """The provider of a key that is asked at *url*, with the settings of the file."""
        return provider_of(self.provider, url, **self.content.get("settings", {}), **more)


def _meter(written: Mapping[str, Any]) -> MeterReading:
    value: dict[str, Any] = dict(written)
    for name in ("balance", "limit"):
        if value.get(name) is not None:
            value[name] = Decimal(value[name])
    if "expires_at" in value:
        value["expires_at"] = datetime.fromisoformat(value["expires_at"])
    if "kind" in value:
        value["kind"] = Kind(value["kind"])
    return MeterReading(**{"balance": None, **value})


def provider_of(name: str, url: str | None = None, **settings: Any) -> JsonProvider:
    """The provider of a key of the catalog's entry *name*, with what it needs filled in."""
    entry = catalog.entry(name)
    needed = {each: MANDATORY for each, setting in entry.settings.items() if setting.is_needed}
    if url is None and entry.has_own_address:
        url = "https://relay.example.com"
    fields = {"name": "k", "provider": name, "key": KEY, "url": url} | needed | settings
    built = REGISTRY.model(name).model_validate(fields).build()
    assert isinstance(built, JsonProvider)
    return built


def recorded_answers() -> Iterator[Recorded]:
    """Every file of every provider of the catalog."""
    for name in catalog.names():
        for file in sorted((FOLDER / name).glob("*.json")):
            yield Recorded(name, file.stem, json.loads(file.read_text("utf-8")))


def body_of(answer: Mapping[str, Any]) -> bytes:
    """The body as it goes over the wire."""
    text: str = answer["text"] if "text" in answer else json.dumps(answer["body"])
    return text.encode()


def answer_of(answer: Mapping[str, Any]) -> Answer:
    """What the HTTP door makes of it."""
    return Answer(answer["status"], answer.get("headers", {}), body_of(answer))


def wire(answer: Mapping[str, Any]) -> bytes:
    """The whole answer as it goes over the wire."""
    body = body_of(answer)
    headers = {"Content-Type": "application/json"} | answer.get("headers", {})
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {answer['status']} Any", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
