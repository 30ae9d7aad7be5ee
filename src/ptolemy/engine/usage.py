"""Which records hold a value of a custom field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import TypeValues
from ptolemy.engine.resource import Resource


async def records_with(tx: Transaction, definitions: Resource, definition: Mapping[str, Any]) -> dict[str, int]:
    """How many records, archived ones too, hold a value of the field, by kind."""
    counts = {}
    for user, values in users(definitions):
        await _hold_still(tx, values, definition)
        statement = Sql.of(
            f"select count(*) from {user.table}"
            f" where workspace_id = ? and {values.type.name} = ? and jsonb_exists({values.name}, ?)",
            tx.workspace_id,
            definition["type_id"],
            definition["field_key"],
        )
        if number := await tx.value(statement):
            counts[user.table] = int(number)
    return counts


async def records_lacking(tx: Transaction, definitions: Resource, definition: Mapping[str, Any]) -> bool:
    """Whether a record of the type, archived or not, has no value of the field."""
    for user, values in users(definitions):
        await _hold_still(tx, values, definition)
        statement = Sql.of(
            f"select exists (select from {user.table}"
            f" where workspace_id = ? and {values.type.name} = ? and not jsonb_exists({values.name}, ?))",
            tx.workspace_id,
            definition["type_id"],
            definition["field_key"],
        )
        if await tx.value(statement):
            return True
    return False


async def _hold_still(tx: Transaction, values: TypeValues, definition: Mapping[str, Any]) -> None:
    """Waits for records of the type that are being written, and keeps others away until the transaction ends.

    Who writes one holds its type `for key share` before reading the definitions; what this one finds stays true.
    """
    await tx.run(
        Sql.of(
            f"select id from {values.type.target.table} where workspace_id = ? and id = ? for update",
            tx.workspace_id,
            definition["type_id"],
        )
    )


def users(definitions: Resource) -> list[tuple[Resource, TypeValues]]:
    """The resources whose custom fields `definitions` defines."""
    types = [reference.target for reference in definitions.references()]
    return [
        (child, values)
        for target in types
        for child, _ in target.dependents
        for values in child.fields.values()
        if isinstance(values, TypeValues) and values.defined_by is type(definitions)
    ]
