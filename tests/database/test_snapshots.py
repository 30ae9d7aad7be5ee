"""Snapshots as PostgreSQL writes them, and with transactions put back that a worker doesn't show yet."""

from __future__ import annotations

import pytest

from ptolemy.database.snapshots import Snapshot
from tests.database.clusters import ask


@pytest.mark.parametrize("text", ["1:1:", "100:100:", "97:101:97,99"])
def test_a_snapshot_is_written_as_it_was_read(text: str) -> None:
    assert str(Snapshot.of(text)) == text


def test_a_transaction_that_is_put_back_has_not_ended() -> None:
    snapshot = Snapshot.of("99:101:99").before([95])
    assert (str(snapshot), snapshot.xmin) == ("95:101:95,99", 95)
    assert [xid for xid in range(94, 102) if snapshot.sees(xid)] == [94, 96, 97, 98, 100]


def test_numbers_of_32_bits_are_those_of_the_latest_round() -> None:
    here = (3 << 32) + 5
    assert Snapshot(here, frozenset()).before([4, 2**32 - 1]).running == {here - 1, (3 << 32) - 1}


def test_postgresql_reads_what_we_write(database_url: str) -> None:
    text = str(Snapshot.of("100:101:").before([95]))
    seen = "select array_agg(pg_visible_in_snapshot(xid::text::xid8, $1::text::pg_snapshot)) from unnest($2::int[]) xid"
    assert ask(database_url, seen, text, [94, 95, 96, 100, 101]) == [True, False, True, True, False]
