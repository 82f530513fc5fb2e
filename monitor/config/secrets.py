"""Secrets are references in the file; here they become values, or a sentence that says why not.

No sentence holds a value: neither the secret nor what was found in its place.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SIZE_LIMIT = 64 * 1024
"""Bytes of a secret's file; the longest credentials in use (service accounts) have a few KiB."""

_REFERENCE = re.compile(r"\$?\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CREDENTIAL = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9_.@-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class FromEnvironment(str):
    """A text that holds what a ``${NAME}`` stood for; it is never shown.

    ``values`` is what the variables held, each by itself.
    """

    __slots__ = ("values",)
    values: tuple[str, ...]

    def __new__(cls, text: str, values: tuple[str, ...] | None = None) -> Self:
        """*text*, all of it from one variable unless *values* says otherwise."""
        self = super().__new__(cls, text)
        self.values = (text,) if values is None else values
        return self


@dataclass(frozen=True, slots=True)
class FileSecret:
    """What a file held, and whether every user of the host can read it."""

    value: str
    world_readable: bool


def expand(text: str, environ: Mapping[str, str]) -> FromEnvironment:
    """*text* with every ``${NAME}`` replaced from *environ*; ``$${NAME}`` is a literal ``${NAME}``.

    What a variable holds is taken as it is, never looked at again.  Raises ``ValueError`` for a
    variable that is not set or empty, and for other forms such as ``${NAME:-default}``.
    """
    values: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        if not _NAME.fullmatch(match[1]):
            raise ValueError("only ${NAME} is replaced, with a variable's name between the braces")
        values.append(variable(match[1], environ))
        return values[-1]

    expanded = _REFERENCE.sub(replace, text)
    return FromEnvironment(expanded, tuple(values))


def variable(name: str, environ: Mapping[str, str]) -> str:
    """The environment variable *name*; raises ``ValueError`` if it is not set or empty."""
    value = environ.get(name)
    if value is None:
        raise ValueError(f"environment variable {name} is not set")
    if not value:
        raise ValueError(f"environment variable {name} is empty")
    return value


def read_file(path: Path) -> FileSecret:
    """The secret in *path* without the line break at its end.

    Raises ``ValueError`` with a sentence that does not repeat *path*: a key pasted into the wrong
    field looks like one.
    """
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise ValueError("the file is a directory")
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("the file is no regular file")
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ValueError(
            f"the file cannot be read: {reason} (a relative path starts from the directory of the"
            " configuration file)"
        ) from None
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"the file is larger than {SIZE_LIMIT // 1024} KiB: no credential is")
    return FileSecret(_decode(content), bool(state.st_mode & stat.S_IROTH))


def credential_path(name: str, environ: Mapping[str, str]) -> Path:
    """Where systemd put the credential *name* (``LoadCredential=``); raises ``ValueError``.

    See systemd.exec(5), "Credentials", and systemd.io/CREDENTIALS.
    """
    if not _CREDENTIAL.fullmatch(name):
        raise ValueError("the name of a systemd credential has letters, digits and . _ @ - only")
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ValueError(
            "systemd credentials exist only inside the service: CREDENTIALS_DIRECTORY is not set"
            " (and the unit needs LoadCredential=NAME:PATH)"
        )
    return Path(directory) / name


def complaint_about_key(value: str) -> str | None:
    """Why *value* cannot be an API key, or None; the sentence does not show it."""
    if not value.isascii():
        return "holds a character outside ASCII: no API key does, so it was pasted wrongly"
    if _CONTROL.search(value):
        return "holds a line break or control character: exactly one key, on one line, is wanted"
    if " " in value:
        return "holds a blank: exactly the key is wanted, without a name or prefix before it"
    return None


def complaint_about_url(value: str) -> str | None:
    """Why *value* cannot be a channel's URL, or None; the sentence does not show it."""
    if _CONTROL.search(value):
        return "holds a line break or control character: exactly one URL, on one line, is wanted"
    return None


def complaint_about_password(value: str) -> str | None:
    """Why *value* cannot be a password, or None; the sentence does not show it."""
    if _CONTROL.search(value):
        return "holds a line break or control character: exactly one password is wanted"
    return None


def _decode(content: bytes) -> str:
    try:
        value = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("the file is not text") from None
    if not value.strip():
        raise ValueError("the file is empty")
    if "\0" in value:
        raise ValueError("the file is not text")
    return value
