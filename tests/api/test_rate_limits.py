"""What every answer to a robot says of its calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from ptolemy.plans.calls import resets_at
from tests.lifecycle.stock import Stock
from tests.product import Workspace

NAMES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def shown(response: httpx.Response) -> dict[str, int]:
    return {name: int(response.headers[name]) for name in NAMES if name in response.headers}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/instruments", 200),
        ("HEAD", "/instruments", 200),
        ("GET", "/instruments/nope", 404),
        ("POST", "/instruments", 415),
        ("POST", "/instrument-types", 403),
        ("GET", "/instruments?x=1", 422),
        ("DELETE", "/instruments/bhp.ax?hard=true", 409),
        ("POST", "/instruments/count", 200),
        ("GET", "/nothing", 404),
        ("GET", "/instruments/bhp.ax/nothing", 404),
        ("PUT", "/instruments", 405),
        ("POST", "/market-calendars/x/restore", 405),
    ],
)
def test_robots_are_told_of_their_calls_whatever_the_answer(shop: Stock, method: str, path: str, status: int) -> None:
    body: dict[str, str] | None = {} if path.endswith("count") else None
    response = shop.workspace.robot.request(method, path, json=body)
    assert response.status_code == status
    told = shown(response)
    assert told["x-ratelimit-limit"] == told["x-ratelimit-remaining"] == 2**53 - 1
    reset = datetime.fromtimestamp(told["x-ratelimit-reset"], UTC)
    assert reset > datetime.now(UTC)
    assert (reset.day, reset.hour, reset.minute, reset.second) == (1, 0, 0, 0)
    assert reset - datetime.now(UTC) <= timedelta(days=31)


def test_a_robot_is_told_in_a_foreign_workspace_too(shop: Stock, new_workspace: Callable[[], Workspace]) -> None:
    other = new_workspace()
    response = httpx.get(
        f"{other.url}/v1/workspaces/{other.slug}/instruments", headers=dict(shop.workspace.robot.headers)
    )
    assert (response.status_code, len(shown(response))) == (404, 3)


def test_a_robot_is_told_where_there_is_nothing_at_all(shop: Stock) -> None:
    response = httpx.get(f"{shop.workspace.url}/v2/nothing", headers=dict(shop.workspace.robot.headers))
    assert (response.status_code, len(shown(response))) == (404, 3)


@pytest.mark.parametrize("path", ["/instruments", "/nothing"])
def test_people_and_strangers_have_no_such_limit(shop: Stock, path: str) -> None:
    for client in (
        shop.workspace.admin,
        shop.workspace.client(None),
        shop.workspace.client("ptk_live_" + "0" * 64),
        shop.workspace.client("nonsense"),
    ):
        assert shown(client.get(path)) == {}


def test_bad_credentials_are_no_secret_where_there_is_nothing(shop: Stock) -> None:
    assert shop.workspace.client("ptk_live_" + "0" * 64).get("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("year", "month", "reset"), [(2026, 1, (2026, 2)), (2026, 11, (2026, 12)), (2026, 12, (2027, 1))]
)
def test_calls_are_counted_anew_with_the_next_month(year: int, month: int, reset: tuple[int, int]) -> None:
    assert resets_at(date(year, month, 1)) == datetime(*reset, 1, tzinfo=UTC).timestamp()
