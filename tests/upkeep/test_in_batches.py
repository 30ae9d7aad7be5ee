"""However much has come to its end, no transaction of upkeep removes so much that others wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ptolemy.database.retention import AT_ONCE
from tests.faults.ground import Sight
from tests.upkeep.keeping import AT_MOST_DAYS, Keeping

ID = "lpad(to_hex(n), 32, '0')::uuid"


@dataclass(frozen=True)
class Many:
    """More than goes at once: where it lies, and what is put there, by columns; `n` is the number of a row."""

    table: str
    columns: str
    values: str
    source: str = ""
    """A table that has a row already, of which the values speak too."""
    at_once: int = AT_ONCE
    goes_by: str = "delete"

    @property
    def insert(self) -> str:
        source = f", {self.source}" if self.source else ""
        of_workspace = f" where {self.source}.workspace_id = $1" if self.source else ""
        return (
            f"insert into {self.table} (workspace_id, {self.columns})"
            f" select $1, {self.values} from generate_series(1, $2::int) n{source}{of_workspace}"
        )


_EXPORT = "id, resource_type, format, include_archived, rows_written, completed_at, status"
MANY = {
    "events": Many(
        "events",
        "id, epoch, xid, event_type, resource_type, resource_id, changes, actor_type, actor_name",
        f"{ID}, 0, '1', 'a.b', 'a', {ID}, '{{}}', 'system', 's'",
    ),
    "records of jobs": Many("exports", _EXPORT, f"{ID}, 'markets', 'csv', false, 0, now(), 'failed'"),
    "files of exports": Many(
        "exports",
        f"{_EXPORT}, sha256, file_expires_at",
        f"{ID}, 'markets', 'csv', false, 0, now(), 'completed', 'x', now()",
        goes_by="update",
    ),
    "failed rows": Many(
        "import_errors", "id, import_id, row, code, message", f"{ID}, imports.id, n, 'x', 'x'", "imports"
    ),
    "deliveries": Many(
        "webhook_deliveries",
        "id, webhook_id, event_id, event_type, resource_id, status, attempts, failures",
        f"{ID}, {ID}, {ID}, 'a.b', {ID}, 'delivered', 1, 0",
    ),
    "answers to keys": Many("idempotency_keys", "key_hash, request_digest", "decode(md5(n::text), 'hex'), ''"),
    "uploads": Many("uploads", "id, expires_at", f"{ID}, now()", at_once=10),
}


@pytest.fixture(params=MANY.values(), ids=list(MANY))
def many(request: pytest.FixtureRequest, one_server: None, keeping: Keeping) -> Iterator[Many]:
    """Each statement that takes some of them is noted, with its transaction."""
    kind: Many = request.param
    _run(
        keeping.sight,
        "create table taken (number bigint, xid xid8 default pg_current_xact_id())",
        "create function note() returns trigger language plpgsql security definer as"
        " 'begin insert into taken (number) select count(*) from gone; return null; end'",
        f"create trigger note after {kind.goes_by} on {kind.table} referencing old table as gone"
        " for each statement execute function note()",
    )
    yield kind
    _run(keeping.sight, "drop function note cascade", "drop table taken")


def _run(sight: Sight, *statements: str) -> None:
    for statement in statements:
        sight.rows(statement)


def test_what_is_over_goes_a_little_at_a_time_until_all_of_it_is_gone(keeping: Keeping, many: Many) -> None:
    keeping.workspace.import_file("markets", b"identifier,type_id\n")
    keeping.sight.rows(many.insert, keeping.workspace_id, 2 * many.at_once + 10)
    keeping.pass_by(days=8 if many.goes_by == "update" else AT_MOST_DAYS + 1)
    keeping.sight.rows("delete from taken")
    keeping.upkeep()
    taken = keeping.sight.column("select sum(number)::int from taken where number > 0 group by xid order by min(xid)")
    assert max(taken) == many.at_once
    assert sum(taken) >= 2 * many.at_once + 10
    if many.goes_by == "delete":
        assert keeping.count(many.table) == 0
