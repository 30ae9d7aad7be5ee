"""Instruments to be found: of two types whose fields agree in one key, differ in another, and share no third."""

from __future__ import annotations

from typing import Any

import httpx

from tests.product import Workspace, answered

Body = dict[str, Any]

FIELDS = {
    "equity": {"sector": "text", "shares": "number", "listed": "date", "active": "boolean", "rating": "number"},
    "bond": {"issuer": "text", "listed": "date", "rating": "text"},
}
"""`listed` is a date in both, `rating` a number in one and text in the other."""


class Shop:
    """A workspace with the two types."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        for kind, fields in FIELDS.items():
            workspace.create("instrument-types", identifier=kind)
            for order, (key, data_type) in enumerate(fields.items()):
                workspace.create(
                    "instrument-type-fields", type_id=kind, field_key=key, data_type=data_type, display_order=order
                )

    def add(self, identifier: str, kind: str = "equity", *, name: str | None = None, **values: Any) -> Body:
        return self.workspace.create(
            "instruments", identifier=identifier, name=name or identifier, type_id=kind, field_values=values
        )

    def ask(self, collection: str = "instruments", **body: Any) -> httpx.Response:
        return self.workspace.robot.post(f"/{collection}/filter", json=body)

    def found(self, *conditions: Body, collection: str = "instruments", **more: Any) -> list[str]:
        """The identifiers of what a filter finds, in its order; the count must agree."""
        body: Body = {"filter": {"and": list(conditions)}, **more} if conditions else more
        page = answered(self.ask(collection, limit=200, **body), 200)
        asked = {key: value for key, value in body.items() if key != "sort"}
        counted = answered(self.workspace.robot.post(f"/{collection}/count", json=asked), 200)
        assert counted["count"] == len(page["data"]), body
        assert counted.get("warnings") == page.get("warnings") or "sort" in body
        return [record["identifier"] for record in page["data"]]

    def walk(self, limit: int, collection: str = "instruments", **body: Any) -> list[Body]:
        """All records of a filter, page by page."""
        records: list[Body] = []
        after = None
        while True:
            page = answered(self.ask(collection, limit=limit, **body, **({"after": after} if after else {})), 200)
            records += page["data"]
            after = page["meta"]["next_cursor"]
            if after is None:
                return records


def condition(field: str, op: str, value: Any) -> Body:
    return {"field": field, "op": op, "value": value}


def sort(*keys: str) -> list[Body]:
    """`-name` is descending."""
    return [{"field": key.lstrip("-"), "direction": "desc" if key.startswith("-") else "asc"} for key in keys]
