"""Whatever a host answers, a part is only gone on with if it fits to the byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.downloads.answers import Known, Step, judge, request_headers
from monitor.downloads.outcome import FileError
from monitor.downloads.patience import LONGEST_WAIT, Patience, Setback

KNOWN = Known(size=1000, etag='"v1"', modified="Sun, 01 Mar 2026 12:00:00 GMT")


def step(status: int, headers: dict[str, str] | None = None, offset: int = 400) -> Step:
    return judge(status, headers or {}, offset=offset, known=KNOWN, name="a.mp4").step


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        pytest.param(200, {}, Step.WHOLE, id="the whole file"),
        pytest.param(206, {"Content-Range": "bytes 400-999/1000"}, Step.REST, id="the rest"),
        pytest.param(206, {"Content-Range": "bytes 400-999/*"}, Step.REST, id="of unknown size"),
        pytest.param(
            206, {"Content-Range": "bytes 400-599/1000"}, Step.REST, id="some of the rest"
        ),
        pytest.param(206, {"Content-Range": "bytes 399-999/1000"}, Step.RESTART, id="a byte early"),
        pytest.param(206, {"Content-Range": "bytes 401-999/1000"}, Step.RESTART, id="a byte late"),
        pytest.param(206, {"Content-Range": "bytes 400-999/1001"}, Step.RESTART, id="a byte more"),
        pytest.param(206, {"Content-Range": "bytes 400-1000/1000"}, Step.RESTART, id="beyond it"),
        pytest.param(206, {"Content-Range": "bytes 400-399/1000"}, Step.RESTART, id="backwards"),
        pytest.param(206, {}, Step.RESTART, id="no word of where the part begins"),
        pytest.param(
            206,
            {"Content-Range": "bytes 400-999/1000", "ETag": '"v2"'},
            Step.RESTART,
            id="the part of another version",
        ),
        pytest.param(206, {"Content-Type": "multipart/byteranges"}, Step.RESTART, id="many parts"),
        pytest.param(416, {"Content-Range": "bytes */1000"}, Step.RESTART, id="no such range"),
        pytest.param(302, {}, Step.REDIRECT, id="elsewhere"),
        pytest.param(304, {}, Step.REFUSED, id="not modified"),
        pytest.param(403, {}, Step.FRESH_LINK, id="forbidden"),
        pytest.param(410, {}, Step.FRESH_LINK, id="gone"),
        pytest.param(429, {}, Step.AGAIN, id="too many requests"),
        pytest.param(503, {}, Step.AGAIN, id="unavailable"),
        pytest.param(418, {}, Step.REFUSED, id="anything else"),
        pytest.param(200, {"Content-Encoding": "br"}, Step.REFUSED, id="compressed"),
        pytest.param(200, {"Content-Type": "text/html"}, Step.REFUSED, id="a web page"),
    ],
)
def test_an_answer_means(status: int, headers: dict[str, str], expected: Step) -> None:
    assert step(status, headers) is expected


def test_what_is_complete_is_told_by_an_unsatisfied_range_of_its_very_size() -> None:
    assert step(416, {"Content-Range": "bytes */1000"}, offset=1000) is Step.COMPLETE
    assert step(416, offset=1000) is Step.COMPLETE
    assert step(416, {"Content-Range": "bytes */999"}, offset=1000) is Step.RESTART


@given(
    st.integers(200, 599),
    st.integers(0, 1200),
    st.dictionaries(
        st.sampled_from(["Content-Range", "Content-Length", "ETag", "Content-Type"]),
        st.text(max_size=30) | st.sampled_from(["bytes 400-999/1000", "bytes */1000", '"v1"']),
    ),
)
def test_no_answer_is_an_error_of_ours_and_a_rest_always_fits(
    status: int, offset: int, headers: dict[str, str]
) -> None:
    verdict = judge(status, headers, offset=offset, known=KNOWN, name="a.mp4")

    if verdict.step is Step.REST:
        assert status == 206
        assert headers["Content-Range"].startswith(f"bytes {offset}-")


@pytest.mark.parametrize(
    ("offset", "known", "asked"),
    [
        (0, KNOWN, None),
        (400, KNOWN, '"v1"'),
        (400, Known(etag='W/"v1"', modified="a date"), "a date"),
        (400, Known(etag='W/"v1"'), None),
        (400, Known(etag="unquoted"), None),
        (400, Known(), None),
    ],
)
def test_the_rest_is_asked_for_only_where_a_change_would_be_noticed(
    offset: int, known: Known, asked: str | None
) -> None:
    headers = request_headers(offset, known)

    assert headers.get("If-Range") == asked
    assert headers.get("Range") == (None if asked is None else f"bytes={offset}-")


def test_waits_grow_to_a_limit_and_then_it_is_enough() -> None:
    patience, setback = Patience(retries=8), Setback("connection", "cut")

    waits = [patience.seconds(setback, 1.0) for _ in range(8)]

    assert waits == [1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    with pytest.raises(FileError, match="cut, after 9 attempts"):
        patience.seconds(setback, 1.0)
    assert Patience(retries=1).seconds(setback, 0.0) == 0.5


@given(st.integers(0, 10**6))
def test_patience_lasts_however_many_attempts_there_are(failed: int) -> None:
    values: dict[str, Any] = {"retries": 10**7, "failed": failed}
    assert 0 < Patience(**values).seconds(Setback("connection", "cut"), 1.0) <= LONGEST_WAIT
