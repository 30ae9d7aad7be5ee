"""The table of faults: which kind strikes which work, how often.

A row is a kind, where it strikes, how, and the works that it is tried on; each work is struck once a round. For one
more job, add its `Work` to those of the rows that can hit it; for one more fault, add a row.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from tests.faults import bombs, damage, strikes
from tests.faults.strikes import Strike
from tests.faults.works import IMPORTS, INSTRUMENTS_FORMS, LONG, VALUES_FORMS, WORKSPACE_IN, Work

SEED = 20261127


@dataclass(frozen=True)
class Row:
    """`rounds` in the long run; in the short one the first work alone is struck, where the kind is among `SHORT`."""

    kind: str
    arena: str
    strike: Strike
    works: Sequence[Work]
    rounds: int = 1


@dataclass(frozen=True)
class Injection:
    """One fault, once."""

    number: int
    row: Row
    work: Work

    @property
    def chance(self) -> random.Random:
        return random.Random(SEED + self.number)

    def __str__(self) -> str:
        return f"{self.number:03} {self.row.kind} · {self.work}"


def _damaged() -> list[Row]:
    rows = []
    for forms in (VALUES_FORMS, INSTRUMENTS_FORMS):
        for form, work in forms.items():
            for kind in damage.OF_FORMS[form]:
                rounds = 1 if kind.always_shows else 2
                rows.append(Row(f"a {form} file, {kind}", "workers", strikes.damaged(kind), [work], rounds))
    archives = (
        Row(f"an archive, {each}", "workers", strikes.damaged(each), [WORKSPACE_IN], 2) for each in damage.OF_ARCHIVES
    )
    return [*rows, *archives]


def _bombs() -> list[Row]:
    of_text, of_json = (
        [VALUES_FORMS["csv"], INSTRUMENTS_FORMS["csv"]],
        [VALUES_FORMS["json"], INSTRUMENTS_FORMS["json"]],
    )
    of_parquet = [VALUES_FORMS["parquet"], INSTRUMENTS_FORMS["parquet"]]
    large, unlike = "larger than", "manifest"
    kinds = [
        ("gzip of rows", bombs.of_rows, large, of_text),
        ("gzip of one line", bombs.of_one_line, large, of_text),
        ("gzip of JSON", bombs.of_json, large, of_json),
        ("gzip of brackets", bombs.of_brackets, large, of_json),
        ("gzip of nothing", bombs.of_nothing, "NUL", of_text),
        ("ZIP that says so", bombs.archive_that_says_so, large, [WORKSPACE_IN]),
        ("ZIP that lies about its size", bombs.archive_that_lies, unlike, [WORKSPACE_IN]),
        ("ZIP of bzip2", bombs.archive_of_another_method, "compressed in another way", [WORKSPACE_IN]),
        ("ZIP of overlapping files", bombs.archive_of_overlaps, "", [WORKSPACE_IN]),
        ("ZIP of too many names", bombs.archive_of_many_names, "directory", [WORKSPACE_IN]),
        ("ZIP in a ZIP", bombs.archive_in_an_archive, "", [WORKSPACE_IN]),
        # Values have no column for it, and are refused for that before it is looked at.
        ("Parquet of one long text", bombs.parquet_of_one_text, large, of_parquet[1:] * 2),
        ("Parquet of long texts", bombs.parquet_of_long_texts, large, of_parquet),
        ("Parquet of too many rows", bombs.parquet_of_rows, large, of_parquet),
    ]
    return [Row(f"bomb: {name}", "workers", strikes.bomb(made, because), works) for name, made, because, works in kinds]


TABLE: Sequence[Row] = [
    Row("the worker is killed", "workers", strikes.killed, LONG, 4),
    Row("PostgreSQL is killed", "postgresql", strikes.killed, LONG, 2),
    Row("the server is killed", "server", strikes.killed, LONG),
    Row("the server is killed amid an upload", "server", strikes.killed_server_amid_an_upload, IMPORTS),
    *(Row(f"the store answers {status}", "storage", strikes.storage_down(status), LONG) for status in (500, 502, 503)),
    *(
        Row(f"the store answers {status} now and then", "storage", strikes.storage_now_and_then(status), LONG)
        for status in (500, 502, 503)
    ),
    Row("the file store is full", "full_store", strikes.full_disk, LONG),
    Row("the temporary directory is full", "full_scratch", strikes.full_disk, LONG[4:7]),
    Row("the connection is closed mid-part", "workers", strikes.connection_closed_mid_part, IMPORTS, 2),
    Row("the connection is closed mid-file", "workers", strikes.connection_closed_mid_file, IMPORTS),
    Row("a part is missing", "workers", strikes.part_missing, IMPORTS),
    Row("a part has changed", "workers", strikes.part_of_another_hash, IMPORTS),
    Row("a part is sent twice", "workers", strikes.part_sent_twice, IMPORTS),
    *_damaged(),
    *_bombs(),
]


SHORT = (
    "the worker is killed",
    "the store answers 502",
    "the store answers 500 now and then",
    "the file store is full",
    "the connection is closed mid-part",
    "a part has changed",
    "a gzip file, cut",
    "an archive, a byte changed",
    "bomb: gzip of rows",
    "bomb: ZIP that lies about its size",
)


def shortened() -> list[Injection]:
    """One of each kind that is tried whenever anything is."""
    first = {each.row.kind: each for each in reversed(injections())}
    return [first[kind] for kind in SHORT]


def injections() -> list[Injection]:
    numbers = count(1)
    return [Injection(next(numbers), row, work) for row in TABLE for work in row.works for _ in range(row.rounds)]
