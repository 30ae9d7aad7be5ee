"""What only a directory has: a disk that is full, and files that a killed process was writing."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import pytest

from ptolemy.files import scratch
from ptolemy.files.local import LocalFiles
from ptolemy.files.store import StorageFull, StorageUnavailable
from tests.files.test_store import KEY, Broken, content

DAY = 24 * 3600


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(directory: Path) -> LocalFiles:
    return LocalFiles(directory)


def age(path: Path, seconds: float) -> Path:
    changed = path.stat().st_mtime - seconds
    os.utime(path, (changed, changed))
    return path


async def test_a_file_that_can_not_be_opened_is_told_in_plain_words(files: LocalFiles) -> None:
    files.path(KEY).mkdir(parents=True)
    with pytest.raises(StorageUnavailable, match=f"{KEY} can't be read: Is a directory"):
        await anext(files.read(KEY))


async def test_a_directory_that_can_not_be_used_is_told_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "files").write_bytes(b"no directory")
    files = LocalFiles(tmp_path / "files")
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "kept": lambda: files.put(KEY, BytesIO(b"x")),
        "read": lambda: content(files, KEY),
        "removed": lambda: files.delete(KEY),
    }
    for what, attempt in attempts.items():
        with pytest.raises(StorageUnavailable, match=f"{KEY} can't be {what}: Not a directory"):
            await attempt()
    with pytest.raises(StorageUnavailable, match="Not a directory"):
        await files.size(KEY)


async def test_a_directory_that_is_a_link_to_itself_is_told_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "files").symlink_to(tmp_path / "files")
    with pytest.raises(StorageUnavailable, match=f"{KEY} can't be kept: Too many levels of symbolic links"):
        await LocalFiles(tmp_path / "files").put(KEY, BytesIO(b"x"))


@pytest.mark.parametrize("target", ["files", "nowhere"])
async def test_a_directory_that_is_a_link_to_nowhere_is_not_ready(tmp_path: Path, target: str) -> None:
    (tmp_path / "files").symlink_to(tmp_path / target)
    with pytest.raises(StorageUnavailable, match="can't be written to"):
        await LocalFiles(tmp_path / "files").check()


async def test_a_full_disk_is_told_as_such_and_leaves_nothing(files: LocalFiles) -> None:
    with pytest.raises(StorageFull, match="no room"):
        await files.put(KEY, Broken(errno.ENOSPC))
    assert list(files.path(KEY).parent.iterdir()) == []


async def test_what_a_killed_process_was_writing_is_removed_after_a_day(files: LocalFiles) -> None:
    await files.put(KEY, BytesIO(b"whole"))
    folder = files.path(KEY).parent
    old, young = folder / ".new-old", folder / ".new-young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    age(old, DAY + 60)
    age(files.path(KEY), DAY + 60)
    await files.tidy()
    assert sorted(folder.iterdir()) == sorted([young, files.path(KEY)])


async def test_a_file_is_as_old_as_its_put(files: LocalFiles, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    age(source, DAY + 60)
    await files.put(KEY, source)
    [found] = [each async for each in files.files("0190a000-0000-7000-8000-000000000001")]
    assert found.changed_at.timestamp() > source.stat().st_ctime - 60


async def test_a_directory_that_cannot_be_written_to_has_no_identity(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert await LocalFiles(tmp_path / "file").identity() == ""


async def test_folders_of_killed_processes_are_removed_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, busy, foreign = (tmp_path / name for name in ("ptolemy-export-old", "ptolemy-import-busy", "other-old"))
    for folder in (old, busy, foreign):
        folder.mkdir()
        (folder / "file").write_bytes(b"half")
        age(folder, DAY + 60)
    age(old / "file", DAY + 60)
    await scratch.sweep_scratch()
    assert [folder.exists() for folder in (old, busy, foreign)] == [False, True, True]
