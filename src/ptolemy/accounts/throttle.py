"""Guessing passwords is slowed, across all processes, per e-mail and per client; nobody is ever locked out for good.

What is counted of an e-mail is every attempt until one succeeds, of a client those that were wrong: an office behind
one address may sign in as often as it likes, and who has an account of their own wins no guesses by using it.
"""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata

from ptolemy.accounts.turns import client_of
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Session
from ptolemy.kernel.problems import TooManyRequests

FREE_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60
FORGOTTEN_AFTER_MINUTES = 15
_LONGEST_WAIT_SECONDS = 4

WRONG_AT_ONCE = 100
"""How many wrong passwords one client may try, whoever they are of, before each has to be waited for."""
SECONDS_A_GUESS = 10
"""How long one more takes to become free."""
_MOST_AHEAD_SECONDS = (WRONG_AT_ONCE - 1) * SECONDS_A_GUESS


async def wait_for_turn(database: Database, email: str, *, guesser: str | None = None) -> None:
    """Counts an attempt and returns when it may go on; a 429 where that is too far off to wait for.

    After five attempts each has to come one, two, four … sixty seconds after the one before (NIST SP 800-63B, 3.2.2).
    The count is taken before the password is looked at, so attempts made at once don't slip through side by side.
    Instead of an e-mail it may be whatever else attempts have in common. `guesser` is the address that a password
    comes from: it is counted as wrong until `forget_attempts` or `give_back` says otherwise.
    """
    await _forget_old(database)
    async with database.session() as session:
        # The client comes before the e-mail, here and below: who waits for the second holds the first.
        if guesser is not None:
            await _count_guess(session, guesser)
        pause = await _count_attempt(session, email)
    await asyncio.sleep(pause)


async def _forget_old(database: Database) -> None:
    # Waits for nobody and is over at once, so that it comes between no two who wait for each other's rows.
    statement = Sql.of(
        "delete from sign_in_attempts where email_hash in"
        " (select email_hash from sign_in_attempts where free_at < now() - make_interval(mins => ?)"
        " for update skip locked) returning email_hash",
        FORGOTTEN_AFTER_MINUTES,
    )
    await database.row(statement)


async def _count_guess(session: Session, address: str) -> None:
    """Full at an instant in the future is as empty as that is far: the generic cell rate algorithm."""
    taken = await session.value(
        Sql.of(
            "insert into sign_in_attempts as old (email_hash, attempts, free_at)"
            " values (?, 1, now() + make_interval(secs => ?))"
            " on conflict (email_hash) do update set"
            " attempts = old.attempts + 1,"
            " free_at = greatest(old.free_at, now()) + make_interval(secs => ?)"
            " where old.free_at <= now() + make_interval(secs => ?)"
            " returning attempts",
            _key_of_client(address),
            SECONDS_A_GUESS,
            SECONDS_A_GUESS,
            _MOST_AHEAD_SECONDS,
        )
    )
    if taken is None:
        raise await _put_off(
            session,
            _key_of_client(address),
            "too many wrong passwords come from here",
            ahead_seconds=_MOST_AHEAD_SECONDS,
        )


async def _count_attempt(session: Session, email: str) -> float:
    """How many seconds it has to wait for its turn."""
    row = await session.row(
        Sql.of(
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
    )
    if row is None:
        raise await _put_off(session, _key(email), "too many attempts")
    until_next: float = row["until_next"]
    return max(0.0, until_next - _pause_after(row["attempts"]))


async def _put_off(session: Session, key: bytes, why: str, *, ahead_seconds: int = 0) -> TooManyRequests:
    """Until the next one is free, less what may be taken ahead of that."""
    left = await session.value(
        Sql.of("select ceil(extract(epoch from free_at - now()))::int from sign_in_attempts where email_hash = ?", key)
    )
    seconds = max(1, (left or 1) - ahead_seconds)
    return TooManyRequests("too_many_attempts", f"{why}: try again in {seconds} seconds", retry_after_seconds=seconds)


async def forget_attempts(database: Database, email: str, *, guesser: str | None = None) -> None:
    """After a sign-in that succeeded: the e-mail begins anew, its client has guessed once less."""
    async with database.session() as session:
        if guesser is not None:
            await _give_back(session, guesser)
        await session.run(Sql.of("delete from sign_in_attempts where email_hash = ?", _key(email)))


async def give_back(database: Database, guesser: str) -> None:
    """After an attempt whose password nobody looked at."""
    async with database.session() as session:
        await _give_back(session, guesser)


async def _give_back(session: Session, address: str) -> None:
    statement = Sql.of(
        "update sign_in_attempts set attempts = attempts - 1, free_at = free_at - make_interval(secs => ?)"
        " where email_hash = ?",
        SECONDS_A_GUESS,
        _key_of_client(address),
    )
    await session.run(statement)


def _pause_after(attempts: int) -> int:
    return min(2 ** (attempts - 1 - FREE_ATTEMPTS), LONGEST_PAUSE_SECONDS) if attempts > FREE_ATTEMPTS else 0


def _key_of_client(address: str) -> bytes:
    return _key(f"sign-in from {client_of(address)}")


def _key(email: str) -> bytes:
    # Coarser than the database's folding of case: no other spelling of an e-mail may have a counter of its own.
    letters = unicodedata.normalize("NFKD", email.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
