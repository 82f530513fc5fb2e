"""What is wrong with a configuration: problems as data, found in any order, told in file order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Path = tuple[str | int, ...]
"""Where a value is in the document: field names and list indices from the top."""

Mark = tuple[int, int]
"""Line and column in the file, both counted from 1."""


class Level(StrEnum):
    """Whether a problem stops the start or is only told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake, for a person: ``file:line:column: path: message``.

    ``line`` and ``column`` are 0 where no text stands behind it; the message is free of values, so
    it is free of secrets.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    message: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        level = "warning: " if self.level is Level.WARNING else ""
        path = f"{self.path}: " if self.path else ""
        return f"{place}: {level}{path}{self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` holds all of them, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NothingConfiguredError(ConfigError):
    """There is no file, and none of the usual variables is set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem before its place in the file was looked up.

    ``on_name`` points at the field's name instead of its value; ``mark`` is set where the place
    was known when it was found.
    """

    path: Path
    message: str
    level: Level = Level.ERROR
    on_name: bool = False
    mark: Mark | None = None


@dataclass(slots=True)
class Findings:
    """All that was found so far; *secrets_needed* tells whether a credential may be missing."""

    secrets_needed: bool = True
    items: list[Finding] = field(default_factory=list)
    _blamed: set[Path] = field(default_factory=set)

    def error(
        self, path: Path, message: str, *, on_name: bool = False, mark: Mark | None = None
    ) -> None:
        """Note what stops the start."""
        self.items.append(Finding(path, message, Level.ERROR, on_name, mark))
        self._blamed.add(path)

    def missing_secret(self, path: Path, message: str, *, mark: Mark | None = None) -> None:
        """Note a reference that cannot be resolved: an error wherever its value matters."""
        if self.secrets_needed or not _is_credential(path):
            self.error(path, message, mark=mark)

    def warning(self, path: Path, message: str, *, on_name: bool = False) -> None:
        """Note what an operator would want to know."""
        self.items.append(Finding(path, message, Level.WARNING, on_name))

    def has_errors(self) -> bool:
        """Whether anything found so far stops the start."""
        return bool(self._blamed)

    def blames(self, path: Path) -> bool:
        """Whether there is an error at exactly *path*, so that what follows from it is left out."""
        return path in self._blamed


_CREDENTIALS = {
    "keys": ("key", "key_file", "key_credential"),
    "channels": ("url", "url_file", "url_credential", "alertmanager"),
    "heartbeat": ("url", "url_file", "url_credential"),
}


def _is_credential(path: Path) -> bool:
    """Whether the value at *path* is used for polling or sending only."""
    section, *rest = path or ("",)
    fields = [step for step in rest if isinstance(step, str)]  # the others are positions
    return len(fields) == 1 and fields[0] in _CREDENTIALS.get(str(section), ())
