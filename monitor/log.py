"""Logging: one record after the other on standard error, as text or JSON, with no secret in it.

Only this package's own loggers follow the chosen level; libraries speak from WARNING up, because
several of them log URLs and headers below it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

HIDDEN = "********"
"""Stands where a secret was."""

PACKAGE = "monitor"

OFF = logging.CRITICAL + 1
"""A level that no record reaches."""


class Level(StrEnum):
    """How much is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Format(StrEnum):
    """One line of text, or one JSON object, per record."""

    TEXT = "text"
    JSON = "json"


def set_up(
    level: Level,
    form: Format,
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send all records to *stream* (standard error), replacing what was set up before.

    *secrets* are taken out of tracebacks and of what libraries say; our own messages hold none by
    construction.  Under systemd the lines carry their priority instead of time and level.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    hidden = _longest_first(secrets)
    journal = _is_journal(target, os.environ if environ is None else environ)
    handler.setFormatter(_formatter(form, hidden, journal=journal))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(PACKAGE).setLevel(level.upper())
    logging.getLogger(f"{PACKAGE}.access").setLevel(OFF)
    logging.captureWarnings(capture=True)


def hide(secrets: Iterable[str]) -> None:
    """Take these *secrets* out too, from now on: a configuration was read again."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _SafeFormatter):
            handler.formatter.hide(secrets)


def _longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({s for s in secrets if s}, key=len, reverse=True))


def set_up_access(target: Path | None, form: Format) -> None:
    """Record every request to a provider in the file *target*, on standard error for None.

    The file is opened anew when it was renamed or removed, as logrotate does.  Raises ``OSError``
    if it cannot be written.
    """
    handler: logging.Handler
    journal = False
    if target is None:
        handler = logging.StreamHandler(sys.stderr)
        journal = _is_journal(sys.stderr, os.environ)
    else:
        handler = _AccessFile(target)
    handler.setFormatter(_formatter(form, (), journal=journal))
    logger = logging.getLogger(f"{PACKAGE}.access")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)


class _AccessFile(logging.Handler):
    """Lines in a file that only its owner may read, opened anew when the name is another file's.

    The standard library's WatchedFileHandler makes the new file with the mode of the umask, and
    prints a traceback for every record that it cannot write.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._failing = False
        self._file: TextIO | None = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; trouble is told once when it begins, not for every request."""
        try:
            if self._file is None or not self._is_current(self._file):
                self.close_file()
                self._file = self._open()
            self._file.write(self.format(record) + "\n")
            self._file.flush()
            self._failing = False
        except OSError as error:
            if not self._failing:
                reason = error.strerror or type(error).__name__
                logging.getLogger(__name__).error("the access log cannot be written: %s", reason)
            self._failing = True

    def close_file(self) -> None:
        """Let go of the file, if one is open."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def close(self) -> None:
        """Let go of the file for good."""
        self.close_file()
        super().close()

    def _open(self) -> TextIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.fdopen(os.open(self._path, flags, 0o600), "a", encoding="utf-8")

    def _is_current(self, file: TextIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether *stream* is connected to the journal: systemd.exec(5), ``$JOURNAL_STREAM``."""
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream without a file behind it
        return False
    return environ.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}"


def _formatter(form: Format, hidden: tuple[str, ...], *, journal: bool) -> logging.Formatter:
    if form is Format.JSON:
        return JsonFormatter(hidden)
    return JournalFormatter(hidden) if journal else TextFormatter(hidden)


class _SafeFormatter(logging.Formatter):
    """What all forms share: the message without secrets, the extra fields, the traceback."""

    def __init__(self, hidden: tuple[str, ...]) -> None:
        super().__init__()
        self._hidden = hidden

    def hide(self, secrets: Iterable[str]) -> None:
        """Take these out as well."""
        self._hidden = _longest_first((*self._hidden, *secrets))

    def message(self, record: logging.LogRecord) -> str:
        """The record's sentence."""
        text = record.getMessage()
        return text if _is_ours(record) else self._hide(text)

    def traceback(self, record: logging.LogRecord) -> str:
        """The traceback of the record's exception, empty without one."""
        if not record.exc_info:
            return ""
        return self._hide(self.formatException(record.exc_info))

    def lines(self, record: logging.LogRecord) -> list[str]:
        """Message and extra fields on one printable line, then the traceback, indented.

        What a foreign text holds cannot begin a line of its own, nor move a terminal's cursor.
        """
        words = [self.message(record), *(f"{k}={_value(v)}" for k, v in extras(record).items())]
        first = f"{_logger(record)}: {_printable(' '.join(words))}"
        return [first, *(f"    {_printable(t)}" for t in self.traceback(record).splitlines())]

    def _hide(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, HIDDEN)
        return text


class TextFormatter(_SafeFormatter):
    """``2026-05-01T14:03:12.345Z INFO poller: message key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and its traceback below."""
        return f"{_time(record)} {record.levelname} " + "\n".join(self.lines(record))


_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class JournalFormatter(_SafeFormatter):
    """``<6>poller: message key=value``: the journal adds the time; see sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, each behind its priority: the journal takes them one by one."""
        priority = next((p for level, p in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self.lines(record))


class JsonFormatter(_SafeFormatter):
    """One JSON object: time, level, logger, message, the extra fields, and ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": _logger(record),
            "message": self.message(record),
            **extras(record),
        }
        trace = self.traceback(record)
        if trace:
            document["exception"] = trace
        return json.dumps(document, ensure_ascii=False, default=str)


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra=`` of a logging call."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == PACKAGE or record.name.startswith(f"{PACKAGE}.")


def _logger(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{PACKAGE}.")


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: Any) -> str:
    """As ``key=value`` shows it: quoted where it has blanks or quotes."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=') else text


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else _ESCAPES.get(c, f"\\x{ord(c):02x}") for c in text)


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
