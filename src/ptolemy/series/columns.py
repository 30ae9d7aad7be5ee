"""The columns of one series: its instants, its value or its items, and the custom fields of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ptolemy.catalogue import COMPOSITE_VALUES, SCALAR_VALUES
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields.type_values import definitions
from ptolemy.engine.interchange import Interchange
from ptolemy.resources.time_series_values import Values

TIMESTAMP = "timestamp"

Kind = Literal["number", "text", "date", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column beside the instants. Its cells are plain, but those of text are JSON: a line has no room for more."""

    name: str
    kind: Kind
    picked: Sql


@dataclass(frozen=True)
class Layout:
    """What one series has, in the order of every answer: by `display_order`, then by key, as in files."""

    values: Values
    columns: Sequence[Column]

    @property
    def names(self) -> list[str]:
        return [TIMESTAMP, *(column.name for column in self.columns)]

    def select(self, workspace_id: UUID, instrument_id: UUID, type_id: UUID, span: Sql) -> Sql:
        """The lines of the series, oldest first; `span` is a condition on their instants."""
        picked = ", ".join(["timestamp at time zone 'UTC'", *(column.picked.text for column in self.columns)])
        return Sql(
            f"select {picked} from {self.values.table}"
            " where workspace_id = ? and instrument_id = ? and type_id = ? and archived_at is null"
            f" and {span.text} order by timestamp",
            (
                *(arg for column in self.columns for arg in column.picked.args),
                workspace_id,
                instrument_id,
                type_id,
                *span.args,
            ),
        )


async def layout(tx: Transaction, series: Row) -> Layout:
    """The columns that `series` has now: those of archived fields are left out."""
    values = COMPOSITE_VALUES if series["kind"] == COMPOSITE_VALUES.kind else SCALAR_VALUES
    interchange = Interchange(type(values))
    custom = interchange.custom
    assert custom is not None  # noqa: S101 - both kinds of value have custom fields
    known = (await definitions(tx, custom.defined_by, {series["id"]}))[series["id"]]
    columns = [Column("value", "number", Sql("value"))] if values is SCALAR_VALUES else []
    for key, definition in known.active.items():
        kind: Kind = definition["data_type"]
        arrow = "->" if kind == "text" else "->>"
        picked = Sql.of(f"{custom.name} {arrow} ?::text", key)
        columns.append(Column(f"{interchange.prefix}{key}", kind, picked))
    return Layout(values, columns)
