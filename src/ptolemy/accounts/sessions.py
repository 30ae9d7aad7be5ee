"""A person's sessions: tokens for programs, a cookie for browsers. Only hashes of their secrets are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ptolemy.accounts.credentials import digest, kind_of, new_secret, secret_of
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import NotFound, Unauthorized
from ptolemy.kernel.signing import Signer

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=30)
COOKIE_IDLE_LIFETIME = timedelta(hours=12)
COOKIE_LIFETIME = timedelta(days=14)
REPEATED_WITHIN = timedelta(seconds=60)
"""How long a refresh token that was used is answered as before: its answer may have got lost."""

_MAX_CLIENT = 255


@dataclass(frozen=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in_seconds: int
    user_id: UUID


@dataclass(frozen=True)
class CookieSession:
    """`secret` goes into the cookie; it lasts as long as it is used, at most `lifetime_seconds`."""

    secret: str
    lifetime_seconds: int


async def open_session(session: Session, user_id: UUID, client: str | None = None) -> SignedIn:
    """A session for a program: an access token for an hour, a refresh token for thirty days that works once."""
    tokens = SignedIn(new_secret("access"), new_secret("refresh"), int(ACCESS_LIFETIME.total_seconds()), user_id)
    await session.run(
        Sql.of(
            "insert into sessions"
            " (id, user_id, client, access_hash, access_expires_at, refresh_hash, refresh_expires_at)"
            " values (?, ?, ?, ?, now() + ?::interval, ?, now() + ?::interval)",
            uuid7(),
            user_id,
            _printable(client),
            digest(tokens.access_token),
            ACCESS_LIFETIME,
            digest(tokens.refresh_token),
            REFRESH_LIFETIME,
        )
    )
    return tokens


async def open_cookie_session(session: Session, user_id: UUID, client: str | None = None) -> CookieSession:
    """A session for a browser, which ends when it wasn't used for twelve hours, and after fourteen days anyway."""
    secret = new_secret("cookie")
    await session.run(
        Sql.of(
            "insert into sessions (id, user_id, kind, client, access_hash, access_expires_at, refresh_expires_at)"
            " values (?, ?, 'cookie', ?, ?, now() + ?::interval, now() + ?::interval)",
            uuid7(),
            user_id,
            _printable(client),
            digest(secret),
            COOKIE_IDLE_LIFETIME,
            COOKIE_LIFETIME,
        )
    )
    return CookieSession(secret, int(COOKIE_LIFETIME.total_seconds()))


async def refresh(database: Database, signer: Signer, refresh_token: str) -> SignedIn:
    """New tokens for old: the old refresh token and the old access token end here (RFC 9700, 4.14.2).

    Asked again within a minute, it gives the same new tokens again, for the answer may have got lost or two threads may
    have asked at once. After that whoever shows the old token has a copy of it, or is being copied: the session ends.
    """
    if kind_of(refresh_token) != "refresh":
        raise _not_good()
    # They follow from the old one, so that they can be told again without being kept.
    new_access = secret_of("access", signer.derived(b"access " + refresh_token.encode()))
    new_refresh = secret_of("refresh", signer.derived(b"refresh " + refresh_token.encode()))
    async with database.session() as session:
        row = await session.row(
            Sql.of(
                "with exchanged as ("
                " update sessions set access_hash = ?, access_expires_at = now() + ?::interval,"
                " refresh_hash = ?, refresh_expires_at = now() + ?::interval"
                " where refresh_hash = ? and revoked_at is null and refresh_expires_at > now() returning id, user_id)"
                ", used as ("
                " insert into used_refresh_tokens (hash, session_id) select ?, id from exchanged returning hash)"
                " select user_id from exchanged",
                digest(new_access),
                ACCESS_LIFETIME,
                digest(new_refresh),
                REFRESH_LIFETIME,
                digest(refresh_token),
                digest(refresh_token),
            )
        )
        if row is not None:
            return SignedIn(new_access, new_refresh, int(ACCESS_LIFETIME.total_seconds()), row["user_id"])
        again = await _used_before(session, refresh_token, digest(new_refresh))
    if again is None:
        raise _not_good()
    if again["ended"]:
        raise Unauthorized(
            "refresh_token_reused",
            "the refresh token was used before, so somebody may have copied it: the sign-in has ended, sign in again",
        )
    return SignedIn(new_access, new_refresh, again["seconds_left"], again["user_id"])


async def _used_before(session: Session, refresh_token: str, successor: bytes) -> Row | None:
    """The session in which the token was used, None where there is none that lives; `ended` if it is ended for that."""
    row = await session.row(
        Sql.of(
            "select s.id, s.user_id, greatest(0, extract(epoch from s.access_expires_at - now()))::int as seconds_left,"
            " s.refresh_hash <> ? or u.used_at < now() - ?::interval as ended"
            " from used_refresh_tokens u"
            " join sessions s on s.id = u.session_id"
            " where u.hash = ? and s.revoked_at is null and s.refresh_expires_at > now()",
            successor,
            REPEATED_WITHIN,
            digest(refresh_token),
        )
    )
    if row is not None and row["ended"]:
        await end_session(session, row["id"])
    return row


async def end_session(session: Session, session_id: UUID) -> None:
    """None of its secrets works any more, from the next request on."""
    await session.run(Sql.of("update sessions set revoked_at = now() where id = ? and revoked_at is null", session_id))


async def end_cookie_session(session: Session, secret: str) -> None:
    """Ends the session whose cookie this is, if it is one."""
    await session.run(
        Sql.of(
            "update sessions set revoked_at = now() where access_hash = ? and kind = 'cookie' and revoked_at is null",
            digest(secret),
        )
    )


async def end_session_of(session: Session, user_id: UUID, session_id: UUID | None) -> None:
    """Ends one of a person's own sessions; one that has ended already is unknown."""
    ended = await session.run(
        Sql.of(f"update sessions set revoked_at = now() where id = ? and user_id = ? and {_LIVES}", session_id, user_id)
    )
    if not ended:
        raise NotFound("not_found", "you have no such session")


async def end_sessions(session: Session, user_id: UUID, *, but: UUID | None = None) -> None:
    """Ends all sessions of a person, or all `but` one."""
    await session.run(
        Sql.of(
            "update sessions set revoked_at = now() where user_id = ? and id is distinct from ? and revoked_at is null",
            user_id,
            but,
        )
    )


_LIVES = "revoked_at is null and (case when kind = 'cookie' then access_expires_at else refresh_expires_at end) > now()"


async def sessions_of(session: Session, user_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """A person's sessions that haven't ended, in order of id behind `after`."""
    return await session.rows(
        Sql.of(
            "select id, kind, client, created_at, last_used_at,"
            " case when kind = 'cookie' then access_expires_at else refresh_expires_at end as expires_at"
            f" from sessions where user_id = ? and {_LIVES} and (?::uuid is null or id > ?) order by id limit ?",
            user_id,
            after,
            after,
            limit,
        )
    )


async def note_use(database: Database, session_id: UUID) -> None:
    """Called once a minute and session at most; a cookie lives on for being used."""
    await database.row(
        Sql.of(
            "update sessions set last_used_at = now(), access_expires_at = case when kind = 'cookie'"
            " then least(now() + ?::interval, refresh_expires_at) else access_expires_at end where id = ?",
            COOKIE_IDLE_LIFETIME,
            session_id,
        )
    )


async def forget_ended_sessions(session: Session) -> None:
    """Removes what is over for a day and more."""
    await session.run(
        Sql(
            "delete from sessions where refresh_expires_at < now() - interval '1 day'"
            " or revoked_at < now() - interval '1 day'"
        )
    )


def _printable(client: str | None) -> str | None:
    return "".join(letter for letter in client if letter.isprintable())[:_MAX_CLIENT] if client else None


def _not_good() -> Unauthorized:
    return Unauthorized(
        "invalid_refresh_token", "the refresh token is unknown, used, expired or revoked: sign in again"
    )
