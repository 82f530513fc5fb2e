"""``providers``: what can be watched, and which settings each provider takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.options import format_option
from monitor.jsonable import to_json
from monitor.providers import PROVIDERS, AnyKey, KeySettings, ProviderInfo

EPILOG = """\b
Examples:
  credit-monitor providers
  credit-monitor providers json
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@format_option("table", "json")
def command(name: str | None, output_format: str) -> None:
    """List the providers, or tell all about the one called NAME.

    Shows which kind of key each needs, how its balance is read, how sure we are of that, and the
    settings that a key of it takes beside those of every key.
    """
    chosen = PROVIDERS if name is None else (_find(name),)
    if output_format == "json":
        documents = [to_json(info) | {"settings": _settings(info)} for info in chosen]
        output.print_json(documents if name is None else documents[0])
    elif name is None:
        output.print_blocks(_table(chosen))
    else:
        _tell(chosen[0])


def _find(name: str) -> ProviderInfo:
    by_name = {info.name: info for info in PROVIDERS}
    if name not in by_name:
        raise click.UsageError(f"No provider {name!r}.{did_you_mean(name, list(by_name))}")
    return by_name[name]


def _table(infos: Sequence[ProviderInfo]) -> output.Table:
    table = output.Table(("provider", "reads", "key", "confidence"))
    for info in infos:
        table.add(info.name, info.reads, info.key_kind, info.confidence)
    return table


def _tell(info: ProviderInfo) -> None:
    lines = (
        ("provider", f"{info.name} ({info.title})"),
        ("key", info.key_kind),
        ("reads", info.reads),
        ("request", info.request),
        ("limits", info.limits),
        ("top up at", info.top_up_url or output.NOTHING),
        ("documentation", info.documentation),
        ("confidence", info.confidence),
        *(("note", note) for note in info.notes),
        *(("setting", _sentence(setting)) for setting in _settings(info)),
    )
    for label, text in lines:
        click.echo(f"{label + ':':<15}{text}")


def _settings(info: ProviderInfo) -> list[dict[str, Any]]:
    """The settings that only keys of this provider have."""
    models: Sequence[type[KeySettings]] = get_args(get_args(AnyKey)[0])
    model = next(m for m in models if info.name in get_args(m.model_fields["provider"].annotation))
    own = {n: f for n, f in model.model_fields.items() if n not in KeySettings.model_fields}
    return [
        {"name": name, "required": field.is_required(), "description": field.description or ""}
        for name, field in own.items()
    ]


def _sentence(setting: Mapping[str, Any]) -> str:
    need = " (required)" if setting["required"] else ""
    return f"{setting['name']}{need}: {setting['description']}"
