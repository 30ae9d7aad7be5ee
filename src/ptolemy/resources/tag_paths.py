"""Paths name tags, `#equity.au`, and tags find instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql, some
from ptolemy.database.transaction import Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields import Links, Text
from ptolemy.engine.resource import Resource
from ptolemy.kernel.identifiers import as_uuid, identifier_fault
from ptolemy.kernel.problems import NotFound
from ptolemy.kernel.quoting import seen

MAX_PATH = 600
"""Characters of a path: what PostgreSQL takes into a key of an index, whatever the script."""


def with_hash(path: str) -> str:
    return f"#{path.removeprefix('#')}"


def path_fault(path: str) -> str | None:
    """Why `path`, with or without its `#`, can be none, or None."""
    if len(path) > MAX_PATH:
        return f"must have at most {MAX_PATH} characters"
    faults = (identifier_fault(part) for part in path.removeprefix("#").split("."))
    return next((fault for fault in faults if fault), None)


def below(tx: Transaction, root: UUID) -> Sql:
    """The ids of the tags below `root`, at every depth."""
    return Sql.of(
        "with recursive below as ("
        " select id from instrument_tags where workspace_id = ? and parent_id = ?"
        " union all"
        " select child.id from instrument_tags child"
        " join below on child.parent_id = below.id where child.workspace_id = ?)"
        " select id from below",
        tx.workspace_id,
        root,
        tx.workspace_id,
    )


class Path(Text):
    """The name of a tag, written with or without the `#`."""

    special_operators = frozenset({"is_descendant_of"})

    def __set_name__(self, owner: type[Resource], name: str) -> None:
        super().__set_name__(owner, name)
        self.tags = owner

    def accept(self, value: Any) -> str:
        return with_hash(super().accept(value))

    def accept_special(self, op: str, value: Any) -> Any:
        """A path, or a UUID."""
        return value if isinstance(value, str) and as_uuid(value) else self.accept(value)

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        root, warnings = await _named(tx, self.tags, value, archived_mentioned=archived_mentioned)
        if root is None:
            return Sql("false"), warnings
        found = below(tx, root)
        return Sql(f"id in ({found.text})", found.args), ()


class Tags(Links):
    """The paths of the tags that an instrument bears, in their order; sent as paths or UUIDs, the whole set."""

    special_operators = frozenset({"tagged", "tagged_with_descendants"})

    def accept_special(self, op: str, value: Any) -> Any:
        return self.other.accept(value)

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        """Archived tags are found only by a filter that speaks of `archived_at`."""
        tag, warnings = await _named(tx, self.other.target, value, archived_mentioned=archived_mentioned)
        if tag is None:
            return Sql("false"), warnings
        wanted = [Sql.of("tag.id = ?", tag)]
        if op == "tagged_with_descendants":
            found = below(tx, tag)
            wanted.append(Sql(f"tag.id in ({found.text})", found.args))
        active = "" if archived_mentioned else " and tag.archived_at is null"
        either = some(wanted)
        return Sql(
            f"id in (select link.{self.owner.name} from {self.link.table} link"
            f" join instrument_tags tag on tag.workspace_id = link.workspace_id and tag.id = link.{self.other.name}"
            f" where link.workspace_id = ?{active} and {either.text})",
            (tx.workspace_id, *either.args),
        ), ()


async def _named(
    tx: Transaction, tags: type[Resource], key: str, *, archived_mentioned: bool
) -> tuple[UUID | None, Sequence[str]]:
    """The tag that a condition names, or None and a warning."""
    try:
        tag = await lookup.one(tx, tags, key)
    except NotFound:
        return None, [f"no instrument tag {seen(key)}: the condition matches nothing"]
    if tag["archived_at"] is not None and not archived_mentioned:
        return None, [f"the instrument tag {seen(key)} is archived: add a condition on archived_at to match it"]
    return tag["id"], ()
