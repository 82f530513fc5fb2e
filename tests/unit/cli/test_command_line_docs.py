"""``docs/command-line.md`` keeps up with the program."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from monitor.cli import program
from monitor.cli.app import COMMANDS
from monitor.cli.exits import CheckExit, Exit

PAGE = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COMMON = "Common to all commands"


def leaves() -> dict[str, click.Command]:
    """Every command that does something, by what is typed for it."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": each for sub, each in command.commands.items()}
        elif command is not None:
            found[name] = command
    return found


@pytest.mark.parametrize("name", leaves())
def test_every_command_has_a_section_that_names_all_its_options(name: str) -> None:
    section = SECTIONS[name]
    for param in leaves()[name].params:
        if isinstance(param, click.Option) and param.expose_value:
            assert f"`{param.opts[0]}" in section, f"{name} {param.opts[0]}"
            if isinstance(param.type, click.Choice):
                for choice in param.type.choices:
                    assert f"`{choice}`" in section, f"{name} {param.opts[0]} {choice}"


def test_the_page_has_no_section_of_a_command_that_is_gone() -> None:
    assert set(SECTIONS) - set(leaves()) == {COMMON, "Completion"}


def test_the_options_of_all_commands_are_described_once() -> None:
    for param in program.params:
        assert f"`{param.opts[0]}" in SECTIONS[COMMON], param.opts[0]


def test_every_exit_code_is_listed() -> None:
    for code in Exit:
        assert f"| {int(code)} |" in SECTIONS[COMMON], code
    for verdict in CheckExit:
        assert f"| {int(verdict)} | {verdict.name.lower()} |" in SECTIONS["check"], verdict


def test_the_table_at_the_top_links_every_section() -> None:
    head = PAGE.partition("\n## ")[0]
    for name in leaves():
        assert f"[`{name}`](#{name.replace(' ', '-')})" in head, name
