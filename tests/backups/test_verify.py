"""`ptolemy verify` finds whatever happened to a backup, and says where."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptolemy.backups.archive.findings import Finding
from ptolemy.backups.archive.verify import verify
from ptolemy.formats.archive import BLOCK_BYTES, ArchiveWriter
from ptolemy.formats.manifest import MANIFEST, Manifest, Origin, encode_manifest
from tests.backups.archives import packed_anew, unpacked
from tests.backups.stock import fill_all
from tests.cli.command import ptolemy
from tests.exports.test_round_trip import fill
from tests.product import Workspace

FORMAT_1 = Path(__file__).parents[1] / "fixtures" / "backups" / "format-1.zip"
SIX = [
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
]


@pytest.fixture
def archive() -> bytes:
    return FORMAT_1.read_bytes()


def findings(path: Path) -> list[Finding]:
    return verify(path).findings


def written(folder: Path, content: bytes) -> Path:
    path = folder / "backup.zip"
    path.write_bytes(content)
    return path


def hit_by(archive: bytes) -> Callable[[int], set[str]]:
    """Which names a change at a byte may be told under."""
    spans: list[tuple[int, int, str]] = []
    starts = [at for at in range(len(archive)) if archive.startswith(b"PK\x03\x04", at)]
    tail = archive.index(b"PK\x01\x02", starts[-1])
    for start, end in zip(starts, [*starts[1:], tail], strict=True):
        length = int.from_bytes(archive[start + 26 : start + 28], "little")
        spans.append((start, end, archive[start + 30 : start + 30 + length].decode()))
    at = tail
    while archive.startswith(b"PK\x01\x02", at):
        length, extra = (int.from_bytes(archive[at + n : at + n + 2], "little") for n in (28, 30))
        spans.append((at, at + 46 + length + extra, archive[at + 46 : at + 46 + length].decode()))
        at += 46 + length + extra
    spans.append((at, len(archive), "backup.zip"))
    return lambda place: {name for start, end, name in spans if start <= place < end}


def _every_flip_is_found(archive: bytes, folder: Path, count: int) -> None:
    chance, named = random.Random(20261127), hit_by(archive)
    for _ in range(count):
        place, bit = chance.randrange(len(archive)), chance.randrange(1, 256)
        flipped = bytearray(archive)
        flipped[place] ^= bit
        report = verify(written(folder, bytes(flipped)))
        assert report.result == "damaged", (place, bit, report)
        assert named(place) & {finding.file for finding in report.findings}, (place, bit, report.findings)


def test_200_changed_bytes_are_found_and_their_files_named(archive: bytes, tmp_path: Path) -> None:
    _every_flip_is_found(archive, tmp_path, 200)


@pytest.mark.long
def test_1000_changed_bytes_are_found_and_their_files_named(archive: bytes, tmp_path: Path) -> None:
    _every_flip_is_found(archive, tmp_path, 1000)


@pytest.mark.long
def test_every_changed_byte_around_the_files_is_found(archive: bytes, tmp_path: Path) -> None:
    named = hit_by(archive)
    for place in range(archive.rindex(b"PK\x03\x04"), len(archive)):
        flipped = bytearray(archive)
        flipped[place] ^= 1
        report = verify(written(tmp_path, bytes(flipped)))
        assert named(place) & {finding.file for finding in report.findings}, (place, report.findings)


def test_a_good_backup_is_fine(workspace: Workspace, tmp_path: Path) -> None:
    fill_all(workspace)
    report = verify(written(tmp_path, workspace.export_workspace()))
    assert (report.result, report.findings) == ("fine", [])
    assert all(0 < file.rows == file.whole == file.checked for file in report.files)


def test_damage_costs_its_block_and_names_its_rows(tmp_path: Path) -> None:
    path = large(tmp_path / "large.zip")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    report = verify(path)
    [file] = [each for each in report.files if each.resource == "time_series_values"]
    [finding] = [each for each in report.findings if each.file == "time_series_values.json"]
    assert finding.rows is not None
    first, last = finding.rows
    assert 1 < first < last < file.rows
    assert file.whole == file.rows - (last - first + 1) > 0
    assert finding.restorable == "all rows but these"


def test_part_of_a_large_backup_can_be_looked_at(tmp_path: Path) -> None:
    report = verify(large(tmp_path / "large.zip"), share=0.1)
    [file] = [each for each in report.files if each.resource == "time_series_values"]
    assert report.result == "fine"
    assert 0 < file.checked < file.rows / 2


def test_a_backup_that_ends_early_is_incomplete(archive: bytes, tmp_path: Path) -> None:
    [finding] = findings(written(tmp_path, archive[: archive.rindex(b"PK\x03\x04")]))
    assert (finding.file, finding.kind) == (MANIFEST, "incomplete")
    assert "instruments.json" in finding.restorable
    for length in range(100, len(archive), 997):
        assert findings(written(tmp_path, archive[:length])), length


@pytest.mark.parametrize("content", [b"", b"[]", b"id,name\n1,2\n", bytes(1000)])
def test_what_is_no_backup_is_unreadable(content: bytes, tmp_path: Path) -> None:
    assert verify(written(tmp_path, content)).result == "unreadable"


def test_an_archive_that_was_packed_anew_is_checked_by_its_content(archive: bytes, tmp_path: Path) -> None:
    files = unpacked(archive)
    assert verify(written(tmp_path, packed_anew(files))).result == "fine"
    changed = files | {"instruments.json": files["instruments.json"].replace(b"BHP", b"BHQ")}
    first, *others = findings(written(tmp_path, packed_anew(changed)))
    assert (first.file, first.kind, first.message) == ("instruments.json", "damaged", "rows 1 to 5 are damaged")
    assert all("refer to an instrument that is damaged" in finding.message for finding in others)
    del files["markets.json"]
    assert {each.kind for each in findings(written(tmp_path, packed_anew(files)))} >= {"incomplete"}


def test_an_unpacked_backup_is_checked_too(archive: bytes, tmp_path: Path) -> None:
    for name, content in unpacked(archive).items():
        (tmp_path / name).write_bytes(content)
    assert verify(tmp_path).result == "fine"
    (tmp_path / "series.json").unlink()
    report = verify(tmp_path)
    assert report.result == "incomplete"
    assert report.findings[0].file == "series.json"


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        (".json", {}),
        (".csv", {"format": "csv"}),
        (".json.gz", {"compression": "gzip"}),
        (".ndjson", {"format": "ndjson"}),
        (".ndjson.gz", {"format": "ndjson", "compression": "gzip"}),
        (".parquet", {"format": "parquet"}),
    ],
)
def test_a_directory_of_six_files_is_checked(
    ending: str, options: dict[str, str], workspace: Workspace, tmp_path: Path
) -> None:
    fill(workspace)
    for table in SIX:
        (tmp_path / f"{table}{ending}").write_bytes(workspace.export(table, **options))
    report = verify(tmp_path)
    assert (report.result, report.findings) == ("fine", [])
    assert [file.resource for file in report.files] == SIX
    (tmp_path / f"markets{ending}").unlink()
    [finding] = findings(tmp_path)
    assert (finding.file, finding.kind) == (f"markets{ending}", "incomplete")


def test_a_reference_out_of_the_backup_is_found(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace)
    for table in SIX:
        (tmp_path / f"{table}.json").write_bytes(workspace.export(table))
    rows = json.loads((tmp_path / "instruments.json").read_bytes())
    lost = next(row for row in rows if row["identifier"] == "bhp.ax")
    (tmp_path / "instruments.json").write_text(json.dumps([row for row in rows if row is not lost]))
    report = verify(tmp_path)
    assert report.result == "incomplete"
    [finding] = [each for each in report.findings if each.resource == "time_series_values"]
    assert finding.message == "3 rows refer to an instrument that is not in the backup (instrument_id)"
    assert finding.rows == (1, 3)
    assert len(finding.records) == 3


def test_an_identifier_that_contradicts_the_id_beside_it_is_found(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace)
    for table in SIX:
        (tmp_path / f"{table}.json").write_bytes(workspace.export(table))
    path = tmp_path / "market_listings.json"
    path.write_bytes(path.read_bytes().replace(b'"instrument":"bhp.ax"', b'"instrument":"bhp.nz"'))
    report = verify(tmp_path)
    assert {each.file for each in report.findings} == {"market_listings.json", "market_listing_suspensions.json"}
    assert report.result == "damaged"


def test_a_cut_file_says_up_to_which_row_it_is_whole(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace)
    for table in SIX:
        content = gzip.compress(workspace.export(table))
        (tmp_path / f"{table}.json.gz").write_bytes(content[:-20] if table == "time_series_values" else content)
    [finding] = findings(tmp_path)
    assert (finding.file, finding.kind) == ("time_series_values.json.gz", "damaged")


def test_the_command_tells_by_its_exit_code(archive: bytes, tmp_path: Path) -> None:
    good = written(tmp_path, archive)
    command = ptolemy("verify", str(good))
    assert command.returncode == 0
    assert command.stdout.splitlines()[-1] == f"{good}: fine"
    good.write_bytes(archive[:-1] + b"x")
    damaged = ptolemy("verify", str(good), "--json")
    said: dict[str, Any] = json.loads(damaged.stdout)
    assert (damaged.returncode, said["result"], said["format_version"]) == (3, "damaged", 1)
    assert said["findings"][0]["restorable"] == "all of it: every row can be read"
    good.write_bytes(archive[: len(archive) // 2])
    assert ptolemy("verify", str(good)).returncode == 4
    good.write_bytes(b"nothing")
    assert ptolemy("verify", str(good)).returncode == 5
    assert ptolemy("verify", str(tmp_path / "none.zip")).returncode == 2
    assert ptolemy("verify", str(good), "--subset", "0").returncode == 2


def test_backups_of_the_first_format_are_read_for_ever(archive: bytes, new_workspace: Callable[[], Workspace]) -> None:
    assert verify(FORMAT_1).result == "fine"
    job = new_workspace().import_workspace(archive)
    assert (job["status"], job["rows_failed"]) == ("completed", 0)


def large(path: Path) -> Path:
    """A backup whose values take several blocks."""
    row = '{"id":"%s","instrument_id":"i","instrument":"a","note":"%s"}'
    chance = random.Random(1)
    rows = [row % (f"{number:032x}", chance.randbytes(40).hex()) for number in range(8 * BLOCK_BYTES // 160)]
    with path.open("w+b") as out:
        writer = ArchiveWriter(out)
        with writer.file("instruments.json", "instruments") as file:
            file.write(b'[\n{"id":"i","identifier":"a"}\n]\n')
        with writer.file("time_series_values.json", "time_series_values") as file:
            file.write(("[\n" + ",\n".join(rows) + "\n]\n").encode())
        origin = Origin("", "large", "Large")
        writer.end(encode_manifest(Manifest("ptolemy-workspace", 1, "0", "2026-11-27T00:00:00Z", origin, writer.files)))
    return path
