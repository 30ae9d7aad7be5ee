"""As whom the server's programs run, and how: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class EmbeddedProblem(RuntimeError):
    """The embedded server can't be used; one line that says why and what to do."""


@dataclass(frozen=True)
class Ran:
    """How a program ended, and all it said."""

    code: int
    output: str

    @property
    def complaint(self) -> str:
        """The line that tells most: the first error, else the last line."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [
            line
            for line in lines
            if ("error:" in line or "ERROR:" in line or "FATAL:" in line or "PANIC:" in line)
            # What it says to those that ask too early is no reason.
            and "FATAL:  the database system is " not in line
        ]
        return (errors or lines[-1:] or [f"exit code {self.code}"])[0]


@dataclass(frozen=True)
class Account:
    """The system's user that owns the cluster and runs the server."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def attempt(self, *command: str | Path, stdin: str = "", keep: Sequence[int] = ()) -> Ran:
        """Runs to its end; OSError where this account can't run it. The files `keep` stay open in the program."""
        # Never a pipe: a daemon would inherit it, and we would wait for its end for ever.
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
            told.write(stdin.encode())
            told.seek(0)
            ended = subprocess.run(  # noqa: S603 - paths that we found or made
                [str(part) for part in command],
                stdin=told,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cwd="/",
                umask=0o077,
                user=None if self.is_ours else self.uid,
                group=None if self.is_ours else self.gid,
                extra_groups=None if self.is_ours else [],
                # Ctrl-C in the terminal is for us; we stop the server when the last of us leaves.
                start_new_session=True,
                pass_fds=keep,
                check=False,
            )
            said.seek(0)
            return Ran(ended.returncode, said.read().decode(errors="replace"))

    def run(self, *command: str | Path, stdin: str = "", keep: Sequence[int] = ()) -> str:
        """What the program said; a problem where it failed."""
        ran = self.attempt(*command, stdin=stdin, keep=keep)
        if ran.code:
            raise EmbeddedProblem(f"{Path(command[0]).name} failed as {self.name}: {ran.complaint}")
        return ran.output

    def take(self, path: Path) -> None:
        """Makes it the account's."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        return self.is_ours or self.attempt("/bin/sh", "-c", 'cd "$1"', "sh", directory).code == 0


def account_for(cluster: Path) -> Account:
    """Whoever we are, except root: then the cluster's owner, or for a new one `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account(user_name(os.geteuid()), os.geteuid(), os.getegid())
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid == 0:
            raise EmbeddedProblem(
                f"{cluster} belongs to root, as whom PostgreSQL won't run: give it to nobody (chown -R)"
            )
        return _able(Account(user_name(owner.st_uid), owner.st_uid, owner.st_gid))
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _able(Account(name, entry.pw_uid, entry.pw_gid))
    raise EmbeddedProblem(
        "PostgreSQL won't run as root, and there is no user postgres or nobody to run it:"
        " start ptolemy as a normal user, or set PTOLEMY_DATABASE_URL"
    )


def _able(account: Account) -> Account:
    try:
        account.attempt("/bin/sh", "-c", ":")
    except (OSError, subprocess.SubprocessError, ValueError) as refusal:
        # A container without CAP_SETUID, or a user namespace that knows no other user.
        raise EmbeddedProblem(
            f"PostgreSQL won't run as root, and root can't become {account.name} here ({refusal}):"
            " start ptolemy as a normal user, or set PTOLEMY_DATABASE_URL"
        ) from None
    return account


def user_name(uid: int) -> str:
    """Its number where nobody gave it a name, as in some containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
