"""Expressions over a JSON document: paths, exact arithmetic and comparisons, nothing else.

``limit - used``, ``sum(remains[].credit_remain)``, ``only(infos[currency == "USD"].total)``:
Python's own parser reads the text, a closed list of node types is compiled into functions, and
nothing else ever runs.  Numbers are Decimals before they are used.  What is not there is an error
with the name of its path, never a zero, and never a part of the document.
``docs/decisions/0007-expressions.md`` says why this is not a library.
"""

from __future__ import annotations

import ast
import decimal
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.providers.json_values import (
    FUNCTIONS,
    Each,
    ExpressionError,
    MissingError,
    earliest,
    elements,
    follow,
    item_at,
    member,
    number,
    numbers,
    same,
    total,
    truth,
)

LENGTH_LIMIT = 500
"""Characters of an expression."""

DEPTH_LIMIT = 30
"""Operators, steps of a path and functions within each other."""

DOCUMENT = "answer"
"""The name of the whole document: for a list at the top, or a member whose name is no word."""

FOUND = "found"
"""The name of what earlier answers gave, and of the settings of the key: ``found.limit``."""

_CONTEXT = decimal.Context(
    prec=500, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
)
_DIVISION = decimal.Context(
    prec=28, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression sees: the whole document, the value that plain names look into (one
    element of a list, in a filter or for a meter of many), and what earlier answers gave.
    """

    document: Any
    here: Any
    found: Mapping[str, Any] = field(default_factory=dict)

    def at(self, element: Any) -> Scope:
        """The same, with plain names looking into *element*."""
        return Scope(self.document, element, self.found)


class Expression:
    """A checked expression, made from the text in the configuration."""

    __slots__ = ("_step", "text")

    def __init__(self, text: str) -> None:
        """Raise :class:`ExpressionError` for a text that is not of this language."""
        self.text = text.strip()
        self._step = _Compiler(self.text).compile()

    def value(self, document: Any) -> Any:
        """The value for *document*, or within a :class:`Scope`; raises :class:`ExpressionError`."""
        scope = document if isinstance(document, Scope) else Scope(document, document)
        try:
            with decimal.localcontext(_CONTEXT):
                return self._step(scope)
        except ZeroDivisionError:
            problem = "divides by zero"
        except decimal.DecimalException:
            problem = "has no exact value"
        raise ExpressionError(f"{self.text} {problem}")

    def amount(self, document: Any) -> Decimal | None:
        """The value as an exact number, None for null; raises :class:`ExpressionError`."""
        value = self.value(document)
        return None if value is None else number(value, self.text)

    def holds(self, document: Any) -> bool:
        """Whether the value is true; raises :class:`ExpressionError` if it is neither."""
        return truth(self.value(document), self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @classmethod
    def parse(cls, value: object) -> Self:
        """From what stands in the configuration; raises ``ValueError``."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ExpressionError("an expression is a text such as limit - used")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(_text_of),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "maxLength": LENGTH_LIMIT, "examples": ["limit - used"]}


def _text_of(expression: Expression) -> str:
    return expression.text


_Step = Callable[[Scope], Any]


def _divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    if not divisor:  # 0 / 0 is another error of decimal's than 1 / 0
        raise ZeroDivisionError
    return _DIVISION.divide(dividend, divisor)


_WORDS = {"null": None, "true": True, "false": False}
_ARITHMETIC: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
}
_ORDER: dict[type[ast.cmpop], Callable[[Decimal, Decimal], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_QUOTED_OR_EACH = re.compile(r"""("[^"]*"|'[^']*')|\[\s*\]|\.\.\.""")


class _Compiler:
    """Turns one text into a function; every check happens here, when the file is loaded."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._handlers: tuple[tuple[type[ast.expr], Callable[[Any], _Step]], ...] = (
            (ast.Constant, self._constant),
            (ast.Name, _name),
            (ast.Attribute, lambda node: self._member(node, node.attr)),
            (ast.Subscript, self._subscript),
            (ast.BinOp, self._arithmetic),
            (ast.UnaryOp, self._unary),
            (ast.BoolOp, self._logic),
            (ast.Compare, self._comparison),
            (ast.IfExp, self._choice),
            (ast.Call, self._call),
        )

    def compile(self) -> _Step:
        """The function; raises :class:`ExpressionError` with what is wrong and what to write."""
        if not 0 < len(self._text) <= LENGTH_LIMIT:
            raise ExpressionError(f"an expression has 1 to {LENGTH_LIMIT} characters")
        if "\\" in self._text:
            raise ExpressionError("an expression has no backslash")
        try:
            self._text = _QUOTED_OR_EACH.sub(_each_for_python, self._text)
            return self._step(ast.parse(self._text, mode="eval").body)
        except ExpressionError:
            raise
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ExpressionError(
                "cannot be read as an expression; a member whose name is no plain word is "
                f'written {DOCUMENT}["my-name"] or data["from"]'
            ) from None

    def _step(self, node: ast.expr) -> _Step:
        handler = next((h for kind, h in self._handlers if isinstance(node, kind)), None)
        if handler is None:
            raise ExpressionError(f"{_source(node)} is not part of this language")
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise ExpressionError("is nested too deeply")
        step = handler(node)
        self._depth -= 1
        return step

    def _constant(self, node: ast.Constant) -> _Step:
        value: Any = node.value
        if isinstance(value, float):  # Python has rounded it; the text has not
            value = Decimal(ast.get_source_segment(self._text, node) or repr(value))
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ExpressionError(f"{_source(node)}: there are numbers, texts, true, false, null")
        return lambda _: value

    def _member(self, node: ast.Attribute | ast.Subscript, name: str) -> _Step:
        parent, place, path = self._step(node.value), _source(node.value), _source(node)
        return lambda scope: follow(parent(scope), lambda v: member(v, name, place, path))

    def _subscript(self, node: ast.Subscript) -> _Step:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return self._member(node, node.slice.value)
        parent, place, path = self._step(node.value), _source(node.value), _source(node)
        match node.slice:
            case ast.Constant(value=int(index)) if not isinstance(index, bool):
                return lambda scope: follow(parent(scope), lambda v: item_at(v, index, place, path))
            case ast.Constant(value=value) if value is ...:
                return lambda scope: elements(parent(scope), place)
            case ast.Compare() | ast.BoolOp() | ast.Call() | ast.UnaryOp(op=ast.Not()):
                return self._filter(parent, self._step(node.slice), place, _source(node.slice))
        raise ExpressionError(
            f'{path}: in brackets stands nothing (every element), a position, a name such as "a-b",'
            ' or a condition such as status == "active"'
        )

    def _filter(self, parent: _Step, condition: _Step, place: str, text: str) -> _Step:
        def select(scope: Scope) -> Each:
            items = elements(parent(scope), place)
            return Each(item for item in items if truth(condition(scope.at(item)), text))

        return select

    def _arithmetic(self, node: ast.BinOp) -> _Step:
        calculate = _ARITHMETIC.get(type(node.op))
        if calculate is None:
            raise ExpressionError(f"{_source(node)}: there is + - * / and no other operator")
        left, right = self._amount(node.left), self._amount(node.right)
        return lambda scope: calculate(left(scope), right(scope))

    def _amount(self, node: ast.expr) -> Callable[[Scope], Decimal]:
        step, text = self._step(node), _source(node)
        return lambda scope: number(step(scope), text)

    def _unary(self, node: ast.UnaryOp) -> _Step:
        if not isinstance(node.op, ast.USub | ast.Not):
            raise ExpressionError(f"{_source(node)}: there is - and not, and no other sign")
        if isinstance(node.op, ast.USub):
            amount = self._amount(node.operand)
            return lambda scope: -amount(scope)
        step, text = self._step(node.operand), _source(node.operand)
        return lambda scope: not truth(step(scope), text)

    def _logic(self, node: ast.BoolOp) -> _Step:
        parts = [(self._step(value), _source(value)) for value in node.values]
        combine = all if isinstance(node.op, ast.And) else any
        return lambda scope: combine(truth(step(scope), text) for step, text in parts)

    def _comparison(self, node: ast.Compare) -> _Step:
        operands = [node.left, *node.comparators]
        pairs = [
            self._pair(left, kind, right)
            for left, kind, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return lambda scope: all(pair(scope) for pair in pairs)

    def _pair(self, left: ast.expr, kind: ast.cmpop, right: ast.expr) -> _Step:
        if isinstance(kind, ast.Eq | ast.NotEq):
            wanted, one, other = isinstance(kind, ast.Eq), self._step(left), self._step(right)
            return lambda scope: same(one(scope), other(scope)) is wanted
        compare = _ORDER.get(type(kind))
        if compare is None:
            raise ExpressionError("there is == != < <= > >= and no other comparison")
        low, high = self._amount(left), self._amount(right)
        return lambda scope: compare(low(scope), high(scope))

    def _choice(self, node: ast.IfExp) -> _Step:
        condition, text = self._step(node.test), _source(node.test)
        yes, no = self._step(node.body), self._step(node.orelse)
        return lambda scope: yes(scope) if truth(condition(scope), text) else no(scope)

    def _call(self, node: ast.Call) -> _Step:
        name = node.func.id if isinstance(node.func, ast.Name) else _source(node.func)
        if name not in _CALLS:
            raise ExpressionError(f"the function {name} is unknown; there is {', '.join(_CALLS)}")
        if node.keywords or not node.args or (len(node.args) > 1 and name != _ANY_NUMBER):
            many = "one path or several" if name == _ANY_NUMBER else "one path"
            raise ExpressionError(f"{name}() takes {many}")
        steps, texts = [self._step(each) for each in node.args], [_source(a) for a in node.args]
        if name == _ANY_NUMBER:
            return lambda scope: total([step(scope) for step in steps], texts)
        call, [step], [text] = _CALLS[name], steps, texts
        return lambda scope: call(step, scope, text)


def _each_for_python(found: re.Match[str]) -> str:
    """``[]`` is no Python, ``[...]`` is; texts in quotes stay as they are."""
    if found[0] == "...":
        raise ExpressionError("... is not part of this language")
    return found[1] or "[...]"


def _source(node: ast.AST) -> str:
    """*node* as the configuration writes it, for messages."""
    return ast.unparse(node).replace("[...]", "[]")


def _name(node: ast.Name) -> _Step:
    name = node.id
    if name in _WORDS:
        return lambda _: _WORDS[name]
    if name == DOCUMENT:
        return lambda scope: scope.document
    if name == FOUND:
        return lambda scope: scope.found
    return lambda scope: member(scope.here, name, "the answer", name)


def _has(step: _Step, scope: Scope, _: str) -> bool:
    """Whether a path is there and not null; ``[]`` and filters: whether they find anything."""
    try:
        value = step(scope)
    except MissingError:
        return False
    return bool(value) if isinstance(value, Each) else value is not None


def _of_numbers(function: Callable[[list[Decimal], str], Decimal]) -> _Call:
    return lambda step, scope, text: function(numbers(step(scope), text), text)


_Call = Callable[[_Step, Scope, str], Any]
_ANY_NUMBER = "total"
_CALLS: Mapping[str, _Call] = {
    **{name: _of_numbers(function) for name, function in FUNCTIONS.items()},
    _ANY_NUMBER: lambda step, scope, text: total([step(scope)], [text]),
    "earliest": lambda step, scope, text: earliest(step(scope), text),
    "has": _has,
}


FUNCTION_NAMES = frozenset(_CALLS)
"""The functions of the language."""


def plus(amount: Decimal, more: Decimal) -> Decimal:
    """The exact sum; raises :class:`ExpressionError` if it is beyond any amount."""
    return number(_CONTEXT.add(amount, more), "the sum")


def product(amount: Decimal, factor: Decimal) -> Decimal:
    """The exact product; raises :class:`ExpressionError` if it is beyond any amount."""
    return number(_CONTEXT.multiply(amount, factor), "the scaled amount")
