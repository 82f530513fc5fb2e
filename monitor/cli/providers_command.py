"""``providers``: what can be watched, and which settings each provider takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.options import format_option
from monitor.core.fields import format_duration
from monitor.jsonable import to_json
from monitor.providers import REGISTRY, KeySettings, ProviderInfo
from monitor.providers.examples import example

EPILOG = """\b
Examples:
  credit-monitor providers
  credit-monitor providers --search video
  credit-monitor providers openrouter
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option(
    "--search",
    metavar="WORD",
    help="Only those with WORD in name, title, kind or what is told of them.",
)
@format_option("table", "json")
def command(name: str | None, search: str | None, output_format: str) -> None:
    """List the providers, or tell all about the one called NAME.

    The list shows how sure we are of each and what is read; with NAME also which kind of key is
    needed, how the balance is read, the limits, and what to write into the configuration.
    """
    if name is not None and search is not None:
        raise click.UsageError("Give a NAME or --search, not both.")
    known = REGISTRY.names()
    if name is not None and name not in known:
        raise click.UsageError(f"No provider {name!r}.{did_you_mean(name, known)}")
    chosen = [REGISTRY.info(each) for each in known if name in {None, each}]
    if search is not None:
        chosen = [info for info in chosen if _has(info, search)]
    if output_format == "json":
        documents = [_document(info) for info in chosen]
        output.print_json(documents if name is None else documents[0])
    elif name is not None:
        _tell(chosen[0])
    elif chosen:
        output.print_blocks(_table(chosen))
    else:
        click.echo(f"No provider has {search!r} in it; provider: json reads any endpoint.")


def _has(info: ProviderInfo, word: str) -> bool:
    texts = (
        info.name,
        info.title,
        info.group,
        info.reads,
        info.key_kind,
        *info.environment,
        *info.notes,
    )
    return any(word.casefold() in text.casefold() for text in texts)


def _document(info: ProviderInfo) -> dict[str, Any]:
    return {**to_json(info), "settings": _settings(info), "example": example(info)}


def _table(infos: Sequence[ProviderInfo]) -> output.Table:
    """A line for each; what is long stands last, where it widens nothing in a pipe."""
    table = output.Table(("provider", "confidence", "reads"))
    for info in infos:
        table.add(info.name, info.confidence, info.reads)
    return table


def _tell(info: ProviderInfo) -> None:
    check = "" if info.shows_balance else "unsupported: each poll only tells whether the key works"
    lines = (
        ("provider", f"{info.name} ({info.title})"),
        ("key", info.key_kind),
        ("variable", ", ".join(info.environment)),
        ("reads", info.reads),
        ("balance", check),
        ("request", info.request),
        ("interval", f"{format_duration(info.interval)} unless told"),
        ("limits", info.limits),
        ("top up at", info.top_up_url),
        ("documentation", info.documentation),
        ("confidence", info.confidence),
        *(("note", note) for note in info.notes),
        *(("setting", _sentence(setting)) for setting in _settings(info)),
    )
    for label, text in lines:
        if text:
            click.echo(f"{label + ':':<15}{text}")
    click.echo(f"\nIn the configuration:\n\n{example(info)}", nl=False)


def _settings(info: ProviderInfo) -> list[dict[str, Any]]:
    """The settings that only keys of this provider have."""
    model = REGISTRY.model(info.name)
    own = {n: f for n, f in model.model_fields.items() if n not in KeySettings.model_fields}
    return [
        {"name": name, "required": field.is_required(), "description": field.description or ""}
        for name, field in own.items()
    ]


def _sentence(setting: Mapping[str, Any]) -> str:
    need = " (required)" if setting["required"] else ""
    return f"{setting['name']}{need}: {setting['description']}"
