"""The operations that every resource has, made from its declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response

from ptolemy.accounts.access import Access
from ptolemy.api import conditions
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Handler, Operation
from ptolemy.api.services import Call
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import includes, lifecycle, lookup, read, render, write
from ptolemy.engine.etags import etag, etag_of
from ptolemy.engine.read import Query
from ptolemy.engine.resource import Resource
from ptolemy.engine.schemas import Body, Count, Schemas, schemas, shorthands
from ptolemy.kernel.actors import Role
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid

WORKSPACE = "/v1/workspaces/{workspace}"

Answers = Mapping[int, Any]
"""The model of each answer; a union where there are several forms."""


class DeleteQuery(Body):
    hard: bool = False
    cascade: bool = False


def resource_operations(resource: Resource, handlers: type[Handlers] | None = None) -> list[Operation]:
    """List, create, filter, count, get, patch, delete and, where it archives, restore."""
    models, of = schemas(type(resource)), (handlers or Handlers)(resource)
    return [*_reading(resource, models, of), *_writing(resource, models, of)]


def read_operations(
    resource: Resource, handlers: type[Handlers] | None = None, *, access: Role = "viewer"
) -> list[Operation]:
    """List, filter, count and get: all that a resource has whose records are written elsewhere."""
    return _reading(resource, schemas(type(resource)), (handlers or Handlers)(resource), access)


def _reading(resource: Resource, models: Schemas, of: Handlers, access: Role = "viewer") -> list[Operation]:
    many = resource.collection.replace("-", " ")
    operation = partial(_operation, resource, access=access, keyed="never")
    one: dict[str, Any] = {"answers": {200: models.record | models.with_included}, "versioned": True}
    return [
        operation("GET", "", of.list, f"List {many}", {200: models.page}, query=models.query),
        operation("POST", "/filter", of.filter, f"Filter {many}", {200: models.page}, body=models.filter),
        operation("POST", "/count", of.count, f"Count {many}", {200: Count}, body=models.count),
        operation("GET", "/{id}", of.get, f"Get {resource.a_called}", query=models.one, find=of.find, **one),
    ]


def _writing(resource: Resource, models: Schemas, of: Handlers) -> list[Operation]:
    called = resource.a_called
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
    for name, body in models.links.items():
        summary = f"Set the {name} of {called}"
        operations.append(
            operation("PUT", f"/{{id}}/{name}", of.patch, summary, one, body=body, find=of.find_changeable)
        )
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


class Handlers:
    """What each operation does. A resource whose reading is special has a subclass."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._kind = type(resource)

    async def list(self, call: Call) -> Response:
        async with call.transaction() as tx:
            return await self._page(tx, call, list_query(self._kind, call.query), _paths(call.query.include))

    async def filter(self, call: Call) -> Response:
        asked = call.body
        query = replace(
            _matching(self._kind, asked),
            sort=[(key.field, key.direction) for key in asked.sort],
            limit=asked.limit,
            after=asked.after,
        )
        async with call.transaction() as tx:
            return await self._page(tx, call, query, asked.include)

    async def _page(self, tx: Transaction, call: Call, query: Query, paths: Sequence[str]) -> Response:
        wanted = includes.parse(self._kind, paths)
        shown = replace(query, where=self.shown_to(call.signed_in))
        page = await read.page(tx, self._kind, await self.narrowed(tx, shown), call.services.cursors)
        found = await includes.included(tx, self._kind, page.rows, wanted) if paths else None
        return json(render.listing(self._kind, page, found))

    async def narrowed(self, tx: Transaction, query: Query) -> Query:
        """What a list or a filter means by what it asks for."""
        return query

    def shown_to(self, reader: Access) -> Sql | None:
        """Which of the records a caller is shown whose role may read the resource; None is all of them."""
        return None

    async def one(self, tx: Transaction, call: Call) -> Row:
        return await lookup.one(tx, self._kind, call.path["id"])

    async def count(self, call: Call) -> Response:
        query = replace(_matching(self._kind, call.body), where=self.shown_to(call.signed_in))
        async with call.transaction() as tx:
            number, warnings = await read.count(tx, self._kind, query)
        return json(encode({"count": number} | render.warned(warnings)))

    async def find(self, call: Call) -> Row:
        async with call.transaction() as tx:
            return await self.one(tx, call)

    async def find_changeable(self, call: Call) -> None:
        write.check_changeable(self._resource, await self.find(call), conditions.expected(call.request))

    async def find_restorable(self, call: Call) -> None:
        write.check_restorable(self._resource, await self.find(call), conditions.expected(call.request))

    async def find_deletable(self, call: Call) -> None:
        conditions.expected(call.request).check(self._kind, await self.find(call))

    async def get(self, call: Call) -> Response:
        if call.query.include is not None:
            return await self._get_with_included(call, _paths(call.query.include))
        answer = self.answer(await self.find(call))
        if conditions.is_known(call.request, answer.headers["etag"]):
            return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
        return answer

    async def _get_with_included(self, call: Call, paths: Sequence[str]) -> Response:
        """The version is that of the record alone, so it says nothing of what is included: there is no 304."""
        wanted = includes.parse(self._kind, paths)
        async with call.transaction() as tx:
            row = await self.one(tx, call)
            found = await includes.included(tx, self._kind, [row], wanted)
        return json(render.with_included(self._kind, row, found), headers={"ETag": etag(self._kind, row)})

    async def create(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.create(tx, self._resource, call.sent())
        return self.answer(row, 201, call.location(row["id"]))

    async def patch(self, call: Call) -> Response:
        expected = conditions.expected(call.request)
        async with call.transaction() as tx:
            row = await write.change(tx, self._resource, call.path["id"], call.sent(), expected=expected)
        return self.answer(row)

    async def restore(self, call: Call) -> Response:
        expected = conditions.expected(call.request)
        async with call.transaction() as tx:
            row = await write.restore(tx, self._resource, call.path["id"], expected=expected)
        return self.answer(row)

    def answer(self, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
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
    """What the query parameters of a list ask for; what can't be included is refused here, for every list."""
    includes.parse(resource, _paths(asked.include))
    if asked.ids == "":
        raise Invalid(FieldError("ids", "empty", "must name at least one record"))
    return Query(
        equal=_equal(resource, asked),
        q=getattr(asked, "q", None),
        ids=asked.ids.split(",") if asked.ids is not None else None,
        archived=getattr(asked, "archived", "false"),
        limit=asked.limit,
        after=asked.after,
    )


def _matching(resource: type[Resource], asked: Any) -> Query:
    """Which records the body of a filter or a count asks for."""
    return Query(
        filter=asked.filter,
        equal=_equal(resource, asked),
        q=getattr(asked, "q", None),
        archived=getattr(asked, "archived", "false"),
    )


def _paths(include: str | None) -> Sequence[str]:
    return [] if include is None else include.split(",")


def _equal(resource: type[Resource], asked: Any) -> dict[str, Any]:
    """The values beside the filter, or in the query, that columns must equal; null too where it was sent."""
    return {name: getattr(asked, name) for name in shorthands(resource) if name in asked.model_fields_set}
