"""A program of its own: a drawing as JSON on standard input, a PNG on standard output.

It runs for a fraction of a second and takes Pillow and its memory with it; see
docs/decisions/0014-charts.md.  It imports nothing of the project, so it starts fast.
"""

import json
import sys
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw, ImageFont

SCALE = 2
"""Drawn so many times larger and made smaller at the end, which smooths the lines."""


def paint(drawing: dict[str, Any]) -> bytes:
    """The PNG of *drawing*: its ``size``, and ``items`` in the order in which they lie."""
    width, height = drawing["size"]
    image = Image.new("RGB", (width * SCALE, height * SCALE), "#ffffff")
    canvas = ImageDraw.Draw(image)
    for item in drawing["items"]:
        _PAINTERS[item["kind"]](canvas, item)
    smooth = image.resize((width, height), Image.Resampling.LANCZOS)
    file = BytesIO()
    smooth.quantize(256, Image.Quantize.MAXCOVERAGE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _scaled(points: list[list[float]]) -> list[tuple[float, float]]:
    return [(x * SCALE, y * SCALE) for x, y in points]


def _line(canvas: ImageDraw.ImageDraw, item: dict[str, Any]) -> None:
    canvas.line(_scaled(item["points"]), item["colour"], item["width"] * SCALE, joint="curve")


def _area(canvas: ImageDraw.ImageDraw, item: dict[str, Any]) -> None:
    canvas.polygon(_scaled(item["points"]), item["colour"])


def _dot(canvas: ImageDraw.ImageDraw, item: dict[str, Any]) -> None:
    [(x, y)] = _scaled(item["points"])
    radius = item["width"] * SCALE
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), item["colour"])


def _text(canvas: ImageDraw.ImageDraw, item: dict[str, Any]) -> None:
    font = ImageFont.load_default(item["width"] * SCALE)
    [place] = _scaled(item["points"])
    canvas.text(
        place,
        item["text"],
        item["colour"],
        font,
        anchor=item["anchor"],
        stroke_width=item["halo"] * SCALE,
        stroke_fill="#ffffff",
    )


_PAINTERS = {"line": _line, "area": _area, "dot": _dot, "text": _text}


if __name__ == "__main__":
    sys.stdout.buffer.write(paint(json.load(sys.stdin)))
