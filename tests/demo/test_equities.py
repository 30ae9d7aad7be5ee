"""The demo's reference data."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime

from ptolemy.demo.equities import (
    CLOSURES,
    MARKETS,
    asx_equities,
    instruments,
    listings,
    listings_file,
    suspensions,
    us_equities,
)
from ptolemy.demo.sources import ImportFile, packaged


def rows_of(file: ImportFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.content.decode())))


def test_there_are_2000_equities_of_the_asx_and_23_of_the_us() -> None:
    rows = rows_of(instruments(asx_equities(), us_equities()))

    australian = [row for row in rows if row["identifier"].endswith(".ax")]
    assert (len(australian), len(rows)) == (2000, 2023)
    assert len({row["identifier"] for row in rows}) == 2023
    assert all(row["name"] for row in rows)


def test_an_instrument_keeps_what_its_source_says() -> None:
    [source] = [row for row in asx_equities() if row["symbol"] == "BHP.AX"]

    [bhp] = [row for row in rows_of(instruments(asx_equities(), [])) if row["identifier"] == "bhp.ax"]

    assert bhp["field.sector"] == source["sector"]
    assert bhp["field.figi"] == source["figi"]
    assert json.loads(bhp["extras"]) == {"website": source["website"]}


def test_every_listing_names_an_instrument_and_a_market_of_the_files() -> None:
    asx, us = asx_equities(), us_equities()
    known = {row["identifier"] for row in rows_of(instruments(asx, us))}

    found = listings(asx, us)

    assert {listing.instrument for listing in found} == known
    assert {listing.market for listing in found} == {market for market, *_ in MARKETS}
    assert len({(listing.instrument, listing.market) for listing in found}) == len(found) == listings_file(found).rows


def test_only_those_are_suspended_that_were_listed_at_the_time() -> None:
    rows = rows_of(suspensions(listings([], us_equities())))

    suspended = [{row["instrument"] for row in rows if row["reason"] == closure.reason} for closure in CLOSURES]
    assert "goog" not in suspended[0]
    assert "goog" in suspended[1]
    assert [row["market"] for row in rows if row["instrument"] == "pep"] == ["xnys", "xnys"]


def test_no_price_is_known_of_a_time_of_suspension() -> None:
    days = {row["Date"] for name in ("close_us_daily.csv.gz", "ohlcv_us_daily.csv.gz") for row in packaged(name)}

    for closure in CLOSURES:
        first, until = (datetime.fromisoformat(text).date().isoformat() for text in (closure.first, closure.until))
        assert not [day for day in days if first <= day < until]
        assert until in days
