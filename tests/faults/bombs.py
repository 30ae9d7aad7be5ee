"""Files of at most some megabytes that unfold to ten gigabytes, or would if anybody let them."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import struct
import zipfile
import zlib
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.backups.archives import packed_anew

UNFOLDED = 10_000_000_000
_BLOCK = 10_000_000
_HEADER = "identifier,name,type_id\n"


@cache
def of_rows() -> bytes:
    """Half a million rows, twenty kilobytes each."""
    row = b"a," + b"x" * 19_990 + b",equity\n"
    return _gzipped(_HEADER.encode(), row * (_BLOCK // len(row)))


@cache
def of_one_line() -> bytes:
    return _gzipped(_HEADER.encode() + b'"', b"x" * _BLOCK)


@cache
def of_json() -> bytes:
    row = b'{"identifier":"a","name":"' + b" " * 19_950 + b'","type_id":"equity"},\n'
    return _gzipped(b"[", row * (_BLOCK // len(row)))


@cache
def of_brackets() -> bytes:
    return _gzipped(b"", b"[" * _BLOCK)


@cache
def of_nothing() -> bytes:
    return _gzipped(b"", bytes(_BLOCK))


def _gzipped(head: bytes, block: bytes) -> bytes:
    # A gzip file may be several, one after the other (RFC 1952).
    member = gzip.compress(block, 9, mtime=0)
    return gzip.compress(head, mtime=0) + member * (UNFOLDED // len(block))


@cache
def archive_that_says_so() -> bytes:
    """Ten gigabytes of blanks in one file, and a manifest that doesn't hide it."""
    return _archive({"instruments.json": UNFOLDED})


@cache
def archive_that_lies() -> bytes:
    """The same with a manifest that speaks of a hundred bytes."""
    return _archive({"instruments.json": 100})


@cache
def archive_of_another_method() -> bytes:
    """bzip2 makes ten gigabytes out of some kilobytes, and Python's library unpacks it in one piece."""
    packer = bz2.BZ2Compressor()
    content = b"".join(packer.compress(bytes(_BLOCK)) for _ in range(100)) + packer.flush()
    return _written(
        [
            ("manifest.json", 0, manifest := _manifest({"instruments.json": 100}), len(manifest)),
            ("instruments.json", 12, content, 1_000_000_000),
        ]
    )


@cache
def archive_of_overlaps() -> bytes:
    """Many entries of the directory, and one file that all of them mean (D. Fifield, A better zip bomb)."""
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}.json" for n in range(100)]
    once = _written(
        [
            ("manifest.json", 0, manifest := _manifest(dict.fromkeys(names, _BLOCK)), len(manifest)),
            (names[0], 8, _deflated(_BLOCK), _BLOCK),
        ]
    )
    end = once.rindex(b"PK\x05\x06")
    start = once.index(b"PK\x01\x02")
    last = once.rindex(b"PK\x01\x02", 0, end)
    records = once[last:end]
    more = b"".join(records.replace(names[0].encode(), name.encode()) for name in names[1:])
    size = end - start + len(more)
    return once[:end] + more + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 101, 101, size, start, 0)


@cache
def archive_of_many_names() -> bytes:
    """A directory of two hundred thousand entries: what is known of each would fill the memory."""
    once = _written(
        [
            ("manifest.json", 0, manifest := _manifest({"instruments.json": 2}), len(manifest)),
            ("instruments.json", 8, _deflated(2), 2),
        ]
    )
    end, start = once.rindex(b"PK\x05\x06"), once.index(b"PK\x01\x02")
    record = once[once.rindex(b"PK\x01\x02", 0, end) : end]
    number = 10_000_000 // len(record)
    directory = record * number
    offset = start + len(directory)
    zip64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, len(directory), start)
    zip64 += struct.pack("<4sIQI", b"PK\x06\x07", 0, offset, 1)
    return (
        once[:start]
        + directory
        + zip64
        + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    )


@cache
def archive_in_an_archive() -> bytes:
    """A file that is itself an archive of ten gigabytes."""
    inner = archive_that_says_so()
    said = json.loads(_manifest({"instruments.json": len(inner)}))
    [file] = said["files"]
    file["sha256"] = hashlib.sha256(inner).hexdigest()
    return packed_anew({"manifest.json": json.dumps(said).encode(), "instruments.json": inner})


@cache
def parquet_of_one_text() -> bytes:
    """One text of a megabyte, which ten thousand rows have."""
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), pa.array(["x" * 1_000_000]))
    return _parquet({"identifier": long, "name": ["x"] * 10_000, "type_id": ["equity"] * 10_000})


@cache
def parquet_of_long_texts() -> bytes:
    """A hundred texts of a megabyte in each of a hundred columns, none of them twice."""
    texts = pa.array([chr(65 + n % 26) * 1_000_000 for n in range(100)])
    columns: dict[str, Any] = {"identifier": texts, "name": texts, "type_id": texts}
    columns |= {f"field.f{n}": texts for n in range(97)}
    return _parquet(columns, use_dictionary=False, data_page_size=1 << 30)


@cache
def parquet_of_rows() -> bytes:
    """More than a milliard rows of one cell each, in some kilobytes: every one is the same."""
    rows = pa.table({"identifier": pa.array(["a"] * 20_000_000).dictionary_encode()})
    out = io.BytesIO()
    with pq.ParquetWriter(out, rows.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(rows, row_group_size=20_000_000)
    return out.getvalue()


def _parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd", **options)
    return out.getvalue()


def _archive(said: dict[str, int]) -> bytes:
    manifest = _manifest(said)
    return _written(
        [("manifest.json", 0, manifest, len(manifest)), ("instruments.json", 8, _deflated(UNFOLDED), UNFOLDED)]
    )


def _deflated(size: int) -> bytes:
    """Blanks; a block can be repeated, since nothing in it refers to what is before it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(b" " * min(size, _BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * max(1, size // _BLOCK) + packer.flush(zlib.Z_FINISH)


def _manifest(sizes: dict[str, int]) -> bytes:
    files = [
        {
            "name": name, "resource": name.removesuffix(".json"), "rows": 1, "bytes": size, "sha256": "0" * 64,
            "packed_bytes": 1, "packed_sha256": "0" * 64, "crc32": 0, "blocks": [],
        }
        for name, size in sizes.items()
    ]  # fmt: skip
    about = {"format": "ptolemy-workspace", "format_version": 1, "product_version": "0", "created_at": ""}
    return json.dumps(about | {"workspace": {"id": "", "slug": "", "name": ""}, "files": files}).encode()


def _written(files: list[tuple[str, int, bytes, int]]) -> bytes:
    """An archive of files that are packed already: name, method, packed content, and the size that is claimed."""
    out, directory = bytearray(), b""
    for name, method, content, size in files:
        sizes = struct.pack("<HHQQ", 1, 16, size, len(content))
        about = struct.pack(
            "<HHHHHIIIHH",
            45,
            0,
            method,
            0,
            0x21,
            _crc(name, method, content),
            0xFFFFFFFF,
            0xFFFFFFFF,
            len(name),
            len(sizes),
        )
        directory += (
            struct.pack("<4sH", b"PK\x01\x02", 45)
            + about
            + struct.pack("<HHHII", 0, 0, 0, 0, len(out))
            + name.encode()
            + sizes
        )
        out += b"PK\x03\x04" + about + name.encode() + sizes + content
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(files), len(files), len(directory), len(out), 0)
    made = bytes(out) + directory + end
    assert zipfile.ZipFile(io.BytesIO(made)).namelist() == [file[0] for file in files]
    return made


def _crc(name: str, method: int, content: bytes) -> int:
    return zlib.crc32(content) if method == 0 else 0
