"""`Idempotency-Key`: a request that is sent twice is done once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ptolemy.accounts.access import NOWHERE
from ptolemy.api import idempotency
from ptolemy.app import operations
from tests import house
from tests.crowd import at_once, crowd
from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace, answered, problem, refused_fields, wait_for

NEW = {"identifier": "new", "name": "New", "type_id": "equity"}
WAITING = (
    "select pid from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock' and query like '%instrument_types%'"
)
"""Who waits for the type that a test holds."""


@pytest.fixture
def shop(workspace: Workspace) -> Stock:
    return stock(workspace)


@pytest.fixture
def sql(product_database_url: str) -> Callable[..., list[asyncpg.Record]]:
    """Looks into the product's database, or reaches into it."""

    async def run(statement: str, args: tuple[object, ...]) -> list[asyncpg.Record]:
        driver = await asyncpg.connect(product_database_url)
        try:
            return list(await driver.fetch(statement, *args))
        finally:
            await driver.close()

    return lambda statement, *args: house.finished(run(statement, args))


@pytest.fixture
def held_type(shop: Stock, product_database_url: str) -> Iterator[threading.Event]:
    """Holds the type that new instruments refer to, so that they wait, until it is let go."""
    held, let_go = threading.Event(), threading.Event()

    async def hold() -> None:
        driver = await asyncpg.connect(product_database_url)
        async with driver.transaction():
            await driver.fetch(
                "select from instrument_types t join workspaces w on w.id = t.workspace_id"
                " where w.slug = $1 for update of t",
                shop.workspace.slug,
            )
            held.set()
            await asyncio.to_thread(let_go.wait)
        await driver.close()

    holding = threading.Thread(target=lambda: asyncio.run(hold()))
    holding.start()
    assert held.wait(60)
    yield let_go
    let_go.set()
    holding.join()


def keyed(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def same(first: httpx.Response, second: httpx.Response) -> bool:
    """Whether the second answer is the first one again, and says so."""
    own = {"date", "x-request-id", "idempotency-replayed"}
    headers = [{name: value for name, value in each.headers.items() if name not in own} for each in (first, second)]
    assert "idempotency-replayed" not in first.headers
    assert second.headers.get("idempotency-replayed") == "true", second.text
    return (first.status_code, first.content, headers[0]) == (second.status_code, second.content, headers[1])


def test_a_creation_sent_twice_is_done_once(shop: Stock, events: Callable[..., list[dict[str, Any]]]) -> None:
    robot, headers = shop.workspace.robot, keyed()
    first = robot.post("/instruments", json=NEW, headers=headers)
    created = answered(first, 201)
    assert {"location", "etag"} <= first.headers.keys()
    assert same(first, robot.post("/instruments", json=NEW, headers=headers))
    assert [event["event_type"] for event in events(resource_id=created["id"])] == ["instrument.created"]


def test_the_answer_stays_what_it_was_whatever_happens_to_the_record(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    first = robot.post("/instruments", json=NEW, headers=headers)
    answered(robot.delete("/instruments/new?hard=true"), 204)
    assert same(first, robot.post("/instruments", json=NEW, headers=headers))
    problem(robot.get("/instruments/new"), 404, "not_found")


def test_without_a_key_and_with_another_one_it_is_another_request(shop: Stock) -> None:
    robot = shop.workspace.robot
    answered(robot.post("/instruments", json=NEW, headers=keyed()), 201)
    problem(robot.post("/instruments", json=NEW, headers=keyed()), 409, "duplicate")
    problem(robot.post("/instruments", json=NEW), 409, "duplicate")


@pytest.mark.parametrize(
    ("path", "body"),
    [("/instruments", {**NEW, "name": "Other"}), ("/markets", {**NEW, "type_id": "exchange"})],
    ids=["another body", "another address"],
)
def test_a_key_is_for_one_request(shop: Stock, path: str, body: dict[str, Any]) -> None:
    robot, headers = shop.workspace.robot, keyed()
    answered(robot.post("/instruments", json=NEW, headers=headers), 201)
    refusal = problem(robot.post(path, json=body, headers=headers), 422, "idempotency_key_reused")
    assert [error["field"] for error in refusal["errors"]] == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "x" * 256, "ü"])
def test_a_key_that_can_t_be_one_is_refused(shop: Stock, key: str) -> None:
    headers = {"idempotency-key": key.encode("latin-1")}
    response = shop.workspace.robot.post("/instruments", json=NEW, headers=headers)  # type: ignore[arg-type] # bytes are fine
    assert refused_fields(response) == {"Idempotency-Key": "invalid_idempotency_key"}
    problem(shop.workspace.robot.get("/instruments/new"), 404, "not_found")


def test_two_keys_are_refused(shop: Stock) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "b")]
    response = shop.workspace.robot.post("/instruments", json=NEW, headers=headers)
    assert refused_fields(response) == {"Idempotency-Key": "repeated"}


def test_a_long_key_of_any_visible_characters_is_taken(shop: Stock) -> None:
    headers = keyed('"~!' + "x" * 252)
    first = shop.workspace.robot.post("/instruments", json=NEW, headers=headers)
    assert same(first, shop.workspace.robot.post("/instruments", json=NEW, headers=headers))


def test_a_refusal_is_answered_again_although_its_reason_is_gone(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    body = {**NEW, "identifier": "bhp.ax"}
    first = robot.post("/instruments", json=body, headers=headers)
    problem(first, 409, "duplicate")
    answered(robot.delete("/instruments/bhp.ax"), 204)
    assert same(first, robot.post("/instruments", json=body, headers=headers))


def test_values_that_are_refused_leave_the_key_free(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    problem(robot.post("/instruments", json={**NEW, "name": 5}, headers=headers), 422, "invalid_values")
    answered(robot.post("/instruments", json=NEW, headers=headers), 201)


def test_what_the_rules_of_the_resource_refuse_is_answered_again(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    first = robot.post("/instruments", json={**NEW, "type_id": "later"}, headers=headers)
    assert refused_fields(first) == {"type_id": "unknown_reference"}
    shop.workspace.create("instrument-types", identifier="later")
    assert same(first, robot.post("/instruments", json={**NEW, "type_id": "later"}, headers=headers))


def test_callers_and_workspaces_have_keys_of_their_own(shop: Stock, new_workspace: Callable[[], Workspace]) -> None:
    headers, other = keyed(), stock(new_workspace()).workspace
    answered(shop.workspace.robot.post("/instruments", json=NEW, headers=headers), 201)
    problem(shop.workspace.admin.post("/instruments", json=NEW, headers=headers), 409, "duplicate")
    answered(other.admin.post("/instruments", json=NEW, headers=headers), 201)


def test_a_restore_sent_twice_is_done_once(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    shop.archive("instruments", shop.instrument)
    first = robot.post("/instruments/bhp.ax/restore", headers=headers)
    answered(first, 200)
    assert same(first, robot.post("/instruments/bhp.ax/restore", headers=headers))
    problem(robot.post("/instruments/bhp.ax/restore"), 409, "not_archived")


def test_a_post_that_only_reads_takes_no_key(shop: Stock) -> None:
    headers = keyed("no good key")
    for path in ("/instruments/filter", "/instruments/count"):
        answered(shop.workspace.robot.post(path, json={}, headers=headers), 200)


def test_a_workspace_is_created_once(workspace: Workspace) -> None:
    body, headers = {"slug": f"w-{uuid4().hex}"}, keyed()
    address = f"{workspace.url}/v1/workspaces"
    first = workspace.admin.post(address, json=body, headers=headers)
    answered(first, 201)
    assert same(first, workspace.admin.post(address, json=body, headers=headers))
    # What comes with a workspace lies in it, although the key lies nowhere.
    created = Workspace(workspace.url, body["slug"], workspace.admin_token)
    assert len(answered(created.admin.get("/market-listing-statuses"), 200)["data"]) == 3
    taken = workspace.admin.post(address, json=body, headers=keyed())
    problem(taken, 409, "duplicate")


def test_a_refused_workspace_is_refused_again(workspace: Workspace) -> None:
    address, headers = f"{workspace.url}/v1/workspaces", keyed()
    first = workspace.admin.post(address, json={"slug": workspace.slug}, headers=headers)
    problem(first, 409, "duplicate")
    assert same(first, workspace.admin.post(address, json={"slug": workspace.slug}, headers=headers))


def test_a_secret_is_neither_kept_nor_made_twice(
    workspace: Workspace, sql: Callable[..., list[asyncpg.Record]]
) -> None:
    robot = answered(workspace.admin.post("/memberships/robots", json={"name": "r"}, headers=keyed()), 201)
    path, headers = f"/memberships/robots/{robot['id']}/tokens", keyed()
    first = workspace.admin.post(path, json={}, headers=headers)
    secret = answered(first, 201)["token"]
    again = problem(workspace.admin.post(path, json={}, headers=headers), 409, "idempotency_key_used")
    assert again["location"] == first.headers["location"]
    assert len(answered(workspace.admin.get(path), 200)["data"]) == 1
    kept = sql("select coalesce(body, '')::text || coalesce(headers::text, '') as said from idempotency_keys")
    assert kept
    assert not [row for row in kept if secret in row["said"] or secret.encode().hex() in row["said"]]


def test_an_answer_too_large_to_keep_is_told_to_be_done(shop: Stock) -> None:
    robot, headers = shop.workspace.robot, keyed()
    body = {**NEW, "extras": {"long": "x" * idempotency.MAX_KEPT_BYTES}}
    first = robot.post("/instruments", json=body, headers=headers)
    answered(first, 201)
    again = problem(robot.post("/instruments", json=body, headers=headers), 409, "idempotency_key_used")
    assert again["location"] == first.headers["location"]


def test_an_export_sent_twice_is_one_job(shop: Stock) -> None:
    robot, headers, body = shop.workspace.robot, keyed(), {"resource_type": "instruments"}
    first = robot.post("/exports", json=body, headers=headers)
    job = answered(first, 202)
    assert same(first, robot.post("/exports", json=body, headers=headers))
    assert [each["id"] for each in answered(robot.get("/exports"), 200)["data"]] == [job["id"]]
    cancel = f"/exports/{job['id']}/cancel"
    shop.workspace.finished("exports", job)
    ended = robot.post(cancel, headers=headers | keyed())
    assert answered(ended, 200)["status"] == "completed"


ROWS = json.dumps([{**NEW, "identifier": f"i{number}"} for number in range(3)]).encode()


def imported(workspace: Workspace, headers: dict[str, str], rows: bytes = ROWS, **form: str) -> httpx.Response:
    data = {"resource_type": "instruments", **form}
    return workspace.robot.post("/imports", files={"file": ("i.json", rows)}, data=data, headers=headers)


def test_an_import_sent_twice_is_one_job(shop: Stock) -> None:
    workspace, headers = shop.workspace, keyed()
    first = imported(workspace, headers)
    job = answered(first, 202)
    assert same(first, imported(workspace, headers))
    assert workspace.finished("imports", job)["rows_imported"] == 3
    assert same(first, imported(workspace, headers))
    assert [each["id"] for each in answered(workspace.robot.get("/imports"), 200)["data"]] == [job["id"]]


def test_an_import_of_another_file_or_form_needs_another_key(shop: Stock) -> None:
    workspace, headers = shop.workspace, keyed()
    workspace.finished("imports", answered(imported(workspace, headers), 202))
    problem(imported(workspace, headers, ROWS + b" "), 422, "idempotency_key_reused")
    problem(imported(workspace, headers, on_error="continue"), 422, "idempotency_key_reused")


def test_an_import_that_is_done_already_leaves_no_second_file(shop: Stock, product_files: Path) -> None:
    workspace, headers = shop.workspace, keyed()
    workspace.finished("imports", answered(imported(workspace, headers), 202))
    workspace_id = answered(workspace.admin.get("/"), 200)["id"]
    folder = product_files / workspace_id / "imports"
    before = sorted(path.name for path in folder.glob("*"))
    answered(imported(workspace, headers), 202)
    problem(imported(workspace, headers, ROWS + b" "), 422, "idempotency_key_reused")
    assert sorted(path.name for path in folder.glob("*")) == before


def test_a_cancelled_import_is_told_again(shop: Stock) -> None:
    workspace, headers = shop.workspace, keyed()
    job = answered(imported(workspace, keyed()), 202)
    workspace.finished("imports", job)
    first = workspace.robot.post(f"/imports/{job['id']}/cancel", headers=headers)
    answered(first, 200)
    assert same(first, workspace.robot.post(f"/imports/{job['id']}/cancel", headers=headers))


def test_many_equal_requests_at_once_are_done_once(shop: Stock, events: Callable[..., list[dict[str, Any]]]) -> None:
    headers = keyed()
    with crowd(shop.workspace) as clients:
        answers = at_once(clients, lambda client, _: client.post("/instruments", json=NEW, headers=headers))
    [first] = [answer for answer in answers if "idempotency-replayed" not in answer.headers]
    assert answered(first, 201)["identifier"] == "new"
    assert all(same(first, answer) for answer in answers if answer is not first)
    assert len(events(resource_identifier="new")) == 1


def test_many_equal_imports_at_once_are_one_job(shop: Stock) -> None:
    headers, data, files = keyed(), {"resource_type": "instruments"}, {"file": ("i.json", ROWS)}
    with crowd(shop.workspace) as clients:
        answers = at_once(clients, lambda client, _: client.post("/imports", data=data, files=files, headers=headers))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert shop.workspace.finished("imports", answers[0].json())["rows_imported"] == 3


def test_a_request_in_progress_makes_its_repeat_wait_and_then_come_back_later(
    shop: Stock, held_type: threading.Event, sql: Callable[..., list[asyncpg.Record]]
) -> None:
    headers, workspace = keyed(), shop.workspace
    token = workspace.token("member")
    with ThreadPoolExecutor(1) as threads, workspace.client(token) as client, workspace.client(token) as other:
        first = threads.submit(client.post, "/instruments", json=NEW, headers=headers)
        wait_for(lambda: sql(WAITING) or None)
        second = other.post("/instruments", json=NEW, headers=headers)
        problem(second, 409, "idempotency_in_progress")
        assert int(second.headers["retry-after"]) >= 1
        held_type.set()
        assert same(first.result(), other.post("/instruments", json=NEW, headers=headers))


def test_a_key_is_free_again_after_the_database_was_lost(
    shop: Stock, held_type: threading.Event, sql: Callable[..., list[asyncpg.Record]]
) -> None:
    headers, robot = keyed(), shop.workspace.robot
    with ThreadPoolExecutor(1) as threads:
        failing = threads.submit(robot.post, "/instruments", json=NEW, headers=headers)
        wait_for(lambda: sql(WAITING.replace("pid", "pg_terminate_backend(pid)")) or None)
        problem(failing.result(), 503, "database_unavailable")
    held_type.set()
    created = answered(robot.post("/instruments", json=NEW, headers=headers), 201)
    assert shop.get("instruments", "new") == created


def test_an_answer_is_good_for_a_day(shop: Stock, sql: Callable[..., list[asyncpg.Record]]) -> None:
    robot, headers = shop.workspace.robot, keyed()
    first = robot.post("/instruments", json=NEW, headers=headers)
    make_older(sql, shop.workspace, "23 hours 59 minutes")
    assert same(first, robot.post("/instruments", json=NEW, headers=headers))
    make_older(sql, shop.workspace, "1 minute")
    problem(robot.post("/instruments", json=NEW, headers=headers), 409, "duplicate")
    answered(robot.delete("/instruments/new"), 204)
    # That refusal is what the key stands for now.
    problem(robot.post("/instruments", json=NEW, headers=headers), 409, "duplicate")


def make_older(sql: Callable[..., list[asyncpg.Record]], workspace: Workspace, by: str) -> None:
    sql(
        f"update idempotency_keys set created_at = created_at - interval '{by}'"
        " where workspace_id = (select id from workspaces where slug = $1)",
        workspace.slug,
    )


def test_upkeep_removes_what_is_older_than_a_day(shop: Stock, sql: Callable[..., list[asyncpg.Record]]) -> None:
    workspace_id = answered(shop.workspace.admin.get("/"), 200)["id"]
    fill = (
        "insert into idempotency_keys (workspace_id, key_hash, request_digest, created_at)"
        " select $1::uuid, decode(md5(n::text), 'hex'), '', now() - interval '23 hours' * (n % 3)"
        " from generate_series(1, 3100) n"
    )
    for where in (workspace_id, str(NOWHERE)):
        sql(fill, where)
    sql("update jobs set run_at = now() where kind = 'upkeep'")
    wanted = [workspace_id, str(NOWHERE)]
    old = "select 1 from idempotency_keys where workspace_id = any($1) and created_at < now() - interval '24 hours'"
    wait_for(lambda: not sql(old, wanted) or None)
    left = sql("select count(*) from idempotency_keys where workspace_id = any($1) and request_digest = ''", wanted)
    assert left[0]["count"] == 2 * 2067


def test_every_post_that_writes_says_that_it_takes_a_key(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    posts = {
        path: {each["name"] for each in methods["post"].get("parameters", [])}
        for path, methods in document["paths"].items()
        if "post" in methods
    }
    without = {path for path, taken in posts.items() if "Idempotency-Key" not in taken}
    reading = {path for path in posts if path.endswith(("/filter", "/count"))}
    of_people = {path for path in posts if path.startswith("/v1/auth/")}
    assert without == reading | of_people
    assert len(posts) == len([operation for operation in operations() if operation.method == "POST"])
