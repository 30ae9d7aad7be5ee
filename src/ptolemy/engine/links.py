"""The links of a record as a set: what is sent against what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields.links import Links
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.quoting import seen


async def difference(
    tx: Transaction, of: Links, row: Row, keys: Sequence[str]
) -> tuple[list[Row], list[Mapping[str, Any]]]:
    """The links that go, and the bodies of those that come, so that `keys` is the whole set."""
    asked = [lookup.told(key) for key in keys]
    found = await lookup.parents(tx, of.other.target, keys, ())
    unknown = [
        FieldError(f"{of.name}.{position}", "unknown_reference", f"no {of.other.target.called} {seen(key)} here")
        for position, key in enumerate(asked)
        if key not in found
    ]
    if unknown:
        raise Invalid(*unknown)
    wanted = {found[key]["id"] for key in asked}
    statement = Sql.of(
        f"select * from {of.link.table} where workspace_id = ? and {of.owner.name} = ? order by id for update",
        tx.workspace_id,
        row["id"],
    )
    linked = await tx.rows(statement)
    new = wanted - {each[of.other.name] for each in linked}
    gone = [each for each in linked if each[of.other.name] not in wanted]
    return gone, [{of.owner.name: row["id"], of.other.name: record} for record in sorted(new)]


async def names(tx: Transaction, of: Links, row: Row) -> list[str]:
    """What the links of a record are shown as now."""
    owner = of.owner.target.table
    shown = of.sql(owner, tx.workspace_id)
    statement = Sql.of(
        f"select {shown.text} from {owner} where workspace_id = ? and id = ?", *shown.args, tx.workspace_id, row["id"]
    )
    found: list[str] = await tx.value(statement)
    return found
