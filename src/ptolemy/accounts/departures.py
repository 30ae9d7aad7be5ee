"""What ends when a member goes, or gets a role that allows less."""

from __future__ import annotations

from uuid import UUID

from ptolemy.accounts.asking import end_jobs_beyond
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.events.log import Entry, record
from ptolemy.kernel.actors import Role

OPEN_INVITATION = "accepted_at is null and withdrawn_at is null"


async def end_what_is_beyond(tx: Transaction, user_id: UUID, role: Role | None) -> None:
    """Ends a member's jobs that need more than their new role, and an admin's open invitations; None is no role."""
    await end_jobs_beyond(tx, user_id, role)
    if role == "admin":
        return
    # Else they could come back as an admin, by a link that they sent to themselves.
    withdrawn = await tx.rows(
        Sql.of(
            "update invitations set withdrawn_at = now(), updated_at = now()"
            f" where workspace_id = ? and invited_by = ? and {OPEN_INVITATION} returning id, email",
            tx.workspace_id,
            user_id,
        )
    )
    await record(tx, [Entry("invitation.deleted", "invitation", row["id"], row["email"]) for row in withdrawn])
