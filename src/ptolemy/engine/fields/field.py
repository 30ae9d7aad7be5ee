"""What all kinds of field share: how a value is accepted, stored, compared, shown, exported and imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource
    from ptolemy.engine.write import Write

T = TypeVar("T")

JsonSchema = Mapping[str, Any]

SAME = frozenset({"eq", "ne", "in", "not_in", "is_null"})
ORDER = frozenset({"lt", "lte", "gt", "gte"})


class Field(Generic[T]):
    """One field of a resource, and a typed handle on its value in rules: `write.get(self.listed_on)` is a date.

    `required` can't be null or left out (unless there is a `default`); `fixed` never changes after creation; `derived`
    is filled in by the resource and can't be sent; `searched` takes part in `q`; `hidden` is compared by, not shown.
    """

    column_type: ClassVar[str]
    fault: ClassVar[str]
    """The stable code of a value that this kind refuses."""
    sent: ClassVar[JsonSchema]
    """JSON Schema of a value in a request body."""
    shown: ClassVar[JsonSchema] = {"type": "string"}
    """JSON Schema of a value in an answer."""
    operators: ClassVar[frozenset[str]] = SAME | ORDER
    special_operators: ClassVar[frozenset[str]] = frozenset()
    """Operators of this kind alone, beside the usual ones or instead of them; `special` turns them into SQL."""
    is_text: ClassVar[bool] = False
    """Its CSV cells are free text, so a spreadsheet could take one for a formula."""

    name: str

    def __init__(
        self,
        *,
        required: bool = False,
        default: T | None = None,
        fixed: bool = False,
        derived: bool = False,
        searched: bool = False,
        hidden: bool = False,
    ) -> None:
        self.required, self.default = required, default
        self.fixed, self.derived, self.searched, self.hidden = fixed, derived, searched, hidden

    def __set_name__(self, owner: type[Resource], name: str) -> None:
        self.name = name

    def accept(self, value: Any) -> T:
        """The value that a JSON value means; a `ValueError` says, for users, why it is none."""
        raise NotImplementedError

    def accept_cell(self, text: str) -> T:
        """The value that a CSV cell means."""
        return self.accept(text)

    def store(self, value: T) -> Any:
        """What the driver takes."""
        return value

    def load(self, stored: Any) -> T:
        """The value behind what the driver gave."""
        value: T = stored
        return value

    def show(self, stored: Any) -> Any:
        """What an answer carries for what the driver gave; never called with None."""
        return stored

    def same(self, one: T | None, other: T | None) -> bool:
        return one == other

    @property
    def shown_as(self) -> str:
        """Its name in answers."""
        return self.name

    @property
    def shown_schema(self) -> JsonSchema:
        return self.shown if self.required else nullable(self.shown)

    @property
    def annotation(self) -> Any:
        """The pydantic type of a sent value that is not null."""
        return Annotated[Any, PlainValidator(self._validated), WithJsonSchema(dict(self.sent))]

    @property
    def optional_annotation(self) -> Any:
        """The same, or null. One validator: a union would report its other half too."""
        or_null = PlainValidator(lambda value: None if value is None else self._validated(value))
        return Annotated[Any, or_null, WithJsonSchema(dict(nullable(self.sent)))]

    def column(self) -> str:
        """Its column, as `create table` takes it."""
        return f"{self.name} {self.column_type}{' not null' if self.required else ''}"

    async def resolve(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """Turn what was sent into what is stored where that needs the database; all writes at once."""

    def accept_special(self, op: str, value: Any) -> Any:
        """What `special` is given for a value that was sent, never null; a `ValueError` says why it is none."""
        return self.accept(value)

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        """The condition that one of `special_operators` means, never null itself, and warnings.

        It names the record's columns without their table, which may be a view of it, and carries `workspace_id` in each
        subselect. `archived_mentioned` says that the filter speaks of `archived_at`, so archived records count.
        """
        raise NotImplementedError

    def _validated(self, value: Any) -> Any:
        try:
            return self.accept(value)
        except ValueError as reason:
            raise PydanticCustomError(self.fault, "{reason}", {"reason": str(reason)}) from None


def nullable(schema: JsonSchema) -> JsonSchema:
    """`schema`, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}
