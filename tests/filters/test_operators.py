"""Each operator on each kind of value, held against what plain Python says of the same values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.filters.stock import Shop, condition
from tests.product import Workspace, answered, refused_fields

Stored = dict[str, Any]

EQUITIES: dict[str, Stored] = {
    "bare": {},
    "mining": {"sector": "Mining", "shares": "9", "listed": "2020-02-29", "active": True},
    "bank": {"sector": "bank", "shares": "10", "listed": "1999-12-31", "active": False},
    "tech": {"sector": "Ümlaut 100%", "shares": "10.00", "listed": "0001-01-01", "active": True},
    "tiny": {"sector": "a_b", "shares": "-0.000001", "listed": "9999-12-31"},
    "huge": {"sector": "Ω", "shares": "1" + "0" * 99, "listed": "2020-03-01", "active": False},
    "scale": {"sector": "", "shares": "1e2", "listed": "2000-02-29", "active": True},
}
PARSED: dict[str, Callable[[Any], Any]] = {
    "sector": str,
    "shares": Decimal,
    "listed": date.fromisoformat,
    "active": (True, "true").__contains__,
}
ASKED: dict[str, list[Any]] = {
    "sector": ["Mining", "bank", "Ümlaut 100%", "", "zz", "Ω"],
    "shares": ["10", 10, "9.5", "-0.000001", "100", "1e99"],
    "listed": ["2020-02-29", "2000-02-29", "0001-01-01", "9999-12-31"],
    "active": [True, "false"],
}
COMPARED = {"eq": operator.eq, "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


@pytest.fixture(scope="module")
def shop(new_workspace: Callable[[], Workspace]) -> Iterator[Shop]:
    shop = Shop(new_workspace())
    for identifier, values in EQUITIES.items():
        shop.add(identifier, **values)
    yield shop


def differs(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: value is None or value != wanted


def holds(compares: Callable[[Any, Any], bool], wanted: Any) -> Callable[[Any], bool]:
    def matches(value: Any) -> bool:
        return value is not None and compares(value, wanted)

    return matches


def expected(key: str, matches: Callable[[Any], bool]) -> set[str]:
    """The identifiers whose value matches; None stands for a missing one."""
    parsed = {name: PARSED[key](values[key]) if key in values else None for name, values in EQUITIES.items()}
    return {name for name, value in parsed.items() if matches(value)}


@pytest.mark.parametrize("key", ASKED)
def test_custom_fields_compare_by_their_data_type(shop: Shop, key: str) -> None:
    offered = COMPARED if key != "active" else {"eq": COMPARED["eq"]}
    for op, compares in offered.items():
        for asked in ASKED[key]:
            wanted = PARSED[key](asked)
            found = shop.found(condition(f"field.{key}", op, asked))
            assert set(found) == expected(key, holds(compares, wanted)), (op, asked)


@pytest.mark.parametrize("key", ASKED)
def test_ne_and_not_in_find_records_without_a_value(shop: Shop, key: str) -> None:
    for asked in ASKED[key]:
        wanted = PARSED[key](asked)
        others = expected(key, differs(wanted))
        assert set(shop.found(condition(f"field.{key}", "ne", asked))) == others
        assert set(shop.found(condition(f"field.{key}", "not_in", [asked]))) == others
    assert set(shop.found(condition(f"field.{key}", "not_in", []))) == EQUITIES.keys()


@pytest.mark.parametrize("key", ASKED)
def test_in_finds_any_of_its_values_and_null_where_it_is_named(shop: Shop, key: str) -> None:
    several = ASKED[key][:2]
    wanted = {PARSED[key](asked) for asked in several}
    assert set(shop.found(condition(f"field.{key}", "in", several))) == expected(key, wanted.__contains__)
    with_null = expected(key, lambda v: v is None or v in wanted)
    assert set(shop.found(condition(f"field.{key}", "in", [*several, None]))) == with_null
    without = expected(key, lambda v: v is not None and v not in wanted)
    assert set(shop.found(condition(f"field.{key}", "not_in", [*several, None]))) == without
    assert shop.found(condition(f"field.{key}", "in", [])) == []


@pytest.mark.parametrize("key", ASKED)
def test_a_missing_value_is_null(shop: Shop, key: str) -> None:
    nulls, others = expected(key, lambda v: v is None), expected(key, lambda v: v is not None)
    assert nulls
    for asked in (condition(f"field.{key}", "is_null", True), condition(f"field.{key}", "eq", None)):
        assert set(shop.found(asked)) == nulls
    for asked in (condition(f"field.{key}", "is_null", "false"), condition(f"field.{key}", "ne", None)):
        assert set(shop.found(asked)) == others


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("MIN", {"mining"}),
        ("ü", {"tech"}),
        ("%", {"tech"}),
        ("_", {"tiny"}),
        ("ω", {"huge"}),
        ("", EQUITIES.keys() - {"bare"}),
    ],
)
def test_like_folds_case_and_has_no_wildcards(shop: Shop, asked: str, found: set[str]) -> None:
    assert set(shop.found(condition("field.sector", "like", asked))) == set(found)


def test_own_columns_compare_in_the_same_way(shop: Shop) -> None:
    names = sorted(EQUITIES)
    assert set(shop.found(condition("identifier", "gte", "huge"))) == {name for name in names if name >= "huge"}
    assert set(shop.found(condition("name", "like", "IN"))) == {"mining", "tiny"}
    assert set(shop.found(condition("identifier", "not_in", ["bank", "bare"]))) == set(names) - {"bank", "bare"}
    assert shop.found(condition("extras", "is_null", False)) == []
    assert set(shop.found(condition("extras", "is_null", True), condition("field.sector", "eq", "bank"))) == {"bank"}
    assert shop.found(condition("created_at", "lt", "2020-01-01")) == []
    assert len(shop.found(condition("created_at", "gt", "2020-01-01T00:00:00+10:00"))) == len(names)


def test_and_beside_or_both_hold(shop: Shop) -> None:
    both = {
        "and": [condition("field.active", "eq", True)],
        "or": [condition("field.sector", "eq", "Mining"), condition("field.sector", "eq", "bank")],
    }
    assert shop.found(both) == ["mining"]
    assert set(shop.found({**both, **condition("field.shares", "gt", 1000)})) == set()
    assert shop.found({"or": []}) == []
    assert len(shop.found({"and": []})) == len(EQUITIES)


def test_conditions_within_or_find_records_of_every_type(shop: Shop) -> None:
    either = {"or": [condition("field.shares", "gt", 50), condition("identifier", "eq", "bare")]}
    assert set(shop.found(either)) == {"huge", "scale", "bare"}


def nested(depth: int) -> dict[str, Any]:
    return condition("name", "eq", "x") if depth == 1 else {"and": [nested(depth - 1)]}


def test_a_filter_is_ten_deep_and_has_two_hundred_conditions_at_most(shop: Shop) -> None:
    answered(shop.ask(filter=nested(10)), 200)
    assert refused_fields(shop.ask(filter=nested(11))) == {"filter": "filter_too_large"}
    many = [condition("field.shares", "ne", number) for number in range(201)]
    answered(shop.ask(filter={"and": many[:200]}), 200)
    assert refused_fields(shop.ask(filter={"and": [{"or": many[:100]}, {"or": many[100:]}]})) == {
        "filter": "filter_too_large"
    }


@pytest.mark.parametrize(
    ("asked", "place", "code"),
    [
        (condition("colour", "eq", "x"), ".field", "unknown_field"),
        (condition("field.colour", "eq", "x"), ".field", "unknown_field"),
        (condition("field.", "eq", "x"), ".field", "unknown_field"),
        (condition("field.x\0", "eq", "x"), ".field", "unknown_field"),
        (condition("field.sector' = ''", "eq", "x"), ".field", "unknown_field"),
        (condition("field_values", "eq", {}), ".field", "unknown_field"),
        (condition("field.shares", "like", "1"), ".op", "unknown_op"),
        (condition("field.active", "lt", True), ".op", "unknown_op"),
        (condition("extras", "eq", {}), ".op", "unknown_op"),
        (condition("field.shares", "eq", "many"), ".value", "invalid_number"),
        (condition("field.shares", "gt", None), ".value", "required"),
        (condition("field.listed", "eq", "2021-02-29"), ".value", "invalid_date"),
        (condition("field.active", "eq", "yes"), ".value", "invalid_boolean"),
        (condition("field.sector", "eq", 5), ".value", "invalid_text"),
        (condition("field.sector", "like", "\0"), ".value", "invalid_text"),
        (condition("field.sector", "in", "Mining"), ".value", "invalid_list"),
        (condition("field.sector", "in", ["x"] * 1001), ".value", "invalid_list"),
        (condition("field.sector", "is_null", None), ".value", "invalid_boolean"),
        ({"field": "field.sector", "op": "eq"}, ".value", "required"),
        ({}, "", "empty_condition"),
    ],
)
def test_what_is_wrong_with_a_condition_is_named_where_it_stands(
    shop: Shop, asked: dict[str, Any], place: str, code: str
) -> None:
    body = {"filter": {"and": [condition("name", "eq", "x"), {"or": [asked]}]}}
    for operation in ("filter", "count"):
        response = shop.workspace.robot.post(f"/instruments/{operation}", json=body)
        assert refused_fields(response) == {f"filter.and.1.or.0{place}": code}


def test_every_fault_is_named_at_once(shop: Shop) -> None:
    faults = {"or": [condition("nope", "eq", 1), condition("field.shares", "eq", "x"), condition("name", "between", 1)]}
    assert refused_fields(shop.ask(filter=faults)) == {
        "filter.or.0.field": "unknown_field",
        "filter.or.1.value": "invalid_number",
        "filter.or.2.op": "unknown_op",
    }


def test_a_reference_that_names_nothing_matches_nothing_with_a_warning(shop: Shop) -> None:
    for body in (
        {"filter": condition("type_id", "eq", "nope")},
        {"filter": condition("type_id", "in", ["nope"])},
        {"type_id": "nope"},
    ):
        page = answered(shop.ask(**body), 200)
        assert page["data"] == []
        assert page["warnings"] == ["no instrument type 'nope': nothing refers to it"]
    assert len(shop.found(condition("type_id", "ne", "nope"))) == len(EQUITIES)
    assert len(shop.found(condition("type_id", "in", ["nope", "equity"]))) == len(EQUITIES)


@pytest.mark.parametrize("missing", ["field", "op", "value"])
def test_a_condition_says_which_of_its_parts_is_missing(shop: Shop, missing: str) -> None:
    whole = condition("name", "eq", "BHP")
    refused = shop.ask(filter={part: said for part, said in whole.items() if part != missing})
    assert refused_fields(refused) == {f"filter.{missing}": "required"}
