"""Links within the documentation lead somewhere, and decisions are numbered without gaps."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SOURCES = sorted(
    file
    for folder in ("monitor", "tests", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if file != Path(__file__)
)


def anchors(page: Path) -> set[str]:
    """The headings of *page* as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken(page: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if broken(page, link)] == []


def test_every_page_that_a_source_names_exists() -> None:
    named = {
        (file.relative_to(ROOT).as_posix(), page)
        for file in SOURCES
        for page in re.findall(r"docs/[\w\-/]+\.md", file.read_text("utf-8"))
    }
    assert {(file, page) for file, page in named if not (ROOT / page).exists()} == set()


def test_decisions_are_numbered_without_gaps_and_say_their_number() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        assert page.read_text("utf-8").startswith(f"# {int(page.name[:4])}. "), page.name


def test_the_index_lists_every_decision_by_its_title() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    titles = {page.name: page.read_text("utf-8").partition("\n")[0][2:] for page in DECISIONS}
    lines = re.findall(r"^(\d+\. )\[(.+)\]\((.+)\)$", index, re.MULTILINE)
    assert {name: number + title for number, title, name in lines} == titles
