"""Random lives of a workspace, step by step beside the model: lists, counts, events and uniqueness agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.machine.model import KINDS, Events, Kind, Model, Record, Refused
from tests.product import Workspace, answered

NAMES = st.sampled_from(["a", "b", "c", "ü-日"])
"""Few, so that they meet."""
TITLES = st.sampled_from(["One", "Two", "ΑΒΓ"])
NAMED = st.sampled_from(["instruments", "markets"])
DAYS = st.integers(1, 6)
PICKS = st.integers(0, 10_000)


class EventLog:
    """The events of one workspace, as they come."""

    def __init__(self, dsn: str) -> None:
        self._runner = asyncio.Runner()
        self._driver = self._runner.run(asyncpg.connect(dsn))

    def close(self) -> None:
        self._runner.run(self._driver.close())
        self._runner.close()

    def told(self, slug: str) -> Events:
        rows = self._runner.run(
            self._driver.fetch(
                "select event_type, resource_id from events e join workspaces w on w.id = e.workspace_id"
                " where w.slug = $1",
                slug,
            )
        )
        return Counter((row["event_type"], str(row["resource_id"])) for row in rows)


def instant(day: int) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


class Life(RuleBasedStateMachine):
    """What clients do, in any order."""

    new_workspace: Callable[[], Workspace]
    log: EventLog
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.workspace = self.new_workspace()
        self.workspace.equity()
        self.client = self.workspace.client(self.workspace.token("member"))
        self.model = Model()
        self.told = self.log.told(self.workspace.slug)

    def teardown(self) -> None:
        self.agree(*KINDS.values())
        self.client.close()

    # Creating.

    @initialize()
    def begin(self) -> None:
        """Something to change, from the first step on."""
        for name in ("a", "b"):
            self.create("instruments", {"identifier": name, "name": "One"}, type_id="equity")
            self.create("markets", {"identifier": name, "name": "One"}, type_id="exchange")
        self.create("market-listings", {"instrument_id": "a", "market_id": "a"})

    @rule(identifier=NAMES, name=TITLES)
    def create_instrument(self, identifier: str, name: str) -> None:
        self.create("instruments", {"identifier": identifier, "name": name}, type_id="equity")

    @rule(identifier=NAMES, name=TITLES)
    def create_market(self, identifier: str, name: str) -> None:
        self.create("markets", {"identifier": identifier, "name": name}, type_id="exchange")

    @rule(instrument=NAMES, market=NAMES, pick=PICKS)
    def create_listing(self, instrument: str, market: str, pick: int) -> None:
        parent = self.pick("instruments", pick)
        of = parent.id if parent and pick % 2 else instrument
        self.create("market-listings", {"instrument_id": of, "market_id": market})

    @rule(pick=PICKS, begin=DAYS, end=DAYS | st.none())
    def create_suspension(self, pick: int, begin: int, end: int | None) -> None:
        if listing := self.pick("market-listings", pick):
            until = None if end is None else instant(end)
            body = {"listing_id": listing.id, "suspended_from": instant(begin), "suspended_until": until}
            self.create("market-listing-suspensions", body)

    @rule(instrument=NAMES, day=DAYS, value=st.sampled_from(["1", "1.0", "-2.50"]))
    def create_value(self, instrument: str, day: int, value: str) -> None:
        body = {"instrument_id": instrument, "timestamp": instant(day), "value": value}
        self.create("time-series-values", body, type_id="close")

    @rule(market=NAMES, day=DAYS)
    def create_calendar(self, market: str, day: int) -> None:
        body = {"market_id": market, "date": f"2026-01-{day:02}", "is_open": False}
        self.create("market-calendars", body)

    @rule(identifier=NAMES, name=TITLES, pick=PICKS)
    def create_tag(self, identifier: str, name: str, pick: int) -> None:
        parent = self.pick("instrument-tags", pick) if pick % 3 else None
        self.create(
            "instrument-tags", {"identifier": identifier, "name": name, "parent_id": parent and self.key(parent, pick)}
        )

    @rule(instrument=NAMES, pick=PICKS)
    def assign(self, instrument: str, pick: int) -> None:
        if tag := self.pick("instrument-tags", pick):
            body = {"instrument_id": instrument, "tag_id": self.key(tag, pick)}
            self.create("instrument-tag-assignments", body)

    # Changing.

    @rule(collection=NAMED, pick=PICKS, identifier=NAMES, name=TITLES)
    def rename(self, collection: str, pick: int, identifier: str, name: str) -> None:
        if record := self.pick(collection, pick):
            self.patch(record, {"identifier": identifier, "name": name} if pick % 2 else {"name": name})

    @rule(pick=PICKS, other=PICKS)
    def move_listing(self, pick: int, other: int) -> None:
        listing, market = self.pick("market-listings", pick), self.pick("markets", other)
        if listing and market:
            self.patch(listing, {"market_id": market.id, "local_code": "ABC"})

    @rule(pick=PICKS, begin=DAYS, end=DAYS | st.none())
    def move_suspension(self, pick: int, begin: int, end: int | None) -> None:
        if record := self.pick("market-listing-suspensions", pick):
            until = None if end is None else instant(end)
            self.patch(record, {"suspended_from": instant(begin), "suspended_until": until})

    @rule(pick=PICKS, value=st.sampled_from(["1", "1.0", "-2.50"]))
    def correct_value(self, pick: int, value: str) -> None:
        if record := self.pick("time-series-values", pick):
            self.patch(record, {"value": value})

    @rule(pick=PICKS, other=PICKS, identifier=NAMES)
    def move_tag(self, pick: int, other: int, identifier: str) -> None:
        if tag := self.pick("instrument-tags", pick):
            parent = self.pick("instrument-tags", other) if other % 4 else None
            body = {"parent_id": parent and self.key(parent, other)}
            self.patch(tag, body if pick % 2 else {**body, "identifier": identifier})

    # Archiving, restoring, deleting.

    @rule(kind=st.sampled_from(list(KINDS.values())), pick=PICKS)
    def archive(self, kind: Kind, pick: int) -> None:
        if record := self.pick(kind.collection, pick):
            key = self.key(record, pick)
            self.act(kind, self.client.delete(self.path(kind, key)), lambda: self.model.archive(kind, key), 204)

    @rule(kind=st.sampled_from([kind for kind in KINDS.values() if kind.archives]), pick=PICKS)
    def restore(self, kind: Kind, pick: int) -> None:
        archived = [record for record in self.model.of(kind) if record.archived is not None]
        record = archived[pick % len(archived)] if archived and pick % 5 else self.pick(kind.collection, pick)
        if record:
            key = self.key(record, pick)
            response = self.client.post(f"{self.path(kind, key)}/restore")
            self.act(kind, response, lambda: self.model.restore(kind, key)[1], 200)

    @rule(kind=st.sampled_from(list(KINDS.values())), pick=PICKS, cascade=st.booleans())
    def hard_delete(self, kind: Kind, pick: int, cascade: bool) -> None:
        if record := self.pick(kind.collection, pick):
            key, taken = self.key(record, pick), cascade and kind.cascade
            query = {"hard": "true", **({"cascade": "true"} if taken else {})}
            response = self.client.delete(self.path(kind, key), params=query)
            self.act(kind, response, lambda: self.model.hard_delete(kind, key, cascade=taken), 204)

    # Asking.

    @rule(
        collection=st.sampled_from(["instruments", "markets"]), name=TITLES, archived=st.sampled_from(["false", "only"])
    )
    def filter_by_name(self, collection: str, name: str, archived: str) -> None:
        self.step()
        asked = {"filter": {"field": "name", "op": "eq", "value": name}, "archived": archived}
        found = answered(self.client.post(f"/{collection}/filter", json=asked), 200)["data"]
        assert {each["id"] for each in found} == {
            record.id
            for record in self.model.of(KINDS[collection])
            if record.values["name"] == name and (record.archived is not None) == (archived == "only")
        }

    @rule(collection=st.sampled_from(["market-listings", "time-series-values"]), instrument=NAMES)
    def list_children(self, collection: str, instrument: str) -> None:
        self.step()
        found = answered(self.client.get(f"/{collection}?instrument_id={instrument}"), 200)
        parent = self.model.find(KINDS["instruments"], instrument)
        assert {each["id"] for each in found["data"]} == {
            record.id
            for record in self.model.of(KINDS[collection])
            if parent and record.values["instrument_id"] == parent.id and record.archived is None
        }
        assert ("warnings" in found) == (parent is None)

    # How a step is taken, and what must hold after it.

    def create(self, collection: str, body: dict[str, Any], **more: Any) -> None:
        kind = KINDS[collection]
        response = self.client.post(f"/{collection}", json={**body, **more})

        def created() -> Events:
            values = self.model.create(kind, body)
            return self.model.created(kind, answered(response, 201)["id"], values)

        self.act(kind, response, created, 201)

    def patch(self, record: Record, body: dict[str, Any]) -> None:
        response = self.client.patch(self.path(record.kind, record.id), json=body)
        self.act(record.kind, response, lambda: self.model.patch(record.kind, record.id, body)[1], 200)

    def act(self, kind: Kind, response: httpx.Response, expected: Callable[[], Events], status: int) -> None:
        """The API did it, or refused it, as the model does."""
        self.step()
        try:
            events = expected()
        except Refused as refused:
            assert response.status_code in refused.statuses, response.text
            events = Counter()
        else:
            assert response.status_code == status, response.text
        self.told += events
        touched = {self.model.records[id_].kind.collection for _, id_ in events if id_ in self.model.records}
        gone = {
            each.collection
            for each in KINDS.values()
            if any(type_.startswith(f"{each.singular}.") for type_, _ in events)
        }
        self.agree(*(KINDS[collection] for collection in {kind.collection, *touched, *gone}))

    def agree(self, *kinds: Kind) -> None:
        assert self.log.told(self.workspace.slug) == self.told
        for kind in kinds:
            everything = {"archived": "true"} if kind.archives else {}
            wanted = {record.id: record for record in self.model.of(kind)}
            found = {record["id"]: record for record in self.listed(kind, everything)}
            assert found.keys() == wanted.keys(), kind.collection
            for id_, record in wanted.items():
                shown = {name: found[id_][name] for name in (*kind.fields, *kind.links)}
                assert shown == record.values
                assert (found[id_].get("archived_at") is None) == (record.archived is None)
            active = [found[each["id"]] for each in self.listed(kind, {})]
            assert {each["id"] for each in active} == {id_ for id_ in wanted if wanted[id_].archived is None}
            places = [tuple(each[name] for name in kind.unique) for each in active]
            assert not kind.unique or len(places) == len(set(places))
            assert self.counted(kind, {}) == len(active)
            assert self.counted(kind, everything) == len(wanted)

    def listed(self, kind: Kind, params: dict[str, str]) -> list[dict[str, Any]]:
        page = answered(self.client.get(f"/{kind.collection}", params={"limit": "200", **params}), 200)
        assert not page["meta"]["has_more"]
        found: list[dict[str, Any]] = page["data"]
        return found

    def counted(self, kind: Kind, body: dict[str, str]) -> int:
        return int(answered(self.client.post(f"/{kind.collection}/count", json=body), 200)["count"])

    def step(self) -> None:
        type(self).steps += 1

    def pick(self, collection: str, number: int) -> Record | None:
        records = self.model.of(KINDS[collection])
        return records[number % len(records)] if records else None

    def key(self, record: Record, number: int) -> str:
        """The UUID, or now and then the user's own name, which may name another record."""
        name = record.values.get("path") or record.values.get("identifier")
        return str(name) if name and number % 3 == 0 else record.id

    @staticmethod
    def path(kind: Kind, key: str) -> str:
        return f"/{kind.collection}/{key.removeprefix('#')}"


@pytest.fixture(scope="module")
def log(product_database_url: str) -> Iterator[EventLog]:
    opened = EventLog(product_database_url)
    yield opened
    opened.close()


def live(new_workspace: Callable[[], Workspace], log: EventLog, *, lives: int, steps: int, seed: int) -> int:
    """So many lives; answers how many steps they took together."""

    class Seeded(Life):
        pass

    Seeded.new_workspace, Seeded.log, Seeded.steps = staticmethod(new_workspace), log, 0
    hypothesis.seed(seed)(Seeded)
    run_state_machine_as_test(
        Seeded,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to shrink a failure takes minutes: add Phase.shrink to look at one
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Seeded.steps


@pytest.mark.parametrize("seed", range(4))
def test_a_workspace_lives_as_the_model_says(seed: int, new_workspace: Callable[[], Workspace], log: EventLog) -> None:
    assert live(new_workspace, log, lives=14, steps=60, seed=seed) >= 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_workspace_lives_a_long_life_as_the_model_says(
    seed: int, new_workspace: Callable[[], Workspace], log: EventLog
) -> None:
    assert live(new_workspace, log, lives=70, steps=120, seed=seed) >= 5_000
