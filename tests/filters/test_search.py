"""`q`: each of its words is the beginning of a word of what a record is searched by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ptolemy.catalogue import RESOURCES
from ptolemy.engine.resource import Resource
from ptolemy.engine.tables import searched
from tests.filters.stock import Shop, condition, sort
from tests.product import Workspace, answered, refused_fields

NAMES = {
    "bhp.ax": "BHP Group Limited",
    "rio.ax": "Rio Tinto (Limited)",
    "brk-b": "Berkshire Hathaway, Inc.",
    "mue": "Münchener Rück-Versicherung",
    "7203": "トヨタ自動車",
    "omega": "ΩΜΈΓΑ Δ.",
    "none": "--- !!! ---",
    "long": "x" * 999,
    "longer": "東" * 1000,
}


@pytest.fixture(scope="module")
def shop(new_workspace: Callable[[], Workspace]) -> Iterator[Shop]:
    shop = Shop(new_workspace())
    for identifier, name in NAMES.items():
        shop.add(identifier, name=name)
    yield shop


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("bhp", {"bhp.ax"}),
        ("BHP.AX", {"bhp.ax"}),
        ("lim", {"bhp.ax", "rio.ax"}),
        ("limited rio", {"rio.ax"}),
        ("  tin,  r ", {"rio.ax"}),
        ("imited", set()),
        ("ax", {"bhp.ax", "rio.ax"}),
        ("b", {"bhp.ax", "brk-b"}),
        ("hathaway brk", {"brk-b"}),
        ("MÜNCH", {"mue"}),
        ("munch", set()),
        ("versich rück", {"mue"}),
        ("トヨタ", {"7203"}),
        ("ωμ δ", {"omega"}),
        ("72", {"7203"}),
        ("bhp rio", set()),
        ("x" * 200, {"long"}),
        ("東" * 200, {"longer"}),
        ("!", set()),
        ("'", set()),
        ("a' | 'b:*", {"bhp.ax"}),
        ("\\", set()),
    ],
)
def test_words_are_found_by_their_beginning(shop: Shop, q: str, found: set[str]) -> None:
    assert set(shop.found(q=q)) == found
    listed = answered(shop.workspace.robot.get("/instruments", params={"q": q, "limit": 200}), 200)["data"]
    assert {record["identifier"] for record in listed} == found


@pytest.mark.parametrize("q", ["", "   ", None])
def test_an_empty_search_leaves_everything(shop: Shop, q: str | None) -> None:
    assert len(shop.found(q=q)) == len(NAMES)


def test_a_search_stands_beside_a_filter_and_a_sort(shop: Shop) -> None:
    assert shop.found(q="lim", sort=sort("-name")) == ["rio.ax", "bhp.ax"]
    assert shop.found(condition("name", "like", "tinto"), q="lim") == ["rio.ax"]
    assert shop.found(q="lim", sort=sort("field.shares", "-identifier")) == ["rio.ax", "bhp.ax"]


def test_a_search_has_pages(shop: Shop) -> None:
    walked = [record["identifier"] for record in shop.walk(1, q="ax", sort=sort("-identifier"))]
    assert walked == ["rio.ax", "bhp.ax"]


@pytest.mark.parametrize(("q", "code"), [("x" * 201, "invalid_text"), ("\0", "invalid_text")])
def test_a_search_that_can_t_be_one_is_refused(shop: Shop, q: str, code: str) -> None:
    assert refused_fields(shop.ask(q=q)) == {"q": code}
    assert refused_fields(shop.workspace.robot.get("/instruments", params={"q": q})) == {"q": code}


def test_other_workspaces_are_not_searched(shop: Shop, new_workspace: Callable[[], Workspace]) -> None:
    other = Shop(new_workspace())
    other.add("bhp.us", name="BHP elsewhere")
    assert other.found(q="bhp") == ["bhp.us"]
    assert shop.found(q="bhp") == ["bhp.ax"]


def test_a_changed_record_is_found_by_its_new_words(workspace: Workspace) -> None:
    shop = Shop(workspace)
    shop.add("changing", name="Before")
    answered(shop.workspace.robot.patch("/instruments/changing", json={"name": "After"}), 200)
    assert shop.found(q="after") == ["changing"]
    assert shop.found(q="before") == []


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.collection)
def test_every_resource_with_words_can_be_searched(shop: Shop, resource: Resource) -> None:
    client, path = shop.workspace.robot, f"/{resource.collection}"
    if searched(type(resource)):
        answered(client.get(path, params={"q": "zzz"}), 200)
        assert answered(client.post(f"{path}/count", json={"q": "zzz"}), 200)["count"] == 0
    else:
        assert refused_fields(client.get(path, params={"q": "zzz"})) == {"q": "unknown_field"}
