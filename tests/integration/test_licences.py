"""No package of which the terms do not go with ours gets among those that are needed."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "licences.py"))
ROWS: dict[str, str] = dict(
    re.findall(
        r"^\| ([a-z][\w.-]+) \| ([^|]+) \|",
        (ROOT / "docs" / "licences.md").read_text("utf-8").partition("|---|")[2],
        re.MULTILINE,
    )
)
LOCK = (ROOT / "requirements.txt").read_text("utf-8")


def test_our_own_licence_is_stated_where_tools_look_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert project["license"] == "MIT"
    assert project["license-files"] == ["LICENSE"]
    assert text.startswith("MIT License\n")


@pytest.mark.parametrize(("name", "terms"), SCRIPT["licences"]().items())
def test_a_package_has_terms_that_go_with_ours_and_is_listed(name: str, terms: str) -> None:
    assert SCRIPT["is_acceptable"](name, terms), f"{name}: {terms or 'says nothing'}"
    assert ROWS.get(name) == terms, "run `make pages`"


def test_all_that_is_locked_for_every_platform_is_listed_and_nothing_else() -> None:
    locked = re.findall(r"^(\S+)==\S+( ; \S.*)?", LOCK, re.MULTILINE)
    everywhere = {name for name, marker in locked if not marker}
    assert everywhere <= set(ROWS) <= {name for name, _ in locked}, "run `make pages`"


@pytest.mark.parametrize(
    ("name", "terms", "taken"),
    [
        ("some", "MIT", True),
        ("some", "Apache-2.0 AND MIT", True),
        ("some", "", False),
        ("some", "GPL-3.0-only", False),
        ("some", "MIT AND AGPL-3.0-or-later", False),
        ("some", "LGPL-3.0-only", False),
        ("psycopg", "LGPL-3.0-only", True),
        ("psycopg", "GPL-3.0-only", False),
    ],
)
def test_copyleft_is_taken_only_from_packages_that_were_looked_at(
    name: str, terms: str, *, taken: bool
) -> None:
    assert SCRIPT["is_acceptable"](name, terms) is taken
