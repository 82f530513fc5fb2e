"""Exit codes, and the errors that a command ends with instead of a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command but ``check``: those of sysexits.h, plus the shell's 130."""

    OK = 0
    FAILED = 1  # the command worked, what it tried did not: a test message, a missing key
    USAGE = 64  # EX_USAGE
    CORRUPT = 65  # EX_DATAERR: the store is damaged, and a restart would find it so again
    UNAVAILABLE = 69  # EX_UNAVAILABLE: the address of the web page is taken
    SOFTWARE = 70  # EX_SOFTWARE: our own error
    STORE = 74  # EX_IOERR
    CONFIG = 78  # EX_CONFIG
    INTERRUPTED = 130  # 128 + SIGINT


class CheckExit(IntEnum):
    """Exit codes of ``check``: the monitoring-plugins convention."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class CommandError(Exception):
    """The end of a command: lines for a person, and the exit code.

    *lines* are free of secrets; ``check`` ends with 3 whatever the code says.
    """

    def __init__(self, *lines: str, code: Exit = Exit.FAILED) -> None:
        super().__init__("\n".join(lines))
        self.lines: Sequence[str] = lines
        self.code = code
