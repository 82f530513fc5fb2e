"""A drawing as a document of its own."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from monitor.drawing import Drawing, Item, svg


def test_every_kind_of_item_is_there_and_names_are_escaped() -> None:
    items = (
        Item(kind="area", points=((0, 0), (9, 0), (9, 9)), colour="#111111"),
        Item(kind="line", points=((0, 0), (9, 9)), colour="#222222", width=2),
        Item(kind="dot", points=((5, 5),), colour="#333333", width=3),
        Item(
            kind="text", points=((1, 2),), colour="#444444", width=12, text="<a & b>", anchor="rm"
        ),
    )
    drawn = svg(Drawing(width=10, height=20, title="<odd>", items=items))
    root = ET.fromstring(drawn)  # noqa: S314 - our own document
    assert root.attrib["viewBox"] == "0 0 10 20"
    found = {element.tag.partition("}")[2]: element for element in root}
    assert found.keys() == {"title", "rect", "polygon", "path", "circle", "text"}
    assert found["title"].text == "<odd>"
    assert found["text"].text == "<a & b>"
    assert found["text"].attrib["text-anchor"] == "end"


def test_lines_that_look_the_same_are_one_element() -> None:
    dashes = [Item(kind="line", points=((x, 0), (x + 3, 0)), colour="#111111") for x in (0, 5)]
    other = Item(kind="line", points=((0, 9), (9, 9)), colour="#222222")
    drawn = svg(Drawing(width=10, height=10, title="", items=(*dashes, other)))
    assert drawn.count("<path ") == 2
    assert 'd="M0,0 3,0 M5,0 8,0"' in drawn
