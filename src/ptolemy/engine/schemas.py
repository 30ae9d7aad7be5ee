"""The models of a resource's bodies and answers, made from its declaration: they validate, and they are the OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from ptolemy.engine.fields import Field as AnyField
from ptolemy.engine.fields import Text
from ptolemy.engine.filters import Condition
from ptolemy.engine.includes import steps
from ptolemy.engine.keyset import Direction
from ptolemy.engine.read import Archived
from ptolemy.engine.resource import Resource, columns
from ptolemy.engine.tables import searched

_Item = TypeVar("_Item")


class Body(BaseModel):
    """A request body: keys that it doesn't know are refused."""

    model_config = ConfigDict(extra="forbid")


class Meta(BaseModel):
    next_cursor: str | None
    has_more: bool


class PageOf(BaseModel, Generic[_Item]):
    """A page of a list whose records aren't a resource's: subclass it to give it a name in the OpenAPI."""

    data: list[_Item]
    meta: Meta
    warnings: list[str] = []


_Included = dict[str, list[dict[str, Any]]]
"""Records by resource."""


class Count(BaseModel):
    count: int
    warnings: list[str] = []


class Sort(Body):
    field: str
    direction: Direction = "asc"


_ArchivedInBody = Annotated[
    Archived,
    BeforeValidator(lambda sent: {True: "true", False: "false"}[sent] if isinstance(sent, bool) else sent),
    WithJsonSchema({"enum": [*get_args(Archived), True, False]}),
]
"""JSON has booleans, so they are taken too."""


_RESERVED = frozenset({"filter", "sort", "limit", "after", "include", "q", "archived", "ids"})

_MAX_WORDS = 200


@dataclass(frozen=True)
class Schemas:
    create: type[BaseModel]
    patch: type[BaseModel]
    record: type[BaseModel]
    with_included: type[BaseModel]
    """The record where `include` is given."""
    page: type[BaseModel]
    filter: type[BaseModel]
    count: type[BaseModel]
    query: type[BaseModel]
    """Query parameters of the list."""
    one: type[BaseModel]
    """Query parameters of a single record."""
    links: Mapping[str, type[BaseModel]]
    """The body that sets links, by their name."""


_MADE: dict[type[Resource], Schemas] = {}


def schemas(resource: type[Resource]) -> Schemas:
    """Made once a resource, so that each model has one name in the OpenAPI."""
    if resource not in _MADE:
        _MADE[resource] = _schemas(resource)
    return _MADE[resource]


def _schemas(resource: type[Resource]) -> Schemas:
    title = "".join(word.capitalize() for word in resource.singular.split("_"))
    record = _model(title, _shown(resource), doc=resource.__doc__)
    listed: dict[str, Any] = {name: (resource.fields[name].optional_annotation, None) for name in resource.listed()}
    equal: dict[str, Any] = {name: (of.optional_annotation, None) for name, of in shorthands(resource).items()}
    describes = Field(description="Words: each must be the beginning of one that the record has, whatever its case")
    words_type: Any = Annotated[Text(max_length=_MAX_WORDS).optional_annotation, describes]
    words: dict[str, Any] = {"q": (words_type, None)} if searched(resource) else {}
    archived: dict[str, Any] = {"archived": (Archived, "false")} if resource.lifecycle.archive else {}
    chosen_archived: dict[str, Any] = {"archived": (_ArchivedInBody, "false")} if archived else {}
    paged: dict[str, Any] = {"limit": (Annotated[int, Field(ge=1)], 50), "after": (str | None, None)}
    chosen: dict[str, Any] = {**equal, "filter": (Condition | None, None), **chosen_archived, **words}
    ids = Annotated[str, Field(description="UUIDs or identifiers, joined by commas: just those records")]
    tokens = ", ".join(steps(resource)) or "none"
    include = Annotated[
        str, Field(description=f"What to carry along, joined by commas: {tokens}; dotted up to three deep")
    ]
    included: dict[str, Any] = {"include": (include | None, None)}
    page: dict[str, Any] = {
        "data": (list[record], ...),  # type: ignore[valid-type] # made at run time
        "meta": (Meta, ...),
        "included": (_Included, Field(default={})),
        "warnings": (list[str], Field(default=[])),
    }
    return Schemas(
        create=_model(f"{title}Create", _created(resource), Body),
        patch=_model(f"{title}Patch", _patched(resource), Body),
        record=record,
        with_included=_model(f"{title}WithIncluded", {"data": (record, ...), "included": (_Included, ...)}),
        page=_model(f"{title}Page", page),
        filter=_model(
            f"{title}Filter", {**chosen, "sort": (list[Sort], []), **paged, "include": (list[str], [])}, Body
        ),
        count=_model(f"{title}Count", chosen, Body),
        query=_model(
            f"{title}Query", {**paged, **archived, "ids": (ids | None, None), **included, **listed, **words}, Body
        ),
        one=_model(f"{title}OneQuery", included, Body),
        links={
            of.name: _model(f"{title}{of.name.capitalize()}", {of.name: (of.annotation, ...)}, Body)
            for of in resource.links()
        },
    )


def shorthands(resource: type[Resource]) -> dict[str, AnyField[Any]]:
    """The columns that a filter's body may compare with one value, beside the filter; words that mean more go first."""
    return {name: of for name, of in columns(resource).items() if "eq" in of.operators and name not in _RESERVED}


def _created(resource: type[Resource]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, of in _sent(resource):
        if of.required:
            fields[name] = (of.annotation, ...) if of.default is None else (of.annotation, Field(default=of.default))
        else:
            fields[name] = (of.optional_annotation, of.default)
    return fields


def _patched(resource: type[Resource]) -> dict[str, Any]:
    return {
        name: (of.annotation if of.required else of.optional_annotation, Field(default=None))
        for name, of in _sent(resource)
    }


def _sent(resource: type[Resource]) -> Iterator[tuple[str, AnyField[Any]]]:
    for name, of in resource.declared.items():
        if not of.derived:
            yield name, of


def _shown(resource: type[Resource]) -> dict[str, Any]:
    return {
        of.shown_as: (Annotated[Any, WithJsonSchema(dict(of.shown_schema))], ...)
        for of in columns(resource).values()
        if not of.hidden
    }


def _model(
    name: str, fields: dict[str, Any], base: type[BaseModel] = BaseModel, doc: str | None = None
) -> type[BaseModel]:
    return create_model(name, __base__=base, __doc__=doc, **fields)
