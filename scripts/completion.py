"""Writes what bash, zsh and fish load to complete the command line: ``make pages``."""

from __future__ import annotations

from pathlib import Path

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from monitor.cli import program

SHARE = Path(__file__).resolve().parent.parent / "share"
FILES: dict[type[ShellComplete], Path] = {
    BashComplete: SHARE / "bash-completion" / "completions" / "credit-monitor",
    ZshComplete: SHARE / "zsh" / "site-functions" / "_credit-monitor",
    FishComplete: SHARE / "fish" / "vendor_completions.d" / "credit-monitor.fish",
}
"""Where each shell looks below a prefix.  The files ask the program itself what there is."""


if __name__ == "__main__":
    for shell, file in FILES.items():
        complete = shell(program, {}, "credit-monitor", "_CREDIT_MONITOR_COMPLETE")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(complete.source().strip() + "\n", encoding="utf-8")
