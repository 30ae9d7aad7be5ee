"""Every fault of the table strikes every work that it can hit: nothing is lost, nothing half done, all errors clear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.faults.arenas import ARENAS, Arena
from tests.faults.listing import PAGE
from tests.faults.table import Injection, injections, shortened

Arenas = Callable[[str], Arena]


@pytest.fixture(scope="module")
def arena(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arenas]:
    """An arena by its name; the one before is left first, for its workers would take the jobs of the next."""
    with ExitStack() as ends:
        now: dict[str, Arena] = {}

        def named(name: str) -> Arena:
            if name not in now:
                now.clear()
                ends.close()
                now[name] = ends.enter_context(ARENAS[name](database_url, tmp_path_factory.mktemp(name)))
            return now[name]

        yield named


def test_the_table_has_two_hundred_faults() -> None:
    assert len(injections()) >= 200
    assert len(shortened()) == 10


def test_every_fault_is_listed_with_what_was_seen_of_it() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line[:3] in ("| 0", "| 1", "| 2")]
    listed = [(row[0].removeprefix("| "), row[1], row[2]) for row in rows]
    assert listed == [(f"{each.number:03}", each.row.kind, str(each.work)) for each in injections()]
    assert not [row for row in rows if "NOT AS PROMISED" in row[3]]


@pytest.mark.parametrize("injection", shortened(), ids=str)
def test_a_fault_loses_nothing_and_is_told(
    injection: Injection, arena: Arenas, record_property: Callable[[str, object], None]
) -> None:
    inject(injection, arena, record_property)


@pytest.mark.long
@pytest.mark.parametrize("injection", injections(), ids=str)
def test_two_hundred_faults_lose_nothing_and_are_told(
    injection: Injection, arena: Arenas, record_property: Callable[[str, object], None]
) -> None:
    inject(injection, arena, record_property)


def inject(injection: Injection, arena: Arenas, record_property: Callable[[str, object], None]) -> None:
    struck = arena(injection.row.arena)
    struck.ground.seen.clear()
    try:
        injection.row.strike(struck, injection.work, injection.chance)
    finally:
        # One that has failed leaves no worker to the next.
        struck.ground.end_workers()
    record_property("fault", injection.row.kind)
    record_property("work", injection.work.name)
    record_property("seen", "; then ".join(dict.fromkeys(struck.ground.seen)))
