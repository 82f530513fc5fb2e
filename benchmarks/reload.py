"""What a reload holds up: how late the daemon answers while it goes over to a configuration.

``credit-monitor run`` polls a provider on loopback.  When all keys are read, the configuration is
changed and SIGHUP sent, once per kind of change.  ``/healthz`` is asked all the time: the loop
stands still for as long as the slowest answer takes.

    python -m benchmarks reload -- --keys 10000
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._process import OTHER, on_measured_core, percentile, provider, scratch, usage
from benchmarks.daemon import free_port, wait_until_ready

ASK_EVERY = 0.005
"""Seconds between two questions."""

AFTERWARDS = 2.0
"""Seconds watched after the new configuration is in use."""

Document = dict[str, Any]
Change = Callable[[Document], None]


def _nothing(_: Document) -> None:
    """The same file once more."""


def _other_threshold(document: Document) -> None:
    document["rules"]["low_balance"]["warning"] += 1


def _tenth_gone(document: Document) -> None:
    del document["keys"][: len(document["keys"]) // 10]


def _tenth_added(document: Document) -> None:
    some = document["keys"][: len(document["keys"]) // 10]
    document["keys"] += [key | {"name": f"new-{key['name']}"} for key in some]


def _mistake(document: Document) -> None:
    document["keyz"] = []


CHANGES: dict[str, Change] = {
    "no reload": _nothing,
    "nothing changed": _nothing,
    "another threshold for all keys": _other_threshold,
    "a tenth of the keys removed": _tenth_gone,
    "a tenth added": _tenth_added,
    "refused for a mistake": _mistake,
}


@dataclass(slots=True)
class Result:
    """How one reload went: seconds until it was over, each answer's seconds, MiB after it."""

    change: str
    lasted: float = 0.0
    answers: list[float] = field(default_factory=list)
    memory: float = 0.0


def run(keys: int, interval: float) -> list[Result]:
    """One daemon, all changes one after the other."""
    with scratch() as folder, provider() as endpoint:
        web = free_port()
        config = folder / "config.yaml"
        document = _document(keys, interval, endpoint.port, web, folder)
        _write(config, document)
        command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
        with on_measured_core(command, folder) as process:
            wait_until_ready(web, folder)
            time.sleep(interval + 2)
            return [
                _reload(name, document, _Daemon(process.pid, web, folder), config)
                for name in CHANGES
            ]


@dataclass(frozen=True, slots=True)
class _Daemon:
    pid: int
    web: int
    folder: Path

    def told(self) -> int:
        """How many reloads the log tells the end of."""
        text = (self.folder / "output").read_text(encoding="utf-8", errors="replace")
        return text.count("watching ") + text.count("is refused")


def _document(keys: int, interval: float, port: int, web: int, folder: Path) -> Document:
    common = {"provider": "kie", "url": f"http://127.0.0.1:{port}"}
    return {
        "defaults": {"interval": f"{interval:g}s", "timeout": "5s"},
        "keys": [common | {"name": f"key-{n}", "key": f"key-{n}"} for n in range(keys)],
        "rules": {"low_balance": {"warning": 2000, "critical": 500}},
        "channels": [{"name": "hook", "url": f"json://127.0.0.1:{port}/hook"}],
        "store": f"sqlite:///{folder}/bench.db",
        "limits": {"default": {"rate": 1000, "concurrency": 500}},
        "web": {"listen": f"127.0.0.1:{web}"},
    }


def _write(config: Path, document: Document) -> None:
    config.touch(mode=0o600)
    config.write_text(json.dumps(document, indent=1), encoding="utf-8")  # which is YAML, too


def _reload(name: str, document: Document, daemon: _Daemon, config: Path) -> Result:
    print(f"measuring: {name} ...", file=sys.stderr, flush=True)
    CHANGES[name](document)
    _write(config, document)
    result, stop = Result(name), threading.Event()
    before = daemon.told()
    asking = threading.Thread(target=_ask, args=(result, daemon.web, stop))
    asking.start()
    began = time.monotonic()
    if name != "no reload":
        os.kill(daemon.pid, signal.SIGHUP)
        while daemon.told() == before:
            time.sleep(0.02)
        result.lasted = time.monotonic() - began
    time.sleep(AFTERWARDS)
    stop.set()
    asking.join()
    result.memory = usage(daemon.pid).memory
    return result


def _ask(result: Result, web: int, stop: threading.Event) -> None:
    while not stop.wait(ASK_EVERY):
        began = time.monotonic()
        urllib.request.urlopen(f"http://127.0.0.1:{web}/healthz", timeout=60).close()
        result.answers.append(time.monotonic() - began)


def _report(results: Sequence[Result]) -> None:
    print("| | until over | an answer, p50 / p99 / worst | memory |\n|---|---:|---:|---:|")
    for result in results:
        answers = " / ".join(
            f"{percentile(result.answers, share) * 1000:.0f}" for share in (0.5, 0.99, 1)
        )
        print(
            f"| {result.change} | {result.lasted:.1f} s | {answers} ms | {result.memory:.0f} MB |"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between polls")
    options = parser.parse_args(argv)
    os.sched_setaffinity(0, {OTHER})
    _report(run(options.keys, options.interval))


if __name__ == "__main__":
    main()
