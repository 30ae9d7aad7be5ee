"""Who somebody is, by e-mail and password; signing up, and changing the password."""

from __future__ import annotations

from uuid import UUID

import structlog

from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.people import add_person, is_email, new_password, person, person_by_email
from ptolemy.accounts.sessions import SignedIn, end_sessions, open_session
from ptolemy.accounts.throttle import forget_attempts, give_back, wait_for_turn
from ptolemy.accounts.turns import client_of
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session
from ptolemy.kernel.problems import FieldError, Forbidden, Invalid, NotFound, Unauthorized, Unavailable

log = structlog.get_logger("ptolemy.accounts")


async def sign_in(
    database: Database, passwords: Passwords, email: str, password: str, *, address: str = "", client: str | None = None
) -> SignedIn:
    """A new session of the person whose e-mail and password these are."""
    found = await recognised(database, passwords, email, password, address=address)
    async with database.session() as session:
        await still_the_password(session, found)
        return await open_session(session, found["id"], client)


async def recognised(database: Database, passwords: Passwords, email: str, password: str, *, address: str = "") -> Row:
    """The person; an unknown e-mail and a wrong password get the same answer after the same time."""
    passwords.refuse_in_vain(address)
    # What is no e-mail has one count for all of it: it may be the name of another count, or a text without end.
    counted = email if is_email(email) else ""
    await wait_for_turn(database, counted, guesser=address)
    async with database.session() as session:
        found = await person_by_email(session, email) if counted else None
    stored = found["password_hash"] if found else None
    try:
        matches = await passwords.matches(password, stored, address=address)
    except Unavailable:
        await give_back(database, address)
        raise
    if not matches or found is None:
        raise Unauthorized("invalid_credentials", "the e-mail or the password is wrong")
    await forget_attempts(database, email, guesser=address)
    return found


async def still_the_password(session: Session, found: Row) -> None:
    """Refuses a sign-in that was still being checked as the password changed: it must not outlive the change."""
    same = Sql.of(
        "select id from users where id = ? and password_hash = ? for share", found["id"], found["password_hash"]
    )
    if await session.value(same) is None:
        raise Unauthorized("invalid_credentials", "the e-mail or the password is wrong")


async def sign_up(
    database: Database,
    passwords: Passwords,
    email: str,
    password: str,
    name: str | None,
    *,
    is_open: bool,
    address: str,
    client: str | None = None,
) -> SignedIn:
    """A new person and their first session, where the server is open to everybody.

    Slowed by the network address that it comes from: unlike sign-in, a sign-up that succeeds counts too.
    """
    if not is_open:
        raise Forbidden("signup_closed", "nobody can sign up here: ask for an invitation to a workspace")
    passwords.refuse_in_vain(address)
    await wait_for_turn(database, f"sign-up from {client_of(address)}")
    hashed = await new_password(passwords, email, password, name, address=address)
    async with database.session() as session:
        new = await add_person(session, email, hashed, name)
        signed_in = await open_session(session, new["id"], client)
    log.info("person_signed_up", user_id=str(new["id"]))
    return signed_in


async def change_password(
    database: Database,
    passwords: Passwords,
    user_id: UUID,
    session_id: UUID,
    current: str,
    new: str,
    *,
    address: str = "",
) -> None:
    """A new password for who knows the old one; it ends all their sessions but this one."""
    passwords.refuse_in_vain(address)
    async with database.session() as session:
        known = await person(session, user_id)
    await wait_for_turn(database, known["email"])
    if not await passwords.matches(current, known["password_hash"], address=address):
        raise _not_yours()
    await forget_attempts(database, known["email"])
    hashed = await passwords.hash(new, email=known["email"], field="new_password", address=address)
    async with database.session() as session:
        # Another change may have come while this was being checked: the old password must not undo that one.
        if not await _store(session, user_id, hashed, old=known["password_hash"], but=session_id):
            raise _not_yours()
    log.info("password_changed", user_id=str(user_id))


def _not_yours() -> Invalid:
    return Invalid(FieldError("current_password", "wrong_password", "is not your password"))


async def set_password(database: Database, passwords: Passwords, email: str, password: str) -> Row:
    """The operator's way for who has forgotten theirs; it ends all sessions of the person."""
    hashed = await passwords.hash(password, email=email)
    async with database.session() as session:
        found = await person_by_email(session, email) if is_email(email) else None
        if found is None:
            raise NotFound("not_found", f"nobody has the e-mail {email!r}")
        await _store(session, found["id"], hashed)
    log.info("password_set_by_operator", user_id=str(found["id"]))
    await forget_attempts(database, email)
    return found


async def _store(
    session: Session, user_id: UUID, hashed: str, *, old: str | None = None, but: UUID | None = None
) -> bool:
    """Stores it and ends the person's sessions; False, and nothing, where the `old` one is no longer stored."""
    statement = Sql.of(
        "update users set password_hash = ?, updated_at = now()"
        " where id = ? and (?::text is null or password_hash = ?)",
        hashed,
        user_id,
        old,
        old,
    )
    if not await session.run(statement):
        return False
    await end_sessions(session, user_id, but=but)
    return True
