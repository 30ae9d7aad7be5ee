"""Some of the data put into the archive, parents with their children in place: a backup has to carry that as well."""

from __future__ import annotations

from typing import Any

import httpx

INSTRUMENTS = ("fb", "rrc")
"""One with bars, one with closes."""
MARKETS = ("chia",)
VALUES = (("time-series-values", "aapl", "close-price"), ("composite-time-series-values", "fb", "ohlcv"))
"""Series of which the newest values are archived: one of an instrument that stays, one of an instrument that goes."""
NEWEST = 5
DELISTED = 5


def archive_some(workspace: httpx.Client) -> int:
    """How many records went into the archive."""
    delisted = _filter(workspace, "market-listings", {"market_id": "xasx", "status_id": "delisted", "limit": DELISTED})
    paths = [
        *(path for collection, *series in VALUES for path in _newest(workspace, collection, *series)),
        *(f"/market-listings/{listing['id']}" for listing in delisted),
        *(f"/instruments/{listing['instrument_id']}" for listing in delisted),
        *(f"/instruments/{key}" for key in INSTRUMENTS),
        *(f"/markets/{key}" for key in MARKETS),
    ]
    for path in paths:
        workspace.delete(path)
    return len(paths)


def record_again(workspace: httpx.Client) -> int:
    """Writes the archived closes once more: an archived value doesn't hold its instant."""
    collection, instrument, series = VALUES[0]
    archived = _filter(workspace, collection, {"instrument_id": instrument, "type_id": series, "archived": "only"})
    for value in archived:
        again = {key: value[key] for key in ("instrument_id", "type_id", "timestamp", "value")}
        workspace.post(f"/{collection}", json=again)
    return len(archived)


def _newest(workspace: httpx.Client, collection: str, instrument: str, series: str) -> list[str]:
    asked = {
        "instrument_id": instrument,
        "type_id": series,
        "sort": [{"field": "timestamp", "direction": "desc"}],
        "limit": NEWEST,
    }
    return [f"/{collection}/{value['id']}" for value in _filter(workspace, collection, asked)]


def _filter(workspace: httpx.Client, collection: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.post(f"/{collection}/filter", json=asked).json()["data"]
    return found
