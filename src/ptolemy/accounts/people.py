"""People: an e-mail to sign in with, a password, a name."""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg

from ptolemy.accounts.names import checked_name
from ptolemy.accounts.passwords import Passwords
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Unauthorized

_EMAIL = re.compile(r'[^\s@<>()\[\],;:\\"]+@[^\s@<>()\[\],;:\\"]+')
MAX_EMAIL = 254
"""What a mailbox can have in a path of SMTP (RFC 5321, 4.5.3.1.3)."""


def is_email(text: str) -> bool:
    """Has the shape of an address; whether mail arrives there, only mail can tell."""
    # Mail programs decode `=?…?=` (RFC 2047), and what comes out may be another address, or two.
    return len(text) <= MAX_EMAIL and text.isprintable() and "=?" not in text and bool(_EMAIL.fullmatch(text))


def checked_email(email: str) -> str:
    if not is_email(email):
        raise Invalid(
            FieldError("email", "invalid_email", f"must be an e-mail address of at most {MAX_EMAIL} characters")
        )
    return email


async def create_person(
    session: Session, passwords: Passwords, email: str, password: str, name: str | None = None
) -> Row:
    """A new person who can sign in; e-mails are unique whatever their case."""
    hashed = await new_password(passwords, email, password, name)
    return await add_person(session, email, hashed, name)


async def new_password(
    passwords: Passwords, email: str, password: str, name: str | None = None, *, address: str = ""
) -> str:
    """The hash for a person who is to be added, once all that was given of them is found good."""
    checked_email(email)
    if name is not None:
        checked_name(name)
    return await passwords.hash(password, email=email, address=address)


async def add_person(
    session: Session, email: str, password_hash: str, name: str | None, *, user_id: UUID | None = None
) -> Row:
    statement = Sql.of(
        "insert into users (id, kind, email, name, password_hash) values (?, 'human', ?, ?, ?) returning *",
        user_id or uuid7(),
        email,
        name,
        password_hash,
    )
    try:
        row = await session.row(statement)
    except asyncpg.UniqueViolationError:
        detail = f"{email} has an account already"
        raise Conflict("duplicate", detail, (FieldError("email", "duplicate", detail),)) from None
    assert row is not None  # noqa: S101 - an insert that returns
    return row


async def person(session: Session, user_id: UUID) -> Row:
    row = await session.row(Sql.of("select * from users where id = ?", user_id))
    if row is None:
        raise Unauthorized("invalid_token", "this account was removed")
    return row


async def person_by_email(session: Session, email: str) -> Row | None:
    return await session.row(Sql.of("select * from users where lower(email) = lower(?)", email))


async def anyone_can_sign_in(session: Session) -> bool:
    """False until the first person was created."""
    return bool(await session.value(Sql.of("select exists (select from users where kind = 'human')")))
