"""``history``: how a key's balance went, as table, plot, CSV or JSON."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import click

from monitor import jsonable, queries
from monitor.cli import output
from monitor.cli.exits import CommandError
from monitor.cli.options import DurationType, format_option
from monitor.cli.sources import reading_store, settings_to_read
from monitor.core import wording
from monitor.core.model import Outage, Sample
from monitor.core.projection import Outlook, runs_out
from monitor.providers.by_hand import MANUAL_METER
from monitor.queries import KeyHistory, MeterHistory
from monitor.store.base import Store

LABEL_COLUMNS = 24
"""What a plot leaves free beside the chart for the labels of the amounts."""

EPILOG = """\b
Examples:
  credit-monitor history studio
  credit-monitor history studio --since 30d --format plot
  credit-monitor history studio --since 1h --format csv > studio.csv

CSV has the columns time, key, meter, balance; a run of equal balances gives its first and last
reading. Times are UTC.
"""


@click.command(epilog=EPILOG)
@click.argument("key")
@click.option(
    "--since",
    type=DurationType(),
    default="7d",
    show_default=True,
    help="How far back, such as 30m, 12h or 7d.",
)
@format_option("table", "plot", "csv", "json")
def command(key: str, since: timedelta, output_format: str) -> None:
    """Show how the balance of KEY went, and when it could not be read."""
    now = datetime.now(UTC)
    with reading_store(settings_to_read()) as store:
        history = queries.key_history(store, key, now - since, now)
        if history is None:
            raise _unknown_key(store, key)
    _PRINTERS[output_format](history)


def _unknown_key(store: Store, key: str) -> CommandError:
    from monitor.cli.app import did_you_mean  # noqa: PLC0415 - only needed after a mistake

    hint = did_you_mean(key, queries.key_names(store))
    return CommandError(f"Nothing is recorded of a key named {key!r}.{hint}")


def _print_json(history: KeyHistory) -> None:
    output.print_json(history)


def _print_csv(history: KeyHistory) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("time", "key", "meter", "balance"))
    for meter in history.meters:
        for moment, balance in _ends(meter.points):
            shown = "" if balance is None else f"{balance:f}"
            writer.writerow((jsonable.iso(moment), history.key, meter.meter, shown))
    click.echo(text.getvalue(), nl=False)


def _ends(points: tuple[Sample, ...]) -> Iterator[tuple[datetime, Decimal | None]]:
    for point in points:
        yield point.at, point.balance
        if point.until != point.at:
            yield point.until, point.balance


def _print_plot(history: KeyHistory) -> None:
    if not history.meters:
        click.echo(f"No balance was recorded of {history.key} since {output.time(history.since)}.")
        return
    from monitor.cli import plot  # noqa: PLC0415 - only this format needs it

    columns = shutil.get_terminal_size((100, 24)).columns
    frame = plot.Frame(
        since=history.began,
        until=history.until,
        width=max(columns - LABEL_COLUMNS, 40),
        blocks=plot.blocks_for(sys.stdout.encoding),
    )
    for meter in history.meters:
        click.echo(f"{history.key} {meter.meter}")
        for line in plot.draw(meter.points, history.outages, frame, meter.unit):
            click.echo(line)
    if history.outages:
        click.echo("x: the balance could not be read")


def _print_table(history: KeyHistory) -> None:
    table = output.Table(
        ("from", "until", "meter", "balance", "change", "unit", "note"),
        right=frozenset({"balance", "change"}),
    )
    rows = [
        *(row for meter in history.meters for row in _balance_rows(meter)),
        *(_outage_row(outage) for outage in history.outages),
    ]
    for _, cells, tone in sorted(rows, key=lambda row: row[0]):
        table.add(*cells, tone=tone)
    if not rows:
        click.echo(f"Nothing was recorded of {history.key} since {output.time(history.since)}.")
        return
    output.print_blocks(table, *_prospects(history))


def _prospects(history: KeyHistory) -> list[str]:
    """A line for each balance that is used: how fast, and when it runs out."""
    lines = [
        f"{output.printable(meter.meter)}: {words}"
        for meter in history.meters
        if (words := _prospect(meter.outlook, meter.unit, history.until))
    ]
    return ["", *lines] if lines else []


def _prospect(ahead: Outlook, unit: str, now: datetime) -> str:
    if ahead.burn is None:
        return ""
    used = f"uses {output.printable(wording.amount(ahead.burn, unit))} per hour"
    if not ahead.is_known:
        return f"{used}; not enough history to tell when it runs out"
    words = f"{used}, runs out {runs_out(ahead, now)}"
    if ahead.earliest is None or ahead.latest is None:
        return words
    return (
        f"{words} (probably between {output.time(ahead.earliest)} and {output.time(ahead.latest)})"
    )


_Row = tuple[datetime, tuple[str, ...], str]


def _balance_rows(meter: MeterHistory) -> Iterator[_Row]:
    before: Decimal | None = None
    for point in meter.points:
        balance = "no cap" if point.balance is None else f"{point.balance:,f}"
        change = _change(before, point.balance)
        span = (output.time(point.at), output.time(point.until))
        note = "entered by hand" if meter.meter == MANUAL_METER else ""
        yield point.at, (*span, meter.meter, balance, change, meter.unit, note), ""
        before = point.balance


def _change(before: Decimal | None, after: Decimal | None) -> str:
    return "" if before is None or after is None else f"{after - before:+,f}"


def _outage_row(outage: Outage) -> _Row:
    polls = wording.count(outage.polls, "failed poll")
    note = f"{output.state(outage.reason, outage.detail)} ({polls})"
    span = (output.time(outage.at), output.time(outage.until))
    return outage.at, (*span, "", output.NOTHING, "", "", note), "warning"


_PRINTERS = {
    "table": _print_table,
    "plot": _print_plot,
    "csv": _print_csv,
    "json": _print_json,
}
