"""The real program as a child process: pipes, signals, terminals and the daemon's start."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, cast

import pytest
from support import recorded
from support.patience import HANGS
from support.process import PROGRAM, environment

from monitor.providers.simulator import SimulatedServer
from monitor.store.base import Changes, Store


def run(home: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=home,
        env=environment(home) | more.pop("env", {}),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        **more,
    )


def start(home: Path, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=home,
        env=environment(home),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def test_the_version_is_printed(tmp_path: Path) -> None:
    result = run(tmp_path, "--version")
    assert result.returncode == 0
    assert result.stdout.startswith("credit-monitor, version ")


def test_without_a_command_the_help_is_shown_as_a_usage_error(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 64
    assert "Usage: credit-monitor" in result.stderr


def test_check_ends_with_the_plugin_exit_code(
    cli: Any, keys: list[dict[str, Any]], provider: SimulatedServer
) -> None:
    cli.configure(keys=keys)
    result = run(cli.home, "check", "revoked", "--format", "nagios")
    assert result.returncode == 2
    assert result.stdout.startswith("CREDIT CRITICAL - revoked key refused")
    assert result.stderr == ""


def test_a_reader_that_goes_away_ends_the_output_quietly(cli: Any, store: Store) -> None:
    cli.configure(keys=[{"name": "studio", "key": "k"}])
    samples = [
        recorded.sample(str(n), recorded.NOW + n * timedelta(seconds=9)) for n in range(4000)
    ]
    store.write([Changes(keys=[recorded.key()], samples=samples)])
    child = start(cli.home, "history", "studio", "--since", "3650d", "--format", "csv")
    assert child.stdout is not None
    assert child.stdout.readline() == "time,key,meter,balance\n"
    child.stdout.close()
    assert child.stderr is not None
    assert child.stderr.read() == ""
    child.stderr.close()
    child.wait(HANGS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
def test_a_full_disk_under_the_output_is_told_in_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [*PROGRAM, "providers"],
            cwd=tmp_path,
            env=environment(tmp_path),
            text=True,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert child.returncode == 74
    assert child.stderr == "The output cannot be written: No space left on device.\n"


def on_terminal(
    home: Path, *arguments: str, interrupt_at: bytes = b"", env: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Exit code and output on a terminal; Ctrl-C once *interrupt_at* is shown, if given."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=home,
        env=environment(home, TERM="xterm", **(env or {})),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that the program closed the terminal
        while part := os.read(ours, 65536):
            shown += part
            if interrupt_at and interrupt_at in shown:
                child.send_signal(signal.SIGINT)
                interrupt_at = b""
    os.close(ours)
    return child.wait(HANGS), shown


def test_status_can_be_watched_on_a_terminal(cli: Any, store: Store) -> None:
    store.write([Changes(keys=[recorded.key("studio", recorded.reading("77.5"))])])
    cli.configure(keys=[{"name": "studio", "key": "k"}])
    code, shown = on_terminal(cli.home, "status", "--watch", interrupt_at=b"77.5")
    assert code == 130
    assert b"studio" in shown
    assert b"Traceback" not in shown


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        pytest.param({}, True, id="a terminal gets colour"),
        pytest.param({"NO_COLOR": "1"}, False, id="not with NO_COLOR"),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    cli: Any,
    keys: list[dict[str, Any]],
    env: dict[str, str],
    coloured: bool,  # noqa: FBT001 - a table's column
) -> None:
    cli.configure(keys=keys)
    code, shown = on_terminal(cli.home, "check", "revoked", env=env)
    assert code == 2
    assert (b"\x1b[1;31m" in shown) is coloured
    assert b"polling 1 key" in shown


def test_a_terminal_without_unicode_still_gets_its_plot(cli: Any, store: Store) -> None:
    store.write([Changes(keys=[recorded.key()], samples=[recorded.sample("5")])])
    cli.configure(keys=[{"name": "studio", "key": "k"}])
    result = run(
        cli.home,
        *("history", "studio", "--since", "3650d", "--format", "plot"),
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert result.returncode == 0
    assert "#" in result.stdout
    assert result.stdout.isascii()


# -- run ------------------------------------------------------------------------------------


def daemon(cli: Any, provider: SimulatedServer, **settings: Any) -> None:
    key = {"name": "full", "provider": "simulated", "url": provider.url, "key": "sk-full-0001"}
    channel = {"name": "ops", "url": "json://user:hush-hush@127.0.0.1:9/"}
    cli.configure(keys=[{**key, "interval": "1s"}], channels=[channel], **settings)


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_daemon_runs_until_a_signal_and_shows_no_secret(
    cli: Any, provider: SimulatedServer, form: str
) -> None:
    daemon(cli, provider)
    child = start(cli.home, "--debug", "run", "--log-level", "debug", "--log-format", form)
    assert child.stderr is not None
    lines = []
    for line in child.stderr:
        lines.append(line)
        if "polled full" in line:
            break
    child.send_signal(signal.SIGTERM)
    out, rest = child.communicate(timeout=HANGS)
    assert child.returncode == 0
    text = "".join(lines) + rest + out
    assert "sk-full-0001" not in text
    assert "hush-hush" not in text
    assert [line.startswith("{") for line in lines[-1:]] == [form == "json"]
    assert "12,000 credits" in run(cli.home, "status").stdout


def test_an_address_in_use_is_told_in_one_line(cli: Any, provider: SimulatedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon(cli, provider, web={"listen": f"127.0.0.1:{port}"})
        result = run(cli.home, "run", "--log-level", "error")
    assert result.returncode == 69
    assert f"127.0.0.1:{port}" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("command", "code"), [("run", 78), ("check", 3)])
def test_certificates_of_the_environment_that_are_not_there_are_told_in_one_line(
    cli: Any, provider: SimulatedServer, command: str, code: int
) -> None:
    daemon(cli, provider)
    result = run(cli.home, command, env={"SSL_CERT_FILE": "nowhere.pem"})
    assert result.returncode == code
    last = result.stderr.splitlines()[-1]
    assert last == "SSL_CERT_FILE: the file cannot be read: No such file or directory."
    assert "Traceback" not in result.stderr


def test_a_second_daemon_on_the_same_store_is_refused(
    cli: Any, provider: SimulatedServer, tmp_path: Path
) -> None:
    daemon(cli, provider)
    first = start(cli.home, "run", "--log-level", "debug")
    assert first.stderr is not None
    next(line for line in first.stderr if "polled full" in line)
    second = run(cli.home, "run", "--log-level", "error")
    assert second.returncode == 74
    assert "store" in second.stderr
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=HANGS)
    assert first.returncode == 0


def test_another_program_gets_its_answer_to_each_line_before_it_writes_the_next(
    tmp_path: Path,
) -> None:
    arguments = ("replay", "--samples", "-", "--emit", "both", "--format", "jsonl")
    with start(tmp_path, *arguments, stdin=subprocess.PIPE) as process:
        write, read = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        for hour in range(30):
            write.write(f"{3600 * hour},studio,balance,{1000 - hour}\n")
            write.flush()
            assert json.loads(read.readline())["time"] == 3600 * hour
        write.write(f"{30 * 3600},studio,balance,0\n")
        write.flush()
        told = [json.loads(read.readline()) for _ in range(2)]
        assert told[0]["rule"] == "exhausted"
        assert told[1]["balance"] == 0
        write.close()
        assert process.wait(HANGS) == 0
        assert read.read() == ""
