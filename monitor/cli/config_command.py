"""``config``: check it, show it, its schema, and a file to start from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
import yaml

from monitor import config
from monitor.cli import output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option
from monitor.cli.sources import Need, config_path, load_all, problem_lines
from monitor.core import wording


@click.group()
def command() -> None:
    """Check, show and start a configuration."""


@command.command(epilog="\b\nExamples:\n  credit-monitor config check -c config.yaml")
@format_option("text", "json")
def check(output_format: str) -> None:
    """Tell everything that is wrong with the configuration, with line and column.

    Looks at the channels' URLs too, but never touches the network. Exits with 78 if it cannot be
    used; warnings alone do not count.
    """
    try:
        loaded = _load()
        problems, usable = loaded.warnings, True
    except config.ConfigError as error:
        problems, usable = error.problems, False
    if output_format == "json":
        output.print_json({"usable": usable, "problems": problems})
    elif not usable:
        raise CommandError(*problem_lines(problems), code=Exit.CONFIG)
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        click.echo(_summary(loaded.settings))
    if not usable:
        raise click.exceptions.Exit(Exit.CONFIG)


def _load() -> config.Loaded:
    path = config_path()
    return config.load(path, os.environ) if path else config.from_environment(os.environ)


def _summary(settings: config.Settings) -> str:
    keys = wording.count(len(settings.keys), "key")
    channels = wording.count(len(settings.channels), "channel")
    return f"{settings.source}: usable, {keys}, {channels}"


@command.command(
    epilog="\b\nExamples:\n  credit-monitor config show\n  credit-monitor config show --format json"
)
@format_option("yaml", "json")
def show(output_format: str) -> None:
    """Print the configuration in effect: defaults filled in, secrets hidden."""
    text = config.show(load_all(Need.SEND).settings)
    if output_format == "json":
        output.print_json(yaml.safe_load(text))
    else:
        click.echo(text, nl=False)


@command.command(
    epilog="\b\nExamples:\n  credit-monitor config schema > credit-monitor.schema.json"
)
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors and checks."""
    click.echo(json.dumps(config.schema(), indent=2))


@command.command(
    epilog="\b\nExamples:\n  credit-monitor config init > config.yaml\n"
    "  credit-monitor config init --output /etc/credit-monitor/config.yaml"
)
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to FILE, readable by its owner only; a file that exists is left alone.",
)
def init(target: Path | None) -> None:
    """Print a commented configuration to start from, with the keys found in the environment."""
    text = config.starter(os.environ)
    if target is None:
        click.echo(text, nl=False)
        return
    _write_new(target, text)
    click.echo(f"Wrote {target}. Next: credit-monitor config check -c {target}")


def _write_new(target: Path, text: str) -> None:
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - the mode and O_EXCL need a descriptor
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{target} exists already and is left as it is.") from None
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from None


@command.command(
    epilog="\b\nExamples:\n  credit-monitor config hash-password\n"
    "  pass show credit-monitor | credit-monitor config hash-password"
)
def hash_password() -> None:
    """Print the hash of a password, for web.users.

    Asks for the password, or reads a line from standard input.
    """
    from monitor.config.passwords import PasswordHash  # noqa: PLC0415 - needed by no other command

    password = _password()
    if not password:
        raise click.UsageError("The password is empty.")
    click.echo(str(PasswordHash.of(password)))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
