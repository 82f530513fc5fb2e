"""The configuration in effect, as YAML without secrets."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, SecretStr

from monitor.config.models import Settings
from monitor.config.problems import Path
from monitor.core.fields import Threshold, format_duration
from monitor.core.rules import Rules
from monitor.providers.expressions import Expression

HIDDEN = "***"


class _Dumper(yaml.CSafeDumper):
    """Writes exact numbers too, and every value out in full."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        """No anchors: people read this."""
        return True


def _represent_amount(dumper: _Dumper, value: Decimal) -> yaml.ScalarNode:
    kind = "int" if value == value.to_integral_value() else "float"
    text = f"{value.normalize():f}"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(Decimal, _represent_amount)


def show(settings: Settings) -> str:
    """Every setting in effect; ``***`` stands for secrets and for what a variable stood for."""
    # With what lies above, for fields that are written in one text what was given in several.
    from_environment = settings.from_environment
    hidden = frozenset(path[:end] for path in from_environment for end in range(len(path) + 1))
    value = _shown(settings, (), hidden)
    value["limits"] = {
        name: _shown(settings.limit(name, name), ("limits", name), frozenset())
        for name in settings.limits
    }
    value["store"] = _shown_store(settings.store.get_secret_value())
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _shown(value: Any, path: Path, hidden: frozenset[Path]) -> Any:
    if isinstance(value, BaseModel):
        return _shown_fields(value, path, hidden)
    if isinstance(value, dict):
        return {name: _shown(each, (*path, name), hidden) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_shown(each, (*path, at), hidden) for at, each in enumerate(value)]
    return _shown_scalar(value, hidden=path in hidden)


def _shown_fields(model: BaseModel, path: Path, hidden: frozenset[Path]) -> dict[str, Any]:
    shown = {}
    written = model.model_dump()
    fields = type(model).model_fields
    for name in sorted(fields, key=lambda each: each not in _FIRST):
        value = getattr(model, name)
        if value is None and name not in _SWITCHED:
            continue  # not set
        if _came_from_elsewhere(model, name):
            continue
        plain = value if isinstance(value, _KNOWN) else written[name]
        shown[name] = "off" if value is None else _shown(plain, (*path, name), hidden)
    return shown


_SWITCHED = frozenset({"web", *Rules.model_fields})
"""Where nothing means that it was switched off."""


_KNOWN = (BaseModel, dict, tuple, list, SecretStr, timedelta, Threshold, Enum)
"""What is written here; other values of a provider's fields are written as the field says."""


_FIRST = frozenset({"name", "provider"})
"""What tells an entry from the others comes first; the rest keeps its order."""


def _came_from_elsewhere(model: BaseModel, name: str) -> bool:
    """Whether a credential is told by its file or systemd name, which the output keeps."""
    others = (f"{name}_file", f"{name}_credential")
    return any(getattr(model, other, None) is not None for other in others)


def _shown_scalar(value: Any, *, hidden: bool) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Threshold):
        return value.amount if value.share is None else str(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return HIDDEN if hidden else str(value)
    return value.text if isinstance(value, Expression) else value


def _shown_store(url: str) -> str:
    """The address of the store without user and password, which may also stand in the query."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return url
    address = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{HIDDEN}@{address}{parts.path}"
