"""Files are known by their content, gzip is a layer."""

import gzip
import io
from pathlib import Path
from typing import cast

import pytest

from ptolemy.formats.detection import Detected, Format, detect, open_plain
from ptolemy.formats.gzip import deflate, inflate
from ptolemy.formats.rows import UnreadableFile
from ptolemy.kernel.problems import TooLarge


def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "misleading.xlsx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"identifier,name\n", "csv"),
        (b"\xef\xbb\xbfidentifier\n", "csv"),
        (b"\xef\xbb\xbf \r\n\t[\n]", "json"),
        (b'[{"a": 1}]', "json"),
        (b'{"a": 1}\n{"a": 2}\n', "ndjson"),
        (b"\n", "ndjson"),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_a_file_is_known_by_its_content(tmp_path: Path, content: bytes, found: str, gzipped: bool) -> None:
    detected = detect(file(tmp_path, gzip.compress(content, mtime=0) if gzipped else content))
    assert detected == Detected(cast(Format, found), gzipped)
    with open_plain(tmp_path / "misleading.xlsx", detected, limit_bytes=1000) as plain:
        assert plain.read() == content


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    assert detect(file(tmp_path, b"PAR1rest")) == Detected("parquet", False)


def test_a_large_gzip_file_is_recognised_by_its_beginning(tmp_path: Path) -> None:
    assert detect(file(tmp_path, gzip.compress(b"a,b\n" * 2_000_000))).format == "csv"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PK\x03\x04rest", "XLSX"),
        (b"\xff\xfea\x00", "UTF-16"),
        (gzip.compress(b"PAR1rest", mtime=0), "Parquet"),
        (b"<html>", "HTML"),
        (b"\x7fELF\x00\x00", "NUL"),
        (b"", "empty"),
        (b" \n", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"a,b\n", mtime=0)[:-9], "gzip"),
    ],
)
def test_anything_else_is_refused_by_its_name(tmp_path: Path, content: bytes, name: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        detect(file(tmp_path, content))
    assert name in caught.value.detail


def test_equal_content_gives_equal_gzip_files() -> None:
    def packed() -> bytes:
        out = io.BytesIO()
        with deflate(out) as plain:
            plain.write(b"a,b\n" * 1000)
        return out.getvalue()

    assert packed() == packed()
    assert packed()[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed()) == b"a,b\n" * 1000


def test_a_file_that_explodes_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with inflate(io.BytesIO(bomb), limit_bytes=1_000_000) as plain, pytest.raises(TooLarge):
        while plain.read(65536):
            pass


def test_a_file_of_exactly_the_limit_passes() -> None:
    with inflate(io.BytesIO(gzip.compress(b"x" * 1000)), limit_bytes=1000) as plain:
        assert plain.read() == b"x" * 1000


@pytest.mark.parametrize("damage", [lambda raw: raw[:-4], lambda raw: raw[:40] + b"\xff" * 20 + raw[60:]])
def test_a_damaged_gzip_file_is_told(damage: object) -> None:
    raw = gzip.compress(bytes(range(256)) * 100)
    assert callable(damage)
    with inflate(io.BytesIO(damage(raw)), limit_bytes=1 << 20) as plain, pytest.raises(UnreadableFile) as caught:
        plain.read()
    assert caught.value.code == "damaged_gzip"
