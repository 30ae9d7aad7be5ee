"""The operations that every resource has, made from its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.api import conditions
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Handler, Operation
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine import lifecycle, lookup, read, render, write
from ptolemy.engine.etags import etag_of
from ptolemy.engine.read import Query
from ptolemy.engine.resource import Resource
from ptolemy.engine.schemas import Body, Count, Schemas, schemas
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid

WORKSPACE = "/v1/workspaces/{workspace}"

Answers = Mapping[int, type[BaseModel] | None]


class DeleteQuery(Body):
    hard: bool = False
    cascade: bool = False


def resource_operations(resource: Resource) -> list[Operation]:
    """List, create, filter, count, get, patch, delete and, where it archives, restore."""
    models = schemas(type(resource))
    return [*_reading(resource, models), *_writing(resource, models)]


def read_operations(resource: Resource) -> list[Operation]:
    """List, filter, count and get: all that a resource has whose records are written elsewhere."""
    return _reading(resource, schemas(type(resource)))


def _reading(resource: Resource, models: Schemas) -> list[Operation]:
    of, many = _Handlers(resource), resource.collection.replace("-", " ")
    operation = partial(_operation, resource, access="viewer")
    one: dict[str, Any] = {"answers": {200: models.record}, "versioned": True}
    return [
        operation("GET", "", of.list, f"List {many}", {200: models.page}, query=models.query),
        operation("POST", "/filter", of.filter, f"Filter {many}", {200: models.page}, body=models.filter),
        operation("POST", "/count", of.count, f"Count {many}", {200: Count}, body=models.count),
        operation("GET", "/{id}", of.get, f"Get {resource.a_called}", find=of.find, **one),
    ]


def _writing(resource: Resource, models: Schemas) -> list[Operation]:
    of, called = _Handlers(resource), resource.a_called
    one: Answers = {200: models.record}
    operation = partial(_operation, resource, access=resource.write_role, problems=(409,), versioned=True)
    operations = [
        operation("POST", "", of.create, f"Create {called}", {201: models.record}, body=models.create),
        operation("PATCH", "/{id}", of.patch, f"Change {called}", one, body=models.patch, find=of.find_changeable),
        operation(
            "DELETE",
            "/{id}",
            of.delete,
            f"Archive or delete {called}",
            {204: None},
            query=DeleteQuery,
            find=of.find_deletable,
        ),
    ]
    if resource.lifecycle.archive:
        operations.append(
            operation("POST", "/{id}/restore", of.restore, f"Restore {called}", one, find=of.find_restorable)
        )
    return operations


def _operation(
    resource: Resource, method: str, path: str, handler: Handler, summary: str, answers: Answers, **more: Any
) -> Operation:
    base = f"{WORKSPACE}/{resource.collection}"
    return Operation(method, f"{base}{path}", handler, summary, resource.collection, answers=answers, **more)


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

    async def find(self, call: Call) -> Row:
        async with call.transaction() as tx:
            return await lookup.one(tx, self._kind, call.path["id"])

    async def find_changeable(self, call: Call) -> None:
        write.check_changeable(self._resource, await self.find(call), conditions.expected(call.request))

    async def find_restorable(self, call: Call) -> None:
        write.check_restorable(self._resource, await self.find(call), conditions.expected(call.request))

    async def find_deletable(self, call: Call) -> None:
        conditions.expected(call.request).check(self._kind, await self.find(call))

    async def get(self, call: Call) -> Response:
        answer = self._answer(await self.find(call))
        if conditions.is_known(call.request, answer.headers["etag"]):
            return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
        return answer

    async def create(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.create(tx, self._resource, call.sent())
        return self._answer(row, 201, call.location(row["id"]))

    async def patch(self, call: Call) -> Response:
        expected = conditions.expected(call.request)
        async with call.transaction() as tx:
            row = await write.change(tx, self._resource, call.path["id"], call.sent(), expected=expected)
        return self._answer(row)

    async def restore(self, call: Call) -> Response:
        expected = conditions.expected(call.request)
        async with call.transaction() as tx:
            row = await write.restore(tx, self._resource, call.path["id"], expected=expected)
        return self._answer(row)

    def _answer(self, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """One record, with its version."""
        record = render.record(self._kind, row)
        return json(record, status, {**(headers or {}), "ETag": etag_of(record)})

    async def delete(self, call: Call) -> Response:
        key, asked, expected = call.path["id"], call.query, conditions.expected(call.request)
        if asked.cascade and not asked.hard:
            await self.find_deletable(call)
            raise Invalid(FieldError("cascade", "requires_hard", "is for hard deletes: add hard=true, or leave it out"))
        async with call.transaction() as tx:
            if asked.hard or not self._resource.lifecycle.archive:
                await lifecycle.hard_delete(tx, self._resource, key, cascade=asked.cascade, expected=expected)
            else:
                await lifecycle.archive(tx, self._resource, key, expected=expected)
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
