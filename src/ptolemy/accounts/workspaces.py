"""Workspaces: what one tenant owns, named by a UUID or a slug."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg

from ptolemy.accounts.memberships import add_member
from ptolemy.accounts.names import checked_name
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session, Transaction
from ptolemy.events.log import Entry, record
from ptolemy.kernel.identifiers import UUID_FORM
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, NotFound
from ptolemy.plans import item_quota, overage
from ptolemy.plans.plan import NAMES

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")

Seed = Callable[[Transaction], Awaitable[None]]


def is_slug(text: str) -> bool:
    """Lower-case letters, digits and hyphens, 2 to 63 of them, no hyphen at an end, never in the form of a UUID."""
    return bool(_SLUG.fullmatch(text)) and not UUID_FORM.fullmatch(text)


async def create_workspace(
    tx: Transaction, slug: str, name: str | None, *, creator: UUID | None, seed: Seed, plan: str = "enterprise"
) -> Row:
    """A new workspace with the transaction's `workspace_id`; its creator becomes admin.

    `seed` puts in what every workspace begins with, in the same transaction.
    """
    row = await _insert(tx, slug, name, plan, restored_by=None)
    await record(tx, [Entry("workspace.created", "workspace", row["id"], slug)])
    if creator:
        await add_member(tx, creator, "admin")
    await seed(tx)
    return row


async def reserve_workspace(tx: Transaction, slug: str, name: str | None, job_id: UUID) -> Row:
    """Takes the slug for a workspace that a job is about to bring back; nobody is in it, so nobody gets at it."""
    return await _insert(tx, slug, name, "enterprise", restored_by=job_id)


async def open_reserved(tx: Transaction, job_id: UUID, creator: UUID) -> None:
    """The transaction's workspace is there now, and whoever asked for it is its admin."""
    slug = await tx.value(
        Sql.of(
            "update workspaces set restored_by = null, updated_at = now() where id = ? and restored_by = ?"
            " returning slug",
            tx.workspace_id,
            job_id,
        )
    )
    if slug is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    await record(tx, [Entry("workspace.created", "workspace", tx.workspace_id, slug)])
    await add_member(tx, creator, "admin")


async def give_up_reserved(session: Session, job_id: UUID) -> None:
    """Frees the slug that was taken for a workspace that won't come."""
    await session.run(Sql.of("delete from workspaces where restored_by = ?", job_id))


async def _insert(tx: Transaction, slug: str, name: str | None, plan: str, *, restored_by: UUID | None) -> Row:
    if not is_slug(slug):
        message = "must be 2 to 63 lower-case letters, digits and hyphens, no hyphen first or last, and not a UUID"
        raise Invalid(FieldError("slug", "invalid_slug", message))
    _check_plan(plan)
    statement = Sql.of(
        "insert into workspaces (id, slug, name, plan, restored_by) values (?, ?, ?, ?, ?) returning *",
        tx.workspace_id,
        slug,
        checked_name(name) if name is not None else slug,
        plan,
        restored_by,
    )
    try:
        row = await tx.row(statement)
    except asyncpg.UniqueViolationError:
        detail = f"the slug {slug!r} is taken: choose another"
        raise Conflict("duplicate", detail, (FieldError("slug", "duplicate", detail),)) from None
    assert row is not None  # noqa: S101 - an insert that returns
    await item_quota.assign(tx, empty=True)
    return row


async def set_plan(tx: Transaction, plan: str) -> Row:
    """The transaction's workspace on another plan; `item_quota.count_up` has to follow the commit.

    What is there already stays, even if it is more than the new plan has.
    """
    _check_plan(plan)
    old = await tx.row(Sql.of("select * from workspaces where id = ? for update", tx.workspace_id))
    if old is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    if old["plan"] == plan:
        return old
    new = await tx.row(
        Sql.of("update workspaces set plan = ?, updated_at = now() where id = ? returning *", plan, tx.workspace_id)
    )
    assert new is not None  # noqa: S101 - its row is locked
    await item_quota.assign(tx)
    changes = {"plan": {"from": old["plan"], "to": plan}}
    await record(tx, [Entry("workspace.updated", "workspace", new["id"], new["slug"], changes)])
    return new


async def tell_of_overage(tx: Transaction) -> None:
    """An event for each month and kind in which the workspace has begun to use more than its plan has."""
    begun = await overage.untold(tx)
    if not begun:
        return
    slug = (await workspace(tx, tx.workspace_id))["slug"]
    entries = [
        Entry(
            "plan.overage_started",
            "workspace",
            tx.workspace_id,
            slug,
            {
                "month": {"from": None, "to": f"{row['month']:%Y-%m}"},
                row["kind"]: {"from": None, "to": row["amount"]},
            },
        )
        for row in begun
    ]
    await record(tx, entries)


def _check_plan(plan: str) -> None:
    if plan not in NAMES:
        raise Invalid(FieldError("plan", "invalid_plan", f"must be one of {', '.join(NAMES)}, got {plan!r}"))


async def rename_workspace(tx: Transaction, name: str) -> Row:
    """The transaction's workspace under a new name; its slug stays, since clients have it in their addresses."""
    checked = checked_name(name)
    old = await tx.row(Sql.of("select * from workspaces where id = ? for update", tx.workspace_id))
    if old is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    if old["name"] == checked:
        return old
    new = await tx.row(
        Sql.of("update workspaces set name = ?, updated_at = now() where id = ? returning *", checked, tx.workspace_id)
    )
    assert new is not None  # noqa: S101 - its row is locked
    changes = {"name": {"from": old["name"], "to": checked}}
    await record(tx, [Entry("workspace.updated", "workspace", new["id"], new["slug"], changes)])
    return new


async def workspace(session: Session, workspace_id: UUID) -> Row:
    row = await session.row(Sql.of("select * from workspaces where id = ?", workspace_id))
    if row is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    return row


async def workspace_by_slug(session: Session, slug: str) -> Row:
    """For the operator, who sees all of them."""
    row = await session.row(Sql.of("select * from workspaces where slug = ?", slug))
    if row is None:
        raise NotFound(
            "workspace_not_found", f"there is no workspace {slug!r}: create it with `ptolemy workspace create {slug}`"
        )
    return row


async def workspace_ids(session: Session) -> list[UUID]:
    """All there are, for upkeep."""
    return [row["id"] for row in await session.rows(Sql("select id from workspaces order by id"))]


async def workspaces_of(session: Session, user_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """The workspaces that a person or a robot belongs to, each with their `role`, in order of id behind `after`."""
    statement = Sql.of(
        "select w.*, m.role from memberships m join workspaces w on w.id = m.workspace_id"
        " where m.user_id = ? and (?::uuid is null or w.id > ?) order by w.id limit ?",
        user_id,
        after,
        after,
        limit,
    )
    return await session.rows(statement)
