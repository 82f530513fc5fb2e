"""``notify``: a real test message, the outbox, and dead letters once more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO

import click

from monitor import records
from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option, limit_option
from monitor.cli.routing import route
from monitor.cli.sending import Sent, send_each, sent_table
from monitor.cli.sources import (
    Need,
    configured_channels,
    load_all,
    reading_store,
    settings_to_read,
    writing_store,
)
from monitor.config import ChannelSettings, Settings
from monitor.core import wording
from monitor.core.messages import decode, trial_message
from monitor.core.notifications import NotificationState
from monitor.delivery.base import Outcome
from monitor.records import NotificationRecord


@click.group()
def command() -> None:
    """Send a test message, list the outbox, retry dead letters, show who is told."""


command.add_command(route)


# -- test -----------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor notify test\n  credit-monitor notify test ops mail"
)
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@format_option("table", "json")
def test(channels: tuple[str, ...], output_format: str) -> None:
    """Send a real, harmless message through the CHANNELs (all when none is named).

    Exits with 1 if one of them did not take it.
    """
    settings = load_all(Need.SEND).settings
    # Standard output is for the JSON alone.
    terminal = sys.stderr if output_format == "json" else sys.stdout
    trials = asyncio.run(_try_all(_chosen(settings, channels), settings, terminal))
    if output_format == "json":
        output.print_json(trials)
    else:
        output.print_blocks(sent_table(trials))
    if any(trial.outcome is not Outcome.DELIVERED for trial in trials):
        raise click.exceptions.Exit(Exit.FAILED)


def _chosen(settings: Settings, wanted: Sequence[str]) -> Sequence[ChannelSettings]:
    channels = configured_channels(settings)
    by_name = {channel.name: channel for channel in channels}
    for name in wanted:
        if name not in by_name:
            hint = did_you_mean(name, list(by_name))
            raise click.UsageError(f"No channel is named {name!r}.{hint}")
    return [by_name[name] for name in dict.fromkeys(wanted)] if wanted else channels


async def _try_all(
    channels: Sequence[ChannelSettings], settings: Settings, terminal: TextIO
) -> Sequence[Sent]:
    """One real message each."""
    now, zone = datetime.now(UTC), settings.notify.zone
    messages = {c.name: trial_message(c.name, now=now, timezone=zone) for c in channels}
    return await send_each(channels, messages, settings, terminal)


# -- list -----------------------------------------------------------------------------------


@command.command(
    "list",
    epilog="\b\nExamples:\n  credit-monitor notify list\n"
    "  credit-monitor notify list --state dead --format json",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in NotificationState]),
    help="Only notifications in this state; may be given more than once.",
)
@limit_option(50, "notifications")
@format_option("table", "json")
def list_(states: tuple[str, ...], limit: int, output_format: str) -> None:
    """List notifications, newest first: waiting, delivered and refused for good."""
    chosen = [NotificationState(state) for state in states]
    with reading_store(settings_to_read()) as store:
        found = records.notifications(store, states=chosen, limit=limit)
    if output_format == "json":
        output.print_json(found)
    elif found:
        output.print_blocks(_outbox_table(found, datetime.now(UTC)))
    else:
        click.echo("No such notifications." if states else "No notifications so far.")


def _outbox_table(records: Sequence[NotificationRecord], now: datetime) -> output.Table:
    table = output.Table(
        ("id", "channel", "state", "tells", "created", "tries", "next or last"),
        right=frozenset({"id", "tries"}),
    )
    for record in records:
        told = record.notification
        table.add(
            str(told.id),
            told.channel,
            str(told.state),
            _told(record),
            output.time(told.created_at),
            str(told.attempts),
            _next_or_last(record, now),
            tone=_TONES[told.state],
        )
    return table


def _told(record: NotificationRecord) -> str:
    if record.notification.body:
        return decode(record.notification.body).title
    return "; ".join(f"{e.label} {e.rule} {e.change}" for e in record.events)


_TONES = {
    NotificationState.PENDING: "warning",
    NotificationState.DELIVERED: "",
    NotificationState.DEAD: "critical",
    NotificationState.DROPPED: "faint",
}


def _next_or_last(record: NotificationRecord, now: datetime) -> str:
    told = record.notification
    error = f" ({told.error})" if told.error else ""
    if told.state is not NotificationState.PENDING:
        return output.ago(told.finished_at, now) + error
    wait = max(told.next_attempt_at - now, timedelta(0))
    return f"in {wording.span(wait)}{error}"


# -- retry ----------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor notify retry        all dead letters\n"
    "  credit-monitor notify retry 17 18",
    context_settings={"ignore_unknown_options": True},  # what a command sent is below zero
)
@click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
@format_option("table", "json")
def retry(ids: tuple[int, ...], output_format: str) -> None:
    """Put dead letters back into the outbox (all when no ID is given).

    A running daemon sends them; without one they are sent at its next start.
    """
    with writing_store(settings_to_read()) as store:
        dead = records.notifications(store, states=[NotificationState.DEAD], limit=100_000)
        known = {record.notification.id for record in dead}
        missing = [number for number in ids if number not in known]
        if missing:
            raise CommandError(f"No dead letter has the ID {', '.join(map(str, missing))}.")
        revived = store.revive(list(ids) or sorted(known), datetime.now(UTC))
    if output_format == "json":
        output.print_json({"revived": revived})
    elif revived:
        letters = wording.count(revived, "dead letter")
        click.echo(f"{letters} put back into the outbox: {_NEXT}")
    else:
        click.echo("There are no dead letters.")


_NEXT = (
    "the running daemon sends them, or the next one that starts. See: credit-monitor notify list"
)
