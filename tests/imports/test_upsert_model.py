"""A file that changes records does what its rows do one after the other, each as a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.product import Workspace, answered

NewWorkspace = Callable[[], Workspace]
EventsOf = Callable[[Workspace], list[dict[str, Any]]]
Record = dict[str, Any]
Counts = Mapping[str, int]

IDS = [str(UUID(int=number)) for number in range(1, 9)]
LONG_AGO, BEFORE, ONCE = "2001-01-01T00:00:00Z", "2002-02-02T00:00:00Z", "2003-03-03T00:00:00Z"
TIMES = {"created_at": LONG_AGO, "updated_at": BEFORE}
ABSENT = object()

COUNTED = ("rows_imported", "rows_updated", "rows_failed")


@dataclass(frozen=True)
class File:
    """An import: the rows as they stand in the file, and what names the records."""

    resource_type: str
    key: str
    rows: list[Record]
    options: Mapping[str, str]


def row(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    found = st.fixed_dictionaries(columns)
    return found.map(lambda each: {name: value for name, value in each.items() if value is not ABSENT})


def mostly(usual: st.SearchStrategy[Any], *odd: Any) -> st.SearchStrategy[Any]:
    """The usual six times of seven."""
    return st.sampled_from([True] * 6 + [False]).flatmap(lambda yes: usual if yes else st.sampled_from(odd))


def seldom(*odd: Any) -> st.SearchStrategy[Any]:
    return mostly(st.just(ABSENT), *odd)


OPTIONS = st.sampled_from(
    [{"on_error": "continue"}] * 2 + [{"on_error": "abort"}] + [{"on_error": "continue", "dry_run": "true"}]
)


def files(resource_type: str, rows: Mapping[str, st.SearchStrategy[Record]]) -> st.SearchStrategy[File]:
    """Files of rows by what the records are named by."""
    return st.sampled_from(list(rows)).flatmap(
        lambda key: st.builds(
            File, st.just(resource_type), st.just(key), st.lists(rows[key], min_size=1, max_size=12), OPTIONS
        )
    )


FIELD_VALUES = row(
    sector=st.sampled_from(["s1", "s2", "s3", None, ABSENT, ABSENT]),
    shares=st.sampled_from(["1.0", 2, None, "many", ABSENT, ABSENT, ABSENT, ABSENT]),
    grade=st.sampled_from(["A", None, ABSENT, ABSENT, ABSENT]),
)


KEYS = {"equity": {"sector", "shares"}, "fund": {"sector", "grade"}}


def told_apart(each: Record) -> Record:
    """A row with an `id` that names what the types lack would fail its whole file, as a backup whose schema is gone."""
    if "id" not in each or each.get("type_id") is None:
        return each
    kind = each["type_id"] if each["type_id"] in KEYS else "equity"
    values = {key: value for key, value in (each.get("field_values") or {}).items() if key in KEYS[kind]}
    return {**each, "type_id": kind, "field_values": values}


def instrument(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    found = row(
        **{
            "id": seldom(*IDS),
            "identifier": st.sampled_from(["a", "b", "c", "d"]),
            "name": mostly(st.sampled_from(["One", "Two", ABSENT]), None, 7, "Three"),
            "type_id": mostly(st.sampled_from(["equity", ABSENT]), "fund", "nothing", None),
            "field_values": mostly(FIELD_VALUES, None, ABSENT, ABSENT),
            "extras": seldom({"k": 1}, {"k": 2}, None),
            "archived_at": seldom(ABSENT, None, ONCE, LONG_AGO),
            "created_at": seldom(ABSENT, ABSENT, ONCE),
            "bogus": seldom(ABSENT, ABSENT, ABSENT, 1),
            **columns,
        }
    )
    return found.map(told_apart)


INSTRUMENTS = files(
    "instruments",
    {
        "identifier": instrument(identifier=mostly(st.sampled_from(["a", "b", "c", "d"]), None, "not good", ABSENT)),
        "id": instrument(
            id=mostly(st.sampled_from(IDS[:5]), ABSENT, "no-id"),
            identifier=st.sampled_from(["a", "b", "c", "d", ABSENT, ABSENT, ABSENT]),
            archived_at=st.sampled_from([None, ONCE, LONG_AGO, ABSENT, ABSENT, ABSENT]),
        ),
        "field.sector": instrument(identifier=st.sampled_from(["a", "b", "c", "d", ABSENT])),
    },
)

STOCK: list[Record] = [
    {
        "id": IDS[0],
        "identifier": "a",
        "name": "One",
        "type_id": "equity",
        "field_values": {"sector": "s1", "shares": "1.0"},
    },
    {"id": IDS[1], "identifier": "b", "name": "Two", "type_id": "fund", "field_values": {"sector": "s2", "grade": "A"}},
    {"id": IDS[2], "identifier": "c", "name": "Two", "type_id": "equity", "archived_at": ONCE},
]

PATHS = ["#x", "#x.y", "#x.y.k", "#w", "#w.y", "#z", "#n", "#n.y", "#n.y.k", "#x.n"]


@st.composite
def tag(draw: st.DrawFn, by_path: bool) -> Record:
    path = draw(st.sampled_from(PATHS))
    above, _, own = path.rpartition(".")
    named = {"path": path} if by_path else {"id": draw(mostly(st.sampled_from(IDS), ABSENT))}
    place = draw(st.sampled_from(["stays", "stays", "as named", "as named", "elsewhere"]))
    if place == "as named":
        named |= {"path": path, "identifier": own.removeprefix("#"), "parent_id": above or None}
    elif place == "elsewhere":
        identifier = draw(st.sampled_from(["x", "y", "k", "n", ABSENT]))
        parent = draw(mostly(st.sampled_from(PATHS), None, *IDS, "#nowhere", ABSENT))
        named |= {"identifier": identifier, "parent_id": parent, "parent": draw(seldom(*PATHS))}
    more = draw(
        row(
            name=st.sampled_from(["One", "Two", None, ABSENT]),
            archived_at=seldom(ABSENT, None, ONCE),
            bogus=seldom(ABSENT, ABSENT, ABSENT, 1),
            **({"id": seldom(ABSENT, *IDS)} if by_path else {"path": seldom(*PATHS)}),
        )
    )
    return {name: value for name, value in (named | more).items() if value is not ABSENT}


TAGS = files("instrument_tags", {"path": tag(True), "id": tag(False)})

TREE: list[Record] = [
    {"id": IDS[0], "identifier": "x"},
    {"id": IDS[1], "identifier": "y", "parent_id": IDS[0]},
    {"id": IDS[2], "identifier": "k", "parent_id": IDS[1]},
    {"id": IDS[3], "identifier": "w", "name": "One"},
    {"id": IDS[4], "identifier": "y", "parent_id": IDS[3]},
    {"id": IDS[5], "identifier": "z", "archived_at": ONCE},
]


@pytest.fixture
def twins(new_workspace: NewWorkspace) -> Callable[[File], tuple[Workspace, Workspace]]:
    """Makes two workspaces that hold the same."""

    def made(file: File) -> tuple[Workspace, Workspace]:
        return stocked(new_workspace(), file), stocked(new_workspace(), file)

    return made


def stocked(workspace: Workspace, file: File) -> Workspace:
    if file.resource_type == "instruments":
        for kind in ("equity", "fund"):
            workspace.create("instrument-types", identifier=kind)
            workspace.create("instrument-type-fields", type_id=kind, field_key="sector", data_type="text")
        workspace.create("instrument-type-fields", type_id="equity", field_key="shares", data_type="number")
        needed: Record = {"is_required": True, "allow_null": False, "data_type": "text"}
        workspace.create("instrument-type-fields", type_id="fund", field_key="grade", **needed)
    stock: Sequence[Record] = STOCK if file.resource_type == "instruments" else TREE
    rows = [{**each, **TIMES} for each in stock]
    job = workspace.import_file(file.resource_type, json.dumps(rows).encode())
    assert job["rows_imported"] == len(rows), job["errors"]
    return workspace


def imported(workspace: Workspace, file: File, rows: Sequence[Record], **options: str) -> Record:
    data = {"resource_type": file.resource_type, "identifier_column": file.key, **options}
    answer = workspace.robot.post("/imports", files={"file": json.dumps(rows).encode()}, data=data)
    return workspace.finished("imports", answered(answer, 202))


def told_of(workspace: Workspace, file: File, events_of: EventsOf) -> list[str]:
    """What was told of each record, in order."""
    by_record: dict[str, list[str]] = {}
    for each in events_of(workspace):
        if each["resource_type"] == file.resource_type.removesuffix("s"):
            told = each["event_type"], each["resource_identifier"], each["changes"]
            by_record.setdefault(str(each["resource_id"]), []).append(plain(told))
    return sorted(plain([record, told]) for record, told in by_record.items())


def records(workspace: Workspace, file: File) -> list[str]:
    """All records, but for what is made up or read off the clock."""
    return sorted(map(plain, json.loads(workspace.export(file.resource_type, format="json"))))


def plain(value: Any) -> str:
    return json.dumps(_known(value), sort_keys=True)


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    if isinstance(value, str) and value not in (*IDS, LONG_AGO, BEFORE, ONCE):
        if len(value) == 36 and value.count("-") == 4:
            return "an id"
        if value.endswith("Z") and value[:2] == "20":
            return "an instant"
    return value


def in_order(file: File) -> list[int]:
    """The places of the rows as they take effect: a tag behind its parent, where that has a row too."""
    if file.resource_type != "instrument_tags":
        return list(range(len(file.rows)))
    named = {str(each[name]): place for name in ("id", "path") for place, each in enumerate(file.rows) if name in each}
    found: list[int] = []

    def put(place: int, below: tuple[int, ...] = ()) -> None:
        keys = [str(file.rows[place][name]) for name in ("parent_id", "parent") if name in file.rows[place]]
        parent = next((named[key] for key in keys if key in named), None)
        if parent is not None and parent not in (*below, place) and parent not in found:
            put(parent, (*below, place))
        if place not in found:
            found.append(place)

    for place in range(len(file.rows)):
        put(place)
    return found


def one_by_one(workspace: Workspace, file: File) -> tuple[Counts, list[tuple[int, Any, str]]]:
    """What becomes of the rows, each as a file of its own."""
    counts, errors = dict.fromkeys(COUNTED, 0), []
    for place in in_order(file):
        job = imported(workspace, file, [file.rows[place]], on_error="continue")
        assert job["status"] == "completed", job
        counts |= {name: counts[name] + job[name] for name in COUNTED}
        errors += [(place + 1, error["field"], error["code"]) for error in job["errors"]]
    return counts, sorted(errors, key=str)


def usage(workspace: Workspace) -> Any:
    return answered(workspace.admin.get("/plan"), 200)["usage"]["items"]


def check(file: File, twins: Callable[[File], tuple[Workspace, Workspace]], events_of: EventsOf) -> None:
    whole, apart = twins(file)
    before = records(whole, file), told_of(whole, file, events_of)
    counts, errors = one_by_one(apart, file)
    job = imported(whole, file, file.rows, **file.options)
    assert sorted(((e["row"], e["field"], e["code"]) for e in job["errors"]), key=str) == errors, job["errors"]
    aborts = file.options["on_error"] == "abort" and counts["rows_failed"]
    expected = dict.fromkeys(COUNTED, 0) | {"rows_failed": counts["rows_failed"]} if aborts else counts
    assert {name: job[name] for name in COUNTED} == expected
    assert job["status"] == ("failed" if aborts else "completed")
    if aborts or file.options.get("dry_run"):
        assert (records(whole, file), told_of(whole, file, events_of)) == before
    else:
        assert records(whole, file) == records(apart, file)
        assert told_of(whole, file, events_of) == told_of(apart, file, events_of)
        assert usage(whole) == usage(apart)


FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def instruments(key: str, *rows: Record) -> File:
    return File("instruments", key, list(rows), {"on_error": "continue"})


def new(identifier: str, **more: Any) -> Record:
    return {"identifier": identifier, "name": "New", "type_id": "equity", **more}


A, B, _, D = IDS[:4]


@settings(max_examples=5, suppress_health_check=FIXTURES)
@given(file=INSTRUMENTS | TAGS)
@example(file=instruments("id", {"id": A, "name": "X"}, {"id": A, "identifier": "e"}, new("e", id=D)))
@example(file=instruments("id", {"id": A, "name": "X"}, {"id": A, "archived_at": ONCE}, new("a", id=D)))
@example(file=instruments("id", new("a", id=D), {"id": A, "identifier": "e"}))
@example(file=instruments("id", {"id": A, "identifier": "b"}, {"id": B, "identifier": "a"}))
@example(file=instruments("identifier", new("e", id=D, name=7), new("e", id=D), new("f", id=D)))
@example(
    file=instruments(
        "field.sector",
        new("e", id=D, field_values={"sector": "s3"}),
        new("e", field_values={"sector": "s4"}),
        new("f", id=D, field_values={"sector": "s5"}),
    )
)
def test_a_file_does_what_its_rows_do_one_by_one(file: File, twins: Any, events_of: EventsOf) -> None:
    check(file, twins, events_of)


@pytest.mark.long
@pytest.mark.parametrize("files_", [INSTRUMENTS, TAGS], ids=["instruments", "tags"])
def test_many_files_do_what_their_rows_do_one_by_one(files_: Any, twins: Any, events_of: EventsOf) -> None:
    @settings(max_examples=300, suppress_health_check=FIXTURES)
    @given(file=files_)
    def each(file: File) -> None:
        check(file, twins, events_of)

    each()
