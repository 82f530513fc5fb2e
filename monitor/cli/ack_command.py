"""``ack``: somebody takes an alert on."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from monitor.cli import output
from monitor.cli.exits import CommandError
from monitor.cli.options import by_option, format_option
from monitor.cli.sources import settings_to_read, writing_store
from monitor.queries import OPEN_ALERTS_LIMIT
from monitor.store.base import Store

EPILOG = """\b
Examples:
  credit-monitor ack 7
  credit-monitor ack 7 8 --reason "top-up ordered, arrives tomorrow"

Numbers of open alerts: credit-monitor alerts --open
"""


@click.command(epilog=EPILOG)
@click.argument("alert_ids", nargs=-1, required=True, type=click.IntRange(1), metavar="ALERT...")
@click.option("--reason", default="", metavar="TEXT", help="What is being done about it.")
@by_option
@format_option("text", "json")
def command(alert_ids: tuple[int, ...], reason: str, by: str, output_format: str) -> None:
    """Take open alerts on: no more reminders and no escalation until they are resolved.

    Getting worse and the end are told all the same. Nothing is changed if one of them does not
    exist or is resolved. A later acknowledgement takes the place of an earlier one.
    """
    wanted = sorted(set(alert_ids))
    with writing_store(settings_to_read()) as store:
        found = {a.id: a for a in store.alerts(only_open=True, limit=OPEN_ALERTS_LIMIT)}
        missing = [number for number in wanted if number not in found]
        if missing:
            raise CommandError(*_why_not(store, missing))
        done = store.acknowledge(wanted, datetime.now(UTC), by, reason.strip())
        acks = store.acks(done)
    if output_format == "json":
        output.print_json(acks)
        return
    for number in done:
        alert = found[number]
        click.echo(f"Alert {number} is acknowledged: {alert.rule} of {alert.label}.")


def _why_not(store: Store, alert_ids: list[int]) -> list[str]:
    """A line for each alert that is not open: resolved, or never heard of."""
    ends = {event.alert_id: event.at for event in store.events(alert_ids)}  # the last one counts
    return [
        f"Alert {number} is not open: it ended at {output.time(ends[number])}."
        if number in ends
        else f"There is no alert {number}. See: credit-monitor alerts --open"
        for number in alert_ids
    ]
