"""What benchmarks need around processes: cores, CPU time and memory as the kernel counts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
MEASURED, OTHER = CORES[0], CORES[-1]
"""The core of what is measured, and that of everything around it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds used so far, memory in use and its peak in MiB.

    ``ran`` and ``waited`` are of the main thread: how many seconds it had a core, and how many it
    could have run while the core was taken by something else.
    """

    cpu: float
    memory: float
    peak: float
    ran: float
    waited: float


def usage(pid: int) -> Usage:
    """What process *pid* has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines if line[:4] == "VmRS"}
    kilobytes |= {line.split()[0]: int(line.split()[1]) for line in lines if line[:5] == "VmHWM"}
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    return Usage(
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
        memory=kilobytes["VmRSS:"] / 1024,
        peak=kilobytes["VmHWM:"] / 1024,
        ran=int(ran) / 1e9,
        waited=int(waited) / 1e9,
    )


@dataclass(frozen=True, slots=True)
class Provider:
    """The endpoint of a benchmark, in its own process."""

    port: int

    def report(self) -> dict[str, Any]:
        """All that it has noted."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/report", timeout=60) as answer:
            notes: dict[str, Any] = json.load(answer)
        return notes

    def let_fall(self, moment: float) -> None:
        """Let the balance of the keys named ``fall-...`` be gone from *moment* (monotonic) on."""
        address = f"http://127.0.0.1:{self.port}/fall"
        urllib.request.urlopen(address, data=str(moment).encode(), timeout=10).close()


@contextmanager
def provider(*, delay: float = 0.0) -> Iterator[Provider]:
    """A provider on the other core whose answers take *delay* seconds."""
    command = [sys.executable, "-m", "benchmarks._endpoint", "--core", str(OTHER)]
    process = subprocess.Popen([*command, "--delay", str(delay)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Provider(int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def on_measured_core(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """*command* on the measured core, its output in ``output`` under *folder*; ended afterwards."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.sched_setaffinity(process.pid, {MEASURED})  # threads that it starts inherit it
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="credit-monitor-bench-") as name:
        yield Path(name)


def sleep_until(moment: float) -> None:
    """Wait for *moment* of the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which *share* (0..1) of *values* lies; nan without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
