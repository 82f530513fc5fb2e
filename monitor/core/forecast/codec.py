"""The state as bytes: at most 4 KB, with a version and a checksum."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array

from monitor.core.forecast.state import MEMORY_HOURS, ForecastState

_VERSION = 1
_HEAD = struct.Struct("<BddqddHH")  # version, the fields, how many of each array
_CHECKSUM = struct.Struct("<I")


def encode(state: ForecastState) -> bytes:
    """The state as bytes, the same on every machine."""
    head = _HEAD.pack(
        _VERSION,
        state.since,
        state.at,
        state.first_hour,
        state.partial,
        state.watched,
        len(state.marks),
        len(state.hours),
    )
    marks = _little("d", [value for mark in state.marks for value in mark])
    data = head + marks + _little("f", state.hours)
    return data + _CHECKSUM.pack(zlib.crc32(data))


def decode(data: bytes) -> ForecastState | None:
    """The state out of *data*; None where they are damaged or of another version: start anew."""
    if len(data) < _HEAD.size + _CHECKSUM.size or data[0] != _VERSION:
        return None
    data, checksum = data[: -_CHECKSUM.size], _CHECKSUM.unpack(data[-_CHECKSUM.size :])[0]
    if zlib.crc32(data) != checksum:
        return None
    _, since, at, first_hour, partial, watched, marks, hours = _HEAD.unpack_from(data)
    end = _HEAD.size + 16 * marks
    if not marks or hours > MEMORY_HOURS or len(data) != end + 4 * hours:
        return None
    flat = _array("d", data[_HEAD.size : end])
    return ForecastState(
        since=since,
        at=at,
        marks=tuple(zip(flat[::2], flat[1::2], strict=True)),
        first_hour=first_hour,
        hours=_array("f", data[end:]),
        partial=partial,
        watched=watched,
    )


def _little(kind: str, values: list[float] | array[float]) -> bytes:
    packed = array(kind, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _array(kind: str, data: bytes) -> array[float]:
    values: array[float] = array(kind)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
