"""Signing in and out: an access token for an hour, a refresh token for thirty days that works once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ptolemy.accounts.credentials import digest, kind_of, new_secret
from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.people import is_email, person_by_email
from ptolemy.accounts.throttle import forget_attempts, wait_for_turn
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Unauthorized

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in_seconds: int
    user_id: UUID


async def sign_in(database: Database, passwords: Passwords, email: str, password: str) -> SignedIn:
    """A new session; an unknown e-mail and a wrong password get the same answer after the same time."""
    await wait_for_turn(database, email)
    async with database.session() as session:
        person = await person_by_email(session, email) if is_email(email) else None
    if not await passwords.matches(password, person["password_hash"] if person else None) or person is None:
        raise Unauthorized("invalid_credentials", "the e-mail or the password is wrong")
    await forget_attempts(database, email)
    tokens = _new_tokens(person["id"])
    async with database.session() as session:
        await session.run(
            Sql.of(
                "insert into sessions (id, user_id, access_hash, access_expires_at, refresh_hash, refresh_expires_at)"
                " values (?, ?, ?, now() + ?::interval, ?, now() + ?::interval)",
                uuid7(),
                person["id"],
                digest(tokens.access_token),
                ACCESS_LIFETIME,
                digest(tokens.refresh_token),
                REFRESH_LIFETIME,
            )
        )
    return tokens


async def refresh(database: Database, refresh_token: str) -> SignedIn:
    """New tokens for old: the old refresh token and the old access token end here (RFC 9700, 4.14.2)."""
    tokens = _new_tokens(UUID(int=0))
    row = None
    if kind_of(refresh_token) == "refresh":
        row = await database.row(
            Sql.of(
                "update sessions set access_hash = ?, access_expires_at = now() + ?::interval,"
                " refresh_hash = ?, refresh_expires_at = now() + ?::interval"
                " where refresh_hash = ? and revoked_at is null and refresh_expires_at > now() returning user_id",
                digest(tokens.access_token),
                ACCESS_LIFETIME,
                digest(tokens.refresh_token),
                REFRESH_LIFETIME,
                digest(refresh_token),
            )
        )
    if row is None:
        raise Unauthorized(
            "invalid_refresh_token", "the refresh token is unknown, used, expired or revoked: sign in again"
        )
    return SignedIn(tokens.access_token, tokens.refresh_token, tokens.expires_in_seconds, row["user_id"])


async def sign_out(database: Database, session_id: UUID) -> None:
    """Ends the session: neither of its tokens works any more."""
    await database.row(Sql.of("update sessions set revoked_at = now() where id = ? and revoked_at is null", session_id))


def _new_tokens(user_id: UUID) -> SignedIn:
    seconds = int(ACCESS_LIFETIME.total_seconds())
    return SignedIn(new_secret("access"), new_secret("refresh"), seconds, user_id)
