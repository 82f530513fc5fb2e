"""A small Debian with systemd as its first process, booted in a container on this machine.

Needs root, debootstrap and systemd-nspawn, and takes minutes the first time: the bare system is
kept in the cache directory of the user, everything else is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SWITCH = "CREDIT_MONITOR_BOOT"
SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,make,ca-certificates,procps"
REPOSITORY = Path(__file__).parents[2]
SOURCE = "/usr/src/credit-monitor"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def missing() -> str:
    """Why no system can be booted here; empty when one can."""
    if os.environ.get(SWITCH) != "1":
        return f"boots a container, which takes minutes: set {SWITCH}=1"
    if os.geteuid() != 0:
        return "booting a container needs root"
    if not _may_mount():
        return "booting a container needs the capability CAP_SYS_ADMIN"
    absent = [name for name in ("debootstrap", "systemd-nspawn") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def _may_mount() -> bool:
    """Root in a container of the usual kind may not."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    return bool(effective & 1 << 21)


def bare_system() -> Path:
    """The bare system, made by debootstrap where there is none yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / "credit-monitor-tests" / SUITE
    if not root.exists():
        unfinished = root.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        command = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE)
        _run(*command, str(unfinished), seconds=600)
        unfinished.rename(root)
    return root


def _run(*command: str, seconds: float = 60) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, errors="replace"
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


class Machine:
    """A booted system whose files are below *root*; it shares the network of this machine."""

    def __init__(self, root: Path, leader: int) -> None:
        self.root = root
        self._enter = ("nsenter", "-t", str(leader), *["-m", "-u", "-i", "-n", "-p", "-C", "--"])

    def path(self, inside: str) -> Path:
        """Where *inside* lies seen from here."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the system."""
        file = self.path(inside)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def run(self, *command: str, seconds: float = 60) -> tuple[int, str]:
        """Run *command* in the system: its exit code, and all that it printed."""
        environ = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environ |= {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
        done = subprocess.run(
            (*self._enter, *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
            env=environ,
            errors="replace",
        )
        return done.returncode, done.stdout

    def ok(self, *command: str, seconds: float = 60) -> str:
        """What *command* printed; it has to succeed."""
        code, output = self.run(*command, seconds=seconds)
        assert code == 0, f"{command} ended with {code}:\n{output[-3000:]}"
        return output

    def show(self, unit: str, name: str) -> str:
        """One property of a unit, as systemd has it."""
        return self.ok("systemctl", "show", unit, "--property", name, "--value").strip()

    def until(self, unit: str, name: str, value: str, seconds: float = 30) -> None:
        """Wait until a property of a unit has *value* in it."""
        end = time.monotonic() + seconds
        while value not in (seen := self.show(unit, name)):
            assert time.monotonic() < end, (
                f"{name} of {unit} is {seen}, not {value}:\n{self.log(unit)}"
            )
            time.sleep(0.1)

    def log(self, unit: str) -> str:
        """What the journal has of a unit."""
        return self.ok("journalctl", "--no-pager", "--output=cat", "--unit", unit)


@contextlib.contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """A machine on a copy of the bare system at *root*."""
    _run("cp", "-a", "--reflink=auto", f"{bare_system()}/.", str(root), seconds=300)
    shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    (root / SOURCE.lstrip("/")).mkdir(parents=True)
    command = ("systemd-nspawn", "--quiet", "--boot", "--keep-unit", "--register=no")
    options = ("--console=pipe", f"--directory={root}", f"--bind-ro={REPOSITORY}:{SOURCE}")
    nspawn = subprocess.Popen(
        (*command, *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        machine = Machine(root, _leader(nspawn))
        _wait_for_boot(machine)
        yield machine
        machine.run("systemctl", "poweroff", "--no-block")
        nspawn.wait(30)
    finally:
        if nspawn.poll() is None:
            nspawn.terminate()  # the first asks the system to halt, the second does not
            nspawn.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                nspawn.wait(10)
            nspawn.kill()
        _ = nspawn.communicate()


def _leader(nspawn: subprocess.Popen[str]) -> int:
    """The number of the system's first process, as it is called out here."""
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    end = time.monotonic() + 20
    while time.monotonic() < end and nspawn.poll() is None:
        for child in children.read_text().split():
            # Before it there is a helper of nspawn, which ends.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        time.sleep(0.05)
    told = nspawn.communicate()[1] if nspawn.poll() is not None else "it does not begin"
    raise AssertionError(f"systemd-nspawn: {told}")


def _wait_for_boot(machine: Machine) -> None:
    end = time.monotonic() + 60
    state = ""
    while time.monotonic() < end:
        _, state = machine.run("systemctl", "is-system-running")
        if state.strip() in ("running", "degraded"):
            return
        time.sleep(0.2)
    raise AssertionError(f"the system does not come up: {state}")
