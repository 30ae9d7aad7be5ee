"""Lists in pages: limits, cursors, `ids`, and warnings."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.api.bad import UNKNOWN_ID
from tests.lifecycle.stock import Stock
from tests.product import Workspace, answered, problem


def test_a_limit_beyond_the_largest_is_cut_with_a_warning(shop: Stock) -> None:
    for page in (
        answered(shop.workspace.robot.get("/instruments?limit=201"), 200),
        answered(shop.workspace.robot.post("/instruments/filter", json={"limit": 10**12}), 200),
    ):
        assert any("200" in warning for warning in page["warnings"])


def test_warnings_stay_away_when_there_is_nothing_to_say(shop: Stock) -> None:
    assert "warnings" not in answered(shop.workspace.robot.get("/instruments?limit=200"), 200)


def test_a_reference_that_names_nothing_matches_nothing_with_a_warning(shop: Stock) -> None:
    page = answered(shop.workspace.robot.get("/instruments?type_id=nope"), 200)
    assert page["data"] == []
    assert any("nope" in warning for warning in page["warnings"])


def cursor_of(workspace: Workspace, path: str = "/market-listing-statuses?limit=1") -> str:
    return str(answered(workspace.robot.get(path), 200)["meta"]["next_cursor"])


def test_a_cursor_goes_on_where_the_page_ended(shop: Stock) -> None:
    cursor = cursor_of(shop.workspace)
    page = answered(shop.workspace.robot.get("/market-listing-statuses", params={"limit": 1, "after": cursor}), 200)
    assert [found["identifier"] for found in page["data"]] == ["halted"]


def test_a_cursor_outlives_another_limit(shop: Stock) -> None:
    cursor = cursor_of(shop.workspace)
    page = answered(shop.workspace.robot.get("/market-listing-statuses", params={"limit": 5, "after": cursor}), 200)
    assert len(page["data"]) == 2


def test_an_altered_cursor_is_a_400(shop: Stock) -> None:
    cursor = cursor_of(shop.workspace)
    for position in range(0, len(cursor), 7):
        other = "A" if cursor[position] != "A" else "B"
        altered = cursor[:position] + other + cursor[position + 1 :]
        response = shop.workspace.robot.get("/market-listing-statuses", params={"limit": 1, "after": altered})
        problem(response, 400, "invalid_cursor")


def test_a_cursor_of_another_list_is_a_400(shop: Stock, new_workspace: Callable[[], Workspace]) -> None:
    here, robot = cursor_of(shop.workspace), shop.workspace.robot
    elsewhere = cursor_of(new_workspace())
    for path, cursor in (
        ("/instruments", here),
        ("/market-listing-statuses?archived=true", here),
        ("/market-listing-statuses?ids=halted", here),
        ("/market-listing-statuses", elsewhere),
    ):
        problem(
            robot.get(path, params=httpx.QueryParams(httpx.URL(path).query).set("after", cursor)), 400, "invalid_cursor"
        )
    body = {"sort": [{"field": "identifier"}], "after": here}
    problem(robot.post("/market-listing-statuses/filter", json=body), 400, "invalid_cursor")


def test_ids_answer_just_those_records(shop: Stock) -> None:
    page = answered(shop.workspace.robot.get(f"/instruments?ids=free,{shop.instrument},nope,{UNKNOWN_ID},free"), 200)
    assert sorted(found["identifier"] for found in page["data"]) == ["bhp.ax", "free"]
