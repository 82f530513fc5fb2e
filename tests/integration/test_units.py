"""The unit files hold what they promise, as far as systemd can tell without running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
DAEMON = UNITS / "credit-monitor.service"
CHECK = UNITS / "credit-monitor-check.service"
SERVICES = (DAEMON, CHECK)
TIMER = "credit-monitor-check.timer"
MOST_EXPOSED = 1.2

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def directives(unit: Path) -> list[str]:
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"[A-Z][A-Za-z]+=", line)]


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_the_service_is_hardly_exposed(unit: Path) -> None:
    command = ("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert told.stderr == ""
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    assert level is not None, told.stdout
    assert float(level[1]) <= MOST_EXPOSED, told.stdout


@needs_systemd
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    program = tmp_path / "credit-monitor"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS.glob("credit-monitor*.*"):
        text = unit.read_text(encoding="utf-8")
        installed = text.replace("/usr/local/bin/credit-monitor", str(program))
        (tmp_path / unit.name).write_text(installed)
    found = sorted(str(file) for file in tmp_path.glob("*.service"))
    command = ("systemd-analyze", "verify", "--man=no", *found, str(tmp_path / TIMER))
    environ = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    told = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environ
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_the_check_is_locked_down_like_the_daemon() -> None:
    sandbox = [line for line in directives(DAEMON) if line.startswith("User=")]
    start = directives(DAEMON).index(sandbox[0])
    end = directives(DAEMON).index("WantedBy=multi-user.target")
    own = set(directives(CHECK))
    assert set(directives(DAEMON)[start:end]) - own == {"Environment=PYTHONDONTWRITEBYTECODE=1"}


def test_what_does_not_get_better_is_not_tried_again() -> None:
    assert "RestartPreventExitStatus=64 65 78" in directives(DAEMON)
    assert "Restart=on-failure" in directives(DAEMON)
