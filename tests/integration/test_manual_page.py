"""The manual page follows the commands and is one that man takes; shells complete commands."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHARE = ROOT / "share"
PAGE = SHARE / "man" / "man1" / "credit-monitor.1"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"needs {program} (Debian package {program})"
    )


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "manual_page.py"))


def test_the_manual_page_is_that_of_the_commands(script: dict[str, Any]) -> None:
    assert PAGE.read_text("utf-8") == script["manual_page"](), "run `make pages`"


def test_no_line_of_a_text_is_taken_for_a_request(script: dict[str, Any]) -> None:
    assert script["_text"](".config is a file") == r"\&.config is a file"
    assert script["_text"]("'quoted' -x \\") == r"\(aqquoted\(aq \-x \e"


@needs("mandoc")
def test_mandoc_finds_nothing_to_complain_about() -> None:
    command = ["mandoc", "-T", "lint", "-W", "warning", str(PAGE)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    # A date would be that of the day on which somebody ran the script.
    assert [line for line in told.stdout.splitlines() if "missing date" not in line] == []


@needs("mandoc")
def test_the_page_reads_as_it_was_written() -> None:
    command = ["mandoc", "-T", "ascii", str(PAGE)]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    page = " ".join(re.sub("(.)\b.", r"\1", read.stdout).split())  # bold is printed twice
    assert "credit-monitor silence add --key 'prod-*' --for 4h" in page
    assert "EXIT STATUS" in page


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``credit-monitor`` is the program of this tree."""
    launcher = tmp_path / "credit-monitor"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m monitor "$@"\n')
    launcher.chmod(0o755)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
    }


def complete(command: list[str], environment: dict[str, str]) -> list[str]:
    told = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return [line.partition("\t")[0] for line in told.stdout.splitlines()]


@needs("bash")
def test_bash_completes_commands_and_options(shell: dict[str, str]) -> None:
    file = SHARE / "bash-completion" / "completions" / "credit-monitor"
    ask = (
        f'source {file}; COMP_CWORD=$(($# - 1)); COMP_WORDS=("$@"); '
        '_credit_monitor_completion credit-monitor; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "--norc", "-c", ask, "_"]
    assert complete([*command, "credit-monitor", "sil"], shell) == ["silence"]
    assert "--key" in complete([*command, "credit-monitor", "silence", "add", "--k"], shell)


@needs("fish")
def test_fish_completes_commands(shell: dict[str, str]) -> None:
    file = SHARE / "fish" / "vendor_completions.d" / "credit-monitor.fish"
    ask = f"source {file}; complete --do-complete 'credit-monitor sil'"
    assert complete(["fish", "--no-config", "-c", ask], shell) == ["silence"]


@needs("zsh")
def test_zsh_takes_the_file_for_the_completion_of_the_command(shell: dict[str, str]) -> None:
    folder = SHARE / "zsh" / "site-functions"
    load = f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D"
    ask = f"{load}; print ${{_comps[credit-monitor]}}"
    assert complete(["zsh", "-f", "-c", ask], shell) == ["_credit-monitor"]
