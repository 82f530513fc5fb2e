"""``notify route``: who would be told of an alert, and who not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option
from monitor.cli.sources import configured_channels, known_silences, settings_to_read
from monitor.config import ChannelSettings, Settings
from monitor.core.events import Silence
from monitor.core.model import Severity
from monitor.core.routing import is_silenced
from monitor.core.rules import Rejected, Rules, Silent
from monitor.providers import KeySettings
from monitor.world import concern_of, watched_key

ABOUT_THE_KEY = frozenset({Rejected.name, Silent.name})
"""Rules that speak of the key itself; all others speak of the balance, the account's if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Whether a channel would be told, and why not."""

    channel: str
    told: bool
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Who would be told of an alert about these keys, and the silences that keep it back now."""

    keys: tuple[str, ...]
    rule: str
    severity: Severity
    channels: tuple[Way, ...]
    silences: tuple[Silence, ...]


@click.command(
    epilog="\b\nExamples:\n  credit-monitor notify route studio low_balance critical\n"
    "  credit-monitor notify route studio silent warning --format json"
)
@click.argument("key")
@click.argument("rule", type=click.Choice(list(Rules.model_fields)), metavar="RULE")
@click.argument("severity", type=click.Choice([str(word) for word in Severity]), metavar="SEVERITY")
@format_option("table", "json")
def route(key: str, rule: str, severity: str, output_format: str) -> None:
    """Show who would be told of an alert of RULE about KEY with SEVERITY, and who not, and why.

    Exits with 1 if nobody would be told.
    """
    settings = settings_to_read()
    channels = configured_channels(settings)
    found = _routing(settings, channels, _configured(settings, key), rule, Severity(severity))
    if output_format == "json":
        output.print_json(found)
    else:
        output.print_blocks(_way_table(found.channels), *_routing_notes(found))
    if found.silences or not any(way.told for way in found.channels):
        raise click.exceptions.Exit(Exit.FAILED)


def _configured(settings: Settings, name: str) -> KeySettings:
    by_name = {key.name: key for key in settings.keys}
    if name not in by_name:
        raise CommandError(f"No key is named {name!r}.{did_you_mean(name, list(by_name))}")
    return by_name[name]


def _routing(
    settings: Settings,
    channels: Sequence[ChannelSettings],
    key: KeySettings,
    rule: str,
    severity: Severity,
) -> Routing:
    if getattr(key.rules, rule) is None:
        raise CommandError(f"Rule {rule} is off for key {key.name}: it raises no alert.")
    watched = watched_key(key)
    subject = watched.subject if rule in ABOUT_THE_KEY else watched.balance_subject
    keys = [watched]
    if not subject.key:
        everyone = (watched_key(k) for k in settings.keys)
        keys = [k for k in everyone if k.balance_subject.id == subject.id]
    concern = concern_of(subject, rule, keys)
    refusals = {channel.name: channel.why_not(severity, concern) for channel in channels}
    return Routing(
        keys=concern.keys,
        rule=rule,
        severity=severity,
        channels=tuple(
            Way(channel=name, told=not because, because=because)
            for name, because in refusals.items()
        ),
        silences=tuple(
            silence
            for silence in known_silences(settings, datetime.now(UTC))
            if is_silenced(concern, silence)
        ),
    )


def _way_table(ways: Sequence[Way]) -> output.Table:
    table = output.Table(("channel", "told", "because"))
    for way in ways:
        word = "yes" if way.told else "no"
        table.add(way.channel, word, way.because, tone="" if way.told else "faint")
    return table


def _routing_notes(found: Routing) -> list[str]:
    notes = [
        f"But no message is sent now: silence {silence.id} ({output.printable(silence.scope)})"
        f" holds until {output.time(silence.until)}."
        for silence in found.silences
    ]
    if not any(way.told for way in found.channels):
        notes.append("Nobody would be told: the alert would only be recorded and shown.")
    if len(found.keys) > 1:
        notes.append(f"It speaks for all keys of the account: {', '.join(found.keys)}.")
    return notes
