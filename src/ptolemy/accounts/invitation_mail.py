"""The e-mail with an invitation's link: sent by a job, after the invitation is committed, and tried again for a day."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal
from uuid import UUID

import structlog

from ptolemy.accounts.credentials import digest
from ptolemy.accounts.invitations import MAIL_JOB, link, token_of
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session
from ptolemy.jobs.job import Job
from ptolemy.jobs.queue import enqueue
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.signing import Signer

TIMEOUT_SECONDS = 30
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
"""Between attempts; a server that answers "later" to strangers wants to be asked again after minutes (RFC 6647)."""

log = structlog.get_logger("ptolemy.accounts")

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class MailServer:
    """Where e-mails are handed in, and from whom they come."""

    host: str
    port: int
    security: Security
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Letters:
    """What a worker needs to send e-mails with links."""

    server: MailServer
    signer: Signer


class InvitationMailHandler:
    def __init__(self, database: Database, letters: Letters) -> None:
        self._database, self._server, self._signer = database, letters.server, letters.signer

    async def run(self, job: Job) -> None:
        """Sends the e-mail, unless the invitation has ended meanwhile; puts it off where the server can't take it."""
        async with self._database.session() as session:
            invitation = await _pending(session, job)
        if invitation is None:
            return
        token = token_of(self._signer, bytes.fromhex(job.payload["nonce"]))
        if digest(token) != invitation["token_hash"]:
            log.error("invitation_mail_failed", reason="this process has another PTOLEMY_SECRET_KEY than the server")
            await self._settle(job, "failed")
            return
        letter = _letter(self._server.sender, invitation, job, link(job.payload["address"], token))
        try:
            await asyncio.to_thread(_send, self._server, letter, invitation["email"])
        except (OSError, smtplib.SMTPException) as error:
            await self._put_off(job, error, invitation["email"])
            return
        await self._settle(job, "sent")

    async def gave_up(self, job: Job, reason: str) -> None:
        async with self._database.session() as session:
            await _mark(session, job, "failed")

    async def _put_off(self, job: Job, error: OSError | smtplib.SMTPException, email: str) -> None:
        attempt = int(job.payload["attempt"])
        again = not _is_final(error) and attempt <= len(WAITS)
        log.warning(
            "invitation_mail_failed",
            invitation_id=job.payload["invitation_id"],
            attempt=attempt,
            again=again,
            reason=_without(email, f"{type(error).__name__}: {error}"),
        )
        if not again:
            await self._settle(job, "failed")
            return
        async with self._database.session() as session:
            payload = {**job.payload, "attempt": attempt + 1}
            due = datetime.now(UTC) + WAITS[attempt - 1]
            await enqueue(session, MAIL_JOB, uuid7(), job.workspace_id, payload, run_at=due)
            await job.finish(session)

    async def _settle(self, job: Job, state: Literal["sent", "failed"]) -> None:
        async with self._database.session() as session:
            await _mark(session, job, state)
            await job.finish(session)


async def _pending(session: Session, job: Job) -> Row | None:
    return await session.row(
        Sql.of(
            "select i.email, i.role, i.expires_at, i.token_hash, w.name as workspace"
            " from invitations i join workspaces w on w.id = i.workspace_id"
            " where i.workspace_id = ? and i.id = ?"
            " and i.accepted_at is null and i.withdrawn_at is null and i.expires_at > now()",
            job.workspace_id,
            UUID(job.payload["invitation_id"]),
        )
    )


async def _mark(session: Session, job: Job, state: str) -> None:
    await session.run(
        Sql.of(
            "update invitations set mail = ?, updated_at = now() where workspace_id = ? and id = ?",
            state,
            job.workspace_id,
            UUID(job.payload["invitation_id"]),
        )
    )


def _letter(sender: str, invitation: Row, job: Job, address: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = invitation["email"]
    letter["Subject"] = f"Join {invitation['workspace']} on Ptolemy"
    letter["Date"] = formatdate()
    letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> "))
    # So that no holiday note comes back (RFC 3834).
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(
        f"{job.payload['invited_by']} invites you to the workspace {invitation['workspace']} as its"
        f" {invitation['role']}.\n\n"
        f"To join, open this link:\n\n{address}\n\n"
        f"It works once, until {invitation['expires_at']:%d %B %Y, %H:%M} UTC. If you didn't expect this, ignore it.\n"
    )
    return letter


def _send(server: MailServer, letter: EmailMessage, recipient: str) -> None:
    context = ssl.create_default_context()
    connection = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
        if server.security == "tls"
        else smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    )
    with connection as smtp:
        if server.security == "starttls":
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password or "")
        # The address as it is: never what a parser makes of the header.
        smtp.send_message(letter, to_addrs=[recipient])


def _without(email: str, text: str) -> str:
    """People are in logs by id only; mail servers, and the library, name whom they refuse."""
    return re.sub(re.escape(email), "<who was invited>", text, flags=re.IGNORECASE)


def _is_final(error: Exception) -> bool:
    """Whether the server will say the same again: a code of 5xx about this letter (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, smtplib.SMTPNotSupportedError)
