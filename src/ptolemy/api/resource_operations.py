"""The operations that every resource has, made from its declaration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Handler, Operation
from ptolemy.api.services import Call
from ptolemy.engine import lifecycle, lookup, read, render, write
from ptolemy.engine.read import Query
from ptolemy.engine.resource import Resource
from ptolemy.engine.schemas import Body, Count, schemas
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid

WORKSPACE = "/v1/workspaces/{workspace}"


class DeleteQuery(Body):
    hard: bool = False
    cascade: bool = False


def resource_operations(resource: Resource) -> list[Operation]:
    """List, create, filter, count, get, patch, delete and, where it archives, restore."""
    models, of = schemas(type(resource)), _Handlers(resource)
    one_called, many, role = resource.a_called, resource.collection.replace("-", " "), resource.write_role
    base = f"{WORKSPACE}/{resource.collection}"

    def operation(
        method: str, path: str, handler: Handler, summary: str, answers: dict[int, type[BaseModel] | None], **more: Any
    ) -> Operation:
        more = {"access": role, **more}
        return Operation(method, f"{base}{path}", handler, summary, resource.collection, answers=answers, **more)

    one: dict[int, type[BaseModel] | None] = {200: models.record}
    operations = [
        operation("GET", "", of.list, f"List {many}", {200: models.page}, access="viewer", query=models.query),
        operation(
            "POST", "", of.create, f"Create {one_called}", {201: models.record}, body=models.create, problems=(409,)
        ),
        operation(
            "POST", "/filter", of.filter, f"Filter {many}", {200: models.page}, access="viewer", body=models.filter
        ),
        operation("POST", "/count", of.count, f"Count {many}", {200: Count}, access="viewer", body=models.count),
        operation("GET", "/{id}", of.get, f"Get {one_called}", one, access="viewer", find=of.find),
        operation(
            "PATCH", "/{id}", of.patch, f"Change {one_called}", one, body=models.patch, problems=(409,), find=of.find
        ),
        operation(
            "DELETE",
            "/{id}",
            of.delete,
            f"Archive or delete {one_called}",
            {204: None},
            query=DeleteQuery,
            problems=(409,),
            find=of.find,
        ),
    ]
    if resource.lifecycle.archive:
        restore = operation(
            "POST", "/{id}/restore", of.restore, f"Restore {one_called}", one, problems=(409,), find=of.find
        )
        operations.append(restore)
    return operations


class _Handlers:
    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._kind = type(resource)

    async def list(self, call: Call) -> Response:
        async with call.transaction() as tx:
            page = await read.page(tx, self._kind, list_query(self._kind, call.query), call.services.cursors)
        return json(render.listing(self._kind, page))

    async def filter(self, call: Call) -> Response:
        asked = call.body
        query = Query(
            filter=asked.filter,
            equal=_equal(self._kind, asked),
            archived=getattr(asked, "archived", "false"),
            sort=[(key.field, key.direction) for key in asked.sort],
            limit=asked.limit,
            after=asked.after,
        )
        async with call.transaction() as tx:
            page = await read.page(tx, self._kind, query, call.services.cursors)
        return json(render.listing(self._kind, page))

    async def count(self, call: Call) -> Response:
        asked = call.body
        query = Query(
            filter=asked.filter, equal=_equal(self._kind, asked), archived=getattr(asked, "archived", "false")
        )
        async with call.transaction() as tx:
            number, warnings = await read.count(tx, self._kind, query)
        return json(encode({"count": number} | render.warned(warnings)))

    async def find(self, call: Call) -> None:
        async with call.transaction() as tx:
            await lookup.one(tx, self._kind, call.path["id"])

    async def get(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await lookup.one(tx, self._kind, call.path["id"])
        return json(render.record(self._kind, row))

    async def create(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.create(tx, self._resource, call.sent())
        return json(render.record(self._kind, row), 201, call.location(row["id"]))

    async def patch(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.change(tx, self._resource, call.path["id"], call.sent())
        return json(render.record(self._kind, row))

    async def restore(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.restore(tx, self._resource, call.path["id"])
        return json(render.record(self._kind, row))

    async def delete(self, call: Call) -> Response:
        key, asked = call.path["id"], call.query
        if asked.cascade and not asked.hard:
            raise Invalid(FieldError("cascade", "requires_hard", "is for hard deletes: add hard=true, or leave it out"))
        async with call.transaction() as tx:
            if asked.hard or not self._resource.lifecycle.archive:
                await lifecycle.hard_delete(tx, self._resource, key, cascade=asked.cascade)
            else:
                await lifecycle.archive(tx, self._resource, key)
        return no_content()


def list_query(resource: type[Resource], asked: Any) -> Query:
    """What the query parameters of a list ask for."""
    if asked.ids == "":
        raise Invalid(FieldError("ids", "empty", "must name at least one record"))
    return Query(
        equal=_equal(resource, asked),
        ids=asked.ids.split(",") if asked.ids is not None else None,
        archived=getattr(asked, "archived", "false"),
        limit=asked.limit,
        after=asked.after,
    )


def _equal(resource: type[Resource], asked: Any) -> dict[str, Any]:
    names = [reference.name for reference in resource.references()]
    return {name: value for name in names if (value := getattr(asked, name)) is not None}
