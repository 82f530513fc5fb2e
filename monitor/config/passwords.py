"""Passwords of the web page as hashes: made, read from the configuration, compared.

``scrypt:LOG2_N:R:P:SALT:HASH`` with salt and hash in base64; scrypt is RFC 7914, and the parameters
are those of https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html that
stay below OpenSSL's default limit of memory (32 MiB).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass

SCHEME = "scrypt"
LOG2_N, R, P = 14, 8, 5
SALT_BYTES = 16
HASH_BYTES = 32

MAX_LOG2_N, MAX_R, MAX_P = 14, 8, 16
"""More would need over 16 MiB and a second for each try: a typing error, not a wish."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password that can be recognised and not be read."""

    log2_n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """A new hash of *password*, with a salt of its own."""
        salt = os.urandom(SALT_BYTES)
        return cls(LOG2_N, R, P, salt, _scrypt(password, salt, LOG2_N, R, P))

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """The hash in *text*; raises ``ValueError``."""
        scheme, *parts = text.split(":")
        try:
            log2_n, r, p = map(int, parts[:3])
            salt, digest = (base64.b64decode(part, validate=True) for part in parts[3:])
        except (ValueError, binascii.Error):
            raise ValueError(_NO_HASH) from None
        known = scheme == SCHEME and len(salt) >= SALT_BYTES and len(digest) == HASH_BYTES
        if not known or not (0 < log2_n <= MAX_LOG2_N and 0 < r <= MAX_R and 0 < p <= MAX_P):
            raise ValueError(_NO_HASH)
        return cls(log2_n, r, p, salt, digest)

    def __str__(self) -> str:
        """As the configuration has it."""
        salt, digest = (base64.b64encode(part).decode() for part in (self.salt, self.digest))
        return f"{SCHEME}:{self.log2_n}:{self.r}:{self.p}:{salt}:{digest}"

    def matches(self, password: str) -> bool:
        """Whether *password* is the one; takes a tenth of a second and 16 MiB."""
        found = _scrypt(password, self.salt, self.log2_n, self.r, self.p)
        return hmac.compare_digest(found, self.digest)


_NO_HASH = "is no hash of a password: make one with credit-monitor config hash-password"


def _scrypt(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=2**log2_n,
        r=r,
        p=p,
        dklen=HASH_BYTES,
    )
