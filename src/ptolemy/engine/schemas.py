"""The models of a resource's bodies and answers, made from its declaration: they validate, and they are the OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from ptolemy.engine.filters import Condition
from ptolemy.engine.read import Archived, Direction
from ptolemy.engine.resource import Resource, columns


class Body(BaseModel):
    """A request body: keys that it doesn't know are refused."""

    model_config = ConfigDict(extra="forbid")


class Meta(BaseModel):
    next_cursor: str | None
    has_more: bool


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


@dataclass(frozen=True)
class Schemas:
    create: type[BaseModel]
    patch: type[BaseModel]
    record: type[BaseModel]
    page: type[BaseModel]
    filter: type[BaseModel]
    count: type[BaseModel]
    query: type[BaseModel]
    """Query parameters of the list."""


_MADE: dict[type[Resource], Schemas] = {}


def schemas(resource: type[Resource]) -> Schemas:
    """Made once a resource, so that each model has one name in the OpenAPI."""
    if resource not in _MADE:
        _MADE[resource] = _schemas(resource)
    return _MADE[resource]


def _schemas(resource: type[Resource]) -> Schemas:
    title = "".join(word.capitalize() for word in resource.singular.split("_"))
    record = _model(title, _shown(resource), doc=resource.__doc__)
    shorthands: dict[str, Any] = {
        reference.name: (reference.optional_annotation, None) for reference in resource.references()
    }
    archived: dict[str, Any] = {"archived": (Archived, "false")} if resource.lifecycle.archive else {}
    chosen_archived: dict[str, Any] = {"archived": (_ArchivedInBody, "false")} if archived else {}
    paged: dict[str, Any] = {"limit": (Annotated[int, Field(ge=1)], 50), "after": (str | None, None)}
    chosen: dict[str, Any] = {"filter": (Condition | None, None), **chosen_archived, **shorthands}
    ids = Annotated[str, Field(description="UUIDs or identifiers, joined by commas: just those records")]
    return Schemas(
        create=_model(f"{title}Create", _created(resource), Body),
        patch=_model(f"{title}Patch", _patched(resource), Body),
        record=record,
        page=_model(f"{title}Page", {"data": (list[record], ...), "meta": (Meta, ...), "warnings": (list[str], [])}),  # type: ignore[valid-type]
        filter=_model(f"{title}Filter", {**chosen, "sort": (list[Sort], []), **paged}, Body),
        count=_model(f"{title}Count", chosen, Body),
        query=_model(f"{title}Query", {**paged, **archived, "ids": (ids | None, None), **shorthands}, Body),
    )


def _created(resource: type[Resource]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, of in resource.fields.items():
        if of.derived:
            continue
        if of.required:
            fields[name] = (of.annotation, ...) if of.default is None else (of.annotation, Field(default=of.default))
        else:
            fields[name] = (of.optional_annotation, of.default)
    return fields


def _patched(resource: type[Resource]) -> dict[str, Any]:
    return {
        name: (of.annotation if of.required else of.optional_annotation, Field(default=None))
        for name, of in resource.fields.items()
        if not of.derived
    }


def _shown(resource: type[Resource]) -> dict[str, Any]:
    return {
        of.shown_as: (Annotated[Any, WithJsonSchema(dict(of.shown_schema))], ...) for of in columns(resource).values()
    }


def _model(
    name: str, fields: dict[str, Any], base: type[BaseModel] = BaseModel, doc: str | None = None
) -> type[BaseModel]:
    return create_model(name, __base__=base, __doc__=doc, **fields)
