"""The state as bytes: at most 4 KB, with a version and a checksum."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from itertools import starmap

from monitor.core.forecast.misses import Misses, Pending, Shift
from monitor.core.forecast.peaks import Peaks
from monitor.core.forecast.state import MEMORY_HOURS, ForecastState

_VERSION = 1
_HEAD = struct.Struct("<BddqddddqdqqdHHHH")
"""Version; the fields of the state, of its misses and of its peaks; the length of each array."""

_PENDING = struct.Struct("<qddd")
_CHECKSUM = struct.Struct("<I")


def encode(state: ForecastState) -> bytes:
    """The state as bytes, the same on every machine."""
    misses, peaks = state.misses, state.peaks
    head = _HEAD.pack(
        _VERSION,
        state.since,
        state.at,
        state.first_hour,
        state.partial,
        state.watched,
        misses.total,
        misses.weight,
        misses.hour,
        misses.shift.factor if misses.shift else 0.0,
        misses.shift.hour if misses.shift else 0,
        peaks.block,
        peaks.highest,
        len(misses.pending),
        len(state.marks),
        len(state.hours),
        len(peaks.blocks),
    )
    pending = b"".join(
        _PENDING.pack(made.due, made.first, made.second, made.floor) for made in misses.pending
    )
    arrays = b"".join(map(_little, (state.marks, state.hours, peaks.blocks)))
    data = head + pending + arrays
    return data + _CHECKSUM.pack(zlib.crc32(data))


def decode(data: bytes) -> ForecastState | None:
    """The state out of *data*; None where they are damaged or of another version: start anew."""
    if len(data) < _HEAD.size + _CHECKSUM.size or data[0] != _VERSION:
        return None
    data, checksum = data[: -_CHECKSUM.size], _CHECKSUM.unpack(data[-_CHECKSUM.size :])[0]
    if zlib.crc32(data) != checksum:
        return None
    head = _HEAD.unpack_from(data)
    since, at, first_hour, partial, watched = head[1:6]
    pending, marks, hours, blocks = head[13:]
    ends = [_HEAD.size]
    for count, size in ((pending, _PENDING.size), (marks, 8), (hours, 4), (blocks, 4)):
        ends.append(ends[-1] + count * size)
    if hours > MEMORY_HOURS or len(data) != ends[-1]:
        return None
    return ForecastState(
        since=since,
        at=at,
        marks=_array("d", data[ends[1] : ends[2]]),
        first_hour=first_hour,
        hours=_array("f", data[ends[2] : ends[3]]),
        partial=partial,
        watched=watched,
        misses=_misses(head[6:11], data[ends[0] : ends[1]]),
        peaks=Peaks(_array("f", data[ends[3] :]), *head[11:13]),
    )


def _misses(head: tuple[float, float, int, float, int], pending: bytes) -> Misses:
    total, weight, hour, factor, shifted = head
    return Misses(
        pending=tuple(starmap(Pending, _PENDING.iter_unpack(pending))),
        total=total,
        weight=weight,
        hour=hour,
        shift=Shift(factor, shifted) if factor else None,
    )


def _little(values: array[float]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _array(kind: str, data: bytes) -> array[float]:
    values: array[float] = array(kind)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
