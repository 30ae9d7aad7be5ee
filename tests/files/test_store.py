"""Files are there whole or not at all, in a directory and in a bucket alike."""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path

import pytest

from ptolemy.files.store import FileStore, checked
from ptolemy.kernel.problems import NotFound

WORKSPACE = "0190a000-0000-7000-8000-000000000001"
KEY = f"{WORKSPACE}/exports/0190a000-0000-7000-8000-000000000002"


class Broken(BytesIO):
    """Gives some bytes, then fails as the system would."""

    def __init__(self, code: int, size: int = 4) -> None:
        super().__init__(b"h" * size)
        self._code = code

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size >= 0 and (block := super().read(size)):
            return block
        raise OSError(self._code, "as the system says")


async def content(files: FileStore, key: str) -> bytes:
    return b"".join([block async for block in files.read(key)])


async def test_a_file_comes_back_as_it_was_put(files: FileStore) -> None:
    assert await files.put(KEY, BytesIO(b"isin,name\n")) == 10
    async with files.local(KEY) as path:
        assert path.read_bytes() == b"isin,name\n"
    assert await content(files, KEY) == b"isin,name\n"
    assert await files.size(KEY) == 10


async def test_an_empty_file_comes_back_empty(files: FileStore) -> None:
    assert await files.put(KEY, BytesIO()) == 0
    assert await content(files, KEY) == b""
    async with files.local(KEY) as path:
        assert path.read_bytes() == b""


@pytest.mark.parametrize("size", [3_000_000, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 40_000_000])
async def test_a_file_is_put_from_a_path(files: FileStore, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(251)) * (size // 251) + b"x" * (size % 251))
    assert await files.put(KEY, source) == size
    assert source.exists()
    assert await content(files, KEY) == source.read_bytes()


async def test_an_open_file_is_put_from_where_it_stands(files: FileStore) -> None:
    source = BytesIO(b"header|rows")
    source.seek(7)
    assert await files.put(KEY, source) == 4
    assert await content(files, KEY) == b"rows"


async def test_putting_again_replaces_the_file(files: FileStore) -> None:
    await files.put(KEY, BytesIO(b"old and long"))
    await files.put(KEY, BytesIO(b"new"))
    assert await content(files, KEY) == b"new"


@pytest.mark.parametrize("size", [4, 20_000_000])
async def test_a_put_that_fails_leaves_the_old_file(files: FileStore, size: int) -> None:
    await files.put(KEY, BytesIO(b"old"))
    with pytest.raises(OSError, match="as the system says"):
        await files.put(KEY, Broken(errno.EIO, size))
    assert await content(files, KEY) == b"old"
    assert [found.key async for found in files.files(WORKSPACE)] == [KEY]


async def test_a_missing_file_is_not_found(files: FileStore) -> None:
    with pytest.raises(NotFound):
        await files.size(KEY)
    with pytest.raises(NotFound):
        await content(files, KEY)
    with pytest.raises(NotFound):
        async with files.local(KEY):
            pass


async def test_deleting_a_file_twice_is_fine(files: FileStore) -> None:
    await files.put(KEY, BytesIO(b"x"))
    await files.delete(KEY)
    await files.delete(KEY)
    with pytest.raises(NotFound):
        await files.size(KEY)


async def test_a_folder_names_its_files_and_no_others(files: FileStore) -> None:
    for key in (KEY, f"{WORKSPACE}/imports/a", f"{WORKSPACE}/exports-of-old/a", "b/exports/a"):
        await files.put(key, BytesIO(b"x"))
    assert [found.key async for found in files.files(f"{WORKSPACE}/exports")] == [KEY]
    assert [found.key async for found in files.files(f"{WORKSPACE}/nothing")] == []


async def test_stores_of_the_same_place_have_one_identity(files: FileStore) -> None:
    assert await files.identity() == await files.identity() != ""


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a/.b", "A", "a\n", "a\\b", "a/\0"]
)
async def test_a_key_stays_inside_the_store(files: FileStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        checked(key)
    with pytest.raises(ValueError, match="not a key"):
        await files.put(key, BytesIO(b"x"))
