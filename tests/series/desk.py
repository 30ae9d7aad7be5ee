"""What batches are written to and series are read from."""

from __future__ import annotations

from typing import Any

import httpx

from tests.product import Workspace, answered

SCALAR, COMPOSITE = "time-series-values", "composite-time-series-values"
KEYS = ("open", "high", "low", "close")


def equip(workspace: Workspace) -> Workspace:
    """Instruments `bhp.ax` and `rio.ax`; the series `close` and `bar`, and `noted`, whose values have custom fields."""
    workspace.equity()
    for identifier in ("bhp.ax", "rio.ax"):
        workspace.create("instruments", identifier=identifier, name=identifier, type_id="equity")
    workspace.create("series", identifier="noted", kind="scalar", unit="AUD")
    for order, (key, data_type) in enumerate(
        {"note": "text", "day": "date", "final": "boolean", "w": "number"}.items()
    ):
        workspace.create(
            "time-series-type-fields", type_id="noted", field_key=key, data_type=data_type, display_order=order
        )
    return workspace


def close(timestamp: str, value: Any, instrument: str = "bhp.ax", series: str = "close", **more: Any) -> dict[str, Any]:
    return {"instrument_id": instrument, "type_id": series, "timestamp": timestamp, "value": value, **more}


def bar(timestamp: str, instrument: str = "bhp.ax", **items: Any) -> dict[str, Any]:
    """A bar; the items that are not given are 1."""
    given = dict.fromkeys(KEYS, "1") | items
    return {
        "instrument_id": instrument,
        "type_id": "bar",
        "timestamp": timestamp,
        "items": [{"field_key": key, "value": value} for key, value in given.items()],
    }


def send(workspace: Workspace, collection: str, *records: Any, on_conflict: str = "error") -> httpx.Response:
    return workspace.robot.post(f"/{collection}/batch", json={"data": list(records), "on_conflict": on_conflict})


def written(workspace: Workspace, collection: str, *records: Any, on_conflict: str = "error") -> tuple[int, int, int]:
    """How many a batch has created, updated and skipped."""
    done = answered(send(workspace, collection, *records, on_conflict=on_conflict), 200)
    return done["created"], done["updated"], done["skipped"]


def stored(workspace: Workspace, collection: str, archived: str = "false") -> list[dict[str, Any]]:
    """All values, by instrument, series and instant."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = answered(
            workspace.robot.get(f"/{collection}", params={"limit": "200", "archived": archived, **after}), 200
        )
        found += page["data"]
        if not page["meta"]["has_more"]:
            return sorted(found, key=lambda row: (row["instrument_id"], row["type_id"], row["timestamp"]))
        after = {"after": page["meta"]["next_cursor"]}
