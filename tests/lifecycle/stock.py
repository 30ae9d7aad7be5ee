"""One of each resource, hanging together: what gets archived, restored and deleted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.product import Workspace, answered

KEYS = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Stock:
    """`bhp.ax`, listed on `xasx`, suspended for January, with a close and a bar; by their UUIDs."""

    workspace: Workspace
    instrument: str
    market: str
    listing: str
    suspension: str
    value: str
    bar: str

    def list(self, collection: str, **params: Any) -> list[dict[str, Any]]:
        page = answered(self.workspace.robot.get(f"/{collection}", params={"limit": 200, **params}), 200)
        found: list[dict[str, Any]] = page["data"]
        return found

    def get(self, collection: str, key: str) -> dict[str, Any]:
        return answered(self.workspace.robot.get(f"/{collection}/{key}"), 200)

    def archive(self, collection: str, key: str) -> None:
        answered(self.workspace.robot.delete(f"/{collection}/{key}"), 204)

    def new_suspension(self, begin: str, end: str | None) -> dict[str, Any]:
        """The body of one more suspension of the listing."""
        return {"listing_id": self.listing, "suspended_from": begin, "suspended_until": end}


def stock(workspace: Workspace) -> Stock:
    workspace.equity()
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
    workspace.create(
        "instruments", identifier="bhp.ax", name="BHP", type_id="equity", field_values={"sector": "Materials"}
    )
    listing = workspace.create("market-listings", instrument_id="bhp.ax", market_id="xasx", local_code="BHP")
    suspension = workspace.create(
        "market-listing-suspensions",
        listing_id=listing["id"],
        suspended_from="2026-01-01",
        suspended_until="2026-02-01",
    )
    value = workspace.create(
        "time-series-values", instrument_id="bhp.ax", type_id="close", timestamp="2026-04-15", value="45.820"
    )
    bar = workspace.create(
        "composite-time-series-values",
        instrument_id="bhp.ax",
        type_id="bar",
        timestamp="2026-04-15",
        items=[{"field_key": key, "value": "45.820"} for key in KEYS],
    )
    return Stock(
        workspace,
        listing["instrument_id"],
        listing["market_id"],
        listing["id"],
        suspension["id"],
        value["id"],
        bar["id"],
    )
