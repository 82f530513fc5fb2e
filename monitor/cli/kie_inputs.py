"""What ``kie link`` is given: the URLs, and the key to ask with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from monitor.cli.app import did_you_mean
from monitor.cli.exits import CommandError, Exit
from monitor.cli.sources import Need, config_path, load_all, problem_lines
from monitor.config import ConfigError, Level, Settings, from_environment, load
from monitor.providers import KieKey
from monitor.providers.exchange import check_url

STDIN = "-"
VARIABLE = "KIE_API_KEY"
_LONGEST_URL = 8192


def given_urls(arguments: Sequence[str], file: str | None) -> list[str]:
    """All URLs in their order, each once; ends the command with all that are none.

    ``-`` among the *arguments*, or as *file*, reads standard input.
    """
    lines = list(_lines(arguments, file))
    problems = [f"{place}: {problem}" for place, url in lines if (problem := _problem(url))]
    if problems:
        raise CommandError(*problems, "Nothing was asked for.", code=Exit.USAGE)
    urls = list(dict.fromkeys(url for _, url in lines))
    if not urls:
        raise click.UsageError("Give the URLs of generated files: as arguments, --file FILE or -.")
    return urls


def _lines(arguments: Sequence[str], file: str | None) -> Iterator[tuple[str, str]]:
    """Where each URL stands, and the URL."""
    for number, argument in enumerate(arguments, start=1):
        if argument == STDIN:
            yield from _listed("standard input", sys.stdin)
        else:
            yield f"URL {number}", argument
    if file == STDIN:
        yield from _listed("standard input", sys.stdin)
    elif file is not None:
        yield from _listed(file, _read(file))


def _listed(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """One URL a line; empty lines and those that begin with # are left out."""
    try:
        for number, line in enumerate(lines, start=1):
            text = line.strip().removeprefix("\ufeff")
            if text and not text.startswith("#"):
                yield f"{name}:{number}", text
    except UnicodeDecodeError:
        raise CommandError(f"{name}: is not a text file.", code=Exit.USAGE) from None


def _read(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise CommandError(f"{file}: is not a text file.", code=Exit.USAGE) from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CommandError(f"{file}: cannot be read: {reason}.", code=Exit.USAGE) from None


def _problem(url: str) -> str:
    """What is wrong with *url*, never repeating it; empty if nothing."""
    if len(url) > _LONGEST_URL:
        return f"is longer than {_LONGEST_URL} characters"
    try:
        check_url(url)
    except ValueError as error:
        return str(error).replace("https://api.example.com/balance", "https://host/file.png")
    return ""


def chosen_key(name: str | None) -> tuple[Settings, KieKey]:
    """The settings, and the key *name* or the only one of kie.ai; ends the command without one.

    Where the configuration has none, ``KIE_API_KEY`` is taken.  Of all credentials only that of
    the chosen key is needed.
    """
    settings = load_all(Need.READ, variable=VARIABLE).settings
    keys = {key.name: key for key in settings.keys if isinstance(key, KieKey)}
    if name is not None:
        key = _named(name, keys)
    elif len(keys) > 1:
        raise click.UsageError(f"Several keys are of kie.ai: choose with --key {'|'.join(keys)}.")
    elif keys:
        key = next(iter(keys.values()))
    else:
        return settings, _from_environment(settings)
    _require_credential(key)
    return settings, key


def _require_credential(key: KieKey) -> None:
    """End the command where the credential of *key* cannot be had, with what is wrong about it."""
    path = config_path()
    if path is not None:
        try:
            load(path, os.environ, check_channel_url=lambda _: None)
        except ConfigError as error:
            wrong = [p for p in error.problems if p.path.startswith(f"keys.{key.name}.")]
            if problems := [p for p in wrong if p.level is Level.ERROR]:
                raise CommandError(*problem_lines(problems), code=Exit.CONFIG) from None
    if key.key is None:
        raise CommandError(f"Key {key.name} has no credential.", code=Exit.CONFIG)


def _named(name: str, keys: dict[str, KieKey]) -> KieKey:
    if name not in keys:
        raise click.UsageError(
            f"No key of kie.ai is named {name!r}.{did_you_mean(name, list(keys))}"
        )
    return keys[name]


def _from_environment(settings: Settings) -> KieKey:
    try:
        loaded = from_environment({VARIABLE: os.environ.get(VARIABLE, "")})
    except ConfigError:
        raise CommandError(
            f"{settings.source}: no key is of kie.ai, and {VARIABLE} holds none either.",
            code=Exit.CONFIG,
        ) from None
    [key] = loaded.settings.keys
    if not isinstance(key, KieKey):
        raise TypeError(f"{VARIABLE} does not hold a key of kie.ai")
    return key
