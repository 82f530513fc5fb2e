"""``run``: the daemon."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor import log
from monitor.cli.exits import CommandError, Exit
from monitor.cli.secrets import secrets_of
from monitor.cli.sources import Need, config_path, load_all
from monitor.config import Settings, from_environment, load
from monitor.providers.certificates import CertificatesError
from monitor.store.base import StoreCorruptError, StoreError

if TYPE_CHECKING:
    from monitor.plan import Plan

LOG = logging.getLogger(__name__)

EPILOG = """\b
Examples:
  credit-monitor run
  credit-monitor run -c /etc/credit-monitor/config.yaml --log-level debug
  credit-monitor run --log-format json 2>> /var/log/credit-monitor.log

Stops on SIGTERM or Ctrl-C within ten seconds and loses nothing. On SIGHUP it reads the
configuration again; one with a mistake is refused, and the one in use goes on. Messages go to
standard error, under systemd with their priorities.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--log-level",
    type=click.Choice([str(level) for level in log.Level]),
    default=str(log.Level.INFO),
    show_default=True,
    help="How much is told.",
)
@click.option(
    "--log-format",
    type=click.Choice([str(form) for form in log.Format]),
    default=str(log.Format.TEXT),
    show_default=True,
    help="One line of text or one JSON object per message.",
)
@click.option(
    "--access-log",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Record every request to a provider in FILE; - for standard error.",
)
def command(log_level: str, log_format: str, access_log: Path | None) -> None:
    """Run the daemon: poll all keys, record, alert, serve metrics and the web page."""
    settings = _settings(log.Level(log_level), log.Format(log_format))
    if access_log is not None:
        _record_requests(access_log, log.Format(log_format))
    from monitor import service  # noqa: PLC0415 - a wrong configuration is told before these load
    from monitor.plan import Plan  # noqa: PLC0415 - as above
    from monitor.web.server import WebServerError  # noqa: PLC0415 - as above

    plan = Plan.of(settings)
    del settings  # 10,000 keys hold 20 MB of settings; nothing else refers to them
    try:
        service.run(plan, partial(_read_again, config_path()))
    except CertificatesError as error:
        raise CommandError(f"{error}.", code=Exit.CONFIG) from None
    except StoreCorruptError as error:
        _tell_channels(plan.settings, str(error))
        raise CommandError(str(error), code=Exit.CORRUPT) from None
    except StoreError as error:
        raise CommandError(str(error), code=Exit.STORE) from None
    except WebServerError as error:
        raise CommandError(str(error), code=Exit.UNAVAILABLE) from None


def _settings(level: log.Level, form: log.Format) -> Settings:
    """The configuration, after the log was set up and has its warnings."""
    loaded = load_all(Need.SEND)
    log.set_up(level, form, secrets=secrets_of(loaded.settings))
    for warning in loaded.warnings:
        logging.getLogger("monitor.config").warning("%s", warning)
    return loaded.settings


def _read_again(path: Path | None) -> Plan:
    """What the configuration asks for now; raises ``ConfigError`` with all problems."""
    from monitor.plan import Plan  # noqa: PLC0415 - loaded since the daemon runs

    loaded = from_environment(os.environ) if path is None else load(path, os.environ)
    for warning in loaded.warnings:
        LOG.warning("%s", warning)
    log.hide(secrets_of(loaded.settings))
    return Plan.of(loaded.settings)


def _tell_channels(settings: Settings, problem: str) -> None:
    """Tell every channel that nothing is watched: without a store no daemon does it later."""
    import asyncio  # noqa: PLC0415 - rarely needed

    from monitor.cli.sending import send_each  # noqa: PLC0415 - as above
    from monitor.core.messages import stopped_message  # noqa: PLC0415 - as above

    channels = [channel for channel in settings.channels if not channel.alertmanager]
    message = stopped_message(problem, now=datetime.now(UTC), timezone=settings.notify.zone)
    sent = asyncio.run(
        send_each(channels, {c.name: message for c in channels}, settings, sys.stderr)
    )
    for each in sent:
        LOG.info("channel %s: told that the daemon cannot start: %s", each.channel, each.outcome)


def _record_requests(file: Path, form: log.Format) -> None:
    try:
        log.set_up_access(None if file == Path("-") else file, form)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(f"--access-log {file}: {reason}.", code=Exit.USAGE) from None
