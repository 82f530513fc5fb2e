"""Which certificates are trusted, and which we show; what is wrong with a file of them.

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


def serving(certificate: str, key: str, into: ssl.SSLContext | None = None) -> ssl.SSLContext:
    """TLS that shows the PEM *certificate*, with its chain, of the private *key*.

    *into* is a context that takes them up for connections to come.  Raises
    :class:`CertificatesError`.
    """
    context = into or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        fits = error.reason != "KEY_VALUES_MISMATCH"
        problem = (
            "certificate and key are not both in PEM form, or the key has a password"
            if fits
            else "the key is not that of the certificate"
        )
    except OSError as error:
        problem = f"certificate or key cannot be read: {os.strerror(error.errno or 0)}"
    except ValueError:  # as above, or the key asks for a password
        problem = "certificate or key cannot be used: a key with a password cannot be served"
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
    raise CertificatesError(problem)


def _no_password() -> str:
    """Keeps OpenSSL from asking on the terminal."""
    raise ValueError
