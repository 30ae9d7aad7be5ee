"""Workspaces, who is in them, and what leaving does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ptolemy.accounts.access import authenticate
from ptolemy.accounts.memberships import add_member, change_role, remove_member
from ptolemy.accounts.people import create_person
from ptolemy.accounts.robots import create_robot, robots
from ptolemy.accounts.tokens import issue_token
from ptolemy.accounts.workspaces import create_workspace, rename_workspace, workspaces_of
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict, Invalid, NotFound, Unauthorized
from tests.accounts.office import PASSWORD, Office, no_seed


async def test_the_creator_of_a_workspace_is_its_admin(office: Office) -> None:
    assert (await office.members())[office.email]["role"] == "admin"
    assert (await office.events())[:2] == [("workspace.created", office.slug), ("membership.created", office.email)]
    async with office.database.session() as session:
        [mine] = await workspaces_of(session, office.admin_id, after=None, limit=10)
    assert (mine["id"], mine["slug"], mine["name"], mine["role"]) == (
        office.workspace_id,
        office.slug,
        office.slug,
        "admin",
    )


@pytest.mark.parametrize(
    "slug",
    ["", "a", "A1", "a b", "a_b", "x" * 64, "ü-1", "-acme", "acme-", "--", "0190aaaa-0000-7000-8000-00000000abcd"],
)
async def test_a_slug_of_the_wrong_form_is_refused(office: Office, slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        async with office.database.transaction(Caller(uuid7(), SYSTEM)) as tx:
            await create_workspace(tx, slug, None, creator=None, seed=no_seed)
    assert refused.value.errors[0].field == "slug"


async def test_a_slug_that_is_taken_is_a_conflict(office: Office) -> None:
    with pytest.raises(Conflict) as refused:
        async with office.database.transaction(Caller(uuid7(), SYSTEM)) as tx:
            await create_workspace(tx, office.slug, None, creator=None, seed=no_seed)
    assert refused.value.code == "duplicate"


async def test_a_workspace_whose_seed_fails_is_not_there(office: Office) -> None:
    async def broken(tx: Transaction) -> None:
        raise Conflict("broken", "the seed broke")

    caller = Caller(uuid7(), SYSTEM)
    with pytest.raises(Conflict):
        async with office.database.transaction(caller) as tx:
            await create_workspace(tx, f"{office.slug}-2", None, creator=office.admin_id, seed=broken)
    async with office.database.session() as session:
        assert len(await workspaces_of(session, office.admin_id, after=None, limit=10)) == 1


async def test_renaming_a_workspace_writes_one_event_and_doing_it_again_none(office: Office) -> None:
    for _ in range(2):
        async with office.database.transaction(office.caller) as tx:
            row = await rename_workspace(tx, "Acme Research")
    assert row["name"] == "Acme Research"
    assert (await office.events()).count(("workspace.updated", office.slug)) == 1


async def test_removing_a_robot_revokes_all_its_tokens(office: Office) -> None:
    async with office.database.transaction(office.caller) as tx:
        second, _ = await issue_token(tx, office.robot_id)
    loader = (await office.members())["loader"]
    async with office.database.transaction(office.caller) as tx:
        await remove_member(tx, loader["id"])
    for token in (office.token, second):
        with pytest.raises(Unauthorized):
            await authenticate(office.database, token, office.slug)
    async with office.database.session() as session:
        active = "select count(*) from tokens where workspace_id = ? and revoked_at is null"
        assert await session.value(Sql.of(active, office.workspace_id)) == 0
    events = await office.events()
    assert events[-1] == ("membership.deleted", "loader")
    assert {("token.deleted", office.token[-6:]), ("token.deleted", second[-6:])} <= set(events)


async def test_the_last_admin_can_neither_be_removed_nor_demoted(office: Office) -> None:
    ann = (await office.members())[office.email]
    with pytest.raises(Conflict) as removed:
        async with office.database.transaction(office.caller) as tx:
            await remove_member(tx, ann["id"])
    with pytest.raises(Conflict) as demoted:
        async with office.database.transaction(office.caller) as tx:
            await change_role(tx, ann["id"], "editor")
    assert removed.value.code == demoted.value.code == "last_admin"


async def test_two_admins_who_leave_at_once_do_not_both_get_away(office: Office) -> None:
    async with office.database.transaction(office.caller) as tx:
        bob = await create_person(tx, office.passwords, f"bob.{office.slug}@example.com", PASSWORD)
        await add_member(tx, bob["id"], "admin")
    members = await office.members()

    async def leave() -> None:
        async with office.database.transaction(office.caller) as tx:
            await remove_member(tx, members[office.email]["id"])

    async with office.database.transaction(office.caller) as tx:
        await remove_member(tx, members[f"bob.{office.slug}@example.com"]["id"])
        second = asyncio.create_task(leave())
        waiting = Sql("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        while not second.done() and not await tx.value(waiting):
            pass
    with pytest.raises(Conflict):
        await second


async def test_a_role_that_changes_counts_from_the_next_request_on(office: Office) -> None:
    loader = (await office.members())["loader"]
    for _ in range(2):
        async with office.database.transaction(office.caller) as tx:
            await change_role(tx, loader["id"], "viewer")
    assert (await authenticate(office.database, office.token, office.slug)).role == "viewer"
    assert (await office.events()).count(("membership.updated", "loader")) == 1


@pytest.mark.parametrize("role", ["editor", "admin", "owner", "", "Viewer"])
async def test_a_robot_is_viewer_or_member_only(office: Office, role: str) -> None:
    loader = (await office.members())["loader"]
    async with office.database.transaction(office.caller) as tx:
        with pytest.raises(Invalid) as created:
            await create_robot(tx, "another", role)
        with pytest.raises(Invalid):
            await change_role(tx, loader["id"], role)
    assert created.value.errors[0].field == "role"


async def test_nobody_is_twice_in_a_workspace(office: Office) -> None:
    with pytest.raises(Conflict):
        async with office.database.transaction(office.caller) as tx:
            await add_member(tx, office.admin_id, "viewer")


async def test_members_of_another_workspace_are_not_found(office: Office) -> None:
    loader = (await office.members())["loader"]
    elsewhere = Caller(uuid7(), SYSTEM)
    async with office.database.transaction(elsewhere) as tx:
        await create_workspace(tx, f"{office.slug}-else", None, creator=office.admin_id, seed=no_seed)
        with pytest.raises(NotFound):
            await remove_member(tx, loader["id"])
        with pytest.raises(NotFound):
            await issue_token(tx, office.robot_id)


async def test_robots_are_listed_in_pages(office: Office) -> None:
    async with office.database.transaction(office.caller) as tx:
        for number in range(4):
            await create_robot(tx, f"robot {number}", "viewer")
        first = await robots(tx, after=None, limit=3)
        rest = await robots(tx, after=first[-1]["id"], limit=3)
    assert [row["name"] for row in [*first, *rest]] == ["loader", *(f"robot {number}" for number in range(4))]


async def test_a_token_can_not_expire_in_the_past(office: Office) -> None:
    with pytest.raises(Invalid) as refused:
        async with office.database.transaction(office.caller) as tx:
            await issue_token(tx, office.robot_id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert refused.value.errors[0].field == "expires_at"
