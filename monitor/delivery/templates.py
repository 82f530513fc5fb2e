"""A channel's own words: a small, closed part of Jinja2 over what a message says.

Only what :data:`_ALLOWED` lists can be written: no calls, no assignments, no arithmetic, no other
files.  So a template cannot reach anything, and what it costs is bounded by its length and by what
the message holds.  The result is plain text; the channel escapes it like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor.core.messages import TITLE_LENGTH, Message
from monitor.core.pen import MARKS, acknowledge_command, plain
from monitor.core.stories import Story
from monitor.core.wording import clip
from monitor.delivery.base import Delivery, Sender
from monitor.delivery.samples import sample_messages

SOURCE_LIMIT = 4_000
"""Longest template, in characters."""

OUTPUT_LIMIT = 20_000
"""Longest body a template makes; what is beyond is cut, as the channel's own limit would."""

DEEPEST_LOOP = 2
"""Loops within each other: over stories, and over the facts of each."""

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.CondExpr,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)


class TemplateFaultError(ValueError):
    """What is wrong with a template, with its line where that is known."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A story as templates see it; ``facts`` are (label, value), ``fact`` finds one by label."""

    name: str
    title: str
    headline: str
    severity: str
    mark: str
    advice: str
    link: str
    facts: tuple[tuple[str, str], ...]
    fact: Mapping[str, str]


def _told(story: Story) -> _Told:
    return _Told(
        name=story.name,
        title=story.title,
        headline=story.headline,
        severity=story.severity or "ok",
        mark=MARKS[story.severity],
        advice=story.advice,
        link=story.link,
        facts=story.facts,
        fact=dict(story.facts),
    )


def context(message: Message) -> dict[str, Any]:
    """What a template can name."""
    return {
        "title": message.title,
        "severity": message.severity or "ok",
        "mark": MARKS[message.severity],
        "stories": tuple(_told(story) for story in message.stories),
        "acknowledge": acknowledge_command(message.acknowledge),
    }


# -- the language ---------------------------------------------------------------------------


def _join(values: Iterable[object], separator: object = "") -> str:
    """Join texts; the own filter of Jinja2 could be made to grow without end."""
    joint, parts, length = str(separator), [], 0
    for value in values:
        text = str(value)
        length += len(text) + len(joint)
        if length > OUTPUT_LIMIT:
            raise TemplateError("join makes too long a text")
        parts.append(text)
    return joint.join(parts)


def _default(value: object, otherwise: object = "") -> object:
    """*otherwise* where there is nothing, or nothing in it."""
    return otherwise if isinstance(value, Undefined) or not value else value


def _upper(value: object) -> str:
    return str(value).upper()


def _lower(value: object) -> str:
    return str(value).lower()


def _trim(value: object) -> str:
    return str(value).strip()


def _truncate(value: object, limit: int) -> str:
    return clip(str(value), limit)


_FILTERS: dict[str, Callable[..., object]] = {
    "default": _default,
    "first": lambda values: next(iter(values), ""),
    "join": _join,
    "length": len,
    "lower": _lower,
    "trim": _trim,
    "truncate": _truncate,
    "upper": _upper,
}

_TESTS = ("defined", "undefined", "in", "eq", "ne", "lt", "gt", "le", "ge")


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(_FILTERS)
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    return environment


_ENVIRONMENT = _environment()


def _check_language(source: str) -> None:
    """Refuse what is no part of the language.

    Raises :class:`TemplateFaultError`, ``TemplateSyntaxError`` and ``RecursionError``.
    """
    if len(source) > SOURCE_LIMIT:
        raise TemplateFaultError(f"is longer than {SOURCE_LIMIT:,} characters")
    _check_node(_ENVIRONMENT.parse(source), 0)


def _check_node(node: nodes.Node, loops: int) -> None:
    if not isinstance(node, _ALLOWED):
        raise TemplateFaultError(f"line {node.lineno}: {_name(node)} is not available in templates")
    if isinstance(node, nodes.For):
        loops += 1
        if node.recursive or loops > DEEPEST_LOOP:
            raise TemplateFaultError(f"line {node.lineno}: more than {DEEPEST_LOOP} nested loops")
        if not isinstance(node.iter, nodes.Name | nodes.Getattr | nodes.Getitem):
            raise TemplateFaultError(f"line {node.lineno}: a loop goes over a name, not a result")
    for child in node.iter_child_nodes():
        _check_node(child, loops)


_NODE_NAMES = {
    "Call": "a call",
    "Assign": "set",
    "AssignBlock": "set",
    "Concat": "~",
    "Mul": "*",
    "Pow": "**",
    "Add": "+",
    "Sub": "-",
    "FromImport": "import",
}


def _name(node: nodes.Node) -> str:
    kind = type(node).__name__
    return _NODE_NAMES.get(kind, kind.lower())


# -- templates ------------------------------------------------------------------------------


class MessageTemplate:
    """The title and the body of one channel's messages; each may be left to the built-in one."""

    def __init__(self, *, title: str | None = None, body: str | None = None) -> None:
        """Raises :class:`TemplateFaultError` for what is no part of the language."""
        self._title = _Part(title) if title is not None else None
        self._body = _Part(body) if body is not None else None

    def apply(self, message: Message) -> Message:
        """*message* in the template's words; raises :class:`TemplateFaultError`."""
        values = context(message)
        if self._title is not None:
            title = clip(plain(self._title.render(values)), TITLE_LENGTH)
            if not title:
                raise TemplateFaultError("the title is empty")
            message = replace(message, title=title)
        if self._body is not None:
            body = self._body.render(values)
            if not plain(body):
                raise TemplateFaultError("the body is empty")
            message = replace(message, body=body)
        return message


def complaint(part: str, source: str | None) -> str | None:
    """What is wrong with the template of *part* (``title`` or ``body``), tried on sample messages.

    A sentence with the line in the template; None when it is usable.
    """
    if source is None:
        return None
    try:
        template = MessageTemplate(**{part: source})
        for message in sample_messages():
            template.apply(message)
    except TemplateFaultError as fault:
        return f"template: {fault}"
    return None


class _Part:
    """One compiled template."""

    def __init__(self, source: str) -> None:
        try:
            _check_language(source)
            self._template = _ENVIRONMENT.from_string(source)
        except TemplateSyntaxError as error:
            raise TemplateFaultError(f"line {error.lineno}: {error.message}") from None
        except RecursionError:
            raise TemplateFaultError("is nested too deeply") from None

    def render(self, values: Mapping[str, Any]) -> str:
        """The text; foreign code over foreign words may raise anything, hence the broad except."""
        pieces: list[str] = []
        room = OUTPUT_LIMIT
        try:
            for piece in self._template.generate(values):
                pieces.append(piece[:room])
                room -= len(piece)
                if room <= 0:
                    break
        except Exception as error:  # noqa: BLE001 - see the docstring
            raise TemplateFaultError(f"{_line(error)}{_sentence(error)}") from None
        return "".join(pieces)


def _line(error: BaseException) -> str:
    """The line of the template at which *error* was raised."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _sentence(error: Exception) -> str:
    if isinstance(error, TemplateError):
        return error.message or type(error).__name__
    return type(error).__name__


class TemplatedSender:
    """Sends messages in a channel's own words; in the built-in ones if its template fails."""

    def __init__(self, sender: Sender, template: MessageTemplate) -> None:
        self._sender = sender
        self._template = template

    async def send(self, message: Message) -> Delivery:
        """Send *message* like the sender behind."""
        try:
            worded = self._template.apply(message)
        except TemplateFaultError as fault:
            note = f"The template of this channel failed ({fault}): this is the built-in message."
            worded = replace(message, notes=(*message.notes, note))
        return await self._sender.send(worded)

    async def close(self) -> None:
        """Let go of what the sender behind holds."""
        await self._sender.close()
