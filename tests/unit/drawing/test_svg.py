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
    assert found.keys() == {"title", "rect", "polygon", "polyline", "circle", "text"}
    assert found["title"].text == "<odd>"
    assert found["text"].text == "<a & b>"
    assert found["text"].attrib["text-anchor"] == "end"
