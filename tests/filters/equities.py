"""Two thousand real equities in a workspace of two types, with all that makes filters hard: nulls, scales, scripts."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ptolemy.demo.equities import asx_equities
from tests.filters.oracle import Oracle, Record
from tests.product import Workspace, answered

COUNT = 2_000
DATA_TYPES = {
    "equity": {"sector": "text", "shares": "number", "ipo": "date", "liquid": "boolean", "rank": "number"},
    "fund": {"sector": "text", "shares": "number", "domicile": "text", "rank": "text"},
}
"""`rank` means a number in one type and text in the other."""
KINDS = {
    "id": "id",
    "identifier": "identifier",
    "name": "text",
    "type_id": "reference",
    "extras": "json",
    "created_at": "instant",
    "updated_at": "instant",
    "archived_at": "instant",
}
ODD_NAMES = (
    "Straße",
    "STRASSE",
    "İstanbul",
    "ΣΊΣΥΦΟΣ",
    "日本取引所",
    "100% Pure",
    "under_score",
    "x'; --",
    "\U0001f600",
    "a\\b",
)


def schema(workspace: Workspace) -> None:
    for type_id, fields in DATA_TYPES.items():
        workspace.create("instrument-types", identifier=type_id, name=type_id.title())
        for order, (key, data_type) in enumerate(fields.items()):
            workspace.create(
                "instrument-type-fields", type_id=type_id, field_key=key, data_type=data_type, display_order=order
            )


def load(workspace: Workspace) -> None:
    """By import, as users bring theirs."""
    schema(workspace)
    rows = [equity(number, row) for number, row in enumerate(asx_equities(COUNT))]
    job = workspace.import_file("instruments", json.dumps(rows).encode())
    assert job["status"] == "completed", job
    assert job["rows_imported"] == COUNT


def equity(number: int, row: dict[str, str]) -> dict[str, Any]:
    random = Random(number)
    type_id = "fund" if random.random() < 0.2 else "equity"
    year, month, day = random.randint(2019, 2026), random.randint(1, 12), random.randint(1, 28)
    name = f"{row['name']} {random.choice(ODD_NAMES)}" if random.random() < 0.05 else row["name"]
    values: dict[str, Any] = {
        "sector": row["sector"] or None,
        "shares": random.choice(
            ("1000", "1000.0", "-0.50", "0", "7.25", f"{number}.{number % 100:02}", "99999999999999999999.1")
        ),
        "ipo": f"{year}-{month:02}-{day:02}",
        "liquid": random.choice(("true", "false")),
        "rank": str(random.randint(1, 30)) if type_id == "equity" else random.choice(("A", "a", "10", "9", "Ω")),
        "domicile": row["country"] or None,
    }
    return {
        "identifier": row["symbol"].lower() if random.random() < 0.9 else row["symbol"],
        "name": name,
        "type_id": type_id,
        "field_values": {
            key: values[key] for key in DATA_TYPES[type_id] if values[key] is not None and random.random() < 0.85
        },
        "extras": {"website": row["website"]} if row["website"] else None,
        "created_at": f"{year}-{month:02}-{day:02}T{number % 24:02}:00:00.{number % 3}Z",
        "updated_at": "2026-10-01T00:00:00Z",
        "archived_at": f"2026-11-{day:02}T00:00:00Z" if random.random() < 0.1 else None,
    }


def records(workspace: Workspace) -> list[Record]:
    found: list[Record] = []
    after: dict[str, Any] = {}
    while True:
        page = answered(workspace.robot.get("/instruments", params={"archived": "all", "limit": 200, **after}), 200)
        found += page["data"]
        if not page["meta"]["has_more"]:
            return found
        after = {"after": page["meta"]["next_cursor"]}


def oracle(workspace: Workspace) -> Oracle:
    types = answered(workspace.robot.get("/instrument-types"), 200)["data"]
    named = {each[key]: each["id"] for each in types for key in ("id", "identifier")}
    keys = {key for fields in DATA_TYPES.values() for key in fields}
    data_types = {key: {fields[key] for fields in DATA_TYPES.values() if key in fields} for key in keys}
    return Oracle(records(workspace), KINDS, {"type_id": named}, data_types)
