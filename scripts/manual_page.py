"""Writes share/man/man1/credit-monitor.1 from the commands as they are: ``make pages``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from textwrap import wrap

import click

from monitor import __version__
from monitor.cli import program
from monitor.cli.app import COMMANDS, DEBUG_VARIABLE

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "share" / "man" / "man1" / "credit-monitor.1"
COMMAND_LINE = ROOT / "docs" / "command-line.md"
NAME = "credit-monitor"

LINE = 70
"""Characters of a line before some of them are escaped."""

ENVIRONMENT = {
    "CREDIT_MONITOR_CONFIG": "The configuration file, unless --config names one.",
    DEBUG_VARIABLE: "Any value but 0 is as --debug.",
    "KIE_API_KEY": (
        "A key to watch where there is no configuration file; "
        "credit-monitor providers shows the variables of the others."
    ),
    "NO_COLOR": "No colour on a terminal.",
}

FILES = {
    "/etc/credit-monitor/config.yaml": "The configuration, unless one nearer by is found.",
    "/var/lib/credit-monitor": "What the system service records.",
}


def manual_page() -> str:
    """The page in the language of man(7), without a line that differs from day to day."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" made from the commands by make pages; do not edit'
    yield f'.TH {NAME.upper()} 1 "" "{NAME} {__version__}" "User Commands"'
    # Examples are to be copied: no hyphenation, and straight lines as typed.
    yield ".nh"
    yield ".SH NAME"
    yield f"{NAME} \\- watches prepaid API credit, and tells somebody before it runs out"
    yield ".SH SYNOPSIS"
    yield f".B {_text(NAME)}"
    yield r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]"
    yield ".SH DESCRIPTION"
    yield from _help(program.help)
    yield from _options(program, click.Context(program, **program.context_settings))
    yield from _examples(program.epilog)
    yield ".SH COMMANDS"
    for name, command in _commands():
        yield from _section(name, command)
    yield from _list("EXIT STATUS", _exit_codes())
    yield from _list("ENVIRONMENT", ENVIRONMENT)
    yield from _list("FILES", FILES)
    yield ".SH SEE ALSO"
    yield ".BR systemd.exec (5),"
    yield ".BR journalctl (1)"


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())
        elif command is not None:
            yield name, command


def _section(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"{NAME} {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_text(name)}"'
    yield f".B {_text(f'{NAME} {name}')}"
    yield _text(usage)
    yield ".PP"
    yield from _help(command.help)
    yield from _options(command, context)
    yield from _examples(command.epilog)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Those of the command's own; what all commands take is told at the top."""
    everywhere = {"--config", "--debug", "--help"} if command is not program else set()
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if isinstance(param, click.Option) and record and not everywhere & {*param.opts}:
            yield ".TP"
            yield _bold_options(record[0])
            yield from _flowing(record[1])


def _help(text: str | None) -> Iterator[str]:
    """The paragraphs of a help text; those that click is told to leave alone stay lines."""
    for number, paragraph in enumerate(cleandoc(text or "").split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from _as_typed(paragraph.removeprefix("\b\n"))
        else:
            yield from _flowing(paragraph)


def _examples(epilog: str | None) -> Iterator[str]:
    if epilog:
        yield ".PP"
        yield from _help(epilog)


def _as_typed(text: str) -> Iterator[str]:
    yield ".nf"
    yield from (_text(line) for line in text.splitlines())
    yield ".fi"


def _list(heading: str, entries: dict[str, str]) -> Iterator[str]:
    yield f".SH {heading}"
    for term, meaning in entries.items():
        yield ".TP"
        yield f".B {_text(term)}"
        yield from _flowing(meaning)


def _exit_codes() -> dict[str, str]:
    """Code and meaning, from docs/command-line.md; those of ``check`` stand with it."""
    page = COMMAND_LINE.read_text("utf-8").partition("### Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", page, re.MULTILINE)
    return {code: meaning[0].upper() + meaning[1:].replace("`", "") for code, meaning in rows}


def _bold_options(declaration: str) -> str:
    """``-c, --config FILE`` with what is typed in bold."""
    return re.sub(r"(?<![\w-])(-[\w-]+)", lambda m: rf"\fB{_text(m[1])}\fR", declaration)


def _flowing(text: str) -> Iterator[str]:
    """A paragraph, in lines that a difference between versions shows one by one."""
    lines = wrap(text, LINE, break_long_words=False, break_on_hyphens=False)
    yield from (_text(line) for line in lines)


def _text(text: str) -> str:
    """*text* as it is: no escape, no typographic hyphen or quote, no request at its beginning."""
    for sign, escaped in (
        ("\\", r"\e"),
        ("-", r"\-"),
        ("'", r"\(aq"),
        ("`", r"\`"),
        ("^", r"\(ha"),
    ):
        text = text.replace(sign, escaped)
    text = text.replace("~", r"\(ti")
    return f"\\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    PAGE.write_text(manual_page(), "utf-8")
