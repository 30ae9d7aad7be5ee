"""A backup at a path: the archive of a workspace, one that was unpacked, or a directory of exported files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_STORED, ZipFile

from ptolemy.backups.archive.files import BackupFile, alone, in_archive, with_blocks
from ptolemy.backups.archive.findings import Finding
from ptolemy.backups.archive.layout import layout, whole_files
from ptolemy.backups.archive.listing import LISTING, check_listing
from ptolemy.catalogue import EXPORTED, RESOURCES
from ptolemy.formats.archive_reader import BROKEN, open_archive, opened_zip
from ptolemy.formats.manifest import MANIFEST, Manifest, PackedFile, decode_manifest
from ptolemy.formats.rows import UnreadableFile

SIX = (
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
)
_ENDINGS = (".json", ".ndjson", ".csv", ".parquet", ".json.gz", ".ndjson.gz", ".csv.gz")


@dataclass
class Backup:
    """What there is to read, in the order of a restore, and what was wrong already."""

    files: list[BackupFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    manifest: Manifest | None = None


def open_backup(path: Path, share: float = 1) -> Backup:
    """`share` of the blocks of large files are read. What can't be read at all is a finding, too."""
    try:
        return _directory(path, share) if path.is_dir() else _archive(path, share)
    except UnreadableFile as problem:
        return Backup(findings=[Finding(path.name, "unreadable", problem.detail, "nothing")])


def _archive(path: Path, share: float) -> Backup:
    if _packed_by_others(path):
        return _opened(path, share)
    found = layout(path)
    if found is None:
        return _without_manifest(path)

    def open_one(file: PackedFile) -> BackupFile:
        return in_archive(path, file, found.offsets[file.name], _share(file, share))

    return Backup(_in_order(found.manifest, open_one), found.findings, found.manifest)


def _packed_by_others(path: Path) -> bool:
    """Ours keep the manifest as it is; other programs compress it, and their archives can be read in one way only."""
    try:
        with path.open("rb") as file, opened_zip(file) as zipped:
            return zipped.getinfo(MANIFEST).compress_type != ZIP_STORED and zipped.open(MANIFEST).read(1) != b""
    except (KeyError, *BROKEN):
        return False


def _opened(path: Path, share: float) -> Backup:
    with open_archive(path) as archive:
        manifest, held = archive.manifest, archive.names

    def open_one(file: PackedFile) -> BackupFile:
        return with_blocks(file, lambda: _member(path, file), _share(file, share))

    return _held(manifest, held, open_one)


def _member(path: Path, file: PackedFile) -> BinaryIO:
    """One file of an archive that was opened before; its end is told as damage of the rows behind it."""
    return cast(BinaryIO, ZipFile(path).open(file.name))


def _directory(path: Path, share: float) -> Backup:
    said = path / MANIFEST
    if said.exists():
        manifest = decode_manifest(said.read_bytes())
        held = {each.name for each in path.iterdir()}
        return _held(
            manifest, held, lambda file: with_blocks(file, lambda: (path / file.name).open("rb"), _share(file, share))
        )
    found = {table: each for table in EXPORTED for end in _ENDINGS if (each := path / f"{table}{end}").exists()}
    if not found:
        raise UnreadableFile("no_backup", "there is neither an exported file nor a manifest in it")
    return Backup([alone(each, table) for table, each in found.items()], _missing(path, found))


def _missing(directory: Path, found: Mapping[str, Path]) -> list[Finding]:
    """What the directory's own list says, else which of the guide's six files aren't there."""
    if (directory / LISTING).exists():
        return list(check_listing(directory))
    ending = "".join(next(iter(found.values())).suffixes)
    return [
        Finding(f"{table}{ending}", "incomplete", "the file is missing", "the other files", table)
        for table in SIX
        if table not in found
    ]


def _held(manifest: Manifest, held: set[str], open_one: Callable[[PackedFile], BackupFile]) -> Backup:
    missing = [
        Finding(file.name, "incomplete", "the file is missing", "the other files", file.resource)
        for file in manifest.files
        if file.name not in held
    ]
    there = [file for file in manifest.files if file.name in held]
    return Backup(_in_order(manifest, open_one, there), missing, manifest)


def _in_order(
    manifest: Manifest, open_one: Callable[[PackedFile], BackupFile], there: Sequence[PackedFile] | None = None
) -> list[BackupFile]:
    files = {file.resource: file for file in (manifest.files if there is None else there)}
    return [open_one(files[resource.table]) for resource in RESOURCES if resource.table in files]


def _share(file: PackedFile, share: float) -> float:
    """What others refer to is read whole, else nothing could be said of what refers to it."""
    return share if file.resource in _BY_THE_MILLION else 1


_BY_THE_MILLION = {resource.table for resource in RESOURCES if resource.by_the_million}


def _without_manifest(path: Path) -> Backup:
    with path.open("rb") as file:
        ours = file.read(2) == b"PK"
        file.seek(max(0, path.stat().st_size - 22))
        ended = file.read(4) == b"PK\x05\x06"
    whole = whole_files(path) if ours or ended else []
    if not ours and not whole:
        raise UnreadableFile("no_backup", "it is neither the ZIP of a workspace's export nor a directory of files")
    left = f"whole by the archive's own checksums: {', '.join(whole) or 'no file'}"
    if ended:
        return Backup(findings=[Finding(MANIFEST, "damaged", "the manifest is damaged", left)])
    return Backup(findings=[Finding(MANIFEST, "incomplete", "the archive ends early: its manifest is missing", left)])
