"""The types, fields and series that the demo's data needs: schemas are made by people, and not by imports."""

from __future__ import annotations

from typing import Any

from ptolemy.demo.equities import FIELDS
from ptolemy.demo.prices import ITEMS

LABELS = {"isin": "ISIN", "figi": "FIGI", "market_cap": "Market capitalisation"}


def schema() -> list[tuple[str, dict[str, Any]]]:
    """The records to create, each with the path that takes it, in an order in which they can be created."""
    return [
        ("/instrument-types", {"identifier": "equity", "name": "Equity"}),
        *(("/instrument-type-fields", _field("equity", key, place)) for place, key in enumerate(FIELDS)),
        ("/market-types", {"identifier": "exchange", "name": "Exchange"}),
        ("/market-type-fields", _field("exchange", "country", 0)),
        ("/series", {"identifier": "close-price", "name": "Adjusted close", "kind": "scalar", "unit": "USD"}),
        ("/series", {"identifier": "ohlcv", "name": "Daily bars", "kind": "composite"}),
        *(("/time-series-type-fields", _item("ohlcv", key, place)) for place, key in enumerate(ITEMS)),
    ]


def _field(type_id: str, key: str, place: int) -> dict[str, Any]:
    label = LABELS.get(key, key.replace("_", " ").capitalize())
    return {"type_id": type_id, "field_key": key, "field_label": label, "data_type": "text", "display_order": place}


def _item(type_id: str, key: str, place: int) -> dict[str, Any]:
    duty = {"is_required": key != "volume", "allow_null": key == "volume"}
    return _field(type_id, key, place) | {"data_type": "number"} | duty
