"""What a host tells of a file's content, and whether what was saved agrees.  Reads files only.

Told are ``Content-MD5`` (RFC 1864), ``Digest`` (RFC 3230), ``Repr-Digest`` (RFC 9530) and
``x-goog-hash`` (cloud.google.com/storage/docs/xml-api/reference-headers).  An ETag is often, but
not by contract, the MD5 of the file: it can prove a file right, never wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_LENGTHS = {"sha-256": 32, "md5": 16}
_PAIR = re.compile(r"(?P<name>[A-Za-z0-9-]+)\s*=\s*:?(?P<value>[A-Za-z0-9+/]+={0,2}):?")
_MD5_TAG = re.compile(r'"([0-9a-f]{32})"', re.IGNORECASE)
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its size in bytes and its hashes in hexadecimal."""

    size: int
    sha256: str
    md5: str


def told(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums in the *headers* of an answer that brings the whole file, by algorithm.

    In hexadecimal.  Of an answer that brings a part, ``Content-MD5`` is that part's.
    """
    found: dict[str, str] = {}
    for name, value in _pairs(headers):
        algorithm = name.lower()
        raw = _decoded(value)
        if len(raw) == _LENGTHS.get(algorithm):
            found.setdefault(algorithm, raw.hex())
    return found


def _pairs(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if md5 := headers.get("Content-MD5", "").strip():
        yield "md5", md5
    for header in ("Repr-Digest", "Digest", "x-goog-hash"):
        for pair in headers.get(header, "").split(","):
            if match := _PAIR.fullmatch(pair.strip()):
                yield match["name"], match["value"]


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def content_of(path: Path) -> Content:
    """Size and hashes of the file at *path*; raises ``OSError``."""
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            sha256.update(block)
            md5.update(block)
    return Content(size, sha256.hexdigest(), md5.hexdigest())


def disagreement(content: Content, checksums: Mapping[str, str]) -> str:
    """Which of *checksums* the *content* contradicts; empty if none."""
    have = {"sha-256": content.sha256, "md5": content.md5}
    return next((name for name, value in checksums.items() if have.get(name, value) != value), "")


def proof(content: Content, checksums: Mapping[str, str], etag: str, size: int | None) -> str:
    """What shows that *content* is whole: ``sha-256``, ``md5``, ``size``, or nothing."""
    for name in ("sha-256", "md5"):
        if name in checksums:
            return name
    if (tag := _MD5_TAG.fullmatch(etag)) and tag[1].lower() == content.md5:
        return "md5"
    return "size" if size is not None else ""
