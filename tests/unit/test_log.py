"""What log records look like, and what they never show."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.log import HIDDEN, OFF, Format, Level, set_up, set_up_access

SECRET = "sk-1234567890"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, package = logging.getLogger(), logging.getLogger("monitor")
    handlers, levels = list(root.handlers), (root.level, package.level)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    access = logging.getLogger("monitor.access")
    access.handlers.clear()
    access.setLevel(OFF)
    root.setLevel(levels[0])
    package.setLevel(levels[1])


def lines(form: Format = Format.TEXT, level: Level = Level.INFO) -> io.StringIO:
    stream = io.StringIO()
    set_up(level, form, secrets=["", SECRET], stream=stream, environ={})
    return stream


def test_text_has_time_level_logger_message_and_fields() -> None:
    stream = lines()
    logging.getLogger("monitor.poller").info("polled %s", "a", extra={"key": "a b", "n": 3})
    time, _, rest = stream.getvalue().partition(" ")
    assert time.endswith("Z")
    assert rest == 'INFO poller: polled a key="a b" n=3\n'


def test_json_has_one_object_per_record() -> None:
    stream = lines(Format.JSON)
    logging.getLogger("monitor.poller").warning("bad\nnews", extra={"key": "a", "wait": None})
    document = json.loads(stream.getvalue())
    assert (document["level"], document["logger"]) == ("warning", "poller")
    assert (document["message"], document["key"], document["wait"]) == ("bad\nnews", "a", None)


def test_the_journal_gets_priorities_instead_of_times(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        state = os.fstat(stream.fileno())
        journal = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
        set_up(Level.DEBUG, Format.TEXT, stream=stream, environ=journal)
        log = logging.getLogger("monitor.x")
        for level in (10, 20, 30, 40, 50):
            log.log(level, "told")
        stream.seek(0)
        assert stream.read().split() == [
            part for n in (7, 6, 4, 3, 2) for part in (f"<{n}>x:", "told")
        ]


def test_another_stream_than_the_journal_gets_times(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as stream:
        set_up(Level.INFO, Format.TEXT, stream=stream, environ={"JOURNAL_STREAM": "1:2"})
        logging.getLogger("monitor.x").info("told")
        stream.seek(0)
        assert " INFO x: told" in stream.read()


@pytest.mark.parametrize("form", Format)
def test_no_secret_of_a_traceback_or_a_library_is_told(form: Format) -> None:
    stream = lines(form)
    error = ValueError(f"cannot send Bearer {SECRET}")
    logging.getLogger("monitor.poller").error("poll failed", exc_info=error)
    logging.getLogger("some.library").warning("GET https://x/?token=%s", SECRET)
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count(HIDDEN) == 2
    assert "ValueError" in stream.getvalue()


@pytest.mark.parametrize("name", ["httpx", "httpcore", "aiohttp", "apprise", "sqlalchemy.engine"])
def test_libraries_are_quiet_even_at_debug(name: str) -> None:
    stream = lines(level=Level.DEBUG)
    logging.getLogger(name).info("GET https://example.org/?key=%s", SECRET)
    logging.getLogger("monitor.x").debug("told")
    assert "example.org" not in stream.getvalue()
    assert "told" in stream.getvalue()


def test_a_foreign_text_cannot_fake_a_record() -> None:
    stream = lines()
    logging.getLogger("monitor.x").info("answer: %s", "x\n2026 ERROR fake\x1b[2J")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_lines_of_a_traceback_are_indented() -> None:
    stream = lines()
    logging.getLogger("monitor.x").error("failed", exc_info=ValueError("a\nb"))
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR x: failed")
    assert all(line.startswith("    ") for line in rest)


def test_the_level_is_that_of_our_own_messages() -> None:
    stream = lines(level=Level.WARNING)
    logging.getLogger("monitor.x").info("quiet")
    logging.getLogger("monitor.x").warning("told")
    assert "quiet" not in stream.getvalue()
    assert "told" in stream.getvalue()


def test_an_access_log_that_fails_is_told_once_and_goes_on_when_it_can(tmp_path: Path) -> None:
    stream = lines()
    folder = tmp_path / "log"
    folder.mkdir()
    set_up_access(folder / "access.log", Format.TEXT)
    access = logging.getLogger("monitor.access")
    access.info("first")
    folder.rename(tmp_path / "away")
    access.info("lost")
    access.info("lost")
    assert stream.getvalue().count("the access log cannot be written") == 1
    folder.mkdir()
    access.info("second")
    access.handlers[0].close()
    assert "second" in (folder / "access.log").read_text()
    assert "first" not in stream.getvalue()
