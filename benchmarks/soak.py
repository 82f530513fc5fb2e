"""A long run with random faults: memory, descriptors and punctuality from beginning to end.

``credit-monitor run`` polls simulated accounts of which some fail, hang, answer HTML or limit the
rate, others each minute; every tenth minute the whole provider is down.  A web hook that refuses
one message in ten takes the alerts.  The daemon's loop is asked for ``/healthz`` ten times a
second: a stall of the loop is an answer that comes late.

    python -m benchmarks soak -- --minutes 30 --keys 1000 --interval 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from benchmarks._process import OTHER, on_measured_core, percentile, scratch, usage
from benchmarks.daemon import free_port, wait_until_ready
from monitor.providers.simulator import Account, Mode, SimulatedServer

FAULTS = (Mode.SERVER_ERROR, Mode.HTML, Mode.RATE_LIMITED, Mode.MAINTENANCE, Mode.SILENT)
FAULTY_SHARE = 0.05
"""Of the accounts, in each minute."""

OUTAGE_EVERY = 10
"""Minutes; the provider is down for one of them."""

SETTLED = 5
"""Minutes after which memory should stay as it is: every code path has been taken by then."""


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Soak:
    """What the run has shown, a row a minute: memory in MiB, descriptors, threads, store in MiB."""

    keys: int
    minutes: list[tuple[float, int, int, float]] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    healthy_minutes: int = 0
    thin_minutes: int = 0
    messages: int = 0
    cpu: float = 0.0
    metrics: str = ""


async def run(keys: int, interval: float, minutes: int) -> Soak:
    """Run for so many minutes."""
    soak = Soak(keys)
    accounts = [_account(number) for number in range(keys)]
    with scratch() as folder:
        async with SimulatedServer(accounts, seed=1) as provider:
            hook = await asyncio.start_server(_hook(soak), "127.0.0.1", 0)
            web = free_port()
            port = hook.sockets[0].getsockname()[1]
            config = folder / "config.yaml"
            config.write_text(_configuration(provider, interval, web, port, folder))
            config.chmod(0o600)
            command = [sys.executable, "-m", "monitor", "--config", str(config), "run"]
            with on_measured_core(command, folder) as process:
                await asyncio.to_thread(wait_until_ready, web, folder)
                daemon = _Daemon(process.pid, web, folder)
                await _watch(soak, daemon, provider, minutes, 0.5 * 60 / interval)
            hook.close()
    return soak


def _account(number: int) -> Account:
    return Account(
        token=f"sk-soak-{number:06}",
        balance=Decimal(20_000 + number % 997),
        per_hour=Decimal(number % 7 * 4_000),
        top_up=Decimal(10_000),
        failure_share=0.02,
        latency=0.05,
    )


def _configuration(
    provider: SimulatedServer, interval: float, web: int, hook: int, folder: Path
) -> str:
    names = {token: f"key-{number}" for number, token in enumerate(provider.accounts)}
    common = {"provider": "simulated", "url": provider.url}
    return json.dumps(  # which is YAML, too
        {
            "defaults": {"interval": f"{interval:g}s", "timeout": f"{interval * 0.8:g}s"},
            "keys": [{"name": name, "key": token} | common for token, name in names.items()],
            "rules": {
                "silent": {"after": "90s"},
                "low_balance": {"warning": 19_000, "critical": 15_000},
            },
            "channels": [{"name": "hook", "url": f"json://127.0.0.1:{hook}/"}],
            "notify": {"group_wait": "5s"},
            "store": f"sqlite:///{folder}/soak.db",
            "limits": {"default": {"rate": 1000, "concurrency": 500}},
            "web": {"listen": f"127.0.0.1:{web}"},
        }
    )


def _hook(soak: Soak) -> Serve:
    chance = random.Random(2)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head.lower())
            await reader.readexactly(int(length[1]) if length else 0)
            good = chance.random() > 0.1
            soak.messages += good
            status = b"200 OK" if good else b"503 Busy"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return serve


@dataclass(frozen=True, slots=True)
class _Daemon:
    """Where the process is to be found."""

    pid: int
    web: int
    folder: Path


async def _watch(
    soak: Soak, daemon: _Daemon, provider: SimulatedServer, minutes: int, few: float
) -> None:
    """Spoil and look every minute; *few* polls in a minute are too few for a healthy key."""
    stop = threading.Event()
    asking = threading.Thread(target=_ask, args=(soak, daemon.web, stop))
    asking.start()
    chance = random.Random(3)
    faulty: set[str] = set()
    before = usage(daemon.pid).cpu
    try:
        for minute in range(minutes):
            recovering = faulty
            faulty = _spoil(provider, chance, everything=minute % OUTAGE_EVERY == OUTAGE_EVERY - 1)
            counts = {token: account.requests for token, account in provider.accounts.items()}
            await asyncio.sleep(60)
            for token, account in provider.accounts.items():
                if token in faulty or token in recovering:
                    continue  # its polls are spaced by backoff
                soak.healthy_minutes += 1
                # A passing fault (2 %) puts off the next polls of a key a little.
                soak.thin_minutes += account.requests - counts[token] < few
            soak.minutes.append(_look(daemon))
            print(f"minute {minute + 1}: {soak.minutes[-1]}", file=sys.stderr, flush=True)
    finally:
        stop.set()
        await asyncio.to_thread(asking.join)
    soak.cpu = usage(daemon.pid).cpu - before
    soak.metrics = await asyncio.to_thread(_get, daemon.web, "metrics")


def _spoil(provider: SimulatedServer, chance: random.Random, *, everything: bool) -> set[str]:
    """Give some accounts, or all, a fault for the next minute; returns which."""
    faulty = set()
    for token, account in provider.accounts.items():
        account.mode = Mode.OK
        if everything:
            account.mode = Mode.SERVER_ERROR
        elif chance.random() < FAULTY_SHARE:
            account.mode = chance.choice(FAULTS)
        if account.mode is not Mode.OK:
            faulty.add(token)
    return faulty


def _look(daemon: _Daemon) -> tuple[float, int, int, float]:
    descriptors = len(os.listdir(f"/proc/{daemon.pid}/fd"))  # noqa: PTH208 - a count of names
    threads = len(os.listdir(f"/proc/{daemon.pid}/task"))  # noqa: PTH208 - as above
    store = sum(file.stat().st_size for file in daemon.folder.glob("soak.db*")) / 2**20
    return round(usage(daemon.pid).memory, 1), descriptors, threads, round(store, 1)


def _ask(soak: Soak, web: int, stop: threading.Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        _get(web, "healthz")
        soak.answers.append(time.monotonic() - began)
        stop.wait(0.1)


def _get(web: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{web}/{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def _total(metrics: str, name: str) -> float:
    """The sum of all series of *name*."""
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", metrics, re.MULTILINE)
    return sum(map(float, found))


def _missed(metrics: str) -> float:
    found = re.findall(r'polls_total\{[^}]*outcome="missed"\} (\S+)', metrics)
    return sum(map(float, found))


def _report(soak: Soak, interval: float) -> None:
    settled = soak.minutes[SETTLED:] or soak.minutes
    polls = _total(soak.metrics, "credit_monitor_polls_total")
    late = {
        float(edge): _total(soak.metrics, f'credit_monitor_poll_lag_seconds_bucket{{le="{edge}"}}')
        for edge in re.findall(r'poll_lag_seconds_bucket\{le="([0-9.]+)"\}', soak.metrics)
    }
    within = max(
        (share / max(polls, 1) for edge, share in late.items() if edge <= 0.1), default=0.0
    )
    rows = [
        ("keys, interval, minutes", f"{soak.keys:,}, {interval:g} s, {len(soak.minutes)}"),
        ("polls; CPU per poll", f"{polls:,.0f}; {soak.cpu / polls * 1000:.2f} ms"),
        ("memory after 5 minutes, at the end", f"{settled[0][0]} MiB, {settled[-1][0]} MiB"),
        (
            "file descriptors, least and most after 5 minutes",
            f"{min(m[1] for m in settled)}, {max(m[1] for m in settled)}",
        ),
        ("threads at the end", f"{settled[-1][2]}"),
        ("store at the end", f"{settled[-1][3]} MiB"),
        (
            "an answer of the loop, p50 / p99 / worst",
            " / ".join(
                f"{percentile(soak.answers, share) * 1000:.0f} ms" for share in (0.5, 0.99, 1)
            ),
        ),
        ("polls that began within 100 ms of their time", f"{within:.2%}"),
        (
            "minutes of healthy keys; with less than half of the polls",
            f"{soak.healthy_minutes:,}; {soak.thin_minutes}",
        ),
        (
            "polls reported as missed",
            f"{_missed(soak.metrics):.0f}",
        ),
        (
            "messages delivered; store errors",
            f"{soak.messages}; {_total(soak.metrics, 'credit_monitor_store_errors_total'):.0f}",
        ),
    ]
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


def main(argv: Sequence[str] | None = None) -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between polls")
    options = parser.parse_args(argv)
    os.sched_setaffinity(0, {OTHER})
    _report(asyncio.run(run(options.keys, options.interval, options.minutes)), options.interval)


if __name__ == "__main__":
    main()
