"""Can files be kept?"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import stat
import tempfile
from io import BytesIO
from pathlib import Path

from ptolemy.cli.findings import Finding, error, fine, warning
from ptolemy.database.pool import KEEPS_FILES
from ptolemy.database.transaction import Driver
from ptolemy.files.local import known_identity
from ptolemy.files.opening import open_store
from ptolemy.files.s3 import identity
from ptolemy.files.store import cause_of
from ptolemy.kernel.problems import Problem
from ptolemy.settings import Settings

FEW_BYTES = 1_000_000_000
TOO_FEW_BYTES = 100_000_000


async def storage_findings(settings: Settings) -> list[Finding]:
    directory = settings.files_directory
    directories = [settings.data_dir, *([directory] if directory else [])]
    return [
        await asyncio.to_thread(_writable, directory) if directory else await _reachable(settings.files_url),
        *(_space(each) for each in _distinct(*directories)),
        *_key(settings.data_dir / "secret.key"),
    ]


async def sharing_findings(settings: Settings, driver: Driver) -> list[Finding]:
    """Do all processes that use the database now keep their files in the same place?"""
    directory = settings.files_directory
    ours = known_identity(directory) if directory else identity(settings.files_url)
    rows = await driver.fetch(
        "select distinct application_name as name, coalesce(host(client_addr), 'this host') as host"
        " from pg_stat_activity where starts_with(application_name, $1) and datname = current_database()",
        KEEPS_FILES,
    )
    others = sorted({row["host"] for row in rows if row["name"].removeprefix(KEEPS_FILES) != ours})
    if not others:
        hosts = len({row["host"] for row in rows})
        at_work = "1 host at work" if hosts == 1 else f"{hosts} hosts at work, with the same files"
        return [fine("sharing", at_work)]
    found = f"processes on {', '.join(others)} keep their files elsewhere than in {settings.files_url}"
    advice = "set PTOLEMY_STORAGE_URL to the same s3://bucket/prefix, or directory that all share, for every process"
    return [error("sharing", found, advice)]


async def _reachable(url: str) -> Finding:
    """Writes a file, reads it back, and removes it."""
    key, content = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    advice = (
        "check that the bucket is there, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (they may put, get, list and"
        " delete), AWS_REGION and AWS_ENDPOINT_URL"
    )
    try:
        files = open_store(url)
        await files.put(key, BytesIO(content))
        read = b"".join([block async for block in files.read(key)])
        await files.delete(key)
    except Problem as problem:
        reason = ": ".join(filter(None, (problem.detail, cause_of(problem))))
        return error("storage", f"{url} can't be used: {reason}", advice)
    if read != content:
        return error("storage", f"{url} answers something else than was written", "don't use this store")
    return fine("storage", f"{url} can be written to and read from")


def _writable(directory: Path) -> Finding:
    existing = _existing(directory)
    try:
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".ptolemy-doctor-") as file:
            file.write(b"written")
            file.flush()
            os.fsync(file.fileno())
            if Path(file.name).read_bytes() != b"written":
                return error("storage", f"{existing} answers something else than was written", "check the disk")
    except OSError as problem:
        advice = f"give the user that runs ptolemy the right to write to {existing}, or set PTOLEMY_STORAGE_URL"
        return error("storage", f"{existing} can't be written to: {problem.strerror}", advice)
    return fine("storage", f"{directory} can be written to")


def _space(directory: Path) -> Finding:
    free = shutil.disk_usage(_existing(directory)).free
    found = f"{free / 1e9:.1f} GB free under {directory}"
    if free < TOO_FEW_BYTES:
        return error("space", found, "free some space: writes will fail soon")
    if free < FEW_BYTES:
        return warning("space", found, "free some space: exports and imports need room for their files")
    return fine("space", found)


def _key(path: Path) -> list[Finding]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return []  # not made yet, or set as PTOLEMY_SECRET_KEY
    if mode & 0o077:
        return [warning("secret key", f"{path} can be read by others", f"chmod 600 {path}")]
    return [fine("secret key", f"{path} is private")]


def _distinct(*directories: Path) -> list[Path]:
    """One directory for each file system."""
    found: dict[int, Path] = {}
    for directory in directories:
        found.setdefault(_existing(directory).stat().st_dev, directory)
    return list(found.values())


def _existing(directory: Path) -> Path:
    return next(each for each in (directory, *directory.parents) if each.is_dir())
