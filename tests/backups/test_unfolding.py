"""A backup of ours is taken back however well it compresses; of others a small one that unfolds far is a bomb."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ptolemy.backups.archive.verify import verify
from ptolemy.formats.archive import BLOCK_BYTES, ArchiveWriter
from ptolemy.formats.manifest import Manifest, Origin, encode_manifest
from tests.backups.archives import contents, manifest, packed_anew, unpacked
from tests.product import Workspace, answered
from tests.serving import configured, serving, signed_in

LIMIT_BYTES = 10_000
NewWorkspace = Callable[[], Workspace]


@pytest.fixture(scope="module")
def strict(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewWorkspace]:
    """Makes workspaces on a server that lets small files unfold to some kilobytes."""
    folder = tmp_path_factory.mktemp("strict")
    with serving(replace(configured(database_url, folder), max_unpacked_bytes=LIMIT_BYTES)) as url:
        token = signed_in(url, database_url)

        def make() -> Workspace:
            slug = f"w-{uuid4().hex}"
            headers = {"Authorization": f"Bearer {token}"}
            answered(httpx.post(f"{url}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
            return Workspace(url, slug, token)

        yield make


@pytest.fixture(scope="module")
def repetitive(strict: NewWorkspace) -> bytes:
    """The archive of a workspace whose records compress to less than a hundredth."""
    workspace = strict()
    workspace.equity()
    for number in range(30):
        extras = {"note": "x" * 120_000}
        workspace.create("instruments", identifier=f"i{number}", name="I", type_id="equity", extras=extras)
    return workspace.export_workspace()


def test_a_backup_of_records_that_compress_well_can_be_restored(repetitive: bytes, strict: NewWorkspace) -> None:
    other = strict()
    job = other.import_workspace(repetitive)
    assert (job["status"], job["error"]) == ("completed", None)
    assert contents(other.export_workspace()) == contents(repetitive)


def test_one_that_unfolds_too_far_is_refused_with_the_setting_that_allows_it(
    repetitive: bytes, strict: NewWorkspace
) -> None:
    files = unpacked(repetitive)
    archive = packed_anew(files)
    limit = max(LIMIT_BYTES, 100 * len(archive))
    job = strict().import_workspace(archive)
    assert job["status"] == "failed"
    assert job["error"] == (
        f"the backup is larger than {limit:,} bytes when unpacked: have the server's operator raise"
        " PTOLEMY_MAX_UNPACKED"
    )


def test_one_that_unfolds_far_is_restored_where_the_setting_allows_it(
    repetitive: bytes, new_workspace: NewWorkspace
) -> None:
    assert new_workspace().import_workspace(packed_anew(unpacked(repetitive)))["status"] == "completed"


@pytest.mark.parametrize("size", [0, 1000, BLOCK_BYTES, 20 * BLOCK_BYTES, 150 * BLOCK_BYTES])
def test_no_archive_that_we_write_unfolds_to_more_than_a_hundred_times_its_size(size: int, tmp_path: Path) -> None:
    row = b'{"id":"i","name":"%s"},\n' % (b"x" * 1000)
    content = b"[\n" + row * (size // len(row)) + b'{"id":"i"}\n]\n'
    path = tmp_path / "backup.zip"
    with path.open("w+b") as out:
        writer = ArchiveWriter(out)
        with writer.file("instruments.json", "instruments") as file:
            file.write(content)
        origin = Origin("", "large", "Large")
        writer.end(encode_manifest(Manifest("ptolemy-workspace", 1, "0", "2026-11-27T00:00:00Z", origin, writer.files)))
    archive = path.read_bytes()
    [said] = manifest(archive)["files"]
    assert said["bytes"] == len(content) <= 100 * said["packed_bytes"]
    # Not much larger than it has to be either.
    assert len(archive) < max(2 * BLOCK_BYTES, len(content) // 30)
    assert zipfile.ZipFile(io.BytesIO(archive)).read("instruments.json") == content
    assert not [finding for finding in verify(path).findings if finding.kind == "damaged"]
