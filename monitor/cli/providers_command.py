"""``providers``: what can be watched, and which settings each provider takes."""

from __future__ import annotations

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.options import format_option
from monitor.providers import PROVIDERS, ProviderInfo


@click.command(epilog="\b\nExamples:\n  credit-monitor providers\n  credit-monitor providers kie")
@click.argument("name", required=False)
@format_option("table", "json")
def command(name: str | None, output_format: str) -> None:
    """List the providers, or tell all about the one called NAME.

    Shows which kind of key each needs, how its balance is read and how sure we are of that.
    """
    chosen = PROVIDERS if name is None else (_find(name),)
    if output_format == "json":
        output.print_json(chosen if name is None else chosen[0])
    elif name is None:
        output.print_blocks(_table(chosen))
    else:
        _tell(chosen[0])


def _find(name: str) -> ProviderInfo:
    by_name = {info.name: info for info in PROVIDERS}
    if name not in by_name:
        raise click.UsageError(f"No provider {name!r}.{did_you_mean(name, list(by_name))}")
    return by_name[name]


def _table(infos: tuple[ProviderInfo, ...]) -> output.Table:
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
    )
    for label, text in lines:
        click.echo(f"{label + ':':<15}{text}")
