"""Prices of US equities as files for import: daily closes, and daily bars."""

from __future__ import annotations

from ptolemy.demo.sources import ImportFile, csv_file, json_file, packaged

CLOSE_DAYS = 8_000
BARS = 12_000

ITEMS = ("open", "high", "low", "close", "volume")
"""The items of a bar, in the order in which they are shown."""


def closes(days: int = CLOSE_DAYS) -> ImportFile:
    """A close a day of each equity, over the newest trading days."""
    table = packaged("close_us_daily.csv.gz")[-days:]
    rows = [
        (symbol.lower(), "close-price", day["Date"], close)
        for day in table
        for symbol, close in day.items()
        if symbol != "Date" and close
    ]
    return csv_file("time_series_values", ("instrument", "type_id", "timestamp", "value"), rows)


def bars(count: int = BARS) -> ImportFile:
    """The newest bars, oldest first."""
    newest = sorted(packaged("ohlcv_us_daily.csv.gz"), key=lambda row: (row["Date"], row["Ticker"]))[-count:]
    rows = [
        {
            "instrument": row["Ticker"].lower(),
            "type_id": "ohlcv",
            "timestamp": row["Date"],
            "items": [{"field_key": key, "value": row[key.capitalize()]} for key in ITEMS],
        }
        for row in newest
    ]
    return json_file("composite_time_series_values", rows)
