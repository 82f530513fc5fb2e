"""Which certificates are trusted instead of the usual ones, and what is wrong with a file of them.

Apart from ``http.py``, so that checking a configuration does not load the HTTP libraries.
"""

from __future__ import annotations

import os
import ssl


class CertificatesError(Exception):
    """A file of certificates that cannot be used; a sentence without its path."""


def trusting(file: str) -> ssl.SSLContext:
    """TLS that is verified against the PEM certificates in *file* and no others.

    Raises :class:`CertificatesError`.
    """
    try:
        context = ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        problem = "the file holds no certificate in PEM form"
    except OSError as error:
        problem = f"the file cannot be read: {os.strerror(error.errno or 0)}"
    except ValueError:  # a NUL, or what the encoding of file names lacks
        problem = "the file cannot be read: no file has such a name"
    else:
        if context.cert_store_stats()["x509"]:
            return context
        problem = "the file holds no certificate in PEM form"  # but a list of revoked ones
    raise CertificatesError(problem)
