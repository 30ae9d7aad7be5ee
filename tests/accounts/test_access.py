"""Who gets in, as whom, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

import pytest

from ptolemy.accounts.access import NOWHERE, authenticate
from ptolemy.accounts.credentials import Kind, kind_of, new_secret
from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.sessions import end_session
from ptolemy.accounts.tokens import issue_token, revoke_token, tokens
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.kernel.problems import NotFound, Unauthorized
from tests.accounts.office import Office, open_office


async def test_a_robots_token_opens_its_workspace_by_uuid_and_by_slug(office: Office) -> None:
    for named in (office.slug, str(office.workspace_id), str(office.workspace_id).upper(), None):
        access = await authenticate(office.database, office.token, named, request_id="r1")
        assert access.caller.workspace_id == office.workspace_id
        assert (access.caller.actor.type, access.caller.actor.name, access.role) == ("robot", "loader", "member")
        assert access.caller.request_id == "r1"


async def test_a_persons_token_has_the_role_of_their_membership(office: Office) -> None:
    bearer = await office.sign_in()
    for named in (office.slug, str(office.workspace_id)):
        access = await authenticate(office.database, bearer, named)
        assert (access.user_id, access.role, access.caller.actor.name) == (office.admin_id, "admin", "Ann")
        assert access.caller.workspace_id == office.workspace_id


async def test_a_person_in_no_workspace_in_particular_is_nowhere(office: Office) -> None:
    access = await authenticate(office.database, await office.sign_in(), None)
    assert (access.caller.workspace_id, access.role) == (NOWHERE, "viewer")


async def test_another_workspace_is_not_found_whether_it_exists_or_not(office: Office, passwords: Passwords) -> None:
    other = await open_office(office.database, passwords)
    for bearer in (office.token, await office.sign_in()):
        for named in (other.slug, str(other.workspace_id), "no-such-place", str(uuid4()), "a\0b", "É", "x" * 5000):
            with pytest.raises(NotFound) as refused:
                await authenticate(office.database, bearer, named)
            assert refused.value.code == "workspace_not_found"


@pytest.mark.parametrize(
    "bearer", ["", "x", "ptk_live_" + "0" * 64, "pth_" + "0" * 64, "ptk_live_ü\0", "pthr_" + "0" * 64]
)
async def test_a_token_that_is_not_ours_is_refused(database: Database, bearer: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        await authenticate(database, bearer, None)
    assert refused.value.code == "invalid_token"


async def test_a_revoked_token_is_refused_and_listed_as_revoked(office: Office) -> None:
    access = await authenticate(office.database, office.token, office.slug)
    async with office.database.transaction(office.caller) as tx:
        await revoke_token(tx, office.robot_id, access.credential_id)
        await revoke_token(tx, office.robot_id, access.credential_id)
        [kept] = await tokens(tx, office.robot_id, after=None, limit=10)
    assert (kept["state"], kept["token_suffix"]) == ("revoked", office.token[-6:])
    with pytest.raises(Unauthorized) as refused:
        await authenticate(office.database, office.token, office.slug)
    assert refused.value.code == "token_revoked"
    assert (await office.events()).count(("token.deleted", office.token[-6:])) == 1


async def test_an_expired_token_is_refused(office: Office) -> None:
    async with office.database.transaction(office.caller) as tx:
        soon = datetime.now(UTC) + timedelta(days=1)
        secret, row = await issue_token(tx, office.robot_id, expires_at=soon)
        assert row["state"] == "active"
        await tx.run(
            Sql.of(
                "update tokens set expires_at = now() where workspace_id = ? and id = ?", office.workspace_id, row["id"]
            )
        )
    with pytest.raises(Unauthorized) as refused:
        await authenticate(office.database, secret, office.slug)
    assert refused.value.code == "token_expired"


async def test_a_sign_in_that_ended_opens_nothing(office: Office) -> None:
    bearer = await office.sign_in()
    access = await authenticate(office.database, bearer, office.slug)
    async with office.database.session() as session:
        await end_session(session, access.credential_id)
    with pytest.raises(Unauthorized):
        await authenticate(office.database, bearer, office.slug)


async def test_the_use_of_a_token_is_noted_once_a_minute(office: Office) -> None:
    async def last_used() -> datetime | None:
        async with office.database.transaction(office.caller) as tx:
            [row] = await tokens(tx, office.robot_id, after=None, limit=10)
        used: datetime | None = row["last_used_at"]
        return used

    assert await last_used() is None
    await authenticate(office.database, office.token, office.slug)
    first = await last_used()
    assert first is not None
    await authenticate(office.database, office.token, office.slug)
    assert await last_used() == first
    async with office.database.transaction(office.caller) as tx:
        await tx.run(
            Sql.of(
                "update tokens set last_used_at = now() - interval '61 seconds' where workspace_id = ?",
                office.workspace_id,
            )
        )
    await authenticate(office.database, office.token, office.slug)
    again = await last_used()
    assert again is not None and again > first - timedelta(seconds=61)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_secret_has_256_bits_and_is_never_the_same(kind: Kind) -> None:
    made = {new_secret(kind) for _ in range(1000)}
    assert len(made) == 1000
    assert {len(bytes.fromhex(secret.rpartition("_")[2])) for secret in made} == {32}
    assert {kind_of(secret) for secret in made} == {kind}


async def test_secrets_are_stored_as_hashes_only(office: Office) -> None:
    bearer = await office.sign_in()
    async with office.database.session() as session:
        stored = [
            str(dict(row))
            for table in ("tokens", "sessions", "users")
            for row in await session.rows(Sql(f"select * from {table}"))
        ]
    assert not [row for row in stored if office.token in row or bearer in row or office.token[9:] in row]
