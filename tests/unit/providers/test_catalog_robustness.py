"""What a provider of the catalog may answer instead of what it should: never another number."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import Recorded, answer_of, provider_of, recorded_answers

from monitor.core.model import MeterReading, Reason
from monitor.providers import catalog
from monitor.providers.base import PollError
from monitor.providers.declarative import JsonProvider
from monitor.providers.exchange import Answer

GOOD = [each for each in recorded_answers() if each.is_reading]
WRONG: tuple[Any, ...] = (
    None,
    True,
    "n/a",
    "",
    "NaN",
    "1_000",
    "\uff11\uff12",
    [],
    {},
    [None],
    {"a": 1},
)
"""What no amount is, in the place of any value."""

Path = tuple[str | int, ...]


def poll(
    provider: JsonProvider, recorded: Recorded, last: Answer, first: Answer | None = None
) -> tuple[MeterReading, ...]:
    """A poll whose answers are the recorded ones, but for the last, or the first look-up."""
    looked_up = [answer_of(answer) for answer in recorded.content.get("lookup", ())]
    if first is not None:
        looked_up[0] = first
    found: dict[str, Any] = dict(provider.values)
    for lookup, answer in zip(provider.endpoint.lookup, looked_up, strict=False):
        found |= provider.take(lookup, answer, found)
    for one in provider.each(found):
        provider.request(one)  # whose address may not be filled by anything
    *before, one = provider.each(found)
    answers = [answer_of(answer) for answer in recorded.content.get("more", ())]
    readings = [provider.read(answer, each) for answer, each in zip(answers, before, strict=False)]
    return provider.result([m for some in readings for m in some] + provider.read(last, one))


def amounts(value: Any) -> Iterator[Decimal]:
    """Every number that stands anywhere in a document, as number or text."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from amounts(each)
    elif isinstance(value, str) and value.replace(".", "", 1).removeprefix("-").isdecimal():
        yield Decimal(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Decimal(str(value))


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(each, (*path, key))


def changed(document: Any, path: Path, value: Any = ..., /) -> Any:
    """A copy of *document* with *value* at *path*, or without what stands there."""
    document = copy.deepcopy(document)
    *parents, last = path
    node = document
    for step in parents:
        node = node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return document


def variants(document: Any) -> Iterator[tuple[str, bytes]]:
    """The body with each of its parts gone or wrong in turn, and bodies that are none."""
    for path in paths(document):
        name = "/".join(map(str, path))
        if isinstance(path[-1], str):
            yield f"without {name}", json.dumps(changed(document, path)).encode()
        for value in WRONG:
            yield f"{value!r} at {name}", json.dumps(changed(document, path, value)).encode()
        broken = json.dumps(changed(document, path, "@")).replace('"@"', "NaN")
        yield f"NaN at {name}", broken.encode()
    body = json.dumps(document).encode()
    yield "cut off", body[: len(body) // 2]
    yield "cut off at its end", body[:-1]
    yield from (("HTML", b"<html><body>Just a moment...</body></html>"), ("nothing", b""))
    yield from (("null", b"null"), ("a list", b"[]"), ("an object", b"{}"), ("a number", b"5"))


def numbers(meters: tuple[MeterReading, ...]) -> set[Decimal]:
    return {n for m in meters for n in (m.balance, m.limit) if n is not None}


@pytest.mark.parametrize("recorded", GOOD, ids=lambda recorded: recorded.id)
def test_a_broken_answer_never_becomes_a_number_that_was_not_there(recorded: Recorded) -> None:
    provider = recorded.provider_at()
    there = numbers(recorded.reading) | set(amounts(recorded.content["body"]))
    told = []

    for name, body in variants(recorded.content["body"]):
        try:
            meters = poll(provider, recorded, Answer(200, {}, body))
        except PollError as error:
            told.append(error.detail)
            continue
        assert numbers(meters) <= there, name
        assert recorded.reading or not numbers(meters), name
    assert not [detail for detail in told if "Just a moment" in detail], "the body is not told"


@pytest.mark.parametrize(
    "recorded",
    [each for each in GOOD if "lookup" in each.content],
    ids=lambda recorded: recorded.id,
)
def test_a_broken_answer_to_a_look_up_never_becomes_a_number(recorded: Recorded) -> None:
    provider, first = recorded.provider_at(), recorded.content["lookup"][0]["body"]
    there = numbers(recorded.reading) | set(amounts([recorded.content["body"], first]))

    for name, body in variants(first):
        try:
            last = answer_of(recorded.content)
            meters = poll(provider, recorded, last, Answer(200, {}, body))
        except PollError:
            continue
        assert numbers(meters) <= there, name


@pytest.mark.parametrize("recorded", GOOD, ids=lambda recorded: recorded.id)
def test_an_answer_without_the_amount_names_what_is_missing(recorded: Recorded) -> None:
    if [meter.balance is None for meter in recorded.reading] != [False]:
        return  # no amount at all, or several of which some may be left
    provider = recorded.provider_at()
    for body in (b"{}", b"[]"):
        with pytest.raises(PollError) as caught:
            poll(provider, recorded, Answer(200, {}, body))
        assert caught.value.reason is Reason.BAD_RESPONSE
        assert any(w in caught.value.detail for w in ("is missing", "does not hold", "is not"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.sampled_from(["NaN", "Infinity", "-"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", catalog.names())
def test_an_answer_without_numbers_is_no_amount(name: str, data: st.DataObject) -> None:
    recorded = next(each for each in GOOD if each.provider == name)
    document = recorded.content["body"]
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        known = list(paths(document))
        if known:
            path = data.draw(st.sampled_from(known), label="path")
            document = changed(document, path, data.draw(ANYTHING, label="value"))
    there = numbers(recorded.reading) | set(amounts(document))
    try:
        meters = poll(
            recorded.provider_at(), recorded, answer_of({"status": 200, "body": document})
        )
    except PollError:
        return
    assert numbers(meters) <= there


STATUSES = [
    (400, Reason.BAD_RESPONSE),
    (401, Reason.UNAUTHORIZED),
    (402, Reason.OUT_OF_CREDITS),
    (403, Reason.FORBIDDEN),
    (404, Reason.NOT_FOUND),
    (405, Reason.BAD_RESPONSE),
    (408, Reason.TIMEOUT),
    (410, Reason.NOT_FOUND),
    (422, Reason.BAD_RESPONSE),
    (429, Reason.RATE_LIMITED),
    (451, Reason.FORBIDDEN),
    (500, Reason.SERVER_ERROR),
    (502, Reason.SERVER_ERROR),
    (503, Reason.SERVER_ERROR),
    (504, Reason.SERVER_ERROR),
    (522, Reason.SERVER_ERROR),
    (204, Reason.BAD_RESPONSE),
]
DECLARED = {
    ("openrouter", 403): Reason.WRONG_KEY_KIND,
    ("zenmux", 403): Reason.WRONG_KEY_KIND,
    ("zenmux", 422): Reason.RATE_LIMITED,
    ("xai", 403): Reason.WRONG_KEY_KIND,
    ("xai", 404): Reason.UNSUPPORTED,
    ("fal", 403): Reason.WRONG_KEY_KIND,
    ("worldlabs", 404): Reason.FORBIDDEN,
}
"""What single providers mean by a status alone."""


@pytest.mark.parametrize(("status", "usual"), STATUSES, ids=[f"HTTP {s}" for s, _ in STATUSES])
def test_every_status_is_the_failure_it_should_be_at_every_provider(
    status: int, usual: Reason
) -> None:
    expected = {name: DECLARED.get((name, status), usual) for name in catalog.names()}

    assert {name: failure_of(name, status).reason for name in catalog.names()} == expected


def failure_of(name: str, status: int) -> PollError:
    provider = provider_of(name)
    found = dict.fromkeys((n for look in provider.endpoint.lookup for n in look.take), "1")
    body = b"" if status == 204 else b'{"message": "in words"}'
    with pytest.raises(PollError) as caught:
        provider.read(Answer(status, {"Retry-After": "7"}, body), {**provider.values, **found})
    return caught.value
