"""What pyproject.toml declares is what the sources import, and the lock files follow it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OWN = {"monitor", "tests", "support", "fixtures", "benchmarks"}
PART_OF = {"pydantic-core": "pydantic"}
"""pydantic pins its core exactly and documents imports from it."""

NOT_IMPORTED = {
    "hatchling",  # builds the wheel
    "psycopg",  # by SQLAlchemy, for postgresql:// addresses
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
}
OPTIONAL = {"uvloop"}
"""A benchmark compares with it where it happens to be installed."""


def canonical(requirement: str) -> str:
    """The name of a requirement, as PEP 503 writes it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    return {canonical(requirement) for requirement in requirements}


def imported(*folders: str) -> set[str]:
    """The distributions whose packages the modules in *folders* import, wherever they do it."""
    owners = packages_distributions()
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    packages = {name for file in files for name in packages_of(file)}
    foreign = packages - OWN - OPTIONAL - sys.stdlib_module_names
    distributions = {canonical(owners.get(name, [name])[0]) for name in foreign}
    return {PART_OF.get(name, name) for name in distributions}


def packages_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


RUNTIME = declared(PYPROJECT["project"]["dependencies"])
EXTRAS = declared(PYPROJECT["project"]["optional-dependencies"]["postgresql"])
TEST = declared(PYPROJECT["dependency-groups"]["test"])
LINT = declared(PYPROJECT["dependency-groups"]["lint"])


def test_what_the_program_imports_is_declared_and_what_is_declared_is_imported() -> None:
    assert imported("monitor") == RUNTIME


def test_what_tests_and_benchmarks_import_beyond_that_is_declared_and_imported() -> None:
    assert imported("tests", "benchmarks") - RUNTIME == TEST - NOT_IMPORTED


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", RUNTIME | EXTRAS),
        ("requirements-dev.txt", RUNTIME | EXTRAS | TEST | LINT),
        ("requirements-lowest.txt", RUNTIME | EXTRAS | TEST),
    ],
)
def test_a_lock_file_has_all_of_it_with_hashes_and_no_address(file: str, wanted: set[str]) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    pinned = re.findall(r"^(\S+)==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)

    assert wanted <= declared(pinned), "run `make lock`"
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)), "one without a hash"
    assert "/" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE), "a path or an address"


def test_the_lowest_lock_has_the_bounds_that_are_declared() -> None:
    text = (ROOT / "requirements-lowest.txt").read_text(encoding="utf-8")
    pinned = {canonical(n): v for n, v in re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE)}
    requirements = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["test"]
    bounds = {canonical(r): re.findall(r">=([0-9.]+)", r) for r in requirements}

    assert all(bounds.values()), "a dependency without a lower bound"
    assert not {
        name: (bound, pinned[name])
        for name, (bound,) in bounds.items()
        if not f"{pinned[name]}.".startswith(f"{bound}.")
    }, "run `make lock`"
