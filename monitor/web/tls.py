"""TLS of the web page: a certificate that is taken up anew when its files change."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from monitor.providers.certificates import CertificatesError, serving

log = logging.getLogger(__name__)

LOOK_EVERY = 60.0
"""Real seconds between two looks at the files: renewals come weeks before the end."""


class Certificate:
    """The files of a certificate (with its chain) and of its key, both PEM."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises :class:`~monitor.providers.certificates.CertificatesError`."""
        self._files = (certificate, key)
        self._seen = self._state()
        self.context = serving(certificate, key)

    async def watch(self) -> None:
        """Take up renewed files for new connections, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.renew()

    def renew(self) -> None:
        """Take up the files if they have changed; what cannot be used is told and left alone."""
        found = self._state()
        if found == self._seen:
            return
        self._seen = found
        try:
            serving(*self._files)  # on trial: a pair that does not fit would spoil the real one
            serving(*self._files, into=self.context)
        except CertificatesError as error:
            log.error("web.tls: %s; the certificate before stays in use", error)
            return
        log.info("web.tls: took up the renewed certificate")

    def _state(self) -> tuple[tuple[int, int], ...]:
        """What differs once a file was replaced or written."""
        return tuple(_stamp(Path(file)) for file in self._files)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
