"""``report``: the digest of the last whole day or week, printed or sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

import click

from monitor import reports
from monitor.cli import output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option
from monitor.cli.sending import Sent, keep, send_each, sent_table
from monitor.cli.sources import Need, load_all, reading_store, writing_store
from monitor.config import Settings
from monitor.core import digest_words, wording
from monitor.core.digest_values import BalanceDigest, Digest, Mark, Payments
from monitor.core.messages import Message
from monitor.core.periods import Every
from monitor.delivery.base import Outcome
from monitor.world import watched_key

EPILOG = """\b
Examples:
  credit-monitor report
  credit-monitor report --period day --send
  credit-monitor report --format json | jq '.balances[].consumed'

Reads only what the daemon has recorded. What --send sends is listed by
notify list. Days and weeks are those that are over.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--period",
    type=click.Choice([str(kind) for kind in Every]),
    help="The last whole day or week; default: as configured, else week.",
)
@click.option("--send", is_flag=True, help="Send it through the channels that get reports.")
@format_option("table", "json")
def command(period: str | None, send: bool, output_format: str) -> None:  # noqa: FBT001 - click passes by name
    """Show what was used, paid in and told in the last whole day or week, or send it."""
    settings = load_all(Need.SEND if send else Need.READ).settings
    kind = Every(period) if period else _configured(settings)
    now, zone = datetime.now(UTC), settings.notify.zone
    with reading_store(settings) as store:
        material = reports.gather(store, kind, now, zone)
    if send:
        _send(settings, material, now, zone, output_format)
        return
    watched = [watched_key(key) for key in settings.keys]
    digest = reports.make(material, now, watched, [c.name for c in settings.channels])
    if output_format == "json":
        output.print_json(digest)
    else:
        output.print_blocks(*_blocks(digest, zone))


def _configured(settings: Settings) -> Every:
    return settings.notify.report.every if settings.notify.report else Every.WEEK


# -- send -----------------------------------------------------------------------------------


def _send(
    settings: Settings,
    material: reports.Material,
    now: datetime,
    zone: tzinfo,
    output_format: str,
) -> None:
    chosen = [channel for channel in settings.channels if settings.sends_report(channel)]
    if not chosen:
        raise CommandError(
            f"{settings.source}: no channel gets reports: one needs info among its severities, or"
            " its name in notify.report.channels.",
            code=Exit.CONFIG,
        )
    watched = [watched_key(key) for key in settings.keys]
    messages = reports.messages(material, now, watched, chosen, zone=zone)
    # Standard output is for the JSON alone.
    terminal = sys.stderr if output_format == "json" else sys.stdout
    results = asyncio.run(send_each(chosen, messages, settings, terminal))
    _print_results(results, output_format)
    _record(settings, results, messages, now)
    if any(sent.outcome is not Outcome.DELIVERED for sent in results):
        raise click.exceptions.Exit(Exit.FAILED)


def _record(
    settings: Settings, results: Sequence[Sent], messages: Mapping[str, Message], now: datetime
) -> None:
    """What was sent stays sent if it cannot be recorded: that is said, and is no failure."""
    try:
        with writing_store(settings) as store:
            for sent in results:
                keep(store, sent, messages[sent.channel], now)
    except CommandError as error:
        click.echo(f"Not recorded for notify list: {error.lines[0]}", err=True)


def _print_results(results: Sequence[Sent], output_format: str) -> None:
    if output_format == "json":
        output.print_json(results)
    else:
        output.print_blocks(sent_table(results))


# -- print ----------------------------------------------------------------------------------


def _blocks(digest: Digest, zone: tzinfo) -> list[output.Block]:
    until = wording.clock(digest.period.until, zone)
    head = f"{digest_words.dates(digest.period, zone)}, until {until}"
    table = output.Table(
        ("balance", "left", "used", "before", "change", "topped up", "refunded", "lowest", "pace"),
        right=frozenset({"left", "used", "before", "topped up", "refunded", "lowest"}),
    )
    for balance in digest.balances:
        table.add(*_cells(balance))
    lines = [
        f"Alerts: {digest_words.alerts(digest)}.",
        f"Failed polls: {digest_words.failed_polls(digest)}.",
        *(f"Messages to {c.name}: {digest_words.deliveries(c)}." for c in digest.channels),
    ]
    if digest.unread_keys:
        lines.append(f"Keys without a reading: {', '.join(digest.unread_keys)}.")
    return [head, table, "\n".join(output.printable(line) for line in lines)]


def _cells(balance: BalanceDigest) -> tuple[str, ...]:
    known = balance.known
    return (
        known.name,
        output.NOTHING if known.read_at is None else output.amount(known.balance, known.unit),
        _amount(balance.consumed),
        _amount(balance.consumed_before),
        digest_words.change(balance.change_share) or output.NOTHING,
        _paid(balance.topped_up),
        _paid(balance.refunded),
        _mark(balance.lowest),
        digest_words.runs_out(balance.outlook),
    )


def _amount(value: Decimal | None) -> str:
    return output.NOTHING if value is None else wording.amount(value)


def _paid(payments: Payments) -> str:
    return wording.amount(payments.amount) if payments.count else output.NOTHING


def _mark(mark: Mark | None) -> str:
    return output.NOTHING if mark is None else wording.amount(mark.amount)
