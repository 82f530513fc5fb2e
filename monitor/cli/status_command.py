"""``status``: what the store knows, at one glance."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from monitor import queries
from monitor.cli import output
from monitor.cli.options import format_option
from monitor.cli.ping import ping
from monitor.cli.silences import SILENCES_IN_FORCE, silence_table
from monitor.cli.sources import reading_store, settings_to_read
from monitor.core import wording
from monitor.core.model import DEFAULT_METER, Kind, Severity
from monitor.core.projection import runs_out
from monitor.overviews import STATE_OK, KeyOverview, MeterOverview, Overview
from monitor.store.base import Store
from monitor.world import WatchedKey, watched_key

REFRESH_SECONDS = 2.0

EPILOG = """\b
Examples:
  credit-monitor status
  credit-monitor status --watch
  credit-monitor status --format json | jq '.keys[] | {name, state}'

With --ping it asks the daemon's /healthz and ends with 0 if it lives, else with 1. Otherwise it
reads only what the daemon has recorded and works whether it runs or not; nothing is polled.
"""


@click.command(epilog=EPILOG)
@click.option("--ping", "only_ping", is_flag=True, help="Only ask whether the daemon lives.")
@click.option("--watch", is_flag=True, help="Keep showing it, refreshed every 2 seconds.")
@format_option("table", "json")
def command(only_ping: bool, watch: bool, output_format: str) -> None:  # noqa: FBT001 - click passes by name
    """Show balances, states, open alerts, silences and undelivered messages as recorded."""
    if watch and (output_format == "json" or not sys.stdout.isatty()):
        raise click.UsageError("--watch needs a terminal and --format table.")
    settings = settings_to_read()
    if only_ping:
        click.echo(ping(settings))
        return
    keys = [watched_key(key) for key in settings.keys]
    with reading_store(settings) as store:
        if watch:
            _watch(store, keys)
        elif output_format == "json":
            output.print_json(_now(store, keys))
        else:
            output.print_blocks(*blocks(_now(store, keys)))


def _now(store: Store, keys: Sequence[WatchedKey]) -> Overview:
    return queries.overview(store, datetime.now(UTC), keys)


def _watch(store: Store, keys: Sequence[WatchedKey]) -> None:
    with output.live_screen() as show:
        while True:
            show(blocks(_now(store, keys)))
            time.sleep(REFRESH_SECONDS)


def blocks(overview: Overview) -> Sequence[output.Block]:
    """What is printed: whether a daemon polls, keys, open alerts, silences, the outbox."""
    parts: list[output.Block] = [_headline(overview), *_refusal(overview)]
    if overview.keys:
        parts.append(_keys(overview))
    if overview.open_alerts:
        parts += ["", "Open alerts:", _alerts(overview)]
    if overview.silences:
        parts += ["", SILENCES_IN_FORCE, silence_table(overview.silences, overview.at)]
    parts += ["", _outbox(overview)]
    return parts


def _headline(overview: Overview) -> str:
    last = output.ago(overview.last_poll_at, overview.at)
    if overview.polling:
        return f"The daemon polls; last recorded poll {last}."
    if overview.last_poll_at is None:
        return "No key has been polled yet. Start the daemon with: credit-monitor run"
    return f"No daemon seems to run: last poll {last}. What follows is not current."


def _refusal(overview: Overview) -> list[str]:
    """That the daemon does not run what the file says now, and why."""
    read = overview.configuration
    if read is None or read.refused_at is None:
        return []
    refused, since = (output.ago(at, overview.at) for at in (read.refused_at, read.read_at))
    lines = [f"The configuration was refused {refused}; the one read {since} is in use:"]
    return [*lines, *(f"  {output.printable(problem)}" for problem in read.problems), ""]


def _keys(overview: Overview) -> output.Table:
    """One line per meter; the meters' names stand there only where a key has others than one."""
    named = any(m.meter != DEFAULT_METER for key in overview.keys for m in key.meters)
    columns = (
        *("key", "meter", "provider", "account", "balance", "used/h", "runs out"),
        *("state", "alert", "read"),
    )
    table = output.Table(
        tuple(name for name in columns if named or name != "meter"),
        right=frozenset({"balance", "used/h"}),
    )
    for key in overview.keys:
        for meter in key.meters if key.measured else (None, *key.meters):
            cells = _cells(key, meter, overview.at)
            table.add(*(cells if named else cells[:1] + cells[2:]), tone=_tone(key, meter))
    return table


def _cells(key: KeyOverview, meter: MeterOverview | None, now: datetime) -> tuple[str, ...]:
    if meter is not None and meter.kind is Kind.MANUAL:
        return _cells_by_hand(key, meter, now)
    nothing = output.UNSUPPORTED if key.is_check_only else output.NOTHING
    has_number = meter is not None and meter.read_at is not None
    state = key.state if meter is None or key.state != STATE_OK else meter.state
    severity = _severity(key, meter)
    return (
        key.name,
        meter.meter if meter else output.NOTHING,
        key.provider,
        key.account or output.NOTHING,
        wording.holding(meter) if meter and has_number else nothing,
        *_outlook_cells(meter, now),
        output.short_state(state, key.detail if state == key.state else ""),
        str(severity or "none"),
        _read(key, meter, now),
    )


def _cells_by_hand(key: KeyOverview, meter: MeterOverview, now: datetime) -> tuple[str, ...]:
    """An amount that a person entered: it has an age, and neither a state nor an alert."""
    account = key.account or output.NOTHING
    seen = output.ago(meter.read_at, now)
    held, none = wording.holding(meter), output.NOTHING
    return (key.name, meter.meter, key.provider, account, held, none, none, none, none, seen)


def _severity(key: KeyOverview, meter: MeterOverview | None) -> Severity | None:
    """What is open about a row: all about the key where it is the only one that is read."""
    return key.severity if meter is None or len(key.measured) == 1 else meter.severity


def _outlook_cells(meter: MeterOverview | None, now: datetime) -> tuple[str, str]:
    if meter is None:
        return (output.NOTHING, output.NOTHING)
    burn = meter.outlook.burn
    used = output.NOTHING if burn is None else wording.amount(burn)
    return (used, runs_out(meter.outlook, now) or output.NOTHING)


def _read(key: KeyOverview, meter: MeterOverview | None, now: datetime) -> str:
    read = output.ago(meter.read_at if meter else key.last_success_at, now)
    is_old = meter and meter.read_at and not meter.fresh
    return f"{read} (stale)" if is_old else read


def _tone(key: KeyOverview, meter: MeterOverview | None) -> str:
    if meter is not None and meter.kind is Kind.MANUAL:
        return ""
    severity = _severity(key, meter)
    if severity:
        return str(severity)
    is_current = meter.fresh if meter else key.state == STATE_OK
    return "" if is_current else "faint"


def _alerts(overview: Overview) -> output.Table:
    table = output.Table(
        ("id", "severity", "about", "rule", "open for", "acknowledged", "silenced"),
        right=frozenset({"id"}),
    )
    acks = {ack.alert_id: ack for ack in overview.acks}
    silences = {silence.id: silence for silence in overview.silences}
    for alert in overview.open_alerts:
        lasted = wording.span(overview.at - alert.opened_at)
        taken_on = output.acknowledged(acks.get(alert.id), overview.at)
        silence = silences.get(overview.silenced.get(alert.id, 0))
        quiet = output.silenced(silence, overview.at)
        tone = str(alert.severity)
        table.add(str(alert.id), tone, alert.label, alert.rule, lasted, taken_on, quiet, tone=tone)
    return table


def _outbox(overview: Overview) -> str:
    if not overview.pending and not overview.dead:
        return "All notifications are delivered."
    text = f"{wording.count(overview.pending, 'notification')} waiting to be delivered"
    if overview.dead:
        text += f", {overview.dead} refused for good (credit-monitor notify list --state dead)"
    return text + "."
