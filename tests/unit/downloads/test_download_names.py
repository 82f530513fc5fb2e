"""No URL leads to a name that leaves its directory or surprises a shell."""

from __future__ import annotations

import os
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.downloads.names import LONGEST, file_name, numbered, plan_names, with_suffix

HOST = "https://files.example.com/"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("s/a.mp4", "a.mp4", id="the last part of the path"),
        pytest.param("s/a.mp4?sig=1/2#x", "a.mp4", id="query and fragment are no part of it"),
        pytest.param("a/b/", "b", id="a slash at the end is not the name"),
        pytest.param("", "file", id="no path"),
        pytest.param("..", "file", id="the directory above"),
        pytest.param("%2e%2e%2fetc%2fpasswd", "_etc_passwd", id="an encoded way out"),
        pytest.param("..%5c..%5cwindows", "_.._windows", id="a way out for Windows"),
        pytest.param("%2Fetc%2Fpasswd", "_etc_passwd", id="an absolute path"),
        pytest.param(".bashrc", "bashrc", id="a hidden file"),
        pytest.param(".credit-monitor", "credit-monitor", id="the directory of our own"),
        pytest.param("-rf", "rf", id="an option"),
        pytest.param("a%00b.png", "a_b.png", id="a NUL"),
        pytest.param("a%0Ab%1b%5b31m.png", "a_b_[31m.png", id="what moves the cursor"),
        pytest.param("x%E2%80%AEgnp.exe", "x_gnp.exe", id="text turned around"),
        pytest.param("con.png", "_con.png", id="a device of Windows"),
        pytest.param("nul", "_nul", id="the null device"),
        pytest.param("a%20b.png", "a b.png", id="a blank"),
        pytest.param("caf%C3%A9.png", "café.png", id="letters beyond ASCII"),
        pytest.param("cafe%CC%81.png", "café.png", id="composed letters"),
        pytest.param("%ff%fe.png", "\ufffd\ufffd.png", id="no UTF-8"),
        pytest.param("a.png%20.", "a.png", id="what Windows would cut off"),
        pytest.param("%E3%80%80", "file", id="nothing to be seen"),
    ],
)
def test_a_url_leads_to_a_harmless_name(path: str, name: str) -> None:
    assert file_name(HOST + path) == name


def test_a_long_name_keeps_its_suffix() -> None:
    name = file_name(HOST + quote("ü" * 300) + ".webp")

    assert len(name.encode()) <= LONGEST
    assert name.endswith("ü.webp")


@given(st.text(max_size=300), st.sampled_from(["", "../", "/", "%2f", "%2e%2e%2f", "\\"]))
def test_no_text_makes_a_name_that_leaves_its_directory(text: str, before: str) -> None:
    for url in (HOST + before + quote(text, safe=""), HOST + before + quote(text)):
        name = file_name(url)

        assert os.path.basename(name) == name == PurePosixPath(name).name  # noqa: PTH119 - of the text
        assert PureWindowsPath(name).name == name
        assert name not in ("", ".", "..")
        assert name[0] not in ".- "
        assert name.isprintable()
        assert len(name.encode()) <= LONGEST + len("_")


@given(st.lists(st.sampled_from(["a.png", "A.PNG", "b/a.png", "a-2.png", "c", "C", "ß", "SS"])))
def test_names_of_one_run_differ_even_where_letter_case_does_not_count(paths: list[str]) -> None:
    urls = [f"{HOST}{n}/{quote(path)}" for n, path in enumerate(paths)]

    names = plan_names(urls)

    assert list(names) == urls
    assert len({name.casefold() for name in names.values()}) == len(urls)


def test_many_files_of_one_name_are_numbered() -> None:
    urls = [f"{HOST}{n}/out.png" for n in range(20_000)]

    names = list(plan_names([*urls, HOST + "out-3.png"]).values())

    assert [*names[:3], *names[-2:]] == [
        "out.png",
        "out-2.png",
        "out-3.png",
        "out-20000.png",
        "out-3-2.png",
    ]
    assert numbered("v1.tar", 2) == "v1-2.tar"


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("1f6c", "image/png", "1f6c.png"),
        ("1f6c", "video/mp4; codecs=avc1", "1f6c.mp4"),
        ("1f6c", "IMAGE/JPEG", "1f6c.jpg"),
        ("1f6c", "audio/mpeg", "1f6c.mp3"),
        ("1f6c", "application/octet-stream", "1f6c"),
        ("1f6c", "../../etc", "1f6c"),
        ("1f6c", "", "1f6c"),
        ("a.mp4", "image/png", "a.mp4"),
        ("v1.5 final cut", "image/png", "v1.5 final cut.png"),
    ],
)
def test_a_name_without_suffix_gets_that_of_its_kind(name: str, kind: str, found: str) -> None:
    assert with_suffix(name, kind) == found
