"""``check``: poll now, judge by the configured rules, tell by table, JSON or a plugin's line."""

from __future__ import annotations

import asyncio
import fnmatch
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.exits import CheckExit, CommandError, Exit
from monitor.cli.judging import Finding, Ledgers, by_hand, has_shares, judge, worst, worst_first
from monitor.cli.options import AmountType, format_option
from monitor.cli.sources import Need, known_ledgers, load_all
from monitor.config import Settings
from monitor.core import wording
from monitor.core.model import DEFAULT_METER, Failure, Reading
from monitor.jsonable import to_json
from monitor.limits import Gate, Limit
from monitor.providers.base import KeySettings, PollError, Provider
from monitor.providers.certificates import CertificatesError
from monitor.providers.http import HttpClient
from monitor.world import WatchedKey, watched_key

EPILOG = """\b
Examples:
  credit-monitor check
  credit-monitor check studio --require 500 && ./bulk-job
  credit-monitor check --format nagios

\b
Exit code, the worst of all keys:
  0  ok        every balance was read and is above its limits
  1  warning   a balance is below its warning limit
  2  critical  below the critical limit or --require, used up, or key refused
  3  unknown   a balance could not be read, or the command itself failed
From bad to worse: ok, unknown, warning, critical.

Limits in percent need the level after the last top-up, which the daemon records; without it only
amounts are judged.
"""


@click.command(epilog=EPILOG)
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--require",
    type=AmountType(),
    metavar="AMOUNT",
    help="Critical below AMOUNT, for each balance; takes the place of the configured limits.",
)
@format_option("table", "json", "nagios")
def command(keys: tuple[str, ...], require: Decimal | None, output_format: str) -> None:
    """Poll the KEYs now (all when none is named) and judge them, without the daemon.

    A KEY may be a pattern such as 'prod-*'.
    """
    settings = load_all(Need.POLL).settings
    chosen = _chosen(settings.keys, keys)
    polls, ledgers = asyncio.run(_look(settings, chosen, require))
    findings = [
        finding
        for key in chosen
        for finding in _findings(watched_key(key), polls[key.name], ledgers, require)
    ]
    _PRINTERS[output_format](findings)
    raise click.exceptions.Exit(worst(findings))


def _findings(
    key: WatchedKey, poll: Reading | Failure, ledgers: Ledgers, require: Decimal | None
) -> Sequence[Finding]:
    """What the poll says, and beside it what was entered by hand."""
    return [*judge(key, poll, ledgers, require), *by_hand(key, poll.at)]


def _chosen(keys: Sequence[KeySettings], wanted: Sequence[str]) -> Sequence[KeySettings]:
    if not wanted:
        return keys
    names = [key.name for key in keys]
    for pattern in wanted:
        if not fnmatch.filter(names, pattern):
            raise CommandError(f"No key is named {pattern!r}.{did_you_mean(pattern, names)}")
    return [key for key in keys if any(fnmatch.fnmatchcase(key.name, p) for p in wanted)]


# -- polling --------------------------------------------------------------------------------


async def _look(
    settings: Settings, keys: Sequence[KeySettings], require: Decimal | None
) -> tuple[Mapping[str, Reading | Failure], Ledgers]:
    """The polls, and beside them what the store knows: it is opened while the network is slow.

    Where no limit is a share of a recorded level the store is left alone: it takes 0.2 s to load.
    """
    polls = asyncio.create_task(_poll_all(settings, keys))
    ledgers: Ledgers = {}
    if require is None and any(has_shares(key.rules) for key in keys):
        ledgers = await asyncio.to_thread(known_ledgers, settings)
    return await polls, ledgers


async def _poll_all(
    settings: Settings, keys: Sequence[KeySettings]
) -> Mapping[str, Reading | Failure]:
    """One poll of every key, all at once within the limits of their providers."""
    try:
        http = HttpClient(ca_file=settings.http.ca_file)
    except CertificatesError as error:
        raise CommandError(f"{error}.", code=Exit.CONFIG) from None
    try:
        return await _Round(settings, http, _progress(len(keys))).run(keys)
    finally:
        await http.aclose()


class _Round:
    """One poll of each of some keys, in front of each group a gate as the daemon has it."""

    def __init__(
        self, settings: Settings, http: HttpClient, progress: Callable[[int], None]
    ) -> None:
        self._settings = settings
        self._http = http
        self._progress = progress
        self._gates: dict[str, Gate[asyncio.Event]] = {}
        self._polls: dict[str, Reading | Failure] = {}

    async def run(self, keys: Sequence[KeySettings]) -> Mapping[str, Reading | Failure]:
        """The observation of each key, by name."""
        self._progress(0)
        providers = [key.build() for key in keys]
        self._open_gates(keys, providers)
        async with asyncio.TaskGroup() as group:
            for key, provider in zip(keys, providers, strict=True):
                group.create_task(self._poll(key, provider))
        return self._polls

    async def _poll(self, key: KeySettings, provider: Provider) -> None:
        gate = self._gates[provider.limit_group]
        turn = asyncio.Event()
        gate.submit(turn)
        await turn.wait()
        try:
            self._polls[key.name] = await self._observe(key, provider)
        finally:
            gate.release()
        self._progress(len(self._polls))

    async def _observe(self, key: KeySettings, provider: Provider) -> Reading | Failure:
        try:
            found = await provider.poll(self._http)
        except PollError as error:
            return Failure(
                key=key.name, at=datetime.now(UTC), reason=error.reason, detail=error.detail
            )
        return Reading.of(key.name, datetime.now(UTC), found)

    def _open_gates(self, keys: Sequence[KeySettings], providers: Sequence[Provider]) -> None:
        """One gate per limit group, as wide as the daemon opens it."""
        members: defaultdict[str, list[KeySettings]] = defaultdict(list)
        for key, provider in zip(keys, providers, strict=True):
            members[provider.limit_group].append(key)
        for group, sharing in members.items():
            found = self._settings.limit(sharing[0].provider, group)
            limit = Limit(rate=found.rate, concurrency=found.concurrency)
            rate = limit.rate_for(sum(1 / key.interval.total_seconds() for key in sharing))
            self._gates[group] = Gate(
                rate=rate, concurrency=limit.concurrency, launch=asyncio.Event.set
            )


def _progress(total: int) -> Callable[[int], None]:
    """Shows how many polls are done, on a terminal only; the line goes away with the last."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(done: int) -> None:
        line = f"polling {wording.count(total, 'key')}: {done} done" if done < total else ""
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)

    return show


# -- printing -------------------------------------------------------------------------------


def _print_table(findings: Sequence[Finding]) -> None:
    """One line per meter; the meters' names stand there only where a key has others than one."""
    named = any(finding.meter not in {"", DEFAULT_METER} for finding in findings)
    columns = ("key", "meter", "provider", "account", "balance", "state", "verdict", "because")
    table = output.Table(
        tuple(name for name in columns if named or name != "meter"), right=frozenset({"balance"})
    )
    for finding in findings:
        cells = (
            finding.key,
            finding.meter or output.NOTHING,
            finding.provider,
            finding.account or output.NOTHING,
            finding.shown_balance,
            output.short_state(finding.state, finding.detail),
            finding.verdict.name.lower(),
            finding.because,
        )
        table.add(*(cells if named else cells[:1] + cells[2:]), tone=_TONES[finding.verdict])
    output.print_blocks(table)


_TONES = {
    CheckExit.OK: "",
    CheckExit.UNKNOWN: "info",
    CheckExit.WARNING: "warning",
    CheckExit.CRITICAL: "critical",
}


def _print_json(findings: Sequence[Finding]) -> None:
    document: dict[str, Any] = {
        "verdict": worst(findings).name.lower(),
        "exit_code": int(worst(findings)),
        "results": [_as_json(finding) for finding in findings],
    }
    output.print_json(document)


def _as_json(finding: Finding) -> dict[str, Any]:
    return {**to_json(finding), "verdict": finding.verdict.name.lower()}


def _print_nagios(findings: Sequence[Finding]) -> None:
    click.echo(nagios_line(findings))


def nagios_line(findings: Sequence[Finding]) -> str:
    """The one line of a monitoring plugin: status, words, and performance data behind a bar.

    The worst stands first; what is ok is only counted beside what is not.  A limit is written as
    the range ``500:``, "alert below 500".  See monitoring-plugins.org/doc/guidelines.html.
    """
    status = worst(findings)
    bad = [each for each in worst_first(findings) if each.verdict is not CheckExit.OK]
    words = ", ".join(_words(finding) for finding in bad or findings)
    if bad and len(bad) < len(findings):
        words += f"; {len(findings) - len(bad)} ok"
    data = " ".join(_performance(finding) for finding in findings if finding.has_amount)
    text = output.printable(f"CREDIT {status.name} - {words}").replace("|", "/")
    return f"{text} | {data}" if data else text


def _words(finding: Finding) -> str:
    if finding.state != "ok":
        return f"{finding.label} {output.state(finding.state, finding.detail)}"
    text = f"{finding.label} {finding.shown_balance if finding.meter else 'works'}"
    return text if finding.verdict is CheckExit.OK else f"{text} ({finding.because})"


def _performance(finding: Finding) -> str:
    """``'label'=value;warning;critical;minimum``; a name never holds a quote or equals sign."""
    limits = (
        "" if v is None else f"{v.normalize():f}:" for v in (finding.warning, finding.critical)
    )
    return f"'{finding.label}'={finding.balance:f};{';'.join(limits)};0"


_PRINTERS = {"table": _print_table, "json": _print_json, "nagios": _print_nagios}
