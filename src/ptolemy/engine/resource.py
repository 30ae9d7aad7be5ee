"""What a resource is: a declaration that the engine reads, and the few moments where its own rules speak."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from ptolemy.database.sql import Sql, joined
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields.computed import Computed
from ptolemy.engine.fields.field import Field
from ptolemy.engine.fields.links import Links
from ptolemy.engine.fields.record_id import RecordId
from ptolemy.engine.fields.reference import Reference
from ptolemy.engine.fields.timestamp import Timestamp
from ptolemy.kernel.actors import Role
from ptolemy.kernel.identifiers import MAX_IDENTIFIER, identifier_fault

if TYPE_CHECKING:
    from ptolemy.engine.write import Write


@dataclass(frozen=True)
class Lifecycle:
    """One row of the table of archive and hard delete."""

    archive: bool
    hard_delete: bool
    cascade: bool = False
    """A hard delete takes refusing dependents along when it is asked to."""


class Unique:
    """Fields whose values together are unique among the active records of a workspace."""

    def __init__(self, *fields: Field[Any]) -> None:
        self.fields = fields

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)


class NoOverlap:
    """Half-open periods `[start, end)` of one parent that never overlap; a null end is open."""

    def __init__(self, of: Reference, start: Timestamp, end: Timestamp) -> None:
        self.of, self.start, self.end = of, start, end


class Resource:
    """Subclass it to declare a resource; the class body is the declaration. There is one instance, in the catalogue.

    The methods are the moments of a write, in their order. They run for every way in: POST, PATCH, restore, import.
    """

    singular: ClassVar[str]
    collection: ClassVar[str]
    lifecycle: ClassVar[Lifecycle]
    unique: ClassVar[Sequence[Unique]] = ()
    no_overlap: ClassVar[NoOverlap | None] = None
    order: ClassVar[tuple[str, ...]] = ("id",)
    """Columns, unique together and never null, in whose ascending order lists come and ties of a sort are broken."""
    write_role: ClassVar[Role] = "member"
    is_schema: ClassVar[bool] = False
    """Part of the workspace's schema: recreated rather than restored, so exports name it by identifier alone."""
    counted: ClassVar[bool] = False
    """Its records are items of the plan's quota."""

    by_the_million: ClassVar[bool] = False
    """Its records come in bulk: an import or a cascade writes one event for all of them."""

    immutable: ClassVar[bool] = False
    """Its records never change, so they have no `updated_at`."""
    one_writer: ClassVar[bool] = False
    """Its records form a whole that rules speak of, a tree or a type: one transaction at a time may change it."""
    listed_by: ClassVar[tuple[str, ...]] = ()
    """Fields besides the references that a list takes as parameters."""
    named_by: ClassVar[str | None] = None
    """The column that holds the users' own name of a record, where it has one."""
    longest_key: ClassVar[int] = MAX_IDENTIFIER
    """The most characters that such a name may have."""

    declared: ClassVar[dict[str, Field[Any]]] = {}
    """All that its class body declares, by name."""
    fields: ClassVar[dict[str, Field[Any]]] = {}
    """What lies in its table, by name."""
    computed: ClassVar[dict[str, Computed[Any]]] = {}
    """What answers show besides."""
    table: ClassVar[str]
    """Called as the collection, unless the class body says otherwise: a view, say."""
    called: ClassVar[str]
    """Its name in sentences: `market listing`."""
    a_called: ClassVar[str]
    """The same with its article: `an instrument`."""
    dependents: ClassVar[list[tuple[Resource, Reference]]]
    """References of other resources to this one; the catalogue fills it in."""

    def __init_subclass__(cls) -> None:
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        computed = {name: value for name, value in own.items() if isinstance(value, Computed)}
        cls.declared = cls.declared | own
        cls.fields = cls.fields | {name: value for name, value in own.items() if name not in computed}
        cls.computed = cls.computed | computed
        cls.dependents = []
        if cls.named_by is None and "identifier" in cls.fields:
            cls.named_by = "identifier"
        if "collection" in vars(cls):
            cls.table = vars(cls).get("table") or cls.collection.replace("-", "_")
            cls.called = cls.singular.replace("_", " ")
            cls.a_called = f"{'an' if cls.called[0] in 'aeiou' else 'a'} {cls.called}"

    @classmethod
    def references(cls) -> list[Reference]:
        return [field for field in cls.fields.values() if isinstance(field, Reference)]

    @classmethod
    def listed(cls) -> list[str]:
        """The fields that a list takes as parameters."""
        return [*(reference.name for reference in cls.references()), *cls.listed_by]

    @classmethod
    def links(cls) -> list[Links]:
        return [field for field in cls.computed.values() if isinstance(field, Links)]

    @classmethod
    def selected(cls, row: str, workspace_id: UUID) -> Sql:
        """The select list of all that an answer shows, where `row` names the record's row."""
        computed = {name: of.sql(row, workspace_id) for name, of in cls.computed.items()}
        shown = (Sql(f"{expression.text} as {name}", expression.args) for name, expression in computed.items())
        return joined(", ", [Sql(f"{row}.*"), *shown])

    @classmethod
    async def among(cls, tx: Transaction, keys: Collection[str]) -> Sql:
        """The condition that picks the records that `keys` name."""
        found = await lookup.ids(tx, cls, keys)
        return Sql.of("id = any(?)", list(found.values()))

    @classmethod
    def key_fault(cls, key: str) -> str | None:
        """Why `key` can be no name of a record (reference: identifiers), or None."""
        return identifier_fault(key)

    @classmethod
    def named(cls, key: str) -> str:
        """`key` as `named_by` holds it, where users may write it in other ways too."""
        return key

    @classmethod
    def natural_key(cls) -> tuple[Reference, ...]:
        """The references that together name a record which has no identifier of its own."""
        for rule in cls.unique:
            found = tuple(field for field in rule.fields if isinstance(field, Reference))
            if len(found) == len(rule.fields):
                return found
        return ()

    async def one_at_a_time(self, tx: Transaction) -> None:
        """Called before anything is read that is to be changed: a lock taken after the read protects nothing."""
        if self.one_writer:
            await tx.lock(self.table)

    def items_in(self, row: Row) -> dict[str, int]:
        """What `row` counts for in the plan's quota, by kind."""
        return {self.table: 1} if self.counted else {}

    # The moments of a write.

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """Fill in derived fields and look at other records; references are resolved."""

    def check(self, write: Write) -> None:
        """Rules about one record, on its values and parents alone. Refuse the write, don't raise."""

    async def after_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """Changes to other records that follow from these, in the same transaction."""

    async def archived_along(self, tx: Transaction, row: Row) -> Sequence[Row]:
        """Active records that archiving `row` archives too."""
        return ()


ID = RecordId(required=True)
CREATED_AT, UPDATED_AT, ARCHIVED_AT = Timestamp(required=True), Timestamp(required=True), Timestamp()
ID.name, CREATED_AT.name, UPDATED_AT.name, ARCHIVED_AT.name = "id", "created_at", "updated_at", "archived_at"


def times(resource: type[Resource]) -> dict[str, Field[Any]]:
    """The instants that every record of a resource carries."""
    found: dict[str, Field[Any]] = {"created_at": CREATED_AT}
    if not resource.immutable:
        found["updated_at"] = UPDATED_AT
    if resource.lifecycle.archive:
        found["archived_at"] = ARCHIVED_AT
    return found


def columns(resource: type[Resource]) -> dict[str, Field[Any]]:
    """Everything that a record has, in the order of answers."""
    return {"id": ID, **resource.declared, **times(resource)}
