"""The guard over the statements of the whole run sees what it is for."""

from __future__ import annotations

import pytest

from tests.statements import fault

TENANT = {"instruments", "time_series_values"}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("select * from instruments where id = $1", "doesn't say which workspace"),
        ("select * from instruments where workspace_id = $1 for update skip locked", "skips locked rows"),
        ("select * from instruments i join tokens t on t.workspace_id = i.workspace_id", "joins a distributed table"),
        ("insert into instruments (workspace_id) select $1 from unnest($2) n", "becomes a COPY"),
        ("update instruments set archived_at = clock_timestamp() where workspace_id = $1", "computes an instant"),
        (
            "insert into instruments as i (workspace_id, id) values ($1, $2)"
            " on conflict (workspace_id, id) do update set recorded_at = now()",
            "computes an instant for a row",
        ),
        (
            "select i.*, array(select v.value from time_series_values v where v.workspace_id = i.workspace_id)"
            " from instruments i where i.workspace_id = $1 for update",
            "has a query within it",
        ),
        ("select id from instruments where workspace_id = $1 and xid = pg_current_xact_id()", "takes the worker's"),
        ("update instruments set name = set_config('a', 'b', true) where workspace_id = $1", "sets a setting"),
    ],
)
def test_a_statement_unfit_for_distributed_tables_is_found(statement: str, why: str) -> None:
    assert (fault(statement, TENANT) or "").startswith(why)


def test_a_fit_statement_is_let_through() -> None:
    assert fault("select * from instruments where workspace_id = $1 and id = $2", TENANT) is None
    within = "array(select v.value from time_series_values v where v.workspace_id = $1 and v.instrument_id = i.id)"
    assert fault(f"select i.*, {within} from instruments i where i.workspace_id = $2 for update", TENANT) is None
    assert fault("select * from jobs for update skip locked", TENANT) is None
