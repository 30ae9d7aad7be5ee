"""Who loses a role loses the jobs that need it; what is the workspace's stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests import house
from tests.access.callers import new_workspace
from tests.product import Workspace, answered, problem, wait_for
from tests.serving import add_person, configured, serving

Body = dict[str, Any]


@dataclass(frozen=True)
class Office:
    """A workspace on a server whose jobs wait until `worked` lets a worker at them."""

    workspace: Workspace
    database_url: str
    worked: Callable[[], AbstractContextManager[str]]

    def member(self, role: str) -> tuple[httpx.Client, str]:
        """A person in the role, and the address of their membership."""
        email = f"{uuid4().hex}@example.com"
        user_id = asyncio.run(add_person(self.database_url, email))
        membership = uuid4()
        house.finished(self._join(user_id, membership, role))
        login = {"email": email, "password": "a password for tests"}
        token = httpx.post(f"{self.workspace.url}/v1/auth/login", json=login).json()["access_token"]
        return self.workspace.client(token), f"/memberships/{membership}"

    async def _join(self, user_id: UUID, membership: UUID, role: str) -> None:
        driver = await asyncpg.connect(self.database_url)
        try:
            await driver.execute(
                "insert into memberships (workspace_id, id, user_id, role)"
                " select id, $2, $3, $4 from workspaces where slug = $1",
                self.workspace.slug,
                membership,
                user_id,
                role,
            )
        finally:
            await driver.close()

    def ended(self, *addresses: str) -> list[str]:
        """The status of each job, once a worker was there."""

        def over(address: str) -> str | None:
            status = answered(self.workspace.admin.get(address), 200)["status"]
            return status if status not in ("queued", "processing") else None

        with self.worked():
            return [wait_for(lambda address=address: over(address)) for address in addresses]  # type: ignore[misc] # the default is the address


@pytest.fixture(scope="module")
def idle_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("files")
    with serving(replace(configured(database_url, folder), jobs_at_once=0)) as url:
        yield url, folder


@pytest.fixture
def office(idle_url: tuple[str, Path], database_url: str) -> Office:
    url, folder = idle_url
    return Office(new_workspace(url, database_url), database_url, lambda: serving(configured(database_url, folder)))


def asked(client: httpx.Client, path: str, **body: Any) -> str:
    """The address of a job that was asked for."""
    return f"{path.removesuffix('/rehearse')}/{answered(client.post(path, json=body), 202)['id']}"


def test_jobs_of_a_removed_member_are_not_begun(office: Office) -> None:
    client, membership = office.member("editor")
    theirs = [
        asked(client, "/exports", resource_type="instruments"),
        asked(client, "/exports", resource_type="workspace"),
        asked(client, "/backups"),
    ]
    others = asked(office.workspace.admin, "/exports", resource_type="instruments")
    answered(office.workspace.admin.delete(membership), 204)
    assert office.ended(*theirs, others) == ["cancelled", "cancelled", "cancelled", "completed"]
    condition = {"filter": {"field": "event_type", "op": "in", "value": ["export.cancelled", "backup.cancelled"]}}
    assert answered(office.workspace.admin.post("/events/count", json=condition), 200)["count"] == 3


def test_who_leaves_takes_their_jobs_along(office: Office) -> None:
    client, _ = office.member("member")
    theirs = asked(client, "/exports", resource_type="instruments")
    answered(client.delete("/memberships/me"), 204)
    assert office.ended(theirs) == ["cancelled"]


def test_a_lower_role_ends_the_jobs_that_it_may_not_ask_for(office: Office) -> None:
    client, membership = office.member("editor")
    mine = asked(client, "/exports", resource_type="instruments")
    whole = asked(client, "/exports", resource_type="workspace")
    answered(office.workspace.admin.patch(membership, json={"role": "member"}), 200)
    assert office.ended(mine, whole) == ["completed", "cancelled"]


def test_a_higher_role_ends_nothing(office: Office) -> None:
    client, membership = office.member("member")
    mine = asked(client, "/exports", resource_type="instruments")
    answered(office.workspace.admin.patch(membership, json={"role": "admin"}), 200)
    assert office.ended(mine) == ["completed"]


def test_an_import_of_a_robot_that_is_removed_ends_at_its_next_batch(
    workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    workspace.equity()
    lines = "".join(f"i{number},Name,equity\n" for number in range(40_000))
    files = {"file": ("many.csv", f"identifier,name,type_id\n{lines}".encode())}
    data = {"resource_type": "instruments", "on_error": "abort"}
    job = answered(workspace.robot.post("/imports", files=files, data=data), 202)
    path = f"/imports/{job['id']}"
    wait_for(lambda: answered(workspace.admin.get(path), 200)["rows_processed"] or None)
    [robot] = answered(workspace.admin.get("/memberships", params={"type": "robot"}), 200)["data"]
    answered(workspace.admin.delete(f"/memberships/{robot['id']}"), 204)
    ended = wait_for(
        lambda: found if (found := answered(workspace.admin.get(path), 200))["status"] != "processing" else None
    )
    assert (ended["status"], ended["rows_imported"]) == ("cancelled", 0)
    assert answered(workspace.admin.post("/instruments/count", json={}), 200)["count"] == 0
    assert len(events(event_type="import.cancelled")) == 1


def test_a_job_that_is_asked_for_while_the_member_is_removed_is_refused_or_ends(office: Office) -> None:
    """Whoever comes first: no job of a removed member is left to run."""
    accepted = []
    for _ in range(5):
        client, membership = office.member("member")
        with ThreadPoolExecutor(4) as threads:
            tries = [threads.submit(client.post, "/exports", json={"resource_type": "instruments"}) for _ in range(3)]
            removed = threads.submit(office.workspace.admin.delete, membership)
        assert removed.result().status_code == 204
        answers = [each.result() for each in tries]
        assert {answer.status_code for answer in answers} <= {202, 404}
        accepted += [f"/exports/{answer.json()['id']}" for answer in answers if answer.status_code == 202]
    assert set(office.ended(*accepted)) <= {"cancelled"}


def test_what_a_member_made_for_the_workspace_stays_when_they_go(office: Office) -> None:
    client, membership = office.member("admin")
    policy = {"name": "nightly", "schedule": "0 2 * * *", "destination": "s3://a-bucket/backups", "keep_last": 1}
    answered(client.post("/backup-policies", json=policy), 201)
    answered(office.workspace.admin.delete(membership), 204)
    problem(client.get("/invitations"), 404, "workspace_not_found")
    assert answered(office.workspace.admin.get("/backup-policies/nightly"), 200)["active"]
