"""Whether a daemon lives here: what an image's health check and a script ask."""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus

from monitor.cli.exits import CommandError
from monitor.config.models import Settings, Web

PATH = "/healthz"
TIMEOUT = 4.0
"""Seconds for an answer of a daemon on the same host."""

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked on loopback, not bound


def ping(settings: Settings) -> str:
    """Ask the daemon that listens at ``web.listen`` whether it lives; returns a line that says so.

    Ends the command where none answers, or ``web`` is off.
    """
    web = settings.web
    if web is None or web.port == 0:
        raise CommandError("No daemon can be asked: web is off, or its port is any free one.")
    try:
        status = _ask(web)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CommandError(f"No daemon answers at {web.listen}: {reason}.") from None
    if status != HTTPStatus.OK:
        raise CommandError(f"What answers at {web.listen} is no daemon in health: HTTP {status}.")
    return f"The daemon at {web.listen} lives."


def _ask(web: Web) -> int:
    host = EVERYWHERE.get(web.host, web.host)
    connection = http.client.HTTPConnection(host, web.port, timeout=TIMEOUT)
    if web.tls is not None:
        # Its certificate is for the name that others use; nothing is sent that has to be kept.
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, web.port, timeout=TIMEOUT, context=anybody)
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status
    finally:
        connection.close()
