"""Keys without a file: those that the environment holds under their usual names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.providers import environment_names
from monitor.providers.catalog import settings_in


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key in the environment: the provider it is for, and the variables that hold it and the
    settings that go with it, by the name of the field.
    """

    provider: str
    variables: Mapping[str, str]


def keys_in(environ: Mapping[str, str]) -> Iterator[FoundKey]:
    """A key per provider of which everything that is needed is set; coded providers first."""
    seen = set()
    for variable, provider in environment_names().items():
        if provider in seen or not environ.get(variable):
            continue
        settings = settings_in(provider, environ)
        if settings is not None:
            seen.add(provider)
            yield FoundKey(provider, {"key": variable, **settings})


def entry_of(found: FoundKey, value: Any) -> dict[str, Any]:
    """The entry of ``keys:`` for *found*, named as its provider; *value* makes a field's value of
    the name of its variable.
    """
    fields = {name: value(variable) for name, variable in found.variables.items()}
    return {"name": found.provider, "provider": found.provider, **fields}
