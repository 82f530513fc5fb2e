"""Names for downloaded files that can neither leave their directory nor surprise a shell.  Pure."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

LONGEST = 140
"""Bytes of a name in UTF-8: file systems take 255, encrypting ones 143; a number may be added."""

_UNWANTED = frozenset('/\\:*?"<>|')
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_TYPES = mimetypes.MimeTypes()  # what Python knows, the same on every host


def file_name(url: str) -> str:
    """A harmless name after the last part of the path of *url*.

    No separators, control or invisible characters; no leading dot, blank or hyphen; no device of
    Windows; at most :data:`LONGEST` bytes, the suffix kept.
    """
    parts = [part for part in urlsplit(url).path.split("/") if part]
    text = unicodedata.normalize("NFC", unquote(parts[-1])) if parts else ""
    name = "".join("_" if _is_unwanted(c) else c for c in text).strip(" .").lstrip("-. ")
    if not name.strip("_"):
        return "file"
    return _shortened(f"_{name}" if _DEVICE.match(name) else name)


def with_suffix(name: str, content_type: str) -> str:
    """*name*, with the usual suffix of *content_type* where it has none."""
    if _SUFFIX.fullmatch(PurePosixPath(name).suffix):
        return name
    kind = content_type.partition(";")[0].strip().lower()
    suffix = _TYPES.guess_extension(kind, strict=False)
    return name if suffix is None or kind == "application/octet-stream" else name + suffix


def plan_names(urls: Iterable[str]) -> dict[str, str]:
    """A name for each of *urls*, no two of which are the same on any file system."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # the last one given to each name, so that many alike stay cheap
    for url in urls:
        wanted = file_name(url)
        number = numbers.get(wanted.casefold(), 1)
        while (name := numbered(wanted, number)).casefold() in taken:
            number += 1
        numbers[wanted.casefold()] = number
        names[url] = name
        taken.add(name.casefold())
    return names


def numbered(name: str, number: int) -> str:
    """*name* as the first of its kind, ``stem-2.suffix`` as the second, and so on."""
    path = PurePosixPath(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"


def _is_unwanted(character: str) -> bool:
    is_blank_or_control = unicodedata.category(character)[0] in "CZ" and character != " "
    return is_blank_or_control or character in _UNWANTED


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    suffix = PurePosixPath(name).suffix
    suffix = suffix if _SUFFIX.fullmatch(suffix) else ""
    stem = name.removesuffix(suffix).encode()[: LONGEST - len(suffix)]
    return stem.decode(errors="ignore").rstrip(" .") + suffix
