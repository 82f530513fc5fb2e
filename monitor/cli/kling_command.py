"""``kling``: the Kling accounts that are linked to a useapi.net token."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.cli import output
from monitor.cli.app import did_you_mean
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option
from monitor.cli.sources import Need, load_all, problem_lines
from monitor.config import ConfigError, from_environment, secrets
from monitor.core.advice import REASON_TEXTS
from monitor.core.model import MeterFailure, MeterReading
from monitor.core.renewals import RENEW_BEFORE, session_meter
from monitor.overviews import STATE_OK
from monitor.providers import PollError, UseapiKey
from monitor.providers.http import HttpClient
from monitor.providers.useapi import UseapiProvider
from monitor.providers.useapi import kling as logins
from monitor.providers.useapi.provider import Found
from monitor.providers.useapi.services import Linked

VARIABLE = "USEAPI_TOKEN"
PASSWORD_VARIABLE = "KLING_PASSWORD"  # noqa: S105 - the name of a variable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KlingAccount:
    """One linked account as it is listed; ``state`` is ``ok`` or the reason of a failure."""

    email: str
    meter: str
    state: str
    detail: str = ""
    points: Decimal | None = None
    points_expire_at: datetime | None = None
    tickets: int | None = None
    session_ends_at: datetime | None = None
    jobs_running: int | None = None
    jobs_limit: int | None = None

    def needs_login(self, now: datetime) -> bool:
        """Whether its session is broken, or ends soon."""
        ends = self.session_ends_at
        return self.state == "session_broken" or (ends is not None and ends - now <= RENEW_BEFORE)


@click.group()
def command() -> None:
    """Show the Kling accounts behind a useapi.net token, and log in to them.

    The token is that of the key with provider useapi in the configuration, or USEAPI_TOKEN.
    """


def _key_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--key", "key_name", metavar="NAME", help="The key to use, where several are of useapi.net."
    )(function)


def _password_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="File with the password; else that of the configuration, "
        f"{PASSWORD_VARIABLE} or a prompt.",
    )(function)


# -- accounts -------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor kling accounts\n"
    "  credit-monitor kling accounts --format json | jq '.[] | {email, state}'"
)
@_key_option
@format_option("table", "json")
def accounts(*, key_name: str | None, output_format: str) -> None:
    """List the linked accounts: points, tickets, sessions, jobs, and what is broken."""
    key = _chosen(key_name)
    found = _run(lambda http: _read(key.build(), http))
    if output_format == "json":
        output.print_json(found)
    elif found:
        output.print_blocks(_table(found))
    else:
        click.echo("No Kling account is linked. Add one with: credit-monitor kling add EMAIL")


def _table(found: Sequence[KlingAccount]) -> output.Table:
    headings = ("email", "meter", "state", "points", "end", "tickets", "session until", "jobs")
    table = output.Table(headings, right=frozenset({"points", "tickets", "jobs"}))
    for each in found:
        table.add(
            each.email,
            each.meter,
            output.state(each.state, each.detail),
            output.NOTHING if each.points is None else output.amount(each.points),
            output.time(each.points_expire_at),
            output.NOTHING if each.tickets is None else str(each.tickets),
            output.time(each.session_ends_at),
            _jobs(each),
            tone="" if each.state == STATE_OK else "critical",
        )
    return table


def _jobs(account: KlingAccount) -> str:
    running = "?" if account.jobs_running is None else str(account.jobs_running)
    return running if account.jobs_limit is None else f"{running} of {account.jobs_limit}"


async def _read(provider: UseapiProvider, http: HttpClient) -> list[KlingAccount]:
    return [_account(linked, found) for linked, found in await provider.kling_accounts(http)]


def _account(linked: Linked, found: Sequence[Found]) -> KlingAccount:
    meters = {each.meter: each for each in found}
    own = meters.get(linked.meter)
    balance = own if isinstance(own, MeterReading) else None
    failure = own if isinstance(own, MeterFailure) else None
    return KlingAccount(
        email=linked.login,
        meter=linked.meter,
        state=failure.reason if failure else STATE_OK,
        detail=failure.detail if failure else "",
        points=balance.balance if balance else None,
        points_expire_at=balance.expires_at if balance else None,
        tickets=_count(meters.get(f"{linked.meter}/tickets")),
        session_ends_at=_end(meters.get(session_meter(linked.meter))),
        jobs_running=balance.jobs_running if balance else None,
        jobs_limit=linked.jobs_limit,
    )


def _count(found: Found | None) -> int | None:
    if not isinstance(found, MeterReading) or found.balance is None:
        return None
    return int(found.balance)


def _end(found: Found | None) -> datetime | None:
    return found.expires_at if isinstance(found, MeterReading) else None


# -- add ------------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor kling add anna@studio.example\n"
    "  credit-monitor kling add anna@studio.example --max-jobs 3 \\\n"
    "      --password-file anna.password"
)
@click.argument("email")
@click.option(
    "--max-jobs",
    type=click.IntRange(1, logins.MOST_JOBS),
    metavar="NUMBER",
    help="Jobs that may run at once; a linked account keeps what it has, a new one gets "
    f"{logins.USUAL_JOBS}.",
)
@_password_option
@_key_option
def add(
    *, email: str, max_jobs: int | None, password_file: Path | None, key_name: str | None
) -> None:
    """Link the Kling account EMAIL, or update what is linked, by logging in to it.

    useapi.net keeps the password and logs in to Kling at once. The password is never an argument:
    it would show in the list of processes.
    """
    if email.count("@") != 1 or not email.strip("@ "):
        raise click.UsageError("EMAIL is the address that the Kling account logs in with.")
    key = _chosen(key_name)
    password = _password(key, email, password_file)
    client = key.client()
    ends = _run(lambda http: logins.log_in(client, http, email, password, max_jobs))
    click.echo(f"{email} is linked as {key.build().meter_of('kling', email)}.{_until(ends)}")


# -- renew ----------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor kling renew\n"
    "  credit-monitor kling renew anna@studio.example kling:ben"
)
@click.argument("who", nargs=-1, metavar="[EMAIL|METER]...")
@_password_option
@_key_option
@format_option("text", "json")
def renew(
    *,
    who: tuple[str, ...],
    password_file: Path | None,
    key_name: str | None,
    output_format: str,
) -> None:
    """Log in again to linked accounts: those named, else all that are broken or end in a day.

    A linked account keeps its number of jobs. Exits with 1 if a login did not work.
    """
    key = _chosen(key_name)
    found = _run(lambda http: _read(key.build(), http))
    chosen = [_named(name, found) for name in who] or _needing(found)
    if password_file is not None and len(chosen) > 1:
        raise click.UsageError("--password-file is the password of one account: name it.")
    results = [_renewed(key, account, password_file) for account in chosen]
    if output_format == "json":
        output.print_json(results)
    else:
        _tell(results)
    if failed := [str(result["detail"]) for result in results if not result["renewed"]]:
        raise CommandError(*failed)


def _tell(results: Sequence[Mapping[str, Any]]) -> None:
    if not results:
        click.echo("All sessions are well, and last longer than a day.")
    for result in results:
        if result["renewed"]:
            click.echo(f"{result['email']} is logged in again.{_until(result['session_ends_at'])}")


def _needing(found: Sequence[KlingAccount]) -> list[KlingAccount]:
    now = datetime.now(UTC)
    return [account for account in found if account.needs_login(now)]


def _named(name: str, found: Sequence[KlingAccount]) -> KlingAccount:
    for account in found:
        if name.lower() in {account.email.lower(), account.meter, account.meter.partition(":")[2]}:
            return account
    hint = did_you_mean(name, [a.email for a in found] + [a.meter for a in found])
    raise click.UsageError(f"No Kling account {name!r} is linked.{hint}")


def _renewed(key: UseapiKey, account: KlingAccount, file: Path | None) -> Mapping[str, Any]:
    password = _password(key, account.email, file)
    client = key.client()
    result: dict[str, Any] = {"email": account.email, "meter": account.meter, "renewed": True}
    try:
        ends = _run(lambda http: logins.renew(client, http, account.email, password))
    except CommandError as error:
        detail = f"{account.email}: {error.lines[0]}"
        return result | {"renewed": False, "detail": detail, "session_ends_at": None}
    return result | {"detail": "", "session_ends_at": ends}


# -- shared ---------------------------------------------------------------------------------


def _chosen(name: str | None) -> UseapiKey:
    """The key of useapi.net that is named, or the only one; else that of the variable."""
    settings = load_all(Need.POLL, variable=VARIABLE).settings
    keys = [key for key in settings.keys if isinstance(key, UseapiKey)]
    names = [key.name for key in keys]
    if name is not None and name not in names:
        raise click.UsageError(
            f"No key of useapi.net is named {name!r}.{did_you_mean(name, names)}"
        )
    if not keys:
        return _from_environment(settings.source)
    if name is None and len(keys) > 1:
        raise click.UsageError(f"Say which key: --key, one of {', '.join(names)}.")
    return keys[0] if name is None else keys[names.index(name)]


def _from_environment(source: str) -> UseapiKey:
    """The key of the usual variable, for a configuration (*source*) that has none."""
    if not os.environ.get(VARIABLE):
        message = f"{source}: no key has provider: useapi. Set {VARIABLE}, or add one."
        raise CommandError(message, code=Exit.CONFIG)
    try:
        keys = from_environment({VARIABLE: os.environ[VARIABLE]}).settings.keys
    except ConfigError as error:
        raise CommandError(*problem_lines(error.problems), code=Exit.CONFIG) from None
    return next(key for key in keys if isinstance(key, UseapiKey))


def _password(key: UseapiKey, email: str, file: Path | None) -> str:
    """The password of *email*: from *file*, the configuration, the environment, or a prompt."""
    if file is not None:
        try:
            return secrets.read_file(file).value
        except ValueError as error:
            raise click.UsageError(f"--password-file: {error}") from None
    for linked in key.linked:
        same = linked.service == "kling" and linked.login.lower() == email.lower()
        if same and linked.password is not None:
            return linked.password.get_secret_value()
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given
    if not sys.stdin.isatty():
        ways = f"give --password-file, set {PASSWORD_VARIABLE}, or use a terminal"
        raise click.UsageError(f"There is no password of {email}: {ways}.")
    prompted: str = click.prompt(f"Password of {email} at Kling", hide_input=True, err=True)
    return prompted


def _run(work: Callable[[HttpClient], Coroutine[Any, Any, T]]) -> T:
    """What *work* gives; ends the command with the reason where it fails."""
    try:
        return asyncio.run(_with_connections(work))
    except PollError as error:
        text = REASON_TEXTS[error.reason]
        raise CommandError(f"{text.short}: {error.detail}", text.action) from None


async def _with_connections(work: Callable[[HttpClient], Coroutine[Any, Any, T]]) -> T:
    http = HttpClient(ca_file=load_all(Need.POLL).settings.http.ca_file)
    try:
        return await work(http)
    finally:
        await http.aclose()


def _until(ends: datetime | None) -> str:
    if ends is None or ends - datetime.now(UTC) < timedelta(0):
        return ""
    return f" The session lasts until {output.time(ends)}."
