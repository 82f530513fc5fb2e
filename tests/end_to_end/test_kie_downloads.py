"""``kie link --save`` as a process: killed, interrupted, and out of disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.file_host import KEY, FileHost, Mood, file_host, pattern
from support.patience import HANGS
from support.process import PROGRAM, Process, environment, run_program

SIZE = 1_500_000


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[FileHost]:
    async with file_host() as host:
        config = tmp_path / "config.yaml"
        key = {"name": "studio", "key": KEY, "url": host.url}
        config.write_text(json.dumps({"keys": [key], "web": "off"}))  # JSON is YAML
        config.chmod(0o600)
        yield host


def add_files(host: FileHost, count: int = 4) -> list[str]:
    return [
        host.add(f"{n}.mp4", pattern(SIZE, n), ETag=f'"{n}"', Content_Type="video/mp4")
        for n in range(count)
    ]


def arguments(tmp_path: Path, *urls: str) -> list[str]:
    config, directory = str(tmp_path / "config.yaml"), str(tmp_path / "out")
    return ["-c", config, "kie", "link", "--rate", "10", "--save", directory, *urls]


def is_whole(tmp_path: Path, count: int = 4) -> bool:
    """Whether each file is there, with its very content, and nothing else."""
    found = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.name[0] != "."}
    return found == {f"{n}.mp4": pattern(SIZE, n) for n in range(count)}


async def until_some_has_come(tmp_path: Path, files: int = 1) -> None:
    """Until something of so many *files* is on the disk."""
    state = tmp_path / "out" / ".credit-monitor"

    def begun() -> int:
        return sum(part.stat().st_size > 0 for part in state.glob("*.part"))

    async with asyncio.timeout(HANGS):
        while begun() < files:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)


async def test_runs_killed_at_random_moments_end_in_whole_files(
    host: FileHost, tmp_path: Path
) -> None:
    urls, chance = add_files(host), random.Random(4)
    host.pause = 0.01
    for _ in range(4):
        process = Process(*arguments(tmp_path, *urls), home=tmp_path)
        await process.start()
        await until_some_has_come(tmp_path)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await process.kill()
        for path in (tmp_path / "out").glob("*.mp4"):
            assert path.read_bytes() == pattern(SIZE, int(path.stem))

    host.pause = 0
    code, text = await run_program(*arguments(tmp_path, *urls), home=tmp_path)

    assert code == 0, text
    assert is_whole(tmp_path)
    assert any("range" in seen.headers for seen in host.gets())
    kept = {p.name for p in (tmp_path / "out" / ".credit-monitor").iterdir()}
    assert kept == {"lock", "manifest.jsonl"}

    host.seen.clear()
    code, text = await run_program(*arguments(tmp_path, *urls), home=tmp_path)
    assert (code, host.seen) == (0, [])
    assert "4 files: 4 there already" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_keeps_what_has_come_and_says_so(
    host: FileHost, tmp_path: Path, number: signal.Signals
) -> None:
    urls = add_files(host)
    for file in host.files.values():  # none comes to its end before the signal, however late
        file.moods = [Mood(stall=SIZE // 2)] * 9
    process = Process(*arguments(tmp_path, *urls), home=tmp_path)
    await process.start()
    await until_some_has_come(tmp_path, files=4)

    process.send(number)

    assert await process.wait() == 130
    assert "Traceback" not in process.output
    assert "4 files: 4 not done (" in process.output
    assert "Interrupted. The same command goes on from here." in process.output
    for file in host.files.values():
        file.moods.clear()
    code, text = await run_program(*arguments(tmp_path, *urls), home=tmp_path)
    assert code == 0, text
    assert is_whole(tmp_path)
    assert sum("range" in seen.headers for seen in host.gets()) == 4


async def test_two_runs_never_save_to_one_directory(host: FileHost, tmp_path: Path) -> None:
    urls = add_files(host, 1)
    host.pause = 1.0  # the first run is under way until the second has ended
    process = Process(*arguments(tmp_path, *urls), home=tmp_path)
    await process.start()
    await until_some_has_come(tmp_path)

    code, text = await run_program(*arguments(tmp_path, *urls), home=tmp_path)

    assert code == 74
    assert text == f"another run is saving to {tmp_path / 'out'}: wait for its end."
    host.pause = 0
    assert await process.wait() == 0


async def test_a_terminal_sees_bars_while_the_result_stays_clean(
    host: FileHost, tmp_path: Path
) -> None:
    urls = [*add_files(host, 2), host.add("[red]x.mp4", pattern(3 * SIZE, 9))]
    host.pause = 0.01  # the last one takes seconds more than the others, which must be seen
    terminal, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, *arguments(tmp_path, *urls), "--format", "json"),
        env=environment(tmp_path, TERM="xterm", COLUMNS="100"),
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown: list[bytes] = []
    asyncio.get_running_loop().add_reader(terminal, _take, terminal, shown)

    result, _ = await process.communicate()

    asyncio.get_running_loop().remove_reader(terminal)
    os.close(terminal)
    text = b"".join(shown).decode(errors="replace")
    assert json.loads(result)["summary"]["saved"] == 3
    assert "0 of 3 files" in text
    assert "2 of 3 files" in text
    assert "[red]x.mp4" in text
    assert "1.5 MB" in text
    assert "\x1b[?25h" in text  # the cursor is given back


def _take(terminal: int, shown: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        shown.append(os.read(terminal, 65536))


async def test_a_reader_that_goes_away_ends_it_quietly(host: FileHost, tmp_path: Path) -> None:
    urls = [f"https://tempfile.example.com/s/{n}.mp4" for n in range(30)]
    command = [*PROGRAM, "-c", str(tmp_path / "config.yaml"), "kie", "link", "--rate", "10", *urls]
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", '"$@" | head -n 1', "sh", *command),
        env=environment(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    links, said = await process.communicate()

    assert links.decode() == f"{host.url}/d/0.mp4?t=1\n"
    assert said == b""
    assert len(host.seen) < 30


def _may_mount() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    return subprocess.call([unshare, "-rm", "true"], stderr=subprocess.DEVNULL) == 0


@pytest.mark.skipif(not _may_mount(), reason="needs unshare, and the right to a mount of its own")
@pytest.mark.parametrize(
    ("chunked", "said", "kept"),
    [
        pytest.param(True, "No space left on device: nothing more can be saved", True, id="midway"),
        pytest.param(False, "the file has 1,500,000 bytes, and the disk only", False, id="before"),
    ],
)
async def test_a_full_disk_ends_the_run_and_keeps_what_fits(
    host: FileHost, tmp_path: Path, *, chunked: bool, said: str, kept: bool
) -> None:
    [url] = add_files(host, 1)
    host.files["0.mp4"].chunked = chunked
    (tmp_path / "out").mkdir()
    script = 'mount -t tmpfs -o size=1m none "$0" && "$@"; echo code $?; ls -A "$0"; du -a "$0"'
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-rm", "sh", "-c", script, str(tmp_path / "out")),
        *(*PROGRAM, *arguments(tmp_path, url)),
        env=environment(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    output = (await process.communicate())[0].decode()

    assert said in output
    assert "code 74" in output
    assert "Traceback" not in output
    assert ".part" in output if kept else ".part" not in output
    assert "0.mp4" not in output.rpartition("code 74")[2]
