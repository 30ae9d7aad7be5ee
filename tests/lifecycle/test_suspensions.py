"""Suspensions are half-open periods; those of one listing never overlap."""

from __future__ import annotations

import pytest

from tests.lifecycle.stock import Stock
from tests.product import answered, problem, refused_fields

PATH = "/market-listing-suspensions"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2025-12-01", "2026-01-01"),
        ("2026-02-01", "2026-03-01"),
        ("2026-02-01", None),
        ("2026-02-01T11:00:00+11:00", "2026-02-02"),
    ],
)
def test_periods_may_touch(shop: Stock, begin: str, end: str | None) -> None:
    answered(shop.workspace.robot.post(PATH, json=shop.new_suspension(begin, end)), 201)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-01-01", "2026-02-01"),
        ("2026-01-10", "2026-01-11"),
        ("2025-12-01", "2026-01-01T00:00:00.000001Z"),
        ("2026-01-31T23:59:59.999999Z", None),
        ("2025-12-01", None),
    ],
)
def test_periods_that_overlap_are_a_conflict(shop: Stock, begin: str, end: str | None) -> None:
    refused = problem(shop.workspace.robot.post(PATH, json=shop.new_suspension(begin, end)), 409, "overlap")
    assert refused["errors"][0]["field"] == "suspended_from"


def test_periods_of_another_listing_do_not_matter(shop: Stock) -> None:
    shop.workspace.create("markets", identifier="xnys", name="NYSE", type_id="exchange")
    other = shop.workspace.create("market-listings", instrument_id="bhp.ax", market_id="xnys")["id"]
    body = {**shop.new_suspension("2026-01-01", "2026-02-01"), "listing_id": other}
    answered(shop.workspace.robot.post(PATH, json=body), 201)


def test_an_open_end_covers_all_that_follows(shop: Stock) -> None:
    opened = answered(shop.workspace.robot.post(PATH, json=shop.new_suspension("2026-03-01", None)), 201)
    assert opened["suspended_until"] is None
    later = shop.new_suspension("2099-01-01", "2099-01-02")
    problem(shop.workspace.robot.post(PATH, json=later), 409, "overlap")
    answered(shop.workspace.robot.patch(f"{PATH}/{opened['id']}", json={"suspended_until": "2026-04-01"}), 200)
    answered(shop.workspace.robot.post(PATH, json=later), 201)


@pytest.mark.parametrize("end", ["2026-06-01", "2026-05-31T23:59:59Z", "2026-06-01T09:00:00+10:00"])
def test_a_suspension_ends_after_it_begins(shop: Stock, end: str) -> None:
    response = shop.workspace.robot.post(PATH, json=shop.new_suspension("2026-06-01", end))
    assert refused_fields(response) == {"suspended_until": "not_after_suspended_from"}


def test_a_change_into_another_period_is_a_conflict(shop: Stock) -> None:
    second = shop.workspace.create("market-listing-suspensions", **shop.new_suspension("2026-03-01", "2026-04-01"))
    response = shop.workspace.robot.patch(f"{PATH}/{second['id']}", json={"suspended_from": "2026-01-31"})
    problem(response, 409, "overlap")
    assert shop.get("market-listing-suspensions", second["id"]) == second


def test_a_deleted_suspension_leaves_its_period_free(shop: Stock) -> None:
    answered(shop.workspace.robot.delete(f"{PATH}/{shop.suspension}"), 204)
    answered(shop.workspace.robot.post(PATH, json=shop.new_suspension("2026-01-01", "2026-02-01")), 201)
