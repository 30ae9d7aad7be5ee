"""Files are there whole or not at all."""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path

import pytest

from ptolemy.files.store import LocalFiles, StorageFull
from ptolemy.kernel.problems import NotFound

KEY = "0190a000-0000-7000-8000-000000000001/exports/0190a000-0000-7000-8000-000000000002"


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "files")


class Broken(BytesIO):
    """Gives some bytes, then fails as the system would."""

    def __init__(self, code: int) -> None:
        super().__init__(b"half")
        self._code = code

    def read(self, size: int | None = -1, /) -> bytes:
        if block := super().read(size):
            return block
        raise OSError(self._code, "as the system says")


async def test_a_file_comes_back_as_it_was_put(files: LocalFiles) -> None:
    assert await files.put(KEY, BytesIO(b"isin,name\n")) == 10
    async with files.local(KEY) as path:
        assert path.read_bytes() == b"isin,name\n"
    assert await files.size(KEY) == 10


async def test_a_file_is_put_from_a_path(files: LocalFiles, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    assert await files.put(KEY, source) == 3_000_000
    assert source.exists()


async def test_putting_again_replaces_the_file(files: LocalFiles) -> None:
    await files.put(KEY, BytesIO(b"old and long"))
    await files.put(KEY, BytesIO(b"new"))
    assert files.path(KEY).read_bytes() == b"new"


async def test_a_put_that_fails_leaves_the_old_file_and_no_half_one(files: LocalFiles) -> None:
    await files.put(KEY, BytesIO(b"old"))
    with pytest.raises(OSError, match="as the system says"):
        await files.put(KEY, Broken(errno.EIO))
    assert [path.read_bytes() for path in files.path(KEY).parent.iterdir()] == [b"old"]


async def test_a_full_disk_is_told_as_such_and_leaves_nothing(files: LocalFiles) -> None:
    with pytest.raises(StorageFull, match="no room"):
        await files.put(KEY, Broken(errno.ENOSPC))
    assert list(files.path(KEY).parent.iterdir()) == []


async def test_a_missing_file_is_not_found(files: LocalFiles) -> None:
    with pytest.raises(NotFound):
        await files.size(KEY)
    with pytest.raises(NotFound):
        async with files.local(KEY):
            pass


async def test_deleting_a_file_twice_is_fine(files: LocalFiles) -> None:
    await files.put(KEY, BytesIO(b"x"))
    await files.delete(KEY)
    await files.delete(KEY)
    assert not files.path(KEY).exists()


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a/.b", "A", "a\n", "a\\b", "a/\0"]
)
def test_a_key_stays_inside_the_store(files: LocalFiles, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        files.path(key)
