"""Pictures of balances: what to paint as values, and those values as PNG or SVG."""

from monitor.drawing.items import Drawing, Item, Point
from monitor.drawing.png import png
from monitor.drawing.svg import svg

__all__ = ["Drawing", "Item", "Point", "png", "svg"]
