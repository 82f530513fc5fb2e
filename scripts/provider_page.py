"""Writes the part of docs/providers.md that is made from the catalog: ``make pages``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from monitor.providers import REGISTRY, catalog
from monitor.providers.base import ProviderInfo
from monitor.providers.examples import example

PAGE = Path(__file__).resolve().parent.parent / "docs" / "providers.md"
BEGIN = "<!-- made from monitor/providers/catalog.yaml by make pages; do not edit below -->"


def renewed(page: str) -> str:
    """*page* with its last part made anew from the catalog."""
    written, marker, _ = page.partition(BEGIN)
    if not marker:
        raise ValueError(f"{PAGE.name} has lost the line that says where the catalog begins")
    return written + marker + "\n\n" + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    infos = [REGISTRY.info(name) for name in catalog.names()]
    balances = sum(info.shows_balance for info in infos)
    yield f"{balances} providers with a balance and {len(infos) - balances} key checks:"
    yield ""
    yield from _table(infos)
    for group, members in groupby(infos, key=lambda info: info.group):
        yield ""
        yield f"### {group.capitalize()}"
        for info in members:
            yield from _section(info)


def _table(infos: list[ProviderInfo]) -> Iterator[str]:
    yield "| provider | reads | needs | how sure |"
    yield "|---|---|---|---|"
    for info in infos:
        link = f"[{info.name}](#{info.name.replace('.', '')})"
        yield f"| {link} | {info.reads} | {info.key_kind} | {info.confidence} |"


def _section(info: ProviderInfo) -> Iterator[str]:
    yield ""
    yield f"#### {info.name}"
    yield ""
    yield f"{info.title}: {info.reads}."
    yield ""
    yield "```yaml"
    yield from example(info).splitlines()
    yield "```"
    yield ""
    for label, text in _facts(info):
        yield f"- **{label}**: {text}"


def _facts(info: ProviderInfo) -> Iterator[tuple[str, str]]:
    yield "key", info.key_kind
    if info.environment:
        yield "variable", ", ".join(f"`{name}`" for name in info.environment)
    settings = catalog.entry(info.name).settings.items()
    yield from ((f"`{name}`", setting.description) for name, setting in settings)
    yield "request", f"`{info.request}`"
    yield "limits", info.limits
    if info.top_up_url:
        yield "top up", f"<{info.top_up_url}>"
    is_address = info.documentation.startswith("https://")
    yield "documentation", f"<{info.documentation}>" if is_address else info.documentation
    yield "how sure", info.confidence
    yield from (("note", note) for note in info.notes)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
