"""Whatever the API takes comes back as it was: from an archive, and from the files of every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ptolemy.catalogue import EXPORTED
from tests.backups.archives import contents, packed_anew, unpacked
from tests.formats.test_round_trips import ODD_TEXTS
from tests.product import NO_TLS, Workspace, answered

NewWorkspace = Callable[[], Workspace]
Script = list[tuple[str, dict[str, Any]]]
"""Bodies by collection, in order; what is refused is left out."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ODD_TEXTS
)
NAMES = st.sampled_from(["a", "=d", "日本", 'say"so"'])
KEYS = st.sampled_from(["k1", "k2", "k3"])
LEFT_OUT: dict[str, Any] = {}
KINDS = st.sampled_from(["text", "number", "date", "boolean"])
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:f}"[:100]) | st.sampled_from(
    ["0", "-0.000", "1E-20", "9" * 100, f"{'9' * 100}.{'9' * 100}", "-0." + "0" * 99 + "1", "45.820"]
)
DAYS = st.dates().map(str) | st.sampled_from(["0001-01-01", "9999-12-31"])
INSTANTS = st.datetimes().map(lambda instant: f"{instant.isoformat()}Z") | st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
JSONS = st.dictionaries(
    TEXTS, st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=4), max_size=3
)
OFFERS = st.fixed_dictionaries({"text": TEXTS, "number": NUMBERS, "date": DAYS, "boolean": st.booleans()})
"""A value for whatever kind the field has by then."""
FIELD_VALUES = st.fixed_dictionaries(
    {key: st.none() | OFFERS | st.sampled_from([None, LEFT_OUT]) for key in ("k1", "k2", "k3")}
)


def fields(types: st.SearchStrategy[str]) -> dict[str, Any]:
    return {
        "type_id": types,
        "field_key": KEYS,
        "data_type": KINDS,
        "field_label": TEXTS,
        "is_required": st.booleans(),
        "allow_null": st.sampled_from([True, True, False]),
        "display_order": st.integers(-3, 3),
    }


BODIES: dict[str, dict[str, Any]] = {
    "instrument-types": {"identifier": NAMES, "name": TEXTS},
    "instrument-type-fields": fields(NAMES),
    "market-types": {"identifier": NAMES, "description": TEXTS},
    "market-type-fields": fields(NAMES),
    "series": {"identifier": NAMES, "kind": st.sampled_from(["scalar", "composite"]), "unit": TEXTS},
    "time-series-type-fields": fields(NAMES),
    "market-listing-statuses": {"identifier": NAMES | st.just("active"), "is_tradable": st.booleans()},
    "instruments": {
        "identifier": NAMES,
        "name": TEXTS,
        "type_id": NAMES,
        "field_values": FIELD_VALUES,
        "extras": JSONS,
    },
    "instrument-tags": {
        "identifier": NAMES,
        "name": TEXTS,
        "parent_id": st.sampled_from([None, "the last", "the last"]),
    },
    "instrument-tag-assignments": {"instrument_id": NAMES, "tag_id": NAMES},
    "markets": {"identifier": NAMES, "name": TEXTS, "type_id": NAMES, "field_values": FIELD_VALUES},
    "market-calendars": {"market_id": NAMES, "date": DAYS, "is_open": st.booleans(), "name": TEXTS},
    "market-listings": {
        "instrument_id": NAMES,
        "market_id": NAMES,
        "lot_size": st.sampled_from([None, "1.00", "0.5"]),
        "status_id": NAMES,
        "listed_on": DAYS,
    },
    "market-listing-suspensions": {"listing_id": NAMES, "suspended_from": INSTANTS, "reason": TEXTS},
    "time-series-values": {
        "instrument_id": NAMES,
        "type_id": NAMES,
        "timestamp": INSTANTS,
        "value": NUMBERS,
        "field_values": FIELD_VALUES,
    },
    "composite-time-series-values": {
        "instrument_id": NAMES,
        "type_id": NAMES,
        "timestamp": INSTANTS,
        "items": FIELD_VALUES,
    },
}


DATA = [name for name in BODIES if name.replace("-", "_") in EXPORTED]
"""Files name types by their identifiers alone, so what is told of an archived type can't come back from them."""

Form = dict[str, str]
ZIP: Form = {}
FILES: list[Form] = [
    {"format": "csv"},
    {"format": "json"},
    {"format": "ndjson"},
    {"format": "parquet"},
    {"format": "csv", "compression": "gzip"},
]


MADE_ALWAYS = {"series": 2, "instrument-tags": 2, "instrument-type-fields": 2, "time-series-type-fields": 2}
"""Of these one alone shows little: there is no tree of one tag."""
ARCHIVED_OFTEN = ["time-series-values", "composite-time-series-values", "instrument-tags", "instruments"]


@st.composite
def scripts(draw: st.DrawFn, most: int, again: list[str]) -> Script:
    """Some records of each resource, `most` or little more, in an order in which many are accepted; then some are
    archived, moved and restored, of the collections `again`."""
    script: Script = []
    nothing_but_null = draw(st.sampled_from([False, False, True]))
    for collection, fields_ in BODIES.items():
        least = MADE_ALWAYS.get(collection, 1)
        for number in range(draw(st.integers(least, max(most, least + 1)))):
            body = {name: draw(value) for name, value in fields_.items()}
            if collection == "series" and number < 2:
                body["kind"] = ["scalar", "composite"][number]
            if collection == "instrument-tags" and number == 1:
                body["parent_id"] = "the last"
            if nothing_but_null and "field_values" in body:
                body["field_values"] = dict.fromkeys(body["field_values"])
            script.append((collection, body))
    after = st.tuples(st.sampled_from(["archive", "restore", "move"]), st.sampled_from(again), st.integers(0, 5), NAMES)
    often = st.tuples(st.just("archive"), st.sampled_from(ARCHIVED_OFTEN), st.integers(0, 5), NAMES)
    for verb, collection, place, name in draw(st.lists(after, max_size=8)) + draw(st.lists(often, max_size=3)):
        script.append((verb, {"collection": collection, "place": place, "name": name}))
    return script


Made = dict[str, list[dict[str, Any]]]
"""What was accepted, as it was sent and with its id, by collection."""


def play(workspace: Workspace, script: Script) -> None:
    made: Made = {}
    for place, (collection, body) in enumerate(script):
        if collection in BODIES:
            sent = {name: _meant(made, collection, name, place, value) for name, value in body.items()}
            if record := _created(workspace, collection, sent | _custom(made, collection, sent)):
                made.setdefault(collection, []).append(record)
                if collection == "series":
                    made.setdefault(record["kind"], []).append(record)
        elif records := made.get(body["collection"]):
            answer = _again(workspace, collection, body, records[body["place"] % len(records)]["id"])
            assert answer.status_code < 500, answer.text


REFERENCES = {
    "instrument_id": "instruments",
    "market_id": "markets",
    "listing_id": "market-listings",
    "tag_id": "instrument-tags",
    "status_id": "market-listing-statuses",
}
TYPES = {
    "instruments": "instrument-types",
    "instrument-type-fields": "instrument-types",
    "markets": "market-types",
    "market-type-fields": "market-types",
    "time-series-values": "scalar",
    "composite-time-series-values": "composite",
}
FIELDS = {
    "instruments": "instrument-type-fields",
    "markets": "market-type-fields",
    "time-series-values": "time-series-type-fields",
    "composite-time-series-values": "time-series-type-fields",
}


def _meant(made: Made, collection: str, name: str, place: int, value: Any) -> Any:
    """The value, or a record that there is where the field has to name one."""
    if name == "parent_id":
        # One below the other, as deep as there are tags.
        return made[collection][-1]["id"] if value and made.get(collection) else None
    target = REFERENCES.get(name) or (TYPES.get(collection, "series") if name == "type_id" else None)
    found = made.get(target or "", [])
    return found[place % len(found)]["id"] if found else value


def _custom(made: Made, collection: str, sent: dict[str, Any]) -> dict[str, Any]:
    """What is offered for the fields that the record's type has, each in its kind."""
    fields_ = [field for field in made.get(FIELDS.get(collection, ""), []) if field["type_id"] == sent["type_id"]]
    offers = sent.get("field_values") or sent.get("items") or {}
    values = {
        field["field_key"]: offer and offer[field["data_type"]]
        for field in fields_
        if (offer := offers[field["field_key"]]) != LEFT_OUT
    }
    if "items" in sent:
        return {"items": [{"field_key": key, "value": value} for key, value in values.items()]}
    return {"field_values": values} if "field_values" in sent else {}


def _created(workspace: Workspace, collection: str, sent: dict[str, Any]) -> dict[str, Any] | None:
    """What was accepted; custom fields that are refused are mended until they are accepted."""
    for guess in ("1", "2026-02-03", "true", "1"):
        answer = workspace.admin.post(f"/{collection}", json=sent)
        assert answer.status_code < 500, answer.text
        if answer.status_code == 201:
            return sent | {"id": answer.json()["id"]}
        for error in answer.json().get("errors", []):
            name, _, key = error["field"].partition(".")
            if key:
                sent = sent | {name: _mended(sent[name], key, None if error["code"] == "unknown_field" else guess)}
    return None


def _mended(values: Any, key: str, value: str | None) -> Any:
    if isinstance(values, dict):
        rest = {each: given for each, given in values.items() if each != key}
        return rest if value is None else rest | {key: value}
    rest_items = [item for item in values if item["field_key"] != key]
    return rest_items if value is None else [*rest_items, {"field_key": key, "value": value}]


def _again(workspace: Workspace, verb: str, body: dict[str, Any], record: str) -> Any:
    address = f"/{body['collection']}/{record}"
    if verb == "archive":
        return workspace.admin.delete(address)
    if verb == "restore":
        return workspace.admin.post(f"{address}/restore")
    moved = {"parent_id": body["name"]} if body["collection"] == "instrument-tags" else {"name": body["name"]}
    return workspace.admin.patch(address, json=moved)


def _comes_back(new_workspace: NewWorkspace, script: Script, form: Form) -> None:
    workspace, other = new_workspace(), new_workspace()
    play(workspace, script)
    archive = workspace.export_workspace()
    if form == ZIP:
        job = other.import_workspace(archive)
        assert job["status"] == "completed", job
    else:
        _by_files(workspace, other, archive, form)
    assert contents(other.export_workspace()) == contents(archive)


def _by_files(workspace: Workspace, other: Workspace, archive: bytes, form: Form) -> None:
    """The six files, and the others; the schema, which they don't carry, comes from the archive."""
    files = unpacked(archive)
    said = json.loads(files["manifest.json"])
    filled = [file["resource"] for file in said["files"] if file["rows"] and file["resource"] in EXPORTED]
    said["files"] = [file for file in said["files"] if file["resource"] not in EXPORTED]
    kept = {file["name"]: files[file["name"]] for file in said["files"]}
    job = other.import_workspace(packed_anew(kept | {"manifest.json": json.dumps(said).encode()}))
    assert job["status"] == "completed", job
    asked = [
        workspace.robot.post("/exports", json={"resource_type": table, "include_archived": True, **form})
        for table in filled
    ]
    for table, answer in zip(filled, asked, strict=True):
        exported = workspace.finished("exports", answered(answer, 202))
        content = httpx.get(exported["download_url"], verify=NO_TLS).content
        job = other.import_file(table, content)
        assert (job["status"], job["rows_failed"]) == ("completed", 0), (job["error"], job["errors"], content)


# Without shrinking: it would take minutes, and a script is short.
_SETTINGS: dict[str, Any] = {
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


@settings(max_examples=10, **_SETTINGS)
@given(script=scripts(most=2, again=list(BODIES)))
def test_a_random_workspace_comes_back_from_its_archive(new_workspace: NewWorkspace, script: Script) -> None:
    _comes_back(new_workspace, script, ZIP)


@pytest.mark.parametrize("form", FILES, ids=lambda form: "-".join(form.values()))
@settings(max_examples=3, **_SETTINGS)
@given(script=scripts(most=2, again=DATA))
def test_a_random_workspace_comes_back_from_its_files(new_workspace: NewWorkspace, script: Script, form: Form) -> None:
    _comes_back(new_workspace, script, form)


@pytest.mark.long
@settings(max_examples=250, **_SETTINGS)
@given(script=scripts(most=4, again=list(BODIES)))
def test_250_random_workspaces_come_back_from_their_archives(new_workspace: NewWorkspace, script: Script) -> None:
    _comes_back(new_workspace, script, ZIP)


@pytest.mark.long
@pytest.mark.parametrize("form", FILES, ids=lambda form: "-".join(form.values()))
@settings(max_examples=50, **_SETTINGS)
@given(script=scripts(most=4, again=DATA))
def test_250_random_workspaces_come_back_from_their_files(
    new_workspace: NewWorkspace, script: Script, form: Form
) -> None:
    _comes_back(new_workspace, script, form)
