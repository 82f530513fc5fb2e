"""What one writes to watch a key of a provider: a piece of configuration that loads."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.core.fields import format_duration
from monitor.providers import catalog
from monitor.providers.base import ProviderInfo

_USUAL_INTERVAL = "5m"


def example(info: ProviderInfo) -> str:
    """The section ``keys:`` with one key of this provider, as YAML."""
    variable = next(iter(info.environment), f"{info.name.upper().replace('-', '_')}_KEY")
    lines = [
        "keys:",
        f"  - name: {info.name}",
        f"    provider: {info.name}",
        f"    key: ${{{variable}}}",
        *(f"    {name}: {text}" for name, text in info.example),
        *_settings(info.name),
    ]
    interval = format_duration(info.interval)
    if interval != _USUAL_INTERVAL:
        lines.append(f"    # interval: {interval}")
    return "\n".join(lines) + "\n"


def _settings(name: str) -> Iterator[str]:
    if name not in catalog.names():
        return
    entry = catalog.entry(name)
    if entry.has_own_address:
        yield "    url: https://relay.example.com"
    for field, setting in entry.settings.items():
        value = f"${{{setting.environment}}}" if setting.environment else setting.example
        yield f"    {'' if setting.is_needed else '# '}{field}: {value}"
