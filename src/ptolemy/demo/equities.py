"""Equities of Australia and the United States as files for import: instruments, markets, listings, suspensions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from ptolemy.demo.sources import ImportFile, csv_file, packaged

ASX_EQUITIES = 2_000

FIELDS = ("sector", "industry_group", "industry", "country", "market_cap", "isin", "figi")
"""The custom fields of an equity, in the order in which they are shown."""

MARKETS = (
    ("xasx", "Australian Securities Exchange", "Australia/Sydney", "XASX", "Australia"),
    ("chia", "Chi-X Australia", "Australia/Sydney", "CHIA", "Australia"),
    ("xnas", "Nasdaq", "America/New_York", "XNAS", "United States"),
    ("xnys", "New York Stock Exchange", "America/New_York", "XNYS", "United States"),
)

ON_CHI_X = ("anz.ax", "asx.ax", "bhp.ax", "cba.ax", "col.ax", "csl.ax", "mqg.ax", "nab.ax", "qbe.ax", "rio.ax")
"""Equities that trade on a second market as well."""


class Closure(NamedTuple):
    """A time in which the US exchanges, contrary to their calendars, did not open."""

    first: str
    until: str
    reason: str


CLOSURES = (
    Closure("2001-09-11T09:30:00-04:00", "2001-09-17T09:30:00-04:00", "Attacks of 11 September 2001"),
    Closure("2012-10-29T09:30:00-04:00", "2012-10-31T09:30:00-04:00", "Hurricane Sandy"),
)


class Listing(NamedTuple):
    """A row of the file of listings."""

    instrument: str
    market: str
    local_code: str
    currency: str
    status_id: str
    listed_on: str
    delisted_on: str


def asx_equities(count: int = ASX_EQUITIES) -> list[dict[str, str]]:
    """The first equities of the ASX that have a name."""
    return [row for row in packaged("equities_asx.csv.gz") if row["name"]][:count]


def us_equities() -> list[dict[str, str]]:
    """The US equities that prices are known of, a row for each of their listings."""
    return packaged("equities_us.csv")


def instruments(asx: Sequence[dict[str, str]], us: Sequence[dict[str, str]]) -> ImportFile:
    columns = ("identifier", "name", "type_id", *(f"field.{key}" for key in FIELDS), "extras")
    rows = [_instrument(row, json.dumps({"website": row["website"]}) if row["website"] else "") for row in asx]
    listed_once = {row["symbol"]: row | {"country": "United States"} for row in us}
    rows += [_instrument(row, "") for row in listed_once.values()]
    return csv_file("instruments", columns, rows)


def markets() -> ImportFile:
    columns = ("identifier", "name", "type_id", "timezone", "mic", "field.country")
    rows = [(key, name, "exchange", timezone, mic, country) for key, name, timezone, mic, country in MARKETS]
    return csv_file("markets", columns, rows)


def listings(asx: Sequence[dict[str, str]], us: Sequence[dict[str, str]]) -> list[Listing]:
    found = [_asx_listing(row, "xasx") for row in asx]
    found += [_asx_listing(row, "chia") for row in asx if row["symbol"].lower() in ON_CHI_X]
    return found + [_us_listing(row) for row in us]


def listings_file(of: Sequence[Listing]) -> ImportFile:
    return csv_file("market_listings", Listing._fields, of)


def suspensions(of: Sequence[Listing]) -> ImportFile:
    """The closures of the US exchanges, for each listing that there was at the time."""
    columns = ("instrument", "market", "suspended_from", "suspended_until", "reason")
    rows = [
        (listing.instrument, listing.market, closure.first, closure.until, closure.reason)
        for closure in CLOSURES
        for listing in of
        if listing.market in ("xnas", "xnys") and _was_listed(listing, closure.first[:10])
    ]
    return csv_file("market_listing_suspensions", columns, rows)


def _instrument(row: dict[str, str], extras: str) -> Sequence[str]:
    return [row["symbol"].lower(), row["name"], "equity", *(row.get(key, "") for key in FIELDS), extras]


def _asx_listing(row: dict[str, str], market: str) -> Listing:
    symbol = row["symbol"]
    status = "delisted" if row["delisted"] == "True" else "active"
    return Listing(symbol.lower(), market, symbol.removesuffix(".AX"), row["currency"], status, "", "")


def _us_listing(row: dict[str, str]) -> Listing:
    symbol = row["symbol"]
    status = "delisted" if row["delisted_on"] else "active"
    return Listing(symbol.lower(), row["mic"].lower(), symbol, "USD", status, row["listed_on"], row["delisted_on"])


def _was_listed(listing: Listing, day: str) -> bool:
    return listing.listed_on <= day and not (listing.delisted_on and listing.delisted_on <= day)
