"""Backups taken, restored and rehearsed over the API: the archive of a workspace, or a directory of exported files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from ptolemy.client import jobs
from ptolemy.client.directory import LISTING, ListedFile, listed_files, write_listing
from ptolemy.client.downloads import download
from ptolemy.client.errors import ForbiddenError, JobFailed, PtolemyError
from ptolemy.client.progress import Tell
from ptolemy.client.uploads import WHOLE_FILE_SECONDS, upload

if TYPE_CHECKING:
    from ptolemy.client.client import Client

WORKSPACE = "workspace"

RESOURCE_TYPES = (
    "instruments",
    "instrument_tags",
    "instrument_tag_assignments",
    "markets",
    "market_calendars",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
)
"""What exports carry, in the order of a restore: what a row refers to comes first."""


@dataclass(frozen=True)
class FileRestored:
    """What one file should come to, and what became of it; `unchanged` rows were there, and the same, before."""

    file: str
    expected: int
    created: int
    changed: int
    unchanged: int
    failed: int


@dataclass(frozen=True)
class Restored:
    """`jobs` are the imports that it took; their `errors` name the bad rows that a dry run found."""

    files: Sequence[FileRestored]
    jobs: Sequence[Mapping[str, Any]]

    @property
    def failed(self) -> int:
        return sum(file.failed for file in self.files)


@dataclass(frozen=True)
class Rehearsal:
    """Whether a backup can be restored and gives back what it holds.

    `findings` say what is wrong, each with code, message, file, rows, records and fields; `job` is the server's.
    """

    job: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return bool(self.job["result"] == "passed")

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.job["findings"]
        return found


def is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def back_up(client: Client, to: Path, *, overwrite: bool, tell: Tell) -> list[dict[str, Any]]:
    if to.exists() and not overwrite and (to.is_file() or any(to.iterdir())):
        raise PtolemyError(f"{to} is there already: name another, or say that it may be overwritten")
    to.parent.mkdir(parents=True, exist_ok=True)
    return _archive(client, to, tell) if is_archive(to) else _directory(client, to, tell)


def _archive(client: Client, to: Path, tell: Tell) -> list[dict[str, Any]]:
    try:
        return [client.export(WORKSPACE, to=to, on_progress=tell)]
    except ForbiddenError as error:
        raise _needs_an_editor(error, "back up to a directory instead: that is what a robot may do") from error


def _directory(client: Client, to: Path, tell: Tell) -> list[dict[str, Any]]:
    """All exports are asked for at once. A new directory appears when all of it is there."""
    asked = [
        client.ask(
            "POST", "/exports", json={"resource_type": resource_type, "format": "json", "include_archived": True}
        )
        for resource_type in RESOURCE_TYPES
    ]
    made = Path(mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    try:
        done = []
        for job in asked:
            ended = client.wait(job, on_progress=tell)
            done.append(download(client, ended, made / f"{job['resource_type']}.json", tell))
        write_listing(made, done)
        _move(made, to)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return [job | {"path": str(to / Path(job["path"]).name)} for job in done]


def _move(made: Path, to: Path) -> None:
    """Into a directory that is there, file by file: what else lies in it is nobody's to remove."""
    if not to.exists():
        made.chmod(0o755)
        made.rename(to)
        return
    (to / LISTING).unlink(missing_ok=True)
    for each in sorted(made.iterdir(), key=lambda path: path.name == LISTING):
        each.replace(to / each.name)


def restore(client: Client, source: Path, *, into_existing: bool, dry_run: bool, tell: Tell) -> Restored:
    if source.is_dir():
        return _restore_directory(client, source, into_existing=into_existing, dry_run=dry_run, tell=tell)
    try:
        job = client.import_file(source, WORKSPACE, into_existing=into_existing, dry_run=dry_run, on_progress=tell)
    except ForbiddenError as error:
        raise _needs_an_editor(error, "a robot may restore a directory of exported files instead") from error
    return Restored([FileRestored(**{name: count[name] for name in _COUNTS}) for count in job["files"] or ()], [job])


_COUNTS = tuple(each.name for each in fields(FileRestored))


def _restore_directory(client: Client, source: Path, *, into_existing: bool, dry_run: bool, tell: Tell) -> Restored:
    """All hashes are looked at before the first row is sent. A file is all or nothing; the files before it stay."""
    if dry_run:
        raise PtolemyError(
            "a dry run is for the archive of a workspace: each file of a directory needs those before it"
        )
    files: list[FileRestored] = []
    done: list[Mapping[str, Any]] = []
    for file in listed_files(source, RESOURCE_TYPES):
        key = "id" if into_existing else None
        try:
            job = client.import_file(file.path, file.resource, identifier_column=key, on_progress=tell)
        except JobFailed as error:
            error.restored = files
            raise
        files.append(_restored(file, job))
        done.append(job)
    return Restored(files, done)


def _restored(file: ListedFile, job: Mapping[str, Any]) -> FileRestored:
    done, created, changed, failed = (job[f"rows_{each}"] for each in ("processed", "imported", "updated", "failed"))
    expected = done if file.rows is None else file.rows
    if done != expected:
        raise PtolemyError(f"{file.path.name}: {done} rows arrived, {LISTING} says {expected}")
    return FileRestored(file.path.name, expected, created, changed, done - created - changed - failed, failed)


def rehearse(client: Client, path: Path, tell: Tell) -> Rehearsal:
    """A backup that isn't good is an answer, too; a rehearsal that couldn't be held is raised."""
    upload_id = upload(client, path, None, WORKSPACE, tell)
    job = client.ask("POST", "/backups/rehearse", json={"upload_id": upload_id}, timeout=WHOLE_FILE_SECONDS)
    try:
        ended = jobs.wait(client, f"/backups/rehearsals/{job['id']}", timeout_seconds=None, tell=tell)
    except JobFailed as error:
        if error.job["result"] is None:
            raise
        return Rehearsal(error.job)
    return Rehearsal(ended)


def _needs_an_editor(error: ForbiddenError, instead: str) -> PtolemyError:
    return PtolemyError(
        f"{error}. The archive of a workspace carries its types, so it takes a person's token; {instead}"
    )
