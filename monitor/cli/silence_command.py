"""``silence``: no notifications for a while, for what some patterns match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.exits import CommandError
from monitor.cli.options import DurationType, MomentType, by_option, format_option
from monitor.cli.silences import silence_table
from monitor.cli.sources import reading_store, settings_to_read, writing_store
from monitor.config import Settings
from monitor.core import wording
from monitor.core.events import Silence
from monitor.core.routing import is_silenced
from monitor.core.rules import Rules
from monitor.core.voices import HOST_RULES
from monitor.store.base import Store
from monitor.world import concern_of, watched_key

NAMES_WIDTH = 400
"""Characters of key names that are listed after adding a silence."""


@click.group()
def command() -> None:
    """Add, list and end silences: no notifications for what they match, until they are over.

    Alerts go on being raised, recorded and shown; a running daemon knows of a silence within
    seconds.
    """


# -- add ------------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n"
    "  credit-monitor silence add --key 'prod-*' --for 4h --reason 'top-up ordered'\n"
    "  credit-monitor silence add --provider kie --rule silent \\\n"
    "      --until 2026-05-01T18:00Z --reason 'maintenance announced'"
)
@click.option("--key", metavar="PATTERN", help="Keys of this name; * and ? as in file names.")
@click.option("--account", metavar="PATTERN", help="Keys of accounts of this name.")
@click.option("--provider", metavar="PATTERN", help="Providers, or their sites, of this name.")
@click.option("--rule", metavar="PATTERN", help="Alerts of this rule, such as low_balance.")
@click.option("--for", "length", type=DurationType(), help="For so long, such as 30m, 4h or 2d.")
@click.option(
    "--until", type=MomentType(), metavar="TIME", help="Until then, such as 2026-05-01T18:00Z."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the others to know.")
@by_option
@format_option("text", "json")
def add(
    *,
    key: str | None,
    account: str | None,
    provider: str | None,
    rule: str | None,
    length: timedelta | None,
    until: datetime | None,
    reason: str,
    by: str,
    output_format: str,
) -> None:
    """Send no notifications about what matches all the patterns given (at least one).

    An alert about an account or a provider is silenced if the patterns match all of its keys.
    """
    _require_patterns(key, account, provider, rule)
    now = datetime.now(UTC)
    wanted = Silence(
        id=0,
        keys=key or "*",
        accounts=account or "*",
        providers=provider or "*",
        rules=rule or "*",
        created_at=now,
        until=_end(length, until, now),
        by=by,
        reason=_meant(reason),
    )
    settings = settings_to_read()
    with writing_store(settings) as store:
        silence = store.add_silence(wanted)
    names = _matching(settings, silence)
    if output_format == "json":
        output.print_json({"silence": silence, "keys": names})
    else:
        _tell(silence, names, now)
    if not names:
        click.echo("Warning: no configured key matches; it holds for keys to come.", err=True)


def _require_patterns(*patterns: str | None) -> None:
    given = [pattern for pattern in patterns if pattern is not None]
    if not given:
        raise click.UsageError("Say what to silence: --key, --account, --provider or --rule.")
    if "" in given:
        raise click.UsageError("A pattern is empty; '*' matches everything.")
    rule = patterns[-1]
    rules = [*Rules.model_fields, *HOST_RULES]
    if rule is not None and not any(fnmatchcase(name, rule) for name in rules):
        hint = did_you_mean(rule, rules)
        raise click.UsageError(f"No rule is named {rule!r}.{hint} Rules: {', '.join(rules)}.")


def _end(length: timedelta | None, until: datetime | None, now: datetime) -> datetime:
    if (length is None) is (until is None):
        raise click.UsageError("Say how long: either --for or --until.")
    end = until or now + (length or timedelta(0))
    if end <= now:
        raise click.UsageError("The silence would be over already.")
    return end


def _meant(reason: str) -> str:
    if not reason.strip():
        raise click.UsageError("The reason is empty: say why, for the others to know.")
    return reason.strip()


def _matching(settings: Settings, silence: Silence) -> list[str]:
    """The configured keys whose own alerts it silences, whatever the rule."""
    any_rule = replace(silence, rules="*")
    watched = (watched_key(key) for key in settings.keys)
    return [k.name for k in watched if is_silenced(concern_of(k.subject, "", [k]), any_rule)]


def _tell(silence: Silence, names: Sequence[str], now: datetime) -> None:
    left = wording.span(silence.until - now)
    click.echo(
        f"Silence {silence.id}: no notifications about {output.printable(silence.scope)}"
        f" until {output.time(silence.until)} ({left})."
    )
    if names:
        listed = wording.listing(names, NAMES_WIDTH)
        click.echo(f"It matches {wording.count(len(names), 'configured key')} now: {listed}")


# -- list -----------------------------------------------------------------------------------


@command.command(
    "list",
    epilog="\b\nExamples:\n  credit-monitor silence list\n"
    "  credit-monitor silence list --all --format json",
)
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@format_option("table", "json")
def list_(*, everything: bool, output_format: str) -> None:
    """List the silences in force, newest first."""
    now = datetime.now(UTC)
    with reading_store(settings_to_read()) as store:
        silences = store.silences(active_at=None if everything else now)
    if output_format == "json":
        output.print_json(silences)
    elif silences:
        output.print_blocks(silence_table(silences, now))
    else:
        click.echo("No silences so far." if everything else "No silence is in force.")


# -- expire ---------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor silence expire 3\n  credit-monitor silence expire --all"
)
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All silences in force.")
@format_option("text", "json")
def expire(*, ids: tuple[int, ...], everything: bool, output_format: str) -> None:
    """End silences before their time: those with the IDs named, or all.

    Nothing is changed if one of them does not exist or is over.
    """
    if bool(ids) is everything:
        raise click.UsageError("Say which: either IDs (see: credit-monitor silence list) or --all.")
    now = datetime.now(UTC)
    with writing_store(settings_to_read()) as store:
        in_force = [silence.id for silence in store.silences(active_at=now)]
        chosen = in_force if everything else sorted(set(ids))
        _require_in_force(store, set(chosen) - set(in_force), now)
        ended = store.end_silence(chosen, now)
    if output_format == "json":
        output.print_json({"ended": chosen})
    elif ended:
        click.echo(f"{wording.count(ended, 'silence')} ended: {', '.join(map(str, chosen))}.")
    else:
        click.echo("No silence is in force.")


def _require_in_force(store: Store, missing: set[int], now: datetime) -> None:
    if not missing:
        return
    known = {silence.id: silence for silence in store.silences()}
    raise CommandError(*(_why_not(number, known.get(number), now) for number in sorted(missing)))


def _why_not(number: int, silence: Silence | None, now: datetime) -> str:
    if silence is None:
        return f"There is no silence {number}. See: credit-monitor silence list --all"
    over = silence.ended_at or silence.until
    return f"Silence {number} is over since {output.time(over)}, {output.ago(over, now)}."
