"""Tags form a tree; a tag is named by its path, `#equity.au`: the identifiers from the root, joined by dots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import constraints, history
from ptolemy.engine.fields import Identifier, Reference, Text
from ptolemy.engine.history import Change
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.resources.tag_paths import MAX_PATH, Path, below, path_fault, with_hash


class TagIdentifier(Identifier):
    """An identifier without dots, which separate the tags of a path."""

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        if "." in text:
            raise ValueError("must have no dot: dots separate the tags of a path")
        return text


class InstrumentTags(Resource):
    """A label for instruments, in a tree of labels: `#equity.au`."""

    singular = "instrument_tag"
    collection = "instrument-tags"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    one_writer = True
    named_by = "path"
    longest_key = MAX_PATH

    identifier = TagIdentifier(required=True, searched=True)
    name = Text(searched=True)
    parent_id = Reference(None, when_deleted="refuse")
    path = Path(required=True, derived=True, max_length=MAX_PATH)

    unique = [Unique(path)]

    @classmethod
    def key_fault(cls, key: str) -> str | None:
        return path_fault(key)

    @classmethod
    def named(cls, key: str) -> str:
        """A path, with or without the `#`."""
        return with_hash(key)

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """The path follows from the parent, and no tag is moved below itself."""
        for write in writes:
            parent = write.parent(self.parent_id)
            above = f"{parent['path']}." if parent else "#"
            write.new["path"] = path = f"{above}{write.new['identifier']}"
            if len(path) > MAX_PATH:
                write.refuse_field("identifier", "path_too_long", f"makes a path of over {MAX_PATH} characters")
            if write.old and parent and write.changed(self.parent_id) and await self._is_in(tx, parent, write.old):
                write.refuse("tag_cycle", "a tag can't be moved below itself", field="parent_id")

    async def after_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """A tag that moves takes its subtree along, the archived tags too."""
        for write in writes:
            if write.old and write.changed(self.path):
                await self._move(tx, write.old, write.new["path"])

    async def archived_along(self, tx: Transaction, row: Row) -> Sequence[Row]:
        """All active tags below: a tag has a meaning only while its parents have one."""
        return [each for each in await self._below(tx, row) if each["archived_at"] is None]

    async def _move(self, tx: Transaction, old: Row, path: str) -> None:
        below = await self._below(tx, old)
        moved = {each["id"]: path + each["path"][len(old["path"]) :] for each in below}
        if any(len(each) > MAX_PATH for each in moved.values()):
            message = f"makes paths below it of over {MAX_PATH} characters"
            raise Invalid(FieldError("identifier", "path_too_long", message))
        statement = Sql.of(
            "update instrument_tags tag set path = new.path, updated_at = now(), recorded_at = now()"
            " from unnest(?::uuid[], ?::text[]) as new (id, path)"
            " where tag.workspace_id = ? and tag.id = new.id returning tag.*",
            list(moved),
            list(moved.values()),
            tx.workspace_id,
        )
        try:
            stored = {each["id"]: each for each in await tx.rows(statement)}
        except asyncpg.UniqueViolationError as error:
            # Only tags of a backup get here: they come back as they were, below an archived one too.
            raise constraints.explained(self, error) from None
        await history.record(tx, self, [Change("updated", each, stored[each["id"]]) for each in below])

    async def _below(self, tx: Transaction, row: Row) -> list[Row]:
        """The tags below, at every depth, in order of their paths: parents come first."""
        found = below(tx, row["id"])
        statement = (
            f"select * from instrument_tags where workspace_id = ? and id in ({found.text})"
            " order by path, id for no key update"
        )
        return await tx.rows(Sql(statement, (tx.workspace_id, *found.args)))

    async def _is_in(self, tx: Transaction, tag: Row, root: Row) -> bool:
        """Whether `tag` is `root` or lies below it."""
        return tag["id"] == root["id"] or tag["id"] in {each["id"] for each in await self._below(tx, root)}
