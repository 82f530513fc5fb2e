"""A YAML text as plain values, and the place of each of them.

One reading for every scalar, that of YAML 1.2's core schema: ``no`` and ``off`` are text, ``010``,
``1:30`` and dates are text, ``1e3`` is a number, and numbers are exact (int or Decimal).  The
parser's events are used instead of its nodes: no recursion, no second copy in memory, and places
are looked up only when there is something to tell.
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from yaml import (
    AliasEvent,
    CBaseLoader,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    MarkedYAMLError,
    ScalarEvent,
    SequenceEndEvent,
    YAMLError,
)
from yaml.reader import ReaderError

from monitor.config.problems import Findings, Mark, Path
from monitor.config.secrets import FromEnvironment

VALUES_LIMIT = 2_000_000
"""Values in a document with its aliases written out: a million-laughs file ends here."""

DEPTH_LIMIT = 40
"""Levels of nesting; the deepest field of the configuration has 6, a JSON body a few more."""

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,29})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,29})?(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MERGE = "<<"
_TEXT_TAG = "tag:yaml.org,2002:str"

# ``{url: ${SLACK_URL}}`` is what an operator writes, but braces end a plain scalar there.  While
# the parser looks, private-use characters stand in for the braces: same length, so same columns.
_REFERENCE = re.compile(r"\$\{([^{}\r\n]*)\}")
_STAND_IN = re.compile("\\$\uf8f0([^\uf8f1]*)\uf8f1")

_REWORDED = {
    "found character that cannot start any token": (
        "a tab, @, ` or % cannot stand here; indent with blanks, and put such a text in quotes"
    ),
    "mapping values are not allowed in this context": (
        "a colon is not allowed here; look for a wrong indent, or put the text in quotes"
    ),
    "found unexpected end of stream": "the file ends inside a quoted text",
    "found unknown escape character": "unknown escape in a double-quoted text; use single quotes",
}


Expand = Callable[[str], FromEnvironment]
"""Replaces the references of a text; raises ``ValueError`` with a sentence free of values."""

UNRESOLVED = FromEnvironment("unresolved", ())
"""Stands for a value that could not be had, so that checking goes on."""


class UnreadableError(Exception):
    """The text is no YAML document that could be checked further."""

    def __init__(self, message: str, mark: Mark | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field's name (None in a list) and its value begin."""

    name: Mark | None
    value: Mark


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still open."""

    value: dict[str, Any] | list[Any]
    mark: Mark
    anchor: str | None
    names: dict[str, Mark] = field(default_factory=dict)
    name: str | None = None
    skip: bool = False  # the value that follows is left out: its name was refused
    size: int = 1


def decode(content: bytes) -> str:
    """The text of a configuration file; raises :class:`UnreadableError`."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("is UTF-16; save it as UTF-8")
    if b"\0" in content:
        raise UnreadableError("is not a text file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
    raise UnreadableError("is not UTF-8 text; save it as UTF-8", _end_of(before))


def parse(text: str, expand: Expand, findings: Findings) -> Any:
    """The document in *text* as dicts, lists, texts, exact numbers, booleans and None.

    What can be read past goes to *findings*; raises :class:`UnreadableError` otherwise.
    """
    return _Builder(text, expand, findings).run()


def locate(text: str, wanted: Iterable[Path]) -> dict[Path, Place]:
    """The places of *wanted* in a *text* that :func:`parse` has read."""
    builder = _Builder(text, FromEnvironment, Findings(), frozenset(wanted))
    with contextlib.suppress(UnreadableError):  # told by parse(); its place is known there
        builder.run()
    return builder.places


class _Builder:
    """Builds the values of one document from the parser's events."""

    def __init__(
        self,
        text: str,
        expand: Expand,
        findings: Findings,
        wanted: frozenset[Path] = frozenset(),
    ) -> None:
        self.places: dict[Path, Place] = {}
        self._text = _REFERENCE.sub("$\uf8f0\\1\uf8f1", text)
        self._expand = expand
        self._findings = findings
        self._wanted = wanted
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0
        self._total = 0
        self._root: Any = None

    def run(self) -> Any:
        """The value of the document, None for an empty one."""
        try:
            parser = CBaseLoader(self._text)
            while (event := parser.get_event()) is not None:
                self._take(event)
                if self._wanted and len(self.places) == len(self._wanted):
                    break
        except (YAMLError, UnicodeEncodeError) as error:
            failure = _unreadable(error, self._text)
        else:
            return self._root
        raise failure  # outside the handler: a library's error may quote the text

    def _take(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._take_alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise UnreadableError("holds more than one YAML document (---)", _mark(event))

    def _take_scalar(self, event: ScalarEvent) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.value, dict) and frame.name is None:
            self._name(frame, event)
            return
        self._remember(_mark(event))
        value = self._scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, _mark(event), 1)

    def _name(self, frame: _Frame, event: ScalarEvent) -> None:
        """Begin a field of a mapping."""
        name = frame.name = _unmask(event.value)
        if name == _MERGE and event.implicit[0]:
            frame.skip = True
            self._findings.error(
                self._path(),
                "merge keys (<<) are not read; what keys share belongs into defaults and rules",
                mark=_mark(event),
            )
        elif name in frame.names:
            frame.skip = True
            line = frame.names[name][0]
            self._findings.error(
                self._path(), f"is given twice, first on line {line}", mark=_mark(event)
            )
        else:
            frame.names[name] = _mark(event)

    def _scalar(self, event: ScalarEvent) -> Any:
        text = _unmask(event.value)
        if event.tag not in {None, "!", _TEXT_TAG}:
            self._refuse_tag(event)
            return UNRESOLVED
        if "${" in text:
            return self._expanded(text, event)
        return _plain(text) if event.implicit[0] and event.tag is None else text

    def _expanded(self, text: str, event: ScalarEvent) -> str:
        try:
            return self._expand(text)
        except ValueError as error:
            self._findings.missing_secret(self._path(), str(error), mark=_mark(event))
            return UNRESOLVED

    def _begin(self, event: CollectionStartEvent) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.value, dict) and frame.name is None:
            raise UnreadableError("a field's name must be a text", _mark(event))
        if len(self._frames) >= DEPTH_LIMIT:
            raise UnreadableError(f"is nested deeper than {DEPTH_LIMIT} levels", _mark(event))
        if not (event.implicit or event.tag in {None, "!"}):
            self._refuse_tag(event)
        self._remember(_mark(event))
        value: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        self._frames.append(_Frame(value, _mark(event), event.anchor))

    def _end(self) -> None:
        frame = self._frames.pop()
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, frame.size)
        self._add(frame.value, frame.mark, frame.size)

    def _take_alias(self, event: AliasEvent) -> None:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise UnreadableError(
                "a text that begins with * must be quoted (or names an anchor not closed before)",
                _mark(event),
            )
        self._remember(_mark(event))
        self._add(known[0], _mark(event), known[1])

    def _add(self, value: Any, mark: Mark, size: int) -> None:
        """Put a finished *value* where it belongs."""
        if not self._frames:
            self._root = value
            return
        frame = self._frames[-1]
        frame.size += size
        if frame.size > VALUES_LIMIT:
            raise UnreadableError(f"holds more than {VALUES_LIMIT:,} values", mark)
        if isinstance(frame.value, list):
            frame.value.append(value)
            return
        if frame.name is None:
            raise UnreadableError("a field's name must be a text", mark)
        if not frame.skip:
            frame.value[frame.name] = value
        elif frame.name == _MERGE:
            _merge(frame.value, value)
        frame.name, frame.skip = None, False

    def _remember(self, mark: Mark) -> None:
        """Note the place of the value that begins at *mark*, if it is wanted."""
        if not self._wanted or (path := self._path()) not in self._wanted:
            return
        frame = self._frames[-1] if self._frames else None
        if frame is None or not frame.skip:
            name = frame.names.get(frame.name) if frame and frame.name is not None else None
            self.places[path] = Place(name, mark)

    def _refuse_tag(self, event: ScalarEvent | CollectionStartEvent) -> None:
        self._findings.error(
            self._path(), "YAML tags (!...) are not read; write the value alone", mark=_mark(event)
        )

    def _path(self) -> Path:
        """Where the next value goes."""
        return tuple(
            len(frame.value) if isinstance(frame.value, list) else frame.name or ""
            for frame in self._frames
        )


def _merge(mapping: dict[str, Any], value: Any) -> None:
    """Take over what was meant, so that the mistake is not followed by fields that are missing."""
    for each in value if isinstance(value, list) else [value]:
        for name, part in each.items() if isinstance(each, dict) else ():
            mapping.setdefault(name, part)


def _mark(event: Event) -> Mark:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _end_of(text: str) -> Mark:
    return (text.count("\n") + 1, len(text) - text.rfind("\n"))


def _unmask(text: str) -> str:
    return _STAND_IN.sub("${\\1}", text) if "\uf8f0" in text else text


def _plain(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if text[-1].isdigit() and _DECIMAL.fullmatch(text) and text.lstrip("-")[0] in "0123456789.":
        return Decimal(text)
    return text


def _unreadable(error: Exception, text: str) -> UnreadableError:
    """The parser's complaint in our words; its own texts hold no values."""
    if isinstance(error, MarkedYAMLError) and error.problem is not None:
        mark = error.problem_mark or error.context_mark
        problem = _REWORDED.get(error.problem, f"is not YAML here: {error.problem}")
        return UnreadableError(problem, (mark.line + 1, mark.column + 1) if mark else None)
    if isinstance(error, ReaderError | UnicodeEncodeError):
        position = error.position if isinstance(error, ReaderError) else error.start
        before = text.encode("utf-8", "surrogatepass")[:position].decode("utf-8", "replace")
        return UnreadableError("a control character cannot stand here", _end_of(before))
    return UnreadableError("is not YAML")
