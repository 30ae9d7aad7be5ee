"""The access table: every operation of the OpenAPI document, asked by everybody."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import httpx
import pytest

from ptolemy.app import operations
from tests.access.callers import Caller, callers, new_workspace, with_database
from tests.access.operations import Documented, documented, kept_place, new_place, request
from tests.access.places import Stock
from tests.access.rules import (
    ANSWERED_OTHERWISE,
    FOR_PEOPLE_OF_ANY_ROLE,
    RANKS,
    WITH_GOOD_CREDENTIALS_OR_NONE,
    Who,
    refusal,
    who_may,
)
from tests.product import PATIENCE_SECONDS
from tests.serving import configured, serving

GATE = frozenset({"unauthorized", "invalid_token", "token_expired", "token_revoked", "forbidden", "humans_only"})
"""The codes of a caller who is refused whatever they ask for; `workspace_not_found` is the 404 among them."""


METERS = frozenset({"call_counts", "call_quotas", "token_bursts"})
"""Requests are counted even if they are refused."""


@dataclass(frozen=True)
class World:
    """A product that runs no jobs, so that nothing changes but by requests; two workspaces, and who calls."""

    database_url: str
    stock: Stock
    other: Stock
    callers: Sequence[Caller]
    operations: Sequence[Documented]
    client: httpx.Client

    def ask(self, caller: Caller, asked: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {caller.token}"} if caller.token else {}
        return self.client.request(**asked | {"headers": asked.get("headers", {}) | headers})

    @property
    def admin(self) -> Caller:
        return next(caller for caller in self.callers if caller.name == "human admin")

    def contents(self) -> Mapping[str, tuple[int, int]]:
        """Every table's number of rows and a digest of them, but for when a token was last used."""
        found: dict[str, tuple[int, int]] = {}

        async def read(driver: asyncpg.Connection) -> None:
            for row in await driver.fetch(
                "select relname from pg_class where relkind = 'r' and relnamespace = $1", 2200
            ):
                each = "hashtextextended((to_jsonb(t) - 'last_used_at' - 'last_seen_at')::text, 0)"
                found[row["relname"]] = tuple(
                    await driver.fetchrow(f'select count(*), coalesce(sum({each}), 0) from "{row["relname"]}" t')
                )

        with_database(self.database_url, read)
        return found


@pytest.fixture(scope="module")
def world(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    configuration = replace(configured(database_url, tmp_path_factory.mktemp("files")), signup_is_open=True)
    with serving(configuration) as url:
        stocks = [Stock(new_workspace(url, database_url)) for _ in range(2)]
        for stock in stocks:
            stock.stock_up()
    with (
        serving(replace(configuration, jobs_at_once=0)) as url,
        httpx.Client(timeout=PATIENCE_SECONDS) as client,
    ):
        for stock in stocks:
            stock.workspace = replace(stock.workspace, url=url)
        here, there = stocks
        knocking = callers(here.workspace, there.workspace, database_url)
        yield World(database_url, here, there, knocking, documented(url), client)


def test_every_operation_has_a_rule_and_keeps_it(world: World) -> None:
    """An operation without a rule is written into `rules.py`, with the role that it was promised to."""
    found = {f"{each.method} {each.path}": who_may(each.method, each.path) for each in world.operations}
    assert not [operation for operation, who in found.items() if who is None]
    assert {f"{each.method} {each.path}": each.access for each in operations()} == found


def test_every_address_of_a_record_has_something_there(world: World) -> None:
    """One that has nothing gets it in `places.py`, else nobody is seen to be kept from it."""
    assert not [str(each) for each in world.operations if each.names_a_record and each.kind is None]


def test_who_may_not_is_refused_and_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {each: request(each, world.stock, kept_place(each, world.stock), world.stock) for each in world.operations}
    before, wrong, cells = world.contents(), [], Counter[int]()
    for each in world.operations:
        for caller in world.callers:
            status = _refusal(each, caller)
            if status is None:
                continue
            cells[status] += 1
            response = world.ask(caller, asked[each])
            code = response.json()["code"] if response.content else ""
            if response.status_code != status or code not in (GATE if status != 404 else {"workspace_not_found"}):
                wrong.append(f"{each} by {caller.name}: {response.status_code} {code} instead of {status}")
    assert wrong == []
    assert _changed(before, world.contents()) == []
    with capsys.disabled():
        sys.stdout.write(f"\naccess table: {cells.total()} cells refused, by status {dict(sorted(cells.items()))}\n")


def test_the_ids_of_another_workspace_name_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    named = [each for each in world.operations if each.names_a_record]
    # The body is of the own workspace: what is foreign is what the address names.
    asked = {each: request(each, world.stock, kept_place(each, world.other), world.stock) for each in named}
    before, wrong, cells = world.contents(), [], 0
    for each in named:
        for caller in world.callers:
            if caller.standing not in ("admin", "member") or _refusal(each, caller) is not None:
                continue
            cells += 1
            response = world.ask(caller, asked[each])
            if response.status_code != 404:
                wrong.append(f"{each} by {caller.name}: {response.status_code} {response.text[:200]}")
    assert wrong == []
    assert _changed(before, world.contents()) == []
    with capsys.disabled():
        sys.stdout.write(f"\naccess table: {cells} cells with ids of another workspace\n")


def test_what_is_only_read_changes_nothing(world: World) -> None:
    reads = [each for each in world.operations if each.method in ("GET", "HEAD")]
    # What is named is made before it is looked what there is.
    asked = [request(each, world.stock, kept_place(each, world.stock), world.stock) for each in reads]
    before = world.contents()
    done = sum(world.ask(world.admin, each).is_success for each in asked)
    assert done > len(asked) // 2
    assert _changed(before, world.contents()) == []


def test_who_may_is_let_in(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """And gets what was asked for, or else exactly what `rules.py` says."""
    wrong, cells, done = [], 0, 0
    # People of its own: each of them leaves and signs out at the end.
    knocking = callers(world.stock.workspace, world.other.workspace, world.database_url)
    for each in world.operations:
        for caller in knocking:
            if _refusal(each, caller) is not None:
                continue
            cells += 1
            response = world.ask(caller, request(each, world.stock, new_place(each, world.stock, caller), world.stock))
            promised = ANSWERED_OTHERWISE.get(f"{each.method} {each.path}")
            done += response.is_success
            if (response.status_code, _code(response)) != promised if promised else not response.is_success:
                wrong.append(f"{each} by {caller.name}: {response.status_code} {response.text[:300]}")
    assert wrong == []
    with capsys.disabled():
        sys.stdout.write(f"\naccess table: {cells} cells let in, of which {done} did what they were asked for\n")


def _refusal(each: Documented, caller: Caller) -> int | None:
    who: Who | None = who_may(each.method, each.path)
    assert who is not None, each
    if f"{each.method} {each.path}" in WITH_GOOD_CREDENTIALS_OR_NONE:
        return 401 if caller.token is not None and caller.standing == "nobody" else None
    if f"{each.method} {each.path}" in FOR_PEOPLE_OF_ANY_ROLE and caller.standing in RANKS and not caller.human:
        return 403
    return refusal(who, standing=caller.standing, human=caller.human, in_workspace=each.in_workspace)


def _code(response: httpx.Response) -> str:
    problem = response.headers.get("content-type", "").startswith("application/problem+json")
    return str(response.json()["code"]) if problem and response.content else ""


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(table for table in after.keys() - METERS if after[table] != before.get(table))
