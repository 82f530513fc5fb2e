"""A drawing as SVG, for whoever wants to look closer or to embed it in a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby

from monitor.drawing.items import Drawing, Item, Point

_ACROSS = {"l": "start", "m": "middle", "r": "end"}


def svg(drawing: Drawing) -> str:
    """The SVG of *drawing*, a document of its own."""
    alike = groupby(drawing.items, key=lambda item: (item.kind, item.colour, item.width))
    body = "\n".join(
        element
        for (kind, _, _), items in alike
        for element in ([_lines(list(items))] if kind == "line" else map(_ELEMENTS[kind], items))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="sans-serif"'
        f' viewBox="0 0 {drawing.width} {drawing.height}">\n'
        f"<title>{escape(drawing.title)}</title>\n"
        f'<rect width="{drawing.width}" height="{drawing.height}" fill="#ffffff"/>\n'
        f"{body}\n</svg>\n"
    )


def _places(points: tuple[Point, ...]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _lines(items: Sequence[Item]) -> str:
    """Lines that look the same, such as the dashes of one line, as one element."""
    places = " ".join(f"M{_places(item.points)}" for item in items)
    return (
        f'<path d="{places}" fill="none" stroke="{items[0].colour}"'
        f' stroke-width="{items[0].width}" stroke-linejoin="round"/>'
    )


def _area(item: Item) -> str:
    return f'<polygon points="{_places(item.points)}" fill="{item.colour}"/>'


def _dot(item: Item) -> str:
    [(x, y)] = item.points
    return f'<circle cx="{x:g}" cy="{y:g}" r="{item.width}" fill="{item.colour}"/>'


def _text(item: Item) -> str:
    [(x, y)] = item.points
    across, down = item.anchor[0], item.anchor[1]
    halo = ""
    if item.halo:
        halo = f' stroke="#ffffff" stroke-width="{2 * item.halo}" paint-order="stroke"'
    middle = ' dominant-baseline="central"' if down == "m" else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{item.width}" fill="{item.colour}"'
        f' text-anchor="{_ACROSS[across]}"{middle}{halo}>{escape(item.text)}</text>'
    )


_ELEMENTS: dict[str, Callable[[Item], str]] = {
    "area": _area,
    "dot": _dot,
    "text": _text,
}
