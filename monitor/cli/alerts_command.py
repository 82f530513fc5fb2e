"""``alerts``: open and past alerts, each with its deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from monitor import records
from monitor.cli import output
from monitor.cli.options import format_option, limit_option
from monitor.cli.silences import SILENCES_IN_FORCE, silence_table
from monitor.cli.sources import reading_store, settings_to_read
from monitor.core import wording
from monitor.records import AlertRecord
from monitor.silencing import Silencing
from monitor.world import watched_key

EPILOG = """\b
Examples:
  credit-monitor alerts --open
  credit-monitor alerts --limit 5 --format json
"""


@click.command(epilog=EPILOG)
@click.option("--open", "only_open", is_flag=True, help="Only alerts that are still open.")
@limit_option(50, "alerts")
@format_option("table", "json")
def command(only_open: bool, limit: int, output_format: str) -> None:  # noqa: FBT001 - click passes by name
    """List open and past alerts, newest first, with what became of their messages.

    Tells who acknowledged them, and which channels were not told of what, and why.
    """
    now, settings = datetime.now(UTC), settings_to_read()
    with reading_store(settings) as store:
        silences = store.silences(active_at=now)
        silencing = Silencing(silences, map(watched_key, settings.keys), now)
        found = records.alerts(store, only_open=only_open, limit=limit, silencing=silencing)
    if output_format == "json":
        output.print_json(found)
        return
    if found:
        output.print_blocks(table(found, now))
    else:
        click.echo("No open alerts." if only_open else "No alerts so far.")
    if silences:
        output.print_blocks("", SILENCES_IN_FORCE, silence_table(silences, now))


def table(records: tuple[AlertRecord, ...], now: datetime) -> output.Table:
    """One row per alert; an open one is coloured by its severity."""
    shown = output.Table(
        (
            "id",
            "state",
            "severity",
            "about",
            "rule",
            "opened",
            "lasted",
            "acknowledged",
            "silenced",
            "deliveries",
        ),
        right=frozenset({"id"}),
    )
    for record in records:
        alert = record.alert
        shown.add(
            str(alert.id),
            "resolved" if alert.resolved_at else "open",
            str(alert.worst),
            alert.label,
            alert.rule,
            output.time(alert.opened_at),
            wording.span((alert.resolved_at or now) - alert.opened_at),
            output.acknowledged(record.ack, now),
            output.silenced(record.silence, now),
            "; ".join([*_deliveries(record), *_suppressions(record)]) or "told to no channel",
            tone="faint" if alert.resolved_at else str(alert.severity),
        )
    return shown


def _deliveries(record: AlertRecord) -> Iterator[str]:
    """Such as ``ops: fired delivered``; what is not delivered tells how far it got."""
    changes = {event.id: str(event.change) for event in record.events}
    for delivery in record.deliveries:
        told = delivery.notification
        what = "+".join(changes[i] for i in told.event_ids if i in changes)
        error = f" ({told.error})" if told.error else ""
        yield f"{told.channel}: {what} {told.state}{error}"


def _suppressions(record: AlertRecord) -> Iterator[str]:
    """Such as ``ops: fired silenced``, for each channel that was not told, or not yet."""
    changes = {event.id: str(event.change) for event in record.events}
    for one in record.suppressed:
        channel = one.channel or "all channels"
        yield f"{channel}: {changes[one.event_id]} {wording.SUPPRESSIONS[one.reason]}"
