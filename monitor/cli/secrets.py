"""All secrets of a configuration as texts, for what must never show them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from monitor.config import Settings
from monitor.core.rules import Rules
from monitor.providers import KeySettings


def secrets_of(settings: Settings) -> list[str]:
    """Every secret in *settings*: credentials, URLs of channels and of the store."""
    return sorted({text for text in _secrets_in(settings) if text})


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Rules):
        return  # they are numbers and times, and walking through those of every key takes long
    elif isinstance(value, BaseModel):
        if isinstance(value, KeySettings):
            yield from value.secrets
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets_in(item)
