"""A picture as values: lines, areas, dots and texts, the lowest first."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.model import Severity

INK, GREY, GRID = "#1f2937", "#6b7280", "#e5e7eb"
CURVE, FILL, RISE, BAND = "#2563eb", "#dbeafe", "#15803d", "#e9d5ff"
COLOURS = {Severity.CRITICAL: "#dc2626", Severity.WARNING: "#d97706", Severity.INFO: GREY}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to paint, in pixels from the top left.

    A ``line`` through ``points``, ``width`` wide; an ``area`` within them; a ``dot`` of radius
    ``width``; a ``text`` whose type is ``width`` high, at its one point.  ``anchor`` says which
    part of the text lies there: left, middle or right, then baseline (s) or middle (m); ``halo`` is
    the width of the white edge that keeps it legible on a line.
    """

    kind: str
    points: tuple[Point, ...]
    colour: str
    width: int = 1
    text: str = ""
    anchor: str = "ls"
    halo: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A whole picture: its size in pixels, what it shows, and its items from the bottom up."""

    width: int
    height: int
    title: str
    items: tuple[Item, ...]
