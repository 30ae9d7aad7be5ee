"""Events, and deliveries of them, tell nobody more than they may read of what the events are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ptolemy.event_types import event_types, may_read
from tests.access.callers import callers, new_workspace
from tests.access.rules import RANKS, WHO_IS_TOLD, who_may
from tests.product import Workspace, answered, problem, wait_for
from tests.webhooks.receiver import receiving

Body = dict[str, Any]

READ_AT = {
    "membership": "memberships/{id}",
    "plan": "plan",
    "rehearsal": "backups/rehearsals/{id}",
    "restore": "backups/restores/{id}",
    "token": "memberships/robots/{user_id}/tokens",
    "workspace": "",
}
"""Where a resource is read whose address isn't made of its name."""

EVERYTHING = [{"field": "id", "direction": "asc"}]
"""A sort: then what isn't settled yet is shown too."""


@dataclass(frozen=True)
class Stage:
    """A workspace in which something of each kind has happened and was sent to a webhook, and who reads of it."""

    workspace: Workspace
    readers: Mapping[str, httpx.Client]
    happened: list[Body]
    webhook: str

    def kinds(self, found: list[Body]) -> set[str]:
        return {event["event_type"].partition(".")[0] for event in found}


@pytest.fixture(scope="module")
def stage(product_url: str, product_database_url: str) -> Iterator[Stage]:
    workspace = new_workspace(product_url, product_database_url)
    with receiving() as receiver:
        webhook = workspace.create("webhooks", url=receiver.url)["id"]
        answered(workspace.admin.put(f"/webhooks/{webhook}/subscriptions", json=["*"]), 200)
        _do_something_of_each_kind(workspace)
        path, wanted = f"/webhooks/{webhook}/deliveries", _those_since_the_subscription(workspace)

        def delivered() -> bool | None:
            log = answered(workspace.admin.get(path, params={"limit": 200}), 200)["data"]
            return wanted <= {each["event_id"] for each in log} or None

        assert wait_for(delivered)
    others = new_workspace(product_url, product_database_url)
    knocking = callers(workspace, others, product_database_url)
    readers = {each.name: workspace.client(each.token) for each in knocking if each.standing in RANKS}
    yield Stage(workspace, readers, _all(workspace.admin), webhook)
    for client in readers.values():
        client.close()


def _all(reader: httpx.Client) -> list[Body]:
    """What the reader is shown, by `id`."""
    found: list[Body] = answered(reader.post("/events/filter", json={"sort": EVERYTHING, "limit": 200}), 200)["data"]
    return found


def _those_since_the_subscription(workspace: Workspace) -> set[str]:
    events = _all(workspace.admin)
    [subscribed] = [place for place, event in enumerate(events) if event["event_type"] == "webhook.updated"]
    return {event["id"] for event in events[subscribed + 1 :]}


def _do_something_of_each_kind(workspace: Workspace) -> None:
    workspace.create("series", identifier="close")
    invited = answered(
        workspace.admin.post("/invitations", json={"email": f"{uuid4().hex}@example.com", "role": "viewer"}), 201
    )
    answered(workspace.admin.delete(f"/invitations/{invited['id']}"), 204)
    workspace.robot.get("/series")
    policy = {"name": "nightly", "schedule": "0 2 * * *", "destination": "s3://a-bucket/backups", "keep_last": 1}
    workspace.create("backup-policies", **policy)
    workspace.export("instruments")
    backup = answered(workspace.admin.post("/backups", json={}), 202)
    workspace.finished("backups", backup)


def test_what_an_event_tells_is_what_its_reader_may_read_of_the_resource() -> None:
    """An event type that is new is read by who reads its resource; what only some may read is named in `rules.py`."""
    for each in event_types():
        kind = each.partition(".")[0]
        least = WHO_IS_TOLD.get(kind, "viewer")
        address = READ_AT.get(kind, f"{_collection(kind)}/{{id}}")
        reads = who_may("GET", f"/v1/workspaces/{{workspace}}/{address}".rstrip("/"))
        # Members read backups, but for where they lie; their events tell that.
        assert reads == ("member" if kind == "backup" else least), each
        assert {role for role in RANKS if may_read(role, each)} == {  # type: ignore[arg-type] # the four roles
            role for role, rank in RANKS.items() if rank >= RANKS[least]
        }


def _collection(kind: str) -> str:
    special = {
        "series": "series",
        "backup_policy": "backup-policies",
        "market_listing_status": "market-listing-statuses",
    }
    return special.get(kind, f"{kind.replace('_', '-')}s")


def test_a_type_that_there_is_no_more_is_shown_to_admins_alone() -> None:
    assert [role for role in RANKS if may_read(role, "abacus.created")] == ["admin"]  # type: ignore[arg-type] # the four roles


def test_the_feed_a_filter_and_a_count_tell_each_role_what_it_may_read(stage: Stage) -> None:
    assert stage.kinds(stage.happened) >= {"webhook", "series", "export", *WHO_IS_TOLD} - {"restore"}
    for name, reader in stage.readers.items():
        expected = [event for event in stage.happened if _is_for(name, event)]
        found = _all(reader)
        assert [event["id"] for event in found] == [event["id"] for event in expected], name
        assert answered(reader.post("/events/count", json={}), 200)["count"] == len(found)
        assert _feed(reader) == sorted(expected, key=lambda event: event["position"]), name


def test_pages_are_full_and_end_where_there_is_no_more(stage: Stage) -> None:
    """What a reader isn't shown leaves no gaps: a short page is the last one."""
    reader = stage.readers["robot viewer"]
    expected = [event["id"] for event in stage.happened if _is_for("robot viewer", event)]
    walked, after, pages = [], None, []
    while True:
        page = answered(reader.get("/events", params={"limit": 2} | ({"after": after} if after else {})), 200)
        walked += [event["id"] for event in page["data"]]
        pages.append(len(page["data"]))
        after = page["meta"]["next_cursor"]
        if not page["meta"]["has_more"]:
            break
    assert set(expected) <= set(walked) and len(walked) == len(set(walked))
    assert set(pages[:-1]) == {2} and pages[-1] > 0


def test_an_event_that_its_reader_may_not_read_is_not_there_for_them(stage: Stage) -> None:
    for name, reader in stage.readers.items():
        for event in stage.happened:
            response = reader.get(f"/events/{event['id']}")
            if _is_for(name, event):
                assert answered(response, 200) == event
            else:
                problem(response, 404, "not_found")


def test_no_question_about_hidden_events_is_answered(stage: Stage) -> None:
    hidden = next(event for event in stage.happened if event["event_type"] == "invitation.created")
    email = hidden["resource_identifier"]
    for name in ("human viewer", "human editor", "robot member"):
        reader = stage.readers[name]
        for params in (
            {"event_type": "invitation.created"},
            {"resource_type": "invitation"},
            {"resource_id": hidden["resource_id"]},
            {"ids": hidden["id"]},
        ):
            assert answered(reader.get("/events", params=params), 200)["data"] == []
        for field, op, value in (
            ("resource_identifier", "eq", email),
            ("resource_identifier", "like", "@example.com"),
            ("id", "eq", hidden["id"]),
            ("position", "eq", hidden["position"]),
        ):
            condition = {"filter": {"field": field, "op": op, "value": value}}
            assert answered(reader.post("/events/count", json=condition), 200)["count"] == 0
            assert answered(reader.post("/events/filter", json=condition), 200)["data"] == []
        assert email not in reader.get("/events?limit=200").text


def test_deliveries_tell_no_more_than_the_events(stage: Stage) -> None:
    path = f"/webhooks/{stage.webhook}/deliveries"
    log = answered(stage.workspace.admin.get(path, params={"limit": 200}), 200)["data"]
    assert stage.kinds(log) >= {"invitation", "token", "backup_policy", "series"}
    for name, reader in stage.readers.items():
        found = answered(reader.get(path, params={"limit": 200}), 200)["data"]
        assert _ids(found, of=log) == [each["id"] for each in log if _is_for(name, each)]
        for each in log:
            response = reader.get(f"{path}/{each['id']}")
            if _is_for(name, each):
                assert answered(response, 200)["payload"]["id"] == each["event_id"]
            else:
                problem(response, 404, "not_found")
        made = answered(reader.get(path, params={"event_type": "token.created"}), 200)["data"]
        expected = [each for each in log if each["event_type"] == "token.created" and _is_for(name, each)]
        assert _ids(made, of=log) == [each["id"] for each in expected]


def _ids(found: Sequence[Body], *, of: Sequence[Body]) -> list[str]:
    """Of what is still being delivered, and grows meanwhile, those that are spoken of."""
    known = {each["id"] for each in of}
    return [each["id"] for each in found if each["id"] in known]


def _is_for(reader: str, event: Mapping[str, Any]) -> bool:
    least = WHO_IS_TOLD.get(event["event_type"].partition(".")[0], "viewer")
    return RANKS[reader.rpartition(" ")[2]] >= RANKS[least]


def _feed(reader: httpx.Client) -> list[Body]:
    """All of the feed, once it has got to the newest event that there is."""
    number = answered(reader.post("/events/count", json={}), 200)["count"]

    def whole() -> list[Body] | None:
        found = answered(reader.get("/events", params={"limit": 200}), 200)["data"]
        return found if len(found) == number else None

    return wait_for(whole)
