"""The demo's story: load, archive some, back up, restore into a second workspace, back that up, compare.

The backup and the restore are the six files of the guide, by the same calls that its reader would make.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ptolemy.demo.archiving import archive_some, record_again
from ptolemy.demo.equities import (
    ASX_EQUITIES,
    asx_equities,
    instruments,
    listings,
    listings_file,
    markets,
    suspensions,
    us_equities,
)
from ptolemy.demo.prices import BARS, CLOSE_DAYS, bars, closes
from ptolemy.demo.report import Report, Step
from ptolemy.demo.server import Server
from ptolemy.demo.sources import ImportFile
from ptolemy.demo.transfers import RESOURCE_TYPES, Transfer, export_all, file_of, import_file, sha256_of
from ptolemy.demo.workspaces import create_workspace, signed_in, workspace

LOADED, RESTORED = "demo", "demo-restored"


@dataclass(frozen=True)
class Opened:
    """The two workspaces, each by its robot's token."""

    loaded: str
    restored: str


def import_files(
    *, asx_count: int = ASX_EQUITIES, close_days: int = CLOSE_DAYS, bar_count: int = BARS
) -> Sequence[ImportFile]:
    """The demo's data in the order in which it is loaded."""
    asx, us = asx_equities(asx_count), us_equities()
    listed = listings(asx, us)
    return [
        instruments(asx, us),
        markets(),
        listings_file(listed),
        suspensions(listed),
        closes(close_days),
        bars(bar_count),
    ]


def tour(server: Server, files: Sequence[ImportFile], directory: Path, report: Report) -> Opened:
    """Runs through all of it; backups stay in `directory`, and whatever is not as it was stands in the report."""
    with _timed(report, "Set up", "2 workspaces, schema, robots"), signed_in(server) as person:
        opened = Opened(
            create_workspace(person, LOADED, "Demo"), create_workspace(person, RESTORED, "Demo, restored from backup")
        )
    with workspace(server, LOADED, opened.loaded) as loaded, workspace(server, RESTORED, opened.restored) as restored:
        expected = _load(loaded, files, report)
        backup, again = directory / "backup", directory / "backup-of-restored"
        exported = _export("Back up", loaded, backup, report)
        for transfer in exported:
            report.expect(
                f"rows of {transfer.resource_type} in the backup", expected[transfer.resource_type], transfer.rows
            )
        _restore(restored, backup, exported, report)
        _export("Back up again", restored, again, report)
    compare(backup, again, report)
    return opened


def _load(loaded: httpx.Client, files: Sequence[ImportFile], report: Report) -> Counter[str]:
    """How many records of each resource type there are now, archived ones too."""
    there: Counter[str] = Counter()
    for file in files:
        done = import_file(loaded, file.resource_type, file.name, file.content, "abort")
        report.add(_step("Import", done))
        report.expect(f"imported rows of {file.name}", file.rows, done.rows)
        there[file.resource_type] += done.rows
    with _timed(report, "Archive", "of each kind, with children") as counted:
        counted.append(archive_some(loaded))
    with _timed(report, "Record again", "archived closes") as counted:
        counted.append(record_again(loaded))
    there["time_series_values"] += sum(counted)
    return there


def _export(action: str, workspace: httpx.Client, directory: Path, report: Report) -> Sequence[Transfer]:
    exported = export_all(workspace, directory)
    for done in exported:
        report.add(_step(action, done))
    return exported


def _restore(restored: httpx.Client, backup: Path, exported: Sequence[Transfer], report: Report) -> None:
    for saved in exported:
        path = file_of(backup, saved.resource_type)
        done = import_file(restored, saved.resource_type, path.name, path.read_bytes(), "continue")
        report.add(_step("Restore", done))
        report.expect(f"restored rows of {path.name}", saved.rows, done.rows)
        report.expect(f"rows of {path.name} that could not be restored", 0, done.failed)


def compare(backup: Path, again: Path, report: Report) -> None:
    """Byte for byte, by SHA-256."""
    for resource_type in RESOURCE_TYPES:
        began = time.perf_counter()
        before, after = sha256_of(file_of(backup, resource_type)), sha256_of(file_of(again, resource_type))
        seconds = time.perf_counter() - began
        report.add(Step("Compare", resource_type, None, seconds, equal=before == after))
        report.expect(f"SHA-256 of {resource_type}.json after the restore", before, after)


def _step(action: str, done: Transfer) -> Step:
    return Step(action, done.resource_type, done.rows, done.seconds)


@contextmanager
def _timed(report: Report, action: str, subject: str) -> Iterator[list[int]]:
    """Adds a step that lasted as long as the block, with the rows that the block counted."""
    began, counted = time.perf_counter(), list[int]()
    yield counted
    report.add(Step(action, subject, sum(counted) if counted else None, time.perf_counter() - began))
