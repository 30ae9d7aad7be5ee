"""Invitations: people are asked to join a workspace by a link that works once, for seven days.

The link's token follows from a nonce and the server's key. Only its hash is stored; the nonce lies in the job that
sends the e-mail, until that is done.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ptolemy.accounts.asking import hold_role
from ptolemy.accounts.credentials import digest, kind_of, secret_of
from ptolemy.accounts.departures import OPEN_INVITATION
from ptolemy.accounts.memberships import add_member, checked_role
from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.people import add_person, checked_email, new_password, person, person_by_email
from ptolemy.accounts.sign_in import recognised, still_the_password
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Overtaken, Row, Session, Transaction
from ptolemy.events.log import Entry, record
from ptolemy.jobs.queue import enqueue
from ptolemy.kernel.actors import ROLES, Actor, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, TooManyRequests, Unauthorized
from ptolemy.kernel.signing import Signer

LIFETIME = timedelta(days=7)
MAX_OPEN = 500
"""In one workspace."""

MAILS_A_DAY = 500
"""By one person, withdrawn ones too: nobody writes to half the world through a server that is open to everybody."""

MAILS_AN_HOUR = 5
"""To one address, from all workspaces together."""

MAIL_JOB = "invitation_mail"


@dataclass(frozen=True)
class Inviting:
    """How this server invites: what makes tokens, where links lead, and whether e-mails are sent."""

    signer: Signer
    address: str
    sends_mail: bool


def invitation_signer(secret_key: str) -> Signer:
    return Signer(secret_key, "invitations")


def link(address: str, token: str) -> str:
    """Behind a `#`, which browsers keep to themselves: no log and no other site gets to see the token."""
    return f"{address}/invitation#{token}"


def token_of(signer: Signer, nonce: bytes) -> str:
    return secret_of("invitation", signer.derived(nonce))


async def invite(tx: Transaction, inviting: Inviting, email: str, role: str) -> tuple[str, UUID]:
    """A new invitation: its token, which can't be read again, and its id. One that was open for the e-mail ends."""
    checked_email(email)
    checked = checked_role(role, ROLES)
    await tx.lock("invitations")
    if tx.actor.id is not None:
        await hold_role(tx, tx.actor.id, "admin")
    # First, so that who accepts the open one at this very moment is seen as a member.
    await _withdraw_open(tx, email)
    await _refuse_members(tx, email)
    await _refuse_too_many(tx)
    if inviting.sends_mail:
        await _refuse_mass_mail(tx)
        await _spare_inbox(tx, email)
    nonce, invitation_id = secrets.token_bytes(32), uuid7()
    token = token_of(inviting.signer, nonce)
    await tx.run(
        Sql.of(
            "insert into invitations (workspace_id, id, token_hash, email, role, mail, expires_at, invited_by)"
            " values (?, ?, ?, ?, ?, ?, now() + ?::interval, ?)",
            tx.workspace_id,
            invitation_id,
            digest(token),
            email,
            checked,
            "queued" if inviting.sends_mail else "none",
            LIFETIME,
            tx.actor.id,
        )
    )
    if inviting.sends_mail:
        payload = {"invitation_id": str(invitation_id), "nonce": nonce.hex(), "address": inviting.address, "attempt": 1}
        await enqueue(tx, MAIL_JOB, uuid7(), tx.workspace_id, {**payload, "invited_by": tx.actor.name})
    changes = {"email": {"from": None, "to": email}, "role": {"from": None, "to": checked}}
    await record(tx, [Entry("invitation.created", "invitation", invitation_id, email, changes)])
    return token, invitation_id


async def _refuse_members(tx: Transaction, email: str) -> None:
    member = Sql.of(
        "select m.id from memberships m join users u on u.id = m.user_id"
        " where m.workspace_id = ? and lower(u.email) = lower(?)",
        tx.workspace_id,
        email,
    )
    if await tx.value(member):
        raise Conflict("already_member", f"{email} belongs to this workspace already")


async def _refuse_mass_mail(tx: Transaction) -> None:
    """Refuses a person who has written to very many today, from whatever workspaces."""
    today = Sql.of(
        "select count(*) from invitations"
        " where invited_by = ? and mail <> 'none' and created_at > now() - interval '1 day'",
        tx.actor.id,
    )
    if await tx.value(today) >= MAILS_A_DAY:
        detail = f"you have sent {MAILS_A_DAY} invitations within a day: try again later"
        raise TooManyRequests("too_many_attempts", detail, retry_after_seconds=3600)


async def _spare_inbox(tx: Transaction, email: str) -> None:
    """Refuses to write to the same address again and again, from whatever workspace."""
    await tx.run(Sql.of("select pg_advisory_xact_lock(hashtext(lower(?::text)))", email))
    lately = Sql.of(
        "select count(*) from invitations"
        " where lower(email) = lower(?) and mail <> 'none' and created_at > now() - interval '1 hour'",
        email,
    )
    if await tx.value(lately) >= MAILS_AN_HOUR:
        detail = f"{email} was sent {MAILS_AN_HOUR} invitations within the hour: try again later"
        raise TooManyRequests("too_many_attempts", detail, retry_after_seconds=3600)


async def _withdraw_open(tx: Transaction, email: str) -> None:
    old = await tx.row(
        Sql.of(
            "update invitations set withdrawn_at = now(), updated_at = now()"
            f" where workspace_id = ? and lower(email) = lower(?) and {OPEN_INVITATION} returning id, email",
            tx.workspace_id,
            email,
        )
    )
    if old is not None:
        await record(tx, [Entry("invitation.deleted", "invitation", old["id"], old["email"])])


async def _refuse_too_many(tx: Transaction) -> None:
    pending = Sql.of(
        f"select count(*) from invitations where workspace_id = ? and {OPEN_INVITATION} and expires_at > now()",
        tx.workspace_id,
    )
    if await tx.value(pending) >= MAX_OPEN:
        raise Conflict("too_many_invitations", f"{MAX_OPEN} invitations are open: withdraw some first")


async def withdraw(tx: Transaction, invitation_id: UUID | None) -> None:
    """The link works no more; withdrawing it again changes nothing."""
    row = await tx.row(
        Sql.of(
            "select id, email, accepted_at, withdrawn_at from invitations where workspace_id = ? and id = ? for update",
            tx.workspace_id,
            invitation_id,
        )
    )
    if row is None:
        raise NotFound("not_found", "there is no such invitation in this workspace")
    if row["accepted_at"]:
        raise Conflict("invitation_used", "the invitation was accepted: remove the member instead")
    if row["withdrawn_at"]:
        return
    await tx.run(
        Sql.of(
            "update invitations set withdrawn_at = now(), updated_at = now() where workspace_id = ? and id = ?",
            tx.workspace_id,
            row["id"],
        )
    )
    await record(tx, [Entry("invitation.deleted", "invitation", row["id"], row["email"])])


async def accept(
    database: Database,
    passwords: Passwords,
    token: str,
    *,
    password: str | None,
    name: str | None = None,
    signed_in_as: UUID | None = None,
    address: str = "",
    request_id: str | None = None,
) -> tuple[UUID, Row]:
    """The workspace's id, and the new membership in it.

    Who has an account shows its password or is signed in; who has none gets one, with this password. Refusals say
    nothing of the e-mail that was invited: whoever has the token knows it, or has found the token.
    """
    async with database.session() as session:
        invitation = await _invitation(session, token)
        known = await person_by_email(session, invitation["email"])
        caller = await person(session, signed_in_as) if signed_in_as else None
    email = invitation["email"]
    signed_in = known is not None and caller is not None and caller["id"] == known["id"]
    if not signed_in and password is None:
        if caller is not None:
            raise Forbidden("other_person", "the invitation is for somebody else than you, who are signed in")
        raise Invalid(FieldError("password", "required", "is required, unless who was invited is signed in"))
    hashed = None
    if known is None:
        hashed = await new_password(passwords, email, password or "", name, address=address)
    elif not signed_in:
        known = await _recognised(database, passwords, email, password or "", address)
    user_id = known["id"] if known else uuid7()
    called = known["name"] if known else name
    actor = Actor("human", user_id, called or email)
    async with database.transaction(Caller(invitation["workspace_id"], actor, request_id)) as tx:
        # Of many at once the first has it; the others wait here, and are told.
        await _invitation(tx, token, lock="for update")
        if hashed is not None:
            await _add_person(tx, user_id, email, hashed, name)
        elif known is not None and not signed_in:
            await still_the_password(tx, known)
        row = await add_member(tx, user_id, invitation["role"])
        await _mark_accepted(tx, invitation)
        return tx.workspace_id, row


async def _recognised(database: Database, passwords: Passwords, email: str, password: str, address: str) -> Row:
    try:
        return await recognised(database, passwords, email, password, address=address)
    except Unauthorized:
        detail = "who was invited has an account, and this is not its password: give that, or sign in first"
        raise Unauthorized("invalid_credentials", detail) from None


async def _add_person(tx: Transaction, user_id: UUID, email: str, hashed: str, name: str | None) -> None:
    try:
        await add_person(tx, email, hashed, name, user_id=user_id)
    except Conflict:
        raise Overtaken from None  # they have an account since a moment ago: now its password counts


async def _mark_accepted(tx: Transaction, invitation: Row) -> None:
    await tx.run(
        Sql.of(
            "update invitations set accepted_at = now(), updated_at = now() where workspace_id = ? and id = ?",
            tx.workspace_id,
            invitation["id"],
        )
    )
    await record(tx, [Entry("invitation.accepted", "invitation", invitation["id"], invitation["email"])])


async def _invitation(session: Session, token: str, *, lock: str = "") -> Row:
    """The open invitation of the token."""
    row = None
    if kind_of(token) == "invitation":
        row = await session.row(
            Sql.of(
                f"select *, expires_at <= now() as expired from invitations where token_hash = ? {lock}", digest(token)
            )
        )
    if row is None:
        raise NotFound("unknown_invitation", "there is no such invitation: was the link copied as a whole?")
    if row["accepted_at"]:
        raise Conflict("invitation_used", "the invitation was accepted already: sign in")
    if row["withdrawn_at"]:
        raise Conflict("invitation_withdrawn", "the invitation was withdrawn, or replaced by a newer one")
    if row["expired"]:
        raise Conflict("invitation_expired", "the invitation has expired: ask for a new one")
    return row
