"""The items of composite values, read as records of their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.product import Workspace, answered, problem

PATH = "/composite-time-series-value-items"
JSON = "application/json"
Body = dict[str, Any]


@pytest.fixture
def bars(workspace: Workspace) -> list[Body]:
    """Three bars of one instrument; their closes are 10.50, 11.50 and 9."""
    workspace.equity()
    workspace.create("instruments", identifier="bhp", name="BHP", type_id="equity")
    found = []
    for day, close in enumerate(("10.50", "11.50", "9"), 1):
        items = [
            {"field_key": key, "value": close if key == "close" else "1"} for key in ("open", "high", "low", "close")
        ]
        body = {"instrument_id": "bhp", "type_id": "bar", "timestamp": f"2026-01-0{day}", "items": items}
        found.append(workspace.create("composite-time-series-values", **body))
    return found


def test_an_item_has_an_id_made_of_its_value_and_its_key(workspace: Workspace, bars: list[Body]) -> None:
    page = answered(workspace.robot.get(PATH, params={"value_id": bars[0]["id"]}), 200)["data"]
    assert [item["field_key"] for item in page] == ["close", "high", "low", "open"]
    assert page[0] == {
        "id": str(uuid5(UUID(bars[0]["id"]), "close")),
        "value_id": bars[0]["id"],
        "field_key": "close",
        "value": "10.50",
        "created_at": bars[0]["created_at"],
        "updated_at": bars[0]["updated_at"],
        "archived_at": None,
    }


def test_an_item_is_read_by_its_id(workspace: Workspace, bars: list[Body]) -> None:
    items = answered(workspace.robot.get(PATH), 200)["data"]
    assert len(items) == 12
    for item in items:
        assert answered(workspace.robot.get(f"{PATH}/{item['id']}"), 200) == item
    named = answered(workspace.robot.get(PATH, params={"ids": f"{items[3]['id']},{items[7]['id']},nobody"}), 200)
    assert named["data"] == [items[3], items[7]]
    for unknown in (bars[0]["id"], "nobody"):
        problem(workspace.robot.get(f"{PATH}/{unknown}"), 404, "not_found")


def test_items_are_listed_page_by_page(workspace: Workspace, bars: list[Body]) -> None:
    found: list[Body] = []
    after = None
    while True:
        page = answered(workspace.robot.get(PATH, params={"limit": 5, **({"after": after} if after else {})}), 200)
        found += page["data"]
        after = page["meta"]["next_cursor"]
        if after is None:
            break
    assert [(item["value_id"], item["field_key"]) for item in found] == [
        (bar["id"], key) for bar in bars for key in ("close", "high", "low", "open")
    ]


def test_items_are_filtered_by_key_and_by_number(workspace: Workspace, bars: list[Body]) -> None:
    closes = {"field": "field_key", "op": "eq", "value": "close"}
    condition = {"and": [closes, {"field": "value", "op": "gt", "value": 9.5}]}
    page = answered(workspace.robot.post(f"{PATH}/filter", json={"filter": condition}), 200)
    assert [item["value"] for item in page["data"]] == ["10.50", "11.50"]
    assert answered(workspace.robot.post(f"{PATH}/count", json={"filter": condition}), 200) == {"count": 2}


def test_an_item_is_found_by_any_value_that_a_write_takes(workspace: Workspace, bars: list[Body]) -> None:
    long = "x" * 5000
    for key, data_type in (("volume", "number"), ("final", "boolean"), ("note", "text")):
        workspace.create("time-series-type-fields", type_id="bar", field_key=key, data_type=data_type)
    items = [{"field_key": "final", "value": True}, {"field_key": "note", "value": long}]
    body = {"content": '{"items": [{"field_key": "volume", "value": 1E5}]}', "headers": {"Content-Type": JSON}}
    answered(workspace.robot.patch(f"/composite-time-series-values/{bars[0]['id']}", json={"items": items}), 200)
    answered(workspace.robot.patch(f"/composite-time-series-values/{bars[0]['id']}", **body), 200)  # type: ignore[arg-type] # two of its names
    for value in ("1E5", "true", f'"{long}"'):
        asked = f'{{"filter": {{"field": "value", "op": "eq", "value": {value}}}}}'
        answer = workspace.robot.post(f"{PATH}/count", content=asked, headers={"Content-Type": JSON})
        assert answered(answer, 200) == {"count": 1}


def test_items_go_where_their_value_goes(workspace: Workspace, bars: list[Body]) -> None:
    workspace.robot.delete(f"/composite-time-series-values/{bars[0]['id']}")
    assert len(answered(workspace.robot.get(PATH), 200)["data"]) == 8
    archived = answered(workspace.robot.get(PATH, params={"archived": "only", "include": "value.instrument"}), 200)
    assert {item["value_id"] for item in archived["data"]} == {bars[0]["id"]}
    assert [value["id"] for value in archived["included"]["composite_time_series_values"]] == [bars[0]["id"]]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_items_are_not_written_by_themselves(workspace: Workspace, bars: list[Body], method: str) -> None:
    [item, *_] = answered(workspace.robot.get(PATH), 200)["data"]
    for path in (PATH, f"{PATH}/{item['id']}"):
        assert workspace.admin.request(method, path, json={}).status_code == 405
    assert workspace.admin.post(f"{PATH}/{item['id']}/restore").status_code == 405


def test_another_workspace_sees_none_of_them(workspace: Workspace, bars: list[Body], new_workspace: Any) -> None:
    [item, *_] = answered(workspace.robot.get(PATH), 200)["data"]
    other = new_workspace()
    assert answered(other.robot.get(PATH), 200)["data"] == []
    problem(other.robot.get(f"{PATH}/{item['id']}"), 404, "not_found")
