"""Removing a workspace: access ends at once, and nothing of it stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from ptolemy.accounts.removal import remove_late_arrivals
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.files.local import LocalFiles
from ptolemy.files.s3 import S3Files
from ptolemy.files.store import FileStore
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.problems import NotFound
from ptolemy.plans import items
from tests.backups.archives import contents
from tests.backups.stock import fill_all
from tests.faults.ground import Sight, seeing
from tests.product import Workspace, answered, problem, refused_fields, wait_for
from tests.s3 import bucket

NewWorkspace = Callable[[], Workspace]

HELD = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.relname
"""


@pytest.fixture
def sight(product_database_url: str) -> Iterator[Sight]:
    with seeing(product_database_url) as seen:
        yield seen


@pytest.fixture(params=["local", "s3"])
def files_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileStore]:
    """A store of each kind."""
    if request.param == "local":
        yield LocalFiles(tmp_path / "files")
        return
    with bucket() as made:
        yield S3Files(f"{made.url}/files")


def id_of(workspace: Workspace) -> UUID:
    return UUID(answered(workspace.admin.get("/"), 200)["id"])


def removed(workspace: Workspace) -> httpx.Response:
    return workspace.admin.delete("/", params={"confirm": workspace.slug})


def held(sight: Sight, workspace_id: UUID) -> dict[str, int]:
    """How many rows there are of the workspace, by table of the database's catalog."""
    counts = {
        table: sight.value(f"select count(*) from {table} where workspace_id = $1", workspace_id)
        for table in sight.column(HELD)
    }
    return {table: count for table, count in counts.items() if count}


def gone(sight: Sight, workspace_id: UUID, files: Path) -> bool | None:
    """True once nothing is left."""
    left = [path for path in files.glob(f"{workspace_id}/**/*") if path.is_file()]
    return True if not held(sight, workspace_id) and not left else None


def test_a_removed_workspace_leaves_neither_a_row_nor_a_file(
    workspace: Workspace, new_workspace: NewWorkspace, sight: Sight, product_files: Path
) -> None:
    fill_all(workspace)
    workspace.export("instruments")
    workspace.import_file("instruments", b"[{}]", "continue")
    upload = answered(workspace.robot.post("/uploads", json={}), 201)
    answered(workspace.robot.put(f"/uploads/{upload['id']}/parts/1", content=b"part"), 200)
    other = new_workspace()
    other.equity()
    before, workspace_id = contents(other.export_workspace()), id_of(workspace)
    kept = held(sight, id_of(other))
    assert {"events", "time_series_values", "upload_parts", "tokens"} <= held(sight, workspace_id).keys()
    assert answered(removed(workspace), 204) == {}
    wait_for(lambda: gone(sight, workspace_id, product_files))
    # The calls of the other are counted a moment after they were answered.
    assert held(sight, id_of(other)) | {"call_counts": 1} == kept | {"call_counts": 1}
    assert contents(other.export_workspace()) == before


def test_access_to_a_removed_workspace_ends_at_once(workspace: Workspace) -> None:
    robot = workspace.robot
    assert robot.get("/instruments").status_code == 200
    answered(removed(workspace), 204)
    problem(robot.get("/instruments"), 401, "invalid_token")
    problem(workspace.admin.get("/instruments"), 404, "workspace_not_found")
    problem(removed(workspace), 404, "workspace_not_found")
    mine = httpx.get(f"{workspace.url}/v1/workspaces", headers=workspace.admin.headers, params={"limit": 200})
    assert workspace.slug not in [each["slug"] for each in answered(mine, 200)["data"]]


def test_the_slug_of_a_removed_workspace_is_free_again(workspace: Workspace) -> None:
    answered(workspace.admin.post("/series", json={"identifier": "old"}), 201)
    answered(removed(workspace), 204)
    again = httpx.post(f"{workspace.url}/v1/workspaces", json={"slug": workspace.slug}, headers=workspace.admin.headers)
    answered(again, 201)
    assert answered(workspace.admin.get("/series"), 200)["data"] == []


@pytest.mark.parametrize("confirm", ["", "acme", "{id}", "{slug} "])
def test_a_workspace_is_removed_only_where_its_slug_is_typed(confirm: str, workspace: Workspace) -> None:
    said = confirm.format(id=id_of(workspace), slug=workspace.slug)
    assert refused_fields(workspace.admin.delete("/", params={"confirm": said})) == {"confirm": "not_confirmed"}
    assert answered(workspace.admin.get("/"), 200)["slug"] == workspace.slug


def test_a_workspace_is_not_removed_without_confirmation(workspace: Workspace) -> None:
    assert list(refused_fields(workspace.admin.delete("/"))) == ["confirm"]


def test_the_log_tells_who_removed_a_workspace_by_id_only(workspace: Workspace) -> None:
    me = answered(workspace.admin.get("/memberships/me"), 200)
    workspace_id = str(id_of(workspace))
    with capture_logs() as told:
        assert removed(workspace).status_code == 204
    [line] = [each for each in told if each["event"] == "workspace_removed" and each["workspace_id"] == workspace_id]
    assert (line["actor_type"], line["actor_id"]) == ("human", me["user_id"])
    assert me["email"] not in str(line)


def test_only_an_admin_removes_a_workspace(workspace: Workspace) -> None:
    problem(workspace.robot.delete("/", params={"confirm": workspace.slug}), 403, "forbidden")


def test_a_robots_account_goes_with_its_workspace_and_the_people_stay(workspace: Workspace, sight: Sight) -> None:
    token = workspace.token("viewer")
    members = answered(workspace.admin.get("/memberships"), 200)["data"]
    robots = [UUID(each["user_id"]) for each in members if each["type"] == "robot"]
    people = [UUID(each["user_id"]) for each in members if each["type"] == "human"]
    assert robots and people
    answered(removed(workspace), 204)
    problem(workspace.client(token).get("/instruments"), 401, "invalid_token")
    assert sight.column("select id from users where id = any($1)", [*robots, *people]) == people


def test_the_indexes_of_custom_fields_go_with_their_workspace(
    workspace: Workspace, sight: Sight, product_files: Path
) -> None:
    workspace.equity()
    workspace_id, type_id, index = id_of(workspace), uuid4(), uuid4()
    sight.rows(
        "insert into custom_field_indexes (workspace_id, id, table_name, type_id, field_key, data_type, state)"
        " values ($1, $2, 'instruments', $3, 'sector', 'text', 'ready')",
        workspace_id,
        index,
        type_id,
    )
    sight.rows(f"create index cfi_{index.hex} on instruments (workspace_id, id) where workspace_id = '{workspace_id}'")
    sight.rows(f"create statistics cfi_{index.hex} on workspace_id, type_id from instruments")
    sight.rows(f"alter statistics cfi_{index.hex} owner to ptolemy_owner")
    answered(removed(workspace), 204)
    wait_for(lambda: gone(sight, workspace_id, product_files))
    named = (
        "select relname from pg_class where relname = $1"
        " union all select stxname from pg_statistic_ext where stxname = $1"
    )
    assert sight.column(named, f"cfi_{index.hex}") == []


def test_a_job_that_runs_as_its_workspace_is_removed_ends_and_leaves_nothing(
    workspace: Workspace, sight: Sight, product_files: Path
) -> None:
    workspace.equity()
    workspace_id = id_of(workspace)
    rows = b"".join(b'{"identifier":"i%d","name":"n","type_id":"equity"}\n' for n in range(20_000))
    data = {"resource_type": "instruments", "on_error": "continue"}
    job = answered(workspace.robot.post("/imports", files={"file": ("i.ndjson", rows)}, data=data), 202)
    stored = "select true from imports where id = $1 and rows_processed > 0"
    wait_for(lambda: sight.value(stored, UUID(job["id"])))
    answered(removed(workspace), 204)
    wait_for(lambda: gone(sight, workspace_id, product_files))
    # A batch that was under way commits nothing: its fence finds no job.
    assert sight.column("select id from jobs where id = $1", UUID(job["id"])) == []
    assert held(sight, workspace_id) == {}


def test_writers_amid_a_removal_are_refused_and_never_fail(workspace: Workspace) -> None:
    workspace.equity()
    robot, admin, statuses, started = workspace.robot, workspace.admin, list[int](), threading.Barrier(4)

    def write(client: httpx.Client, path: str, body: dict[str, str]) -> None:
        started.wait()
        for number in range(500):
            named = {key: value.format(number) for key, value in body.items()}
            statuses.append(client.post(path, json=named).status_code)
            if statuses[-1] in (401, 404):
                return

    instrument = {"identifier": "i{}", "name": "I", "type_id": "equity"}
    work = [
        (robot, "/instruments", instrument),
        (robot, "/exports", {"resource_type": "instruments"}),
        (admin, "/memberships/robots", {"name": "r{}", "role": "viewer"}),
    ]
    writing = [threading.Thread(target=write, args=each) for each in work]
    for thread in writing:
        thread.start()
    started.wait()
    wait_for(lambda: True if len(statuses) > 20 else None)
    answered(removed(workspace), 204)
    for thread in writing:
        thread.join()
    assert set(statuses) <= {201, 202, 401, 404}


async def test_what_turns_up_late_of_a_removed_workspace_is_removed_by_upkeep(
    product_database_url: str, sight: Sight, files_anywhere: FileStore
) -> None:
    workspace_id, key = uuid4(), f"{uuid4()}/exports/kept"
    late = f"{workspace_id}/imports/late"
    for each in (key, late):
        await files_anywhere.put(each, BytesIO(b"late"))
    database = await Database.open(product_database_url, app_connections=2, owner_connections=2)
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        await items.count(tx, {"instruments": 1})
        await tx.run(Sql.of("insert into removed_workspaces (id) values (?)", workspace_id))
    await remove_late_arrivals(database, files_anywhere, lambda: None)
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        assert await items.usage(tx) == {}
        forgotten = "update removed_workspaces set removed_at = now() - interval '8 days' where id = ? returning id"
        assert await tx.rows(Sql.of(forgotten, workspace_id))
    assert await files_anywhere.size(key) == 4
    with pytest.raises(NotFound):
        await files_anywhere.size(late)
    await remove_late_arrivals(database, files_anywhere, lambda: None)
    async with database.session() as session:
        assert not await session.rows(Sql.of("select id from removed_workspaces where id = ?", workspace_id))
    await database.close()
