"""What an answer shows of a record beside its columns."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.engine.fields.field import Field

T = TypeVar("T")


class Computed(Field[T]):
    """A value that lies in other columns or other tables; the database works it out as the record is read."""

    column_type = ""
    operators = frozenset()

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"derived": True, **options})

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        """The expression, where `table` names the record's row.

        A query within it says the workspace itself, by a value: `{table}.workspace_id` wouldn't do for Citus, which
        would ask every node, and lock none of the rows.
        """
        raise NotImplementedError
