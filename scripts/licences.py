"""Writes docs/licences.md, the licence of everything that is locked to run: ``make pages``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
LOCK = ROOT / "requirements.txt"

SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages without an SPDX expression call their licence."""

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-CMU", "PSF-2.0"),
}
"""May be combined with and shipped beside a program under the MIT licence."""

AS_THEY_ARE = {
    "certifi": "MPL-2.0",  # binds changes to its own files; we change none
    "psycopg": "LGPL-3.0-only",  # for PostgreSQL; a library that anybody can replace
    "psycopg-binary": "LGPL-3.0-only",
}
"""Packages with conditions on their own code, which is used unchanged and kept apart."""

HEAD = """\
# Licences

credit-monitor is under the [MIT licence](../LICENSE). `pip install` and `make install` fetch the
packages below from where they are published; the container image holds them, unchanged, with
their licence texts. A test fails when one with other terms, or without a statement, slips in.
`sh scripts/sbom` writes the same as a CycloneDX document, with versions and where each is from.

| package | licence | |
|---|---|---|
"""


def licences() -> dict[str, str]:
    """The licence of each locked package that is installed, as SPDX writes it.

    A package is left out where another platform or Python needs it, or where another version is
    installed than is locked.
    """
    return {name: licence(found) for name, found in _locked()}


def licence(package: Distribution) -> str:
    """What *package* says of itself: an expression, a word, or a classifier; else empty."""
    said: dict[str, list[str]] = {
        field: package.metadata.get_all(field) or []
        for field in ("License-Expression", "License", "Classifier")
    }
    classifiers = [c.rpartition(" :: ")[2] for c in said.pop("Classifier") if "License ::" in c]
    words = [word for found in said.values() for word in found]
    short = [word for word in [*words, *classifiers] if len(word) < LONG]
    return SPDX.get(short[0], short[0]) if short else ""


LONG = 60
"""Some packages put the text of the licence where its name belongs."""


def is_acceptable(name: str, terms: str) -> bool:
    """Whether a package of these terms may be needed by this program."""
    parts = set(re.split(r" (?:AND|OR) ", terms))
    return AS_THEY_ARE.get(name) == terms or parts <= PERMISSIVE


def renewed() -> str:
    """The page."""
    return HEAD + "".join(_row(*entry) for entry in sorted(licences().items()))


def _row(name: str, terms: str) -> str:
    note = "only for PostgreSQL" if name.startswith("psycopg") else ""
    return f"| {name} | {terms} | {note} |\n"


def _locked() -> Iterator[tuple[str, Distribution]]:
    for name, version in re.findall(r"^(\S+)==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if found.version == version:
            yield name, found


if __name__ == "__main__":
    PAGE.write_text(renewed(), "utf-8")
