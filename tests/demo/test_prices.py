"""The demo's prices."""

from __future__ import annotations

import csv
import io
import json

from ptolemy.demo.prices import ITEMS, bars, closes
from ptolemy.demo.sources import packaged


def test_there_are_160000_closes_of_20_equities_one_an_instant() -> None:
    file = closes()

    rows = list(csv.DictReader(io.StringIO(file.content.decode())))

    assert len(rows) == file.rows == 160_000
    assert len({row["instrument"] for row in rows}) == 20
    assert len({(row["instrument"], row["timestamp"]) for row in rows}) == 160_000


def test_closes_keep_the_digits_of_their_source() -> None:
    last_day = packaged("close_us_daily.csv.gz")[-1]

    rows = list(csv.DictReader(io.StringIO(closes(days=1).content.decode())))

    assert {row["instrument"].upper(): row["value"] for row in rows} | {"Date": rows[0]["timestamp"]} == last_day


def test_there_are_12000_bars_with_all_items_one_an_instant() -> None:
    rows = json.loads(bars().content)

    assert len({(row["instrument"], row["timestamp"]) for row in rows}) == len(rows) == bars().rows == 12_000
    assert {tuple(item["field_key"] for item in row["items"]) for row in rows} == {ITEMS}
    assert {row["instrument"] for row in rows} == {"aapl", "fb", "goog", "ibm", "msft"}
