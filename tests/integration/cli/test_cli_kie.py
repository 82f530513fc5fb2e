"""``kie link``: which URLs, which key, what is printed, and the exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.file_host import KEY, SOURCE, FileHost, Mood, file_host_in_thread, pattern

from monitor.cli import program

BODY = pattern(100_000)
FAST = ("--rate", "10", "--retries", "0")


@pytest.fixture
def host() -> Iterator[FileHost]:
    with file_host_in_thread() as host:
        yield host


@pytest.fixture
def kie(cli: Any, host: FileHost) -> Any:
    """``credit-monitor kie link ARGUMENTS`` with one key of the host."""
    cli.configure(keys=[{"name": "studio", "key": KEY, "url": host.url}])

    def run(*arguments: str, **more: Any) -> Any:
        result = CliRunner().invoke(program, ["kie", "link", *FAST, *arguments], **more)
        assert KEY not in result.output
        return result

    return run


def test_links_are_printed_one_a_line_in_the_order_of_the_urls(kie: Any, host: FileHost) -> None:
    result = kie(SOURCE + "a.png", SOURCE + "b.png")

    assert result.exit_code == 0
    assert [line.split("?")[0] for line in result.stdout.splitlines()] == [
        f"{host.url}/d/a.png",
        f"{host.url}/d/b.png",
    ]
    assert result.stderr == ""


def test_a_link_that_cannot_be_made_is_told_apart_from_the_others(kie: Any, host: FileHost) -> None:
    host.link_moods = [{"code": 422, "msg": "Invalid URL (External file URLs are not supported)"}]

    result = kie("https://example.com/x.png?token=SECRET", SOURCE + "b.png", "--parallel", "1")

    assert result.exit_code == 1
    assert result.stdout == f"{host.url}/d/b.png?t=1\n"
    assert result.stderr == (
        "https://example.com/x.png?…: no link: code 422: "
        "Invalid URL (External file URLs are not supported)\n"
    )


def test_links_as_json_have_their_end(kie: Any, host: FileHost) -> None:
    host.link_moods = [{"code": 433, "msg": "exceeded the total limit"}]

    result = kie(SOURCE + "a.png", SOURCE + "b.png", "--format", "json", "--parallel", "1")

    first, second = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (first["link"], first["reason"]) == (None, "key_capped")
    assert second["reason"] == "key_capped"
    assert len(host.seen) == 1


def test_urls_come_from_arguments_a_file_and_standard_input(
    kie: Any, host: FileHost, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_text(
        f"\ufeff{SOURCE}b.png\n\n# not this one\n  {SOURCE}a.png  \n", encoding="utf-8"
    )

    result = kie(SOURCE + "a.png", "-", "--file", "urls.txt", input=f"{SOURCE}c.png\r\n")

    assert result.exit_code == 0
    asked = [json.loads(seen.body)["url"] for seen in host.seen]
    assert sorted(asked) == [SOURCE + name for name in ("a.png", "b.png", "c.png")]
    names = [line.split("/d/")[1].split("?")[0] for line in result.stdout.splitlines()]
    assert names == ["a.png", "c.png", "b.png"]


def test_everything_that_is_no_url_is_told_at_once_and_nothing_is_asked(
    kie: Any, host: FileHost, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_text(f"{SOURCE}a.png\nhttps://u:SECRET@example.com/a\n\nb.png\n")

    result = kie("ftp://example.com/SECRET", SOURCE + "a.png", "--file", "urls.txt")

    assert result.exit_code == 64
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        "URL 1",
        "urls.txt:2",
        "urls.txt:4",
        "Nothing was asked for.",
    ]
    assert "SECRET" not in result.output
    assert host.seen == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give the URLs of generated files"),
        (("--file", "nowhere.txt"), "nowhere.txt: cannot be read: No such file or directory."),
        (("--file", "binary"), "binary: is not a text file."),
        (("--file", "empty"), "Give the URLs of generated files"),
        ((SOURCE, "--save", "empty"), "is a file"),
        ((SOURCE, "--rate", "0"), "--rate"),
        ((SOURCE, "--key", "stduio"), "No key of kie.ai is named 'stduio'. Did you mean 'studio'?"),
    ],
)
def test_a_wrong_command_line_is_told(
    arguments: tuple[str, ...], said: str, kie: Any, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").touch()

    result = kie(*arguments)

    assert result.exit_code == 64
    assert said in result.stderr


def test_of_several_keys_one_has_to_be_chosen(cli: Any, host: FileHost) -> None:
    names = ("one", "two")
    cli.configure(keys=[{"name": name, "key": KEY, "url": host.url} for name in names])

    unclear = cli("kie", "link", SOURCE + "a")
    chosen = cli("kie", "link", SOURCE + "a", "--key", "two")

    assert (unclear.exit_code, chosen.exit_code) == (64, 0)
    assert "Several keys are of kie.ai: choose with --key one|two." in unclear.stderr


def test_without_a_key_of_kie_the_command_says_so(cli: Any) -> None:
    nothing = cli("kie", "link", SOURCE + "a")
    cli.configure(keys=[{"name": "x", "provider": "simulated", "url": "http://127.0.0.1:1"}])
    other = cli("kie", "link", SOURCE + "a")

    assert nothing.exit_code == other.exit_code == 78
    assert "KIE_API_KEY=... credit-monitor kie link\n" in nothing.stderr
    assert "no key is of kie.ai, and KIE_API_KEY holds none either" in other.stderr


def test_a_credential_that_cannot_be_had_here_is_named(cli: Any) -> None:
    cli.configure(keys=[{"name": "studio", "key": "${NOT_SET}"}])

    result = cli("kie", "link", SOURCE + "a")

    assert result.exit_code == 78
    assert "keys.studio.key: environment variable NOT_SET is not set\n1 problem" in result.stderr


def test_other_parts_of_the_configuration_need_no_credentials(cli: Any, host: FileHost) -> None:
    cli.configure(
        keys=[
            {"name": "studio", "key": KEY, "url": host.url},
            {
                "name": "relay",
                "provider": "json",
                "url": "https://api.example.com/me",
                "balance": "left",
                "unit": "USD",
                "key": "${RELAY_KEY_NOT_SET}",
            },
        ],
        channels=[{"name": "ops", "url": "${SLACK_URL_NOT_SET}"}],
    )

    assert cli("kie", "link", SOURCE + "a").exit_code == 0


def test_saved_files_are_listed_and_summed_up(kie: Any, host: FileHost, tmp_path: Path) -> None:
    good = host.add("good.mp4", BODY)
    bad = host.add("bad.mp4", BODY, Mood(cut=50_000), ETag='"v1"')

    first = kie(good, bad, "--save", "videos")
    second = kie(good, bad, "--save", "videos")
    third = kie(good, bad, "--save", "videos")

    assert [r.exit_code for r in (first, second, third)] == [1, 0, 0]
    assert first.stdout.splitlines()[-1] == ("2 files: 1 saved (100.0 kB), 1 failed; in videos")
    assert first.stderr == (
        f"{bad}: the connection broke (file host) at byte 50,000 of 100,000 (50.0 kB kept)\n"
    )
    assert second.stdout.splitlines()[-1] == (
        "2 files: 1 saved (100.0 kB), 1 there already; in videos"
    )
    assert third.stdout == "2 files: 2 there already; in videos\n"
    assert (tmp_path / "videos" / "bad.mp4").read_bytes() == BODY
    assert second.stderr == third.stderr == ""


def test_saved_files_as_json(kie: Any, host: FileHost, tmp_path: Path) -> None:
    good, missing = host.add("good.mp4", BODY), SOURCE + "missing.mp4"

    result = kie(good, missing, "--save", "videos", "--format", "json")

    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["summary"] == {"saved": 1, "skipped": 0, "failed": 1, "stopped": 0}
    assert document["directory"] == str(tmp_path / "videos")
    assert [each["state"] for each in document["files"]] == ["saved", "failed"]
    assert document["files"][1]["reason"] == "not_found"


def test_a_directory_that_cannot_be_used_is_told(kie: Any, host: FileHost, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below_a_file = kie(SOURCE + "a", "--save", "file/videos")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / ".credit-monitor").symlink_to(tmp_path)
    trapped = kie(SOURCE + "a", "--save", "videos")

    assert (below_a_file.exit_code, trapped.exit_code) == (74, 74)
    assert below_a_file.stderr == "file/videos cannot be used: Not a directory.\n"
    assert "is not a directory of our own: remove it" in trapped.stderr
    assert host.seen == []


def test_a_corrupt_manifest_is_told_and_costs_no_file(
    kie: Any, host: FileHost, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY)
    kie(url, "--save", "videos")
    (tmp_path / "videos" / ".credit-monitor" / "manifest.jsonl").write_bytes(b"garbage\n{}\n")

    result = kie(url, "--save", "videos")

    assert result.exit_code == 0
    assert result.stderr.startswith("2 lines of the manifest in videos cannot be read")
    assert [p.name for p in (tmp_path / "videos").iterdir() if p.name[0] != "."] == ["a.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_saved_files_are_readable_like_any_other_file(
    kie: Any, host: FileHost, tmp_path: Path
) -> None:
    before = os.umask(0o022)
    try:
        kie(host.add("a.mp4", BODY), "--save", "videos")
    finally:
        os.umask(before)

    assert (tmp_path / "videos" / "a.mp4").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "videos" / ".credit-monitor").stat().st_mode & 0o777 == 0o700
