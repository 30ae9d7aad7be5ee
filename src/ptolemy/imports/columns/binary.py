"""Rows of PostgreSQL's binary COPY format, made by columns: numpy fills an array whose elements are the rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.kernel.identifiers import uuid7

Ids = np.ndarray[Any, np.dtype[np.void]]
"""UUIDs as 16 bytes each."""
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Rows = np.ndarray[Any, np.dtype[np.void]]

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ID = np.dtype("V16")
EPOCH = 946_684_800_000_000
"""PostgreSQL counts microseconds from the year 2000; this is that instant as Unix time."""

_UUID_DASHES = [8, 13, 18, 23]
_UUID_HEX = np.array([i for i in range(36) if i not in _UUID_DASHES])
_NIBBLES = np.full(256, 255, dtype=np.uint8)
for _digit in b"0123456789abcdefABCDEF":
    _NIBBLES[_digit] = int(chr(_digit), 16)
_TENS = np.array([1000, 100, 10, 1], dtype=np.int16)


def rows_of(count: int, columns: Mapping[str, Any]) -> Rows:
    """The rows of a table: each column an array of ids, microseconds or `numerics`, or one `bytes` for all rows."""
    parts: list[Any] = [("columns", ">i2")]
    for name, column in columns.items():
        parts += [(f"{name}_size", ">i4"), (name, _wire(column))]
    rows = np.zeros(count, dtype=np.dtype(parts))
    rows["columns"] = len(columns)
    for name, column in columns.items():
        wire = rows.dtype[name]
        rows[f"{name}_size"] = wire.itemsize
        if isinstance(column, bytes):
            rows[name] = np.frombuffer(column, wire)[0]
        elif wire.names:
            for part in wire.names:
                rows[name][part] = column[part]
        else:
            rows[name] = column
    return rows


def with_instant(rows: Rows, name: str, micros: Numbers) -> Rows:
    """The rows with one more column at their end."""
    size = f"{name}_size"
    longer = np.zeros(len(rows), dtype=np.dtype([*rows.dtype.descr, (size, ">i4"), (name, ">i8")]))
    for part in rows.dtype.names or ():
        longer[part] = rows[part]
    longer["columns"] += 1
    longer[size], longer[name] = 8, micros
    return longer


def numerics(cells: pa.Array[Any]) -> Rows:
    """Plain decimals (`-?digits[.digits]`, any number of them) as PostgreSQL's `numeric`, each with its own scale.

    All get as many digits of base 10,000 as the widest needs; PostgreSQL drops zeros on both sides as it reads them.
    """
    starts, ends, text = _texts(cells)
    negative = text[starts] == ord("-")
    point = starts + pc.find_substring(cells, ".").to_numpy(zero_copy_only=False).astype(np.int32)
    point = np.where(point < starts, ends, point)
    first, scale = starts + negative, np.maximum(ends - point - 1, 0)
    whole, part = -(-int((point - first).max(initial=1)) // 4), -(-int(scale.max(initial=0)) // 4)
    before = point[:, None] + np.arange(-4 * whole, 0, dtype=np.int32)
    after = point[:, None] + np.arange(1, 4 * part + 1, dtype=np.int32)
    digits = np.concatenate(
        [_digits(text, before, before >= first[:, None]), _digits(text, after, after < ends[:, None])], axis=1
    )
    groups = digits.reshape(len(cells), whole + part, 4) @ _TENS
    wire = [("count", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">u2"), ("groups", ">i2", (whole + part,))]
    found = np.zeros(len(cells), dtype=np.dtype(wire))
    found["count"], found["weight"] = whole + part, whole - 1
    found["sign"] = np.where(negative & groups.any(axis=1), 0x4000, 0)
    found["scale"], found["groups"] = scale, groups
    return found


def uuids(cells: pa.Array[Any]) -> tuple[Ids, Mask]:
    """The UUIDs that cells write, and where there is one."""
    starts, ends, text = _texts(cells)
    sound: Mask = np.asarray(ends - starts == 36)
    at = np.where(sound, starts, 0)[:, None]
    if len(text) < 36:
        return np.zeros(len(cells), ID), np.zeros(len(cells), np.bool_)
    nibbles = _NIBBLES[text[at + _UUID_HEX]]
    dashes = (text[at + _UUID_DASHES] == ord("-")).all(axis=1)
    sound &= dashes & (nibbles != 255).all(axis=1)
    found = (nibbles[:, 0::2] << 4 | nibbles[:, 1::2]).astype(np.uint8)
    return np.ascontiguousarray(found).view(ID).reshape(len(cells)), sound


def new_ids(count: int) -> Ids:
    """UUIDv7 in ascending order, also against earlier ones of this process (RFC 9562, 6.2, method 2)."""
    halves = np.empty((count, 2), dtype=">u8")
    halves[:, 0] = uuid7().int >> 64
    steps = np.frombuffer(os.urandom(4 * count), dtype=np.uint32).astype(np.uint64) + 1
    # 60 random bits to begin with, so that the steps never carry into the variant's two bits.
    begin = np.uint64(int.from_bytes(os.urandom(8)) >> 4)
    halves[:, 1] = np.uint64(0b10 << 62) | (begin + np.cumsum(steps, dtype=np.uint64))
    return halves.view(ID).reshape(count)


def _wire(column: Any) -> Any:
    if isinstance(column, bytes):
        return np.dtype((np.void, len(column)))
    return ">i8" if column.dtype == np.int64 else column.dtype


def _texts(cells: pa.Array[Any]) -> tuple[Any, Any, Any]:
    """Where each text starts and ends in all of them together."""
    _, offsets, content = cells.buffers()
    at = np.frombuffer(offsets, dtype=np.int32, count=len(cells) + 1, offset=4 * cells.offset)
    text = np.frombuffer(content, dtype=np.uint8) if content else np.zeros(0, np.uint8)
    return at[:-1], at[1:], text


def _digits(text: Any, at: Any, within: Any) -> Any:
    return np.where(within, text.take(at, mode="clip") - np.uint8(48), 0).astype(np.int16)
