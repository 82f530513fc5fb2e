"""What an answer of a file host means for a file that is partly here.  Pure.

Ranges, ``If-Range`` and validators are those of RFC 9110, sections 8.8, 13.1.5 and 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import PurePosixPath

from monitor.core.model import Reason
from monitor.downloads.checksums import told
from monitor.providers.judge import reason_of_status

LINK_REFUSED = frozenset({400, 401, 403, 404, 410})
"""Statuses with which hosts refuse a link that has expired, and also other things."""

_TELLING = frozenset({200, 206, 416})
_AGAIN = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the host told of a file when its first byte came: kept beside the partial file.

    ``size`` in bytes, None where it was not told; ``checksums`` hexadecimal by algorithm.
    """

    size: int | None = None
    etag: str = ""
    modified: str = ""
    content_type: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def validator(self) -> str:
        """What to send as ``If-Range``; empty where nothing would notice a changed file.

        A weak tag cannot serve: the bytes under it may differ.
        """
        return self.etag if _STRONG_TAG.fullmatch(self.etag) else self.modified


class Step(Enum):
    """What to do with an answer."""

    WHOLE = auto()  # the body is the file from its first byte on
    REST = auto()  # the body goes on where the partial file ends
    COMPLETE = auto()  # nothing is missing
    RESTART = auto()  # the partial file is of no use: ask for all
    FRESH_LINK = auto()
    AGAIN = auto()
    REDIRECT = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means; ``reason`` and ``detail`` where it brings no file."""

    step: Step
    known: Known = field(default_factory=Known)
    reason: Reason = Reason.BAD_RESPONSE
    detail: str = ""


def request_headers(offset: int, known: Known) -> dict[str, str]:
    """What to ask for with *offset* bytes here: the rest, if the host could tell a change."""
    headers = {"Accept": "*/*"}
    if offset and known.validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": known.validator}
    return headers


def judge(
    status: int, headers: Mapping[str, str], *, offset: int, known: Known, name: str
) -> Verdict:
    """What an answer means for the file *name*, of which *offset* bytes as in *known* are here."""
    if failed := _without_file(status):
        return failed
    if status == 416:  # noqa: PLR2004 - the number of the standard
        return _unsatisfied(headers, offset, known)
    if problem := _unusable(headers, name):
        return Verdict(Step.REFUSED, detail=problem)
    if status == 206:  # noqa: PLR2004 - the number of the standard
        return _rest(headers, offset, known)
    size = headers.get("Content-Length", "")
    return Verdict(Step.WHOLE, _known(headers, int(size) if size.isdecimal() else None))


def _without_file(status: int) -> Verdict | None:
    """What *status* alone means; None where the headers have to tell."""
    if status in _TELLING:
        return None
    if status in _REDIRECTS:
        return Verdict(Step.REDIRECT)
    step = Step.REFUSED
    if status in LINK_REFUSED:
        step = Step.FRESH_LINK
    elif status in _AGAIN or status >= 500:  # noqa: PLR2004 - the 5xx class and what is above it
        step = Step.AGAIN
    reason = reason_of_status(status) or Reason.BAD_RESPONSE
    return Verdict(step, reason=reason, detail=f"HTTP {status} from the file host")


def _known(headers: Mapping[str, str], size: int | None) -> Known:
    return Known(
        size=size,
        etag=headers.get("ETag", "").strip(),
        modified=headers.get("Last-Modified", "").strip(),
        content_type=headers.get("Content-Type", "").strip(),
        checksums=told(headers),
    )


def _unusable(headers: Mapping[str, str], name: str) -> str:
    """Why the body cannot be the file; empty if it can."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        return "the file host sent the file compressed, although asked not to"
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and PurePosixPath(name).suffix.lower() not in (".html", ".htm"):
        return "the file host sent a web page instead of the file"
    return ""


def _rest(headers: Mapping[str, str], offset: int, known: Known) -> Verdict:
    """A partial answer is used only if it begins where ours ends and is of the same file."""
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None or offset == 0:
        return Verdict(Step.RESTART, detail="the file host sent a part that was not asked for")
    first, last = int(found[1]), int(found[2])
    size = known.size if found[3] == "*" else int(found[3])
    tag = headers.get("ETag", "").strip()
    is_same = known.size in (None, size) and (not tag or not known.etag or tag == known.etag)
    if first != offset or last < first or (size is not None and last >= size) or not is_same:
        return Verdict(Step.RESTART, detail="the file has changed at its host")
    return Verdict(Step.REST, replace(known, size=size))


def _unsatisfied(headers: Mapping[str, str], offset: int, known: Known) -> Verdict:
    """Nothing lies behind *offset*: the file is complete, or another one by now."""
    found = _UNSATISFIED.fullmatch(headers.get("Content-Range", "").strip())
    if offset and offset == known.size and (found is None or int(found[1]) == offset):
        return Verdict(Step.COMPLETE, known)
    return Verdict(Step.RESTART, detail="the file has changed at its host")
