"""Files come whole or not at all, whatever the host does."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from support.file_host import SOURCE, FileHost, Mood, pattern

from monitor.downloads.outcome import FileError, FileOutcome, State
from monitor.downloads.transfer import Rules, check_address

Save = Callable[..., Awaitable[list[FileOutcome]]]
BODY = pattern(300_000)
TAG = '"v1"'
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


def out(tmp_path: Path) -> dict[str, bytes]:
    """What a person sees in the directory."""
    return {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.name[0] != "."}


def left(tmp_path: Path) -> list[str]:
    """What is kept to go on from."""
    kept = (tmp_path / "out" / ".credit-monitor").iterdir()
    return sorted(p.suffix for p in kept if p.suffix in (".part", ".json"))


async def test_a_file_is_saved_under_its_name_with_size_and_hash(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, Content_Type="video/mp4")

    [outcome] = await save(url)

    assert outcome == FileOutcome(
        url=url,
        state=State.SAVED,
        name="a.mp4",
        size=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        verified="size",
    )
    assert out(tmp_path) == {"a.mp4": BODY}
    assert left(tmp_path) == []


async def test_a_second_run_asks_for_nothing(host: FileHost, save: Save, tmp_path: Path) -> None:
    urls = [host.add(f"{n}.png", pattern(5000, n)) for n in range(3)]
    await save(*urls)
    host.seen.clear()

    outcomes = await save(*urls)

    assert {outcome.state for outcome in outcomes} == {State.SKIPPED}
    assert host.seen == []


@pytest.mark.parametrize("validator", [{"ETag": TAG}, {"Last_Modified": DATE}])
async def test_a_cut_is_gone_on_from_where_it_was(
    host: FileHost, save: Save, tmp_path: Path, validator: dict[str, str]
) -> None:
    url = host.add("a.mp4", BODY, Mood(cut=100_000), Mood(cut=70_000), **validator)

    [outcome] = await save(url)

    assert outcome.state is State.SAVED
    assert out(tmp_path) == {"a.mp4": BODY}
    asked = [seen.headers.get("range") for seen in host.gets()]
    assert asked == [None, "bytes=100000-", "bytes=170000-"]
    assert host.links == 1  # the link was still good


async def test_the_next_run_goes_on_where_the_last_one_failed(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, Mood(cut=100_000), ETag=TAG)
    [failed] = await save(url, retries=0)
    assert (failed.state, failed.reason, failed.partial) == (State.FAILED, "connection", 100_000)
    assert out(tmp_path) == {}

    [outcome] = await save(url, retries=0)

    assert outcome.state is State.SAVED
    assert host.gets()[-1].headers["range"] == "bytes=100000-"
    assert out(tmp_path) == {"a.mp4": BODY}


CUT = Mood(cut=100_000)


@pytest.mark.parametrize(
    ("second", "headers"),
    [
        pytest.param(Mood(ignore_range=True), {"ETag": TAG}, id="the host ignores ranges"),
        pytest.param(
            Mood(headers={"Content-Range": "bytes 5-299999/300000"}),
            {"ETag": TAG},
            id="the part begins somewhere else",
        ),
        pytest.param(
            Mood(headers={"Content-Range": "bytes 100000-299999/777777"}),
            {"ETag": TAG},
            id="the part is of a file of another size",
        ),
        pytest.param(
            Mood(headers={"Content-Range": "apples"}), {"ETag": TAG}, id="the range is nonsense"
        ),
        pytest.param(Mood(status=416), {"ETag": TAG}, id="the host knows no such range"),
        pytest.param(Mood(), {"ETag": 'W/"v1"'}, id="a weak tag proves nothing"),
        pytest.param(Mood(), {}, id="nothing would tell a change"),
    ],
)
async def test_a_part_that_cannot_be_trusted_is_begun_again(
    host: FileHost, save: Save, tmp_path: Path, second: Mood, headers: dict[str, str]
) -> None:
    url = host.add("a.mp4", BODY, CUT, second, **headers)

    [outcome] = await save(url)

    assert outcome.state is State.SAVED, outcome
    assert out(tmp_path) == {"a.mp4": BODY}


async def test_a_file_that_changed_between_two_attempts_is_never_mixed(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    other = pattern(300_000, seed=2)
    url = host.add("a.mp4", BODY, CUT, ETag=TAG)
    await save(url, retries=0)
    host.add("a.mp4", other, ETag='"v2"')

    [outcome] = await save(url)

    assert outcome.state is State.SAVED
    assert out(tmp_path) == {"a.mp4": other}


async def test_a_link_that_expires_mid_download_is_replaced_by_a_fresh_one(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    for status in (403, 410):
        name = f"{status}.mp4"
        url = host.add(name, BODY, Mood(cut=150_000), Mood(status=status), ETag=TAG)
        before = host.links

        [outcome] = await save(url)

        assert outcome.state is State.SAVED
        assert host.links == before + 2
        assert host.gets(name)[-1].headers["range"] == "bytes=150000-"
        assert out(tmp_path)[name] == BODY


async def test_a_link_of_twenty_minutes_ago_is_not_tried_again(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    # 19 minutes pass within a microsecond: every attempt needs a link of its own.
    url = host.add("a.mp4", BODY, Mood(cut=150_000), Mood(cut=50_000), ETag=TAG)

    [outcome] = await save(url, speed=1e9)

    assert outcome.state is State.SAVED
    assert host.links == 3


async def test_a_refusal_with_a_fresh_link_is_final(host: FileHost, save: Save) -> None:
    refused = Mood(status=403)
    url = host.add("a.mp4", BODY, *[refused] * 9)

    [outcome] = await save(url)

    assert (outcome.state, outcome.reason) == (State.FAILED, "forbidden")
    assert outcome.detail == "HTTP 403 from the file host, with a fresh link too"
    assert len(host.gets()) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_host_that_is_busy_is_asked_again_after_the_time_it_names(
    host: FileHost, save: Save, status: int
) -> None:
    busy = Mood(status=status, headers={"Retry-After": "120"})
    url = host.add("a.mp4", BODY, busy, busy)

    [outcome] = await save(url)

    assert outcome.state is State.SAVED
    assert len(host.gets()) == 3


async def test_who_asks_to_wait_an_hour_is_not_waited_for(host: FileHost, save: Save) -> None:
    url = host.add("a.mp4", BODY, Mood(status=503, headers={"Retry-After": "3600"}))

    [outcome] = await save(url)

    assert (outcome.reason, outcome.detail) == (
        "server_error",
        "HTTP 503 from the file host; asks to wait 60 min",
    )


@pytest.mark.parametrize(
    ("mood", "headers", "reason", "detail"),
    [
        pytest.param(
            Mood(status=500),
            {},
            "server_error",
            "HTTP 500 from the file host, after 4 attempts",
            id="it always fails",
        ),
        pytest.param(
            Mood(claim=400_000),
            {},
            "connection",
            "the connection broke (file host) at byte 300,000 of 400,000",
            id="it promises more than it sends",
        ),
        pytest.param(
            Mood(instead=b""), {}, "bad_response", "the file is empty", id="nothing comes"
        ),
        pytest.param(
            Mood(),
            {"Content_Type": "text/html; charset=utf-8"},
            "bad_response",
            "a web page",
            id="a web page comes",
        ),
        pytest.param(
            Mood(),
            {"Content_Encoding": "gzip"},
            "bad_response",
            "compressed",
            id="it comes compressed",
        ),
        pytest.param(
            Mood(),
            {"Content_MD5": base64.b64encode(b"x" * 16).decode()},
            "bad_checksum",
            "the md5 checksum of the host does not fit",
            id="its MD5 does not fit",
        ),
        pytest.param(
            Mood(),
            {"Repr_Digest": f"sha-256=:{base64.b64encode(b'x' * 32).decode()}:"},
            "bad_checksum",
            "the sha-256 checksum of the host does not fit",
            id="its SHA-256 does not fit",
        ),
        pytest.param(Mood(status=300), {}, "bad_response", "HTTP 300", id="a choice of files"),
        pytest.param(Mood(status=206), {}, "bad_response", "not asked for", id="an unasked part"),
    ],
)
async def test_what_is_not_the_file_is_never_saved(
    *,
    host: FileHost,
    save: Save,
    tmp_path: Path,
    mood: Mood,
    headers: dict[str, str],
    reason: str,
    detail: str,
) -> None:
    url = host.add("a.mp4", BODY, *[mood] * 9, **headers)
    good = host.add("good.mp4", BODY)

    outcome, other = await save(url, good)

    assert (outcome.state, outcome.reason) == (State.FAILED, reason)
    assert detail in outcome.detail
    assert other.state is State.SAVED
    assert out(tmp_path) == {"good.mp4": BODY}


async def test_what_proves_a_file_whole_is_told(host: FileHost, save: Save) -> None:
    md5, sha256 = hashlib.md5(BODY), hashlib.sha256(BODY)  # noqa: S324 - what hosts send
    digest = base64.b64encode(sha256.digest()).decode()
    urls = [
        host.add("a", BODY, Content_MD5=base64.b64encode(md5.digest()).decode()),
        host.add("b", BODY, Digest=f"sha-256={digest}"),
        host.add("c", BODY, ETag=f'"{md5.hexdigest()}"'),
        host.add("d", BODY, ETag='"0123456789abcdef0123456789abcdef"'),
        host.add(
            "e", BODY, x_goog_hash=f"crc32c=AAAAAA==, md5={base64.b64encode(md5.digest()).decode()}"
        ),
        host.add("f", BODY),
    ]
    host.files["f"].chunked = True

    outcomes = await save(*urls)

    assert [o.verified for o in outcomes] == ["md5", "sha-256", "md5", "size", "md5", ""]
    assert {o.state for o in outcomes} == {State.SAVED}


async def test_two_urls_with_one_name_are_two_files(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    urls = [host.add(f"{n}/out.png", pattern(1000, n)) for n in range(3)]

    outcomes = await save(*urls)

    assert [outcome.name for outcome in outcomes] == ["out.png", "out-2.png", "out-3.png"]
    assert out(tmp_path) == {o.name: pattern(1000, n) for n, o in enumerate(outcomes)}


async def test_a_file_of_the_user_is_never_replaced(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"mine")
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"mine, too")
    (tmp_path / "out" / "b.png").symlink_to(outside)
    (tmp_path / "out" / "c.png").symlink_to(tmp_path / "nowhere")

    outcomes = await save(*(host.add(f"{n}.png", BODY) for n in "abc"))

    assert [outcome.name for outcome in outcomes] == ["a-2.png", "b-2.png", "c-2.png"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"mine"
    assert outside.read_bytes() == b"mine, too"
    assert not (tmp_path / "nowhere").exists()


async def test_without_its_manifest_a_file_is_fetched_again_but_kept_once(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.png", BODY)
    await save(url)
    manifest = tmp_path / "out" / ".credit-monitor" / "manifest.jsonl"
    whole = manifest.read_bytes()

    for rest in (b"", b"\x00\xff garbage\n[]\n", whole[: len(whole) // 2]):
        manifest.write_bytes(rest)
        [outcome] = await save(url)
        assert (outcome.state, outcome.name) == (State.SAVED, "a.png")
        assert out(tmp_path) == {"a.png": BODY}
        [again] = await save(url)
        assert again.state is State.SKIPPED


async def test_a_file_that_was_removed_or_shortened_is_fetched_again(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    urls = [host.add("a.png", BODY), host.add("b.png", BODY)]
    await save(*urls)
    (tmp_path / "out" / "a.png").unlink()
    (tmp_path / "out" / "b.png").write_bytes(b"edited")

    outcomes = await save(*urls)

    assert [outcome.name for outcome in outcomes] == ["a.png", "b-2.png"]
    assert (tmp_path / "out" / "b.png").read_bytes() == b"edited"


async def test_a_run_killed_between_publishing_and_tidying_up_loses_nothing(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, CUT, ETag=TAG)
    await save(url, retries=0)
    state = tmp_path / "out" / ".credit-monitor"
    [part] = state.glob("*.part")
    part.write_bytes(BODY)  # it had come whole, and had its name already
    (tmp_path / "out" / "a.mp4").hardlink_to(part)

    [outcome] = await save(url)

    assert (outcome.state, outcome.name) == (State.SAVED, "a.mp4")
    assert out(tmp_path) == {"a.mp4": BODY}


async def test_a_part_that_was_published_already_is_not_emptied_with_it(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, CUT, Mood(ignore_range=True, cut=10), ETag=TAG)
    await save(url, retries=0)
    [part] = (tmp_path / "out" / ".credit-monitor").glob("*.part")
    part.write_bytes(BODY)
    (tmp_path / "out" / "a.mp4").hardlink_to(part)

    [outcome] = await save(url, retries=0)

    assert outcome.state is State.FAILED
    assert out(tmp_path) == {"a.mp4": BODY}


async def test_cuts_that_bring_the_file_on_use_up_no_patience(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, *[Mood(cut=70_000)] * 4, ETag=TAG)
    slow = host.add("b.mp4", BODY, *[Mood(cut=1000)] * 4, ETag=TAG)

    good, given_up = await save(url, slow, retries=1)

    assert good.state is State.SAVED
    assert (given_up.state, given_up.partial) == (State.FAILED, 2000)


async def test_a_complete_part_needs_no_byte_more(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, CUT, ETag=TAG)
    await save(url, retries=0)
    [part] = (tmp_path / "out" / ".credit-monitor").glob("*.part")
    part.write_bytes(BODY)

    [outcome] = await save(url)

    assert outcome.state is State.SAVED
    assert host.gets()[-1].headers["range"] == "bytes=300000-"


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"size": "many"}', b"\xff"])
async def test_a_part_without_a_readable_note_is_begun_again(
    host: FileHost, save: Save, tmp_path: Path, note: bytes
) -> None:
    url = host.add("a.mp4", BODY, CUT, ETag=TAG)
    await save(url, retries=0)
    [path] = (tmp_path / "out" / ".credit-monitor").glob("*.json")
    path.write_bytes(note)

    [outcome] = await save(url)

    assert outcome.state is State.SAVED
    assert "range" not in host.gets()[-1].headers
    assert out(tmp_path) == {"a.mp4": BODY}


async def test_a_host_that_falls_silent_is_asked_again(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    url = host.add("a.mp4", BODY, Mood(hang=True), Mood(stall=100_000), ETag=TAG)

    [outcome] = await save(url, patience=0.2)

    assert outcome.state is State.SAVED
    assert [s.headers.get("range") for s in host.gets()] == [None, None, "bytes=100000-"]
    assert out(tmp_path) == {"a.mp4": BODY}


async def test_redirects_are_followed_within_limits_and_without_the_key(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    there = Mood(status=302, headers={"Location": "/d/real.mp4"})
    host.add("real.mp4", BODY)
    good = host.add("a.mp4", b"", there)
    looping = host.add(
        "loop.mp4", b"", *[Mood(status=302, headers={"Location": "/d/loop.mp4"})] * 9
    )
    nowhere = host.add("none.mp4", b"", Mood(status=302))
    file = host.add("f.mp4", b"", Mood(status=302, headers={"Location": "file:///etc/passwd"}))

    found, endless, lost, forbidden = await save(good, looping, nowhere, file)

    assert found.state is State.SAVED
    assert out(tmp_path) == {"a.mp4": BODY}
    assert endless.detail == "the file host redirects more than 5 times"
    assert lost.detail == "the file host redirects to no address"
    assert forbidden.detail == "the link cannot be used"
    assert all("authorization" not in seen.headers for seen in host.gets())


@pytest.mark.parametrize(
    ("base", "detail"),
    [
        ("http://files.example.com", "the link is without TLS"),
        ("http://127.0.0.1:9", "the link points into this network"),
        ("https://10.0.0.8", "the link points into this network"),
        ("https://[::1]", "the link points into this network"),
        ("https://169.254.169.254", "the link points into this network"),
        ("ftp://files.example.com", "no link: data is not a link"),
        ("https://user:secret@files.example.com", "no link: data is not a link"),
    ],
)
async def test_a_link_of_a_public_service_leads_only_to_public_hosts_with_tls(
    host: FileHost, save: Save, base: str, detail: str
) -> None:
    host.link_base = base

    [outcome] = await save(host.add("a.mp4", BODY), local=False)

    assert (outcome.state, outcome.detail) == (State.FAILED, detail)
    assert host.gets() == []


@pytest.mark.parametrize(
    ("address", "rules", "problem"),
    [
        ("https://files.example.com/a", Rules(0), ""),
        ("http://files.example.com/a", Rules(0, "files.example.com"), ""),
        ("http://files.example.com/a", Rules(0, "example.com"), "the link is without TLS"),
        ("http://localhost/a", Rules(0, "localhost"), "the link points into this network"),
        ("http://127.0.0.1/a", Rules(0, local=True), ""),
        ("http://10.0.0.8/a", Rules(0, local=True), "the link is without TLS"),
        ("https://10.0.0.8/a", Rules(0, local=True), ""),
        ("https://[fd00::1]/a", Rules(0), "the link points into this network"),
        ("https://files.example.com/a b", Rules(0), "the link cannot be used"),
        ("javascript:alert(1)", Rules(0), "the link cannot be used"),
    ],
)
def test_a_file_may_be_at(address: str, rules: Rules, problem: str) -> None:
    try:
        check_address(address, rules)
        found = ""
    except FileError as error:
        found = error.detail
    assert found == problem


async def test_no_more_files_come_at_a_time_than_asked_for(host: FileHost, save: Save) -> None:
    host.pause = 0.01
    urls = [host.add(f"{n}.png", pattern(40_000, n)) for n in range(8)]

    outcomes = await save(*urls, parallel=3)

    assert {outcome.state for outcome in outcomes} == {State.SAVED}
    assert host.most_under_way == 3


@pytest.mark.parametrize(
    ("code", "reason"), [(401, "unauthorized"), (433, "key_capped"), (402, "out_of_credits")]
)
async def test_a_key_that_is_refused_is_not_asked_with_again(
    host: FileHost, save: Save, code: int, reason: str
) -> None:
    host.link_moods = [{"code": code, "msg": "exceeded the total limit"}] * 9

    outcomes = await save(*(host.add(f"{n}.png", BODY) for n in range(5)), parallel=1)

    assert [outcome.state for outcome in outcomes] == [State.FAILED, *[State.STOPPED] * 4]
    assert {outcome.reason for outcome in outcomes} == {reason}
    assert len(host.seen) == 1


async def test_a_file_of_somebody_else_fails_alone_and_without_another_attempt(
    host: FileHost, save: Save
) -> None:
    host.link_moods = [{"code": 422, "msg": "Invalid URL (External file URLs are not supported)"}]

    foreign, own = await save("https://example.com/x.png", host.add("a.png", BODY), parallel=1)

    assert (foreign.reason, own.state) == ("bad_response", State.SAVED)
    assert foreign.detail == (
        "no link: code 422: Invalid URL (External file URLs are not supported)"
    )
    assert host.links == 1


async def test_a_busy_api_is_asked_again(host: FileHost, save: Save) -> None:
    host.link_moods = [{"code": 429, "msg": "Too many"}, {"code": 500, "msg": "Server error"}]

    [outcome] = await save(host.add("a.png", BODY), retries=2)

    assert outcome.state is State.SAVED


@pytest.mark.parametrize(
    ("code", "asked", "states"),
    [
        pytest.param(500, 4, [State.FAILED, State.FAILED], id="an error may be about one file"),
        pytest.param(429, 2, [State.FAILED, State.STOPPED], id="a busy API is busy for all"),
        pytest.param(455, 1, [State.FAILED, State.STOPPED], id="so is one in maintenance"),
    ],
)
async def test_an_api_that_stays_away_is_not_asked_for_every_file(
    host: FileHost, save: Save, code: int, asked: int, states: list[State]
) -> None:
    host.link_moods = [{"code": code, "msg": "later"}] * 9

    outcomes = await save(host.add("a.png", BODY), host.add("b.png", BODY), retries=1, parallel=1)

    assert [outcome.state for outcome in outcomes] == states
    assert len(host.seen) == asked


async def test_tokens_in_urls_are_neither_told_nor_stored(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    host.add("a.png?sig=SECRET", BODY)
    host.files["a.png"] = host.files["a.png?sig=SECRET"]

    [outcome] = await save(f"{SOURCE}a.png?sig=SECRET")

    state = tmp_path / "out" / ".credit-monitor"
    kept = b"".join(path.read_bytes() for path in state.iterdir() if path.is_file())
    assert "SECRET" not in repr(outcome)
    assert b"SECRET" not in kept
    assert b"?t=" not in kept


async def test_a_name_without_suffix_gets_that_of_its_kind(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    urls = [
        host.add("1f6c", BODY, Content_Type="image/png"),
        host.add("2f6c", BODY, Content_Type="application/octet-stream"),
        host.add("3f6c.webp", BODY, Content_Type="image/png"),
    ]

    outcomes = await save(*urls)

    assert [outcome.name for outcome in outcomes] == ["1f6c.png", "2f6c", "3f6c.webp"]


async def test_the_manifest_tells_what_each_file_is(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    await save(host.add("a.png", BODY))

    [line] = (tmp_path / "out" / ".credit-monitor" / "manifest.jsonl").read_text().splitlines()

    entry = json.loads(line)
    assert entry["url"] == SOURCE + "a.png"
    assert entry["sha256"] == hashlib.sha256(BODY).hexdigest()


async def test_whatever_a_host_does_a_saved_file_is_one_it_had(
    host: FileHost, save: Save, tmp_path: Path
) -> None:
    chance = Random(20261121)
    for number in range(15):
        versions = [pattern(chance.randrange(1, 200_000), seed) for seed in range(2)]
        name = f"{number}.bin"
        for version in versions:
            headers = chance.choice([{}, {"ETag": f'"{len(version)}"'}, {"ETag": 'W/"same"'}])
            url = host.add(name, version, *(_mood(chance) for _ in range(4)), **headers)
            host.files[name].chunked = chance.random() < 0.3
            await save(url, retries=chance.randrange(3), patience=0.2)
            if chance.random() < 0.2:
                host.expire_links()

        [outcome] = await save(url, patience=0.2)

        assert outcome.state in (State.SAVED, State.SKIPPED), outcome
        assert all(content in versions for content in out_of(tmp_path, str(number)))
    assert left(tmp_path) == []


def _mood(chance: Random) -> Mood:
    return chance.choice(
        [
            Mood(),
            Mood(cut=chance.randrange(150_000)),
            Mood(cut=chance.randrange(150_000), ignore_range=True),
            Mood(status=chance.choice([403, 410, 416, 429, 500, 503])),
            Mood(headers={"Content-Range": f"bytes {chance.randrange(9)}-99/100"}),
        ]
    )


def out_of(tmp_path: Path, stem: str) -> list[bytes]:
    """The contents of the files that were named after *stem*, once or twice."""
    return [b for name, b in out(tmp_path).items() if name.split(".")[0].split("-")[0] == stem]
