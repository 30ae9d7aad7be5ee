"""A workspace with records of every resource, awkward ones among them."""

from __future__ import annotations

from tests.exports.test_round_trip import fill
from tests.product import Workspace, answered


def fill_all(workspace: Workspace) -> None:
    """All of `fill`, and schemas with a past: archived types and fields, names used again."""
    fill(workspace)
    workspace.create(
        "market-type-fields",
        type_id="exchange",
        field_key="tier",
        data_type="text",
        default_value="=1",
        has_default=True,
    )
    workspace.create("market-listing-statuses", identifier="when-issued", name="\u202eWhen issued", is_tradable=True)
    answered(workspace.admin.patch("/market-listing-statuses/halted", json={"name": "Paused"}), 200)
    workspace.admin.delete("/market-listing-statuses/delisted")
    # An archived type and an active one of the same name: only the id tells them apart.
    workspace.create("instrument-types", identifier="bond", name="Old")
    workspace.create("instrument-type-fields", type_id="bond", field_key="coupon", data_type="number")
    workspace.create("instruments", identifier="old-bond", name="", type_id="bond", field_values={"coupon": "1.50"})
    workspace.admin.delete("/instrument-types/bond")
    workspace.create("instrument-types", identifier="bond", name="New", description="")
    workspace.create("instruments", identifier="new-bond", name="N", type_id="bond")
    # A field that is archived while records hold its values.
    field = workspace.create("instrument-type-fields", type_id="equity", field_key="old", data_type="date")
    answered(workspace.robot.patch("/instruments/bhp.ax", json={"field_values": {"old": "2026-02-28"}}), 200)
    workspace.admin.delete(f"/instrument-type-fields/{field['id']}")
    # Values with fields of their own, and a series that is archived.
    workspace.create("series", identifier="eps", kind="scalar", unit="USD")
    workspace.create("time-series-type-fields", type_id="eps", field_key="note", data_type="text")
    workspace.create(
        "time-series-values",
        instrument_id="bhp.ax",
        type_id="eps",
        timestamp="0001-01-01",
        value="1E-20",
        field_values={"note": 'two\nlines "and" ünïcode 🜨'},
    )
    workspace.admin.delete("/series/eps")
