"""Whether a cluster's server lives, as `postmaster.pid` and the system's processes tell."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ptolemy.database.embedded.children import Account
from ptolemy.database.embedded.durable import write_whole

_NEVER_A_PROCESS = 2**31 - 1


@dataclass(frozen=True)
class Postmaster:
    """A living server; `status` is `starting`, `ready`, `standby` or `stopping`."""

    pid: int
    sockets: Path
    status: str


def postmaster(cluster: Path) -> Postmaster | None:
    """The cluster's living server, as far as it can be seen: not from another container."""
    lines = _pid_file(cluster)
    if not lines or not _serves(int(lines[0]), cluster):
        return None
    if len(lines) < 8:  # it adds them one by one
        return Postmaster(int(lines[0]), Path(), "starting")
    return Postmaster(int(lines[0]), Path(lines[4]), lines[7].strip())


def bury(cluster: Path, sockets: Path, account: Account) -> None:
    """Lets a server start after one that was killed; the caller knows that it is dead.

    PostgreSQL asks only whether a process has the old number, and a container soon has another one under it. The file
    itself stays: the shared-memory key in it keeps the server off while backends of the dead one still write.
    """
    lines = _pid_file(cluster)
    if lines:
        write_whole(cluster / "postmaster.pid", "\n".join([str(_NEVER_A_PROCESS), *lines[1:]]) + "\n", 0o600, account)
    else:
        # Killed as it made the file: no key is in it, and PostgreSQL would refuse to start for ever.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
    for stale in sockets.glob(".s.PGSQL.*"):
        stale.unlink()


def _pid_file(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _serves(pid: int, cluster: Path) -> bool:
    # The command line and not the working directory: root in a container may read it of another user's process.
    if Path("/proc/self/cmdline").exists():
        try:
            program, *arguments = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except OSError:
            return False
        return Path(program).name == "postgres" and str(cluster) in arguments
    # macOS has no /proc.
    told = subprocess.run(["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603 - a number
    return "postgres" in told.stdout and str(cluster) in told.stdout
