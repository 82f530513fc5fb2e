"""From a channel's URL to what sends through it; Apprise is loaded only when a channel needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from monitor.clock import Clock
from monitor.delivery.console import ConsoleSender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.delivery.base import Sender

CONSOLE_URLS = ("console:", "console://")


def make_sender(
    url: str,
    *,
    name: str,
    timeout: float,
    words: Mapping[str, str] | None = None,
    terminal: TextIO | None = None,
) -> Sender:
    """The sender of channel *name*; a send takes at most *timeout* seconds.

    *words* are templates for ``title`` and ``body`` of its messages.  What ``console:`` prints goes
    to *terminal*, standard output unless given.  Raises ``ValueError`` with a sentence free of
    secrets when the URL is unusable, and for a template that is none.
    """
    sender = _plain_sender(url, name, timeout, terminal)
    if not words:
        return sender
    from monitor.delivery.templates import (  # noqa: PLC0415 - loads Jinja2; few channels need it
        MessageTemplate,
        TemplatedSender,
    )

    return TemplatedSender(sender, MessageTemplate(**words))


def _plain_sender(url: str, name: str, timeout: float, terminal: TextIO | None) -> Sender:
    if url in CONSOLE_URLS:
        return ConsoleSender(terminal)
    from monitor.delivery.apprise import AppriseSender  # noqa: PLC0415 - 20 MB; console needs none

    return AppriseSender(url, name=name, timeout=timeout)


def make_alertmanager_sender(
    urls: Sequence[str], *, name: str, timeout: float, ca_file: str | None
) -> Sender:
    """What shows a test message of channel *name* to the Alertmanagers at these base addresses."""
    from monitor.delivery.address import alertmanager_address  # noqa: PLC0415 - as below
    from monitor.delivery.alertmanager import AlertmanagerSender  # noqa: PLC0415 - loads aiohttp
    from monitor.providers.http import HttpClient  # noqa: PLC0415 - as above

    addresses = [alertmanager_address(url) for url in urls]
    http = HttpClient(ca_file=ca_file)
    return AlertmanagerSender(name, addresses, http=http, clock=Clock(), timeout=timeout)


def check_url(url: str) -> str | None:
    """What is wrong with a channel URL, as a sentence free of secrets; None when it is usable.

    Nothing is sent and no host is looked up.
    """
    if url in CONSOLE_URLS:
        return None
    from monitor.delivery.apprise import load_target  # noqa: PLC0415 - 20 MB; console needs none

    try:
        load_target(url)
    except ValueError as error:
        return str(error)
    return None
