"""Talks to the service manager: ready, reloading, stopping, a line of status, signs of life.

The protocol is datagrams of ``NAME=value`` lines to the socket in ``$NOTIFY_SOCKET``, sd_notify(3);
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.  Without that variable
nobody listens, and everything here does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Manager:
    """The manager that started this process, or nobody.

    ``watchdog`` is the time in real seconds within which it wants a sign of life; None: it does
    not ask for any.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self.watchdog = watchdog if address else None
        self._address = _socket_address(address)
        self._status = ""
        self._failed = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Manager:
        """The manager that *environ* tells of."""
        return cls(environ.get("NOTIFY_SOCKET", ""), _watchdog_seconds(environ))

    def ready(self, status: str) -> None:
        """Started, or done with reloading: *status* is what ``systemctl status`` shows."""
        self._status = status
        self._tell(READY=1, STATUS=status)

    def reloading(self) -> None:
        """The configuration is being read again; :meth:`ready` ends it.

        The time lets the manager tell this from an earlier reload (``Type=notify-reload``).
        """
        self._tell(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def stopping(self) -> None:
        """The end has begun."""
        self._tell(STOPPING=1, STATUS="stopping")

    def alive(self) -> None:
        """A sign of life; the manager restarts who gives none for ``watchdog`` seconds."""
        if self.watchdog is not None:
            self._tell(WATCHDOG=1)

    def status(self, text: str) -> None:
        """Show *text* in ``systemctl status``; told only when it has changed."""
        if text != self._status:
            self._status = text
            self._tell(STATUS=text)

    def _tell(self, **values: object) -> None:
        if not self._address:
            return
        message = "\n".join(f"{name}={_one_line(str(value))}" for name, value in values.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("the service manager cannot be told: %s", os.strerror(error.errno or 0))
            self._failed = True
        else:
            self._failed = False


def _socket_address(address: str) -> str:
    """The address as the kernel takes it: ``@`` stands for the NUL of an abstract socket."""
    if address.startswith("@"):
        return f"\0{address[1:]}"
    return address if address.startswith("/") else ""


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """``$WATCHDOG_USEC``, where it is meant for this process; sd_watchdog_enabled(3)."""
    wanted, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (process and process != str(os.getpid())):
        return None
    return int(wanted) / 1e6 or None


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
