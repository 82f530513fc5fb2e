"""Where commands get the configuration and the store from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from pathlib import Path

import click

from monitor.cli.app import Globals
from monitor.cli.exits import CommandError, Exit
from monitor.cli.judging import Ledgers
from monitor.config import (
    ChannelSettings,
    ConfigError,
    Loaded,
    NothingConfiguredError,
    Problem,
    Settings,
    find,
    from_environment,
    load,
)
from monitor.core.events import Silence
from monitor.core.wording import count
from monitor.store import open_store
from monitor.store.base import Store, StoreError


def config_path() -> Path | None:
    """The configuration file to use, None if there is none."""
    return find(click.get_current_context().ensure_object(Globals).config, os.environ)


class Need(Enum):
    """What a command does with the configuration."""

    READ = "read"  # the store only: the credentials may be out of reach, they are the service's
    POLL = "poll"
    SEND = "send"  # the channels' URLs are judged too, which has to load Apprise


def load_all(need: Need, *, variable: str = "") -> Loaded:
    """Settings and warnings, from the file or else from the environment.

    Ends the command with all problems at once where there are any, and with how to go on where
    there is nothing at all; *variable* holds the key of a command that is for one provider only.
    """
    path = config_path()
    try:
        if path is None:
            return from_environment(os.environ)
        return load(
            path,
            os.environ,
            check_channel_url=None if need is Need.SEND else lambda _: None,
            secrets_needed=need is not Need.READ,
        )
    except NothingConfiguredError as error:
        lines = (*map(str, error.problems), *_ways_on(variable))
        raise CommandError(*lines, code=Exit.CONFIG) from None
    except ConfigError as error:
        raise CommandError(*problem_lines(error.problems), code=Exit.CONFIG) from None


def _ways_on(variable: str) -> Iterator[str]:
    command = click.get_current_context().command_path if variable else "credit-monitor check"
    yield "Two ways on:"
    yield f"  one key, no file:   {variable or 'KIE_API_KEY'}=... {command}"
    yield "  a file to edit:     credit-monitor config init --output config.yaml"


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """One line per problem as ``file:line:column: path: message``, then how many there are."""
    return [*(str(problem) for problem in problems), f"{count(len(problems), 'problem')} found."]


def settings_to_read() -> Settings:
    """The settings, for commands that only look at the store."""
    return load_all(Need.READ).settings


def configured_channels(settings: Settings) -> Sequence[ChannelSettings]:
    """The channels; ends the command where there are none."""
    if not settings.channels:
        raise CommandError(f"{settings.source}: no channels are configured.", code=Exit.CONFIG)
    return settings.channels


@contextmanager
def reading_store(settings: Settings) -> Iterator[Store]:
    """The configured store, opened to read: works beside a running daemon and without one."""
    with _opened(settings, readonly=True) as store:
        yield store


@contextmanager
def writing_store(settings: Settings) -> Iterator[Store]:
    """The configured store, opened to write beside a running daemon; it is never created here."""
    with _opened(settings, readonly=True):
        pass
    with _opened(settings, readonly=False) as store:
        yield store


@contextmanager
def _opened(settings: Settings, *, readonly: bool) -> Iterator[Store]:
    try:
        store = open_store(settings.store.get_secret_value(), readonly=readonly)
        try:
            yield store
        finally:
            store.close()
    except StoreError as error:
        raise CommandError(str(error), code=Exit.STORE) from None


def known_silences(settings: Settings, now: datetime) -> list[Silence]:
    """The silences that hold at *now*; none where there is no store to be read."""
    try:
        store = open_store(settings.store.get_secret_value(), readonly=True)
        try:
            return store.silences(active_at=now)
        finally:
            store.close()
    except StoreError:
        return []  # routing is told from the configuration alone


def known_ledgers(settings: Settings) -> Ledgers:
    """The recorded ledgers; none where there is no store to be read."""
    try:
        store = open_store(settings.store.get_secret_value(), readonly=True)
        try:
            return {(entry.subject_id, entry.meter): entry.state for entry in store.ledgers()}
        finally:
            store.close()
    except StoreError:
        return {}  # check needs no store: judge() tells what could not be judged without it
