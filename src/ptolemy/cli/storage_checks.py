"""Can files be kept?"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from ptolemy.cli.findings import Finding, error, fine, warning
from ptolemy.settings import Settings

FEW_BYTES = 1_000_000_000
TOO_FEW_BYTES = 100_000_000


def storage_findings(settings: Settings) -> list[Finding]:
    return [
        _writable(settings.files_directory),
        *(_space(directory) for directory in _distinct(settings.data_dir, settings.files_directory)),
        *_key(settings.data_dir / "secret.key"),
    ]


def _writable(directory: Path) -> Finding:
    existing = _existing(directory)
    try:
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".ptolemy-doctor-") as file:
            file.write(b"written")
            file.flush()
            os.fsync(file.fileno())
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
