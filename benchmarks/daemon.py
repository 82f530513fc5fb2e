"""The whole daemon: CPU per poll, memory, punctuality, scrapes and messages, on one core.

``credit-monitor run`` polls a provider on loopback that lives on another core.  Per scenario: one
interval to start, two to measure, one more while ``/metrics`` is scraped every second.  Ten keys
lose their balance on the way, each of which must become a message to a webhook.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks._process import (
    OTHER,
    Provider,
    on_measured_core,
    percentile,
    provider,
    scratch,
    sleep_until,
    usage,
)

GROUP_WAIT = 0.5
FALLING = 10
SCRAPE_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many keys are polled how often, and how late the answers come, in seconds."""

    keys: int
    interval: float
    delay: float

    def __str__(self) -> str:
        late = f", answers {self.delay * 1000:.0f} ms late" if self.delay else ""
        return f"{self.keys:,} keys every {self.interval:g} s{late}"


SCENARIOS = (
    Scenario(1_000, 10.0, 0.0),
    Scenario(1_000, 10.0, 0.2),
    Scenario(10_000, 30.0, 0.0),
    Scenario(10_000, 30.0, 0.2),
)
REFERENCE = {1_000: (1.17, 215.0), 10_000: (1.0, 1064.0)}
"""CPU ms per poll and MB of json_exporter, Prometheus and Alertmanager together, same load."""
TARGETS = {1_000: (1.17, None), 10_000: (0.5, 120.0)}
"""What we want to stay under: CPU ms per poll, MB."""


@dataclass(slots=True)
class Result:
    """What one scenario has shown; times in seconds unless named otherwise."""

    scenario: Scenario
    cpu_ms: float = 0.0
    noise: float = 0.0
    memory: float = 0.0
    peak: float = 0.0
    ready: float = 0.0
    first: float = 0.0
    all_polled: float = 0.0
    polled_keys: int = 0
    deviations: list[float] = field(default_factory=list)
    delays_quiet: list[float] = field(default_factory=list)
    delays_scraped: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    scrape_bytes: int = 0
    messages: list[float] = field(default_factory=list)


def run(scenario: Scenario) -> Result:
    """Run one scenario."""
    result = Result(scenario)
    with scratch() as folder, provider(delay=scenario.delay) as endpoint:
        web = free_port()
        config = folder / "config.yaml"
        config.write_text(_configuration(scenario, endpoint.port, web, folder), encoding="utf-8")
        config.chmod(0o600)
        command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
        began = time.monotonic()
        with on_measured_core(command, folder) as process:
            ready = wait_until_ready(web, folder)
            marks = _measure(result, process.pid, endpoint, ready, web)
            notes = endpoint.report()
        result.ready = ready - began
        _evaluate(result, notes, ready, marks)
    return result


def _configuration(scenario: Scenario, port: int, web: int, folder: Path) -> str:
    # Evenly among the others, so that each falls alone and is a message of its own.
    apart = scenario.keys // FALLING
    names = [
        f"key-{number}" if number % apart else f"fall-{number}" for number in range(scenario.keys)
    ]
    keys = [
        {"name": name, "provider": "kie", "url": f"http://127.0.0.1:{port}", "key": name}
        for name in names
    ]
    return json.dumps(  # which is YAML, too
        {
            "defaults": {"interval": f"{scenario.interval:g}s", "timeout": "5s"},
            "keys": keys,
            "rules": {"low_balance": {"warning": 2000, "critical": 500}},
            "channels": [{"name": "hook", "url": f"json://127.0.0.1:{port}/hook"}],
            "notify": {"group_wait": f"{GROUP_WAIT:g}s", "resolved": False},
            "store": f"sqlite:///{folder}/bench.db",
            "limits": {"default": {"rate": 1000, "concurrency": 500}},
            "web": {"listen": f"127.0.0.1:{web}"},
        },
        indent=1,
    )


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - http to loopback
        body: bytes = answer.read()
    return body


def wait_until_ready(web: int, folder: Path) -> float:
    """The moment at which the daemon first answers on its port, to a few milliseconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            _get(f"http://127.0.0.1:{web}/healthz")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
        else:
            return time.monotonic()
    output = (folder / "output").read_text(encoding="utf-8", errors="replace")
    raise SystemExit(f"the daemon did not start:\n{output[-3000:]}")


@dataclass(frozen=True, slots=True)
class Marks:
    """The moments between the phases, and the CPU seconds used in the measured one."""

    begin: float
    end: float
    last: float
    cpu: float


def _measure(result: Result, pid: int, endpoint: Provider, ready: float, web: int) -> Marks:
    interval = result.scenario.interval
    begin = ready + interval + 1.0
    end = begin + 2 * interval
    sleep_until(begin)
    endpoint.let_fall(begin)
    before = usage(pid)
    sleep_until(end)
    after = usage(pid)
    result.memory, result.peak = after.memory, after.peak
    waited = after.waited - before.waited
    result.noise = waited / (waited + after.ran - before.ran)
    last = end + interval
    _scrape(result, web, last)
    result.peak = usage(pid).peak
    return Marks(begin, end, last, after.cpu - before.cpu)


def _scrape(result: Result, web: int, until: float) -> None:
    due = time.monotonic()
    while due < until:
        sleep_until(due)
        began = time.monotonic()
        result.scrape_bytes = len(_get(f"http://127.0.0.1:{web}/metrics"))
        result.scrapes.append(time.monotonic() - began)
        due += SCRAPE_EVERY


def _evaluate(result: Result, notes: dict[str, object], ready: float, marks: Marks) -> None:
    starts: dict[str, list[float]] = notes["starts"]  # type: ignore[assignment]  # from JSON
    fallen: dict[str, float] = notes["fallen"]  # type: ignore[assignment]  # from JSON
    webhooks: list[float] = notes["webhooks"]  # type: ignore[assignment]  # from JSON
    interval = result.scenario.interval
    firsts = [seen[0] for seen in starts.values()]
    result.first = min(firsts) - ready
    result.all_polled = max(firsts) - ready
    result.polled_keys = len(firsts)
    measured = sum(marks.begin <= at < marks.end for seen in starts.values() for at in seen)
    result.cpu_ms = marks.cpu / measured * 1000
    for seen in starts.values():
        result.deviations += [abs(after - before - interval) for before, after in pairwise(seen)]
        phase = statistics.median_low([at % interval for at in seen])
        for at in seen:
            late = (at - phase + interval / 2) % interval - interval / 2
            (result.delays_quiet if at < marks.end else result.delays_scraped).append(late)
    # A verdict needs the answer, which leaves the provider `delay` after its request came.
    due = sorted(at + result.scenario.delay + GROUP_WAIT for at in fallen.values())
    result.messages = [sent - wanted for wanted, sent in zip(due, sorted(webhooks), strict=False)]


def _report(results: Sequence[Result]) -> None:
    rows: list[tuple[str, ...]] = [("", *(str(result.scenario) for result in results))]
    rows.append(("---", *("---:" for _ in results)))
    for name, show in _ROWS.items():
        rows.append((name, *(show(result) for result in results)))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def _beside(number: float | None, digits: int) -> str:
    return "-" if number is None else f"{number:.{digits}f}"


def _pair(table: Mapping[int, tuple[float, float | None]], result: Result) -> tuple[str, str]:
    cpu, memory = table.get(result.scenario.keys, (None, None))
    return _beside(cpu, 2), _beside(memory, 0)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


_ROWS: Mapping[str, Callable[[Result], str]] = {
    "CPU per poll": lambda r: f"{r.cpu_ms:.2f} ms",
    "- the three daemons": lambda r: f"{_pair(REFERENCE, r)[0]} ms",
    "- target, at most": lambda r: f"{_pair(TARGETS, r)[0]} ms",
    "noise: of its running time, waiting for a core": lambda r: f"{r.noise:.0%}",
    "memory": lambda r: f"{r.memory:.0f} MB",
    "- peak, with start and scrapes": lambda r: f"{r.peak:.0f} MB",
    "- the three daemons ": lambda r: f"{_pair(REFERENCE, r)[1]} MB",
    "- target, at most ": lambda r: f"{_pair(TARGETS, r)[1]} MB",
    "process start to ready": lambda r: f"{r.ready:.1f} s",
    "ready to first poll (at most 1 s)": lambda r: f"{r.first:.2f} s",
    "ready to all polled (at most 1 interval)": lambda r: (
        f"{r.all_polled:.1f} s ({r.polled_keys:,} keys)"
    ),
    "gap off the interval, p50": lambda r: _ms(percentile(r.deviations, 0.5)),
    "gap off the interval, p99 (at most 100 ms)": lambda r: _ms(percentile(r.deviations, 0.99)),
    "poll late, p99 / worst": lambda r: (
        f"{_ms(percentile(r.delays_quiet, 0.99))} / {_ms(max(r.delays_quiet, default=0))}"
    ),
    "poll late while scraped (at most 50 ms more)": lambda r: (
        f"{_ms(percentile(r.delays_scraped, 0.99))} / {_ms(max(r.delays_scraped, default=0))}"
    ),
    "one scrape, p50 / worst": lambda r: (
        f"{_ms(percentile(r.scrapes, 0.5))} / {_ms(max(r.scrapes, default=0))}"
    ),
    "size of a scrape": lambda r: f"{r.scrape_bytes / 1e6:.1f} MB",
    "message after group_wait, p50 / worst (at most 50 ms)": lambda r: (
        f"{_ms(percentile(r.messages, 0.5))} / {_ms(max(r.messages, default=0))}"
        f" ({len(r.messages)} of {FALLING})"
    ),
}


def main() -> None:
    """Run the scenarios, or the one given, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, help="one scenario of so many keys instead of all")
    parser.add_argument("--interval", type=float, default=10.0, help="its seconds between polls")
    parser.add_argument("--delay", type=float, default=0.0, help="its seconds before an answer")
    options = parser.parse_args()
    os.sched_setaffinity(0, {OTHER})
    scenarios: Sequence[Scenario] = SCENARIOS
    if options.keys is not None:
        scenarios = (Scenario(options.keys, options.interval, options.delay),)
    results = []
    for scenario in scenarios:
        print(f"measuring {scenario} ...", file=sys.stderr, flush=True)
        results.append(run(scenario))
    _report(results)


if __name__ == "__main__":
    main()
