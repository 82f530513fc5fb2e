"""The state as bytes: at most 4 KB, with a version and a checksum."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array

from monitor.core.forecast.misses import Misses
from monitor.core.forecast.peaks import Peaks
from monitor.core.forecast.state import MEMORY_HOURS, ForecastState

_VERSION = 1
_HEAD = struct.Struct("<BddqddddqqdHHHH")
"""Version; the fields of the state, of its misses and of its peaks; the length of each array."""

_PENDING = struct.Struct("<qdd")
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
        peaks.block,
        peaks.highest,
        len(misses.pending),
        len(state.marks),
        len(state.hours),
        len(peaks.blocks),
    )
    pending = b"".join(_PENDING.pack(*forecast) for forecast in misses.pending)
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
    _, since, at, first, partial, watched, total, weight, hour, block, highest, *counts = (
        _HEAD.unpack_from(data)
    )
    pending, marks, hours, blocks = counts
    ends = [_HEAD.size]
    for count, size in ((pending, _PENDING.size), (marks, 8), (hours, 4), (blocks, 4)):
        ends.append(ends[-1] + count * size)
    if hours > MEMORY_HOURS or len(data) != ends[-1]:
        return None
    return ForecastState(
        since=since,
        at=at,
        marks=_array("d", data[ends[1] : ends[2]]),
        first_hour=first,
        hours=_array("f", data[ends[2] : ends[3]]),
        partial=partial,
        watched=watched,
        misses=Misses(tuple(_PENDING.iter_unpack(data[ends[0] : ends[1]])), total, weight, hour),
        peaks=Peaks(_array("f", data[ends[3] :]), block, highest),
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
