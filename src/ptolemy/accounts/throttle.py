"""Guessing passwords is slowed, per e-mail and across all processes; nobody is ever locked out for good.

What is counted is an e-mail, or whatever else attempts have in common.
"""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.kernel.problems import TooManyRequests

FREE_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60
FORGOTTEN_AFTER_MINUTES = 15
_LONGEST_WAIT_SECONDS = 4


async def wait_for_turn(database: Database, email: str) -> None:
    """Counts an attempt and returns when it may go on; a 429 where that is too far off to wait for.

    After five attempts each has to come one, two, four … sixty seconds after the one before (NIST SP 800-63B, 3.2.2).
    The count is taken before the password is looked at, so attempts made at once don't slip through side by side.
    """
    async with database.session() as session:
        await session.run(
            Sql.of(
                "delete from sign_in_attempts where free_at < now() - make_interval(mins => ?)", FORGOTTEN_AFTER_MINUTES
            )
        )
        statement = Sql.of(
            "insert into sign_in_attempts as old (email_hash, attempts, free_at) values (?, 1, now())"
            " on conflict (email_hash) do update set"
            " attempts = old.attempts + 1,"
            " free_at = greatest(old.free_at, now()) + case when old.attempts < ? then interval '0'"
            " else make_interval(secs => least(power(2, least(old.attempts - ?, 10)), ?)) end"
            " where old.free_at <= now() + make_interval(secs => ?)"
            " returning extract(epoch from free_at - now())::float8 as until_next, attempts",
            _key(email),
            FREE_ATTEMPTS,
            FREE_ATTEMPTS,
            LONGEST_PAUSE_SECONDS,
            _LONGEST_WAIT_SECONDS,
        )
        row = await session.row(statement)
        if row is None:
            busy = await session.value(
                Sql.of(
                    "select ceil(extract(epoch from free_at - now()))::int from sign_in_attempts where email_hash = ?",
                    _key(email),
                )
            )
            seconds = max(1, busy or 1)
            detail = f"too many attempts: try again in {seconds} seconds"
            raise TooManyRequests("too_many_attempts", detail, retry_after_seconds=seconds)
    await asyncio.sleep(max(0.0, row["until_next"] - _pause_after(row["attempts"])))


async def forget_attempts(database: Database, email: str) -> None:
    """After a sign-in that succeeded."""
    async with database.session() as session:
        await session.run(Sql.of("delete from sign_in_attempts where email_hash = ?", _key(email)))


def _pause_after(attempts: int) -> int:
    return min(2 ** (attempts - 1 - FREE_ATTEMPTS), LONGEST_PAUSE_SECONDS) if attempts > FREE_ATTEMPTS else 0


def _key(email: str) -> bytes:
    # Coarser than the database's folding of case: no other spelling of an e-mail may have a counter of its own.
    letters = unicodedata.normalize("NFKD", email.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
