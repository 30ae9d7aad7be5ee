"""The operations that every kind of job has, made from its record's declaration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, list_query
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup, read, render
from ptolemy.engine.read import Query
from ptolemy.engine.resource import Resource
from ptolemy.engine.schemas import schemas
from ptolemy.kernel.actors import Role
from ptolemy.kernel.json import encode

Cancel = Callable[[Transaction, str], Awaitable[Row]]
"""Ends the job that a key names, where it hasn't ended; answers its record as it is then."""


def job_operations(
    of: JobHandlers, job: type[BaseModel], page: type[BaseModel], *, reads: Role, cancels: Role
) -> list[Operation]:
    """List, get and cancel; `job` is the model of one, `page` that of a list of them."""
    called, base = of.kind.a_called, f"{WORKSPACE}/{of.path}"
    tag, many = of.path.partition("/")[0], of.path.rpartition("/")[2]
    one: dict[str, Any] = {"answers": {200: job}, "find": of.find}
    return [
        Operation("GET", base, of.list, f"List {many}", tag, reads, {200: page}, query=schemas(of.kind).query),
        Operation("GET", f"{base}/{{id}}", of.get, f"Get {called}", tag, reads, **one),
        Operation("POST", f"{base}/{{id}}/cancel", of.cancel, f"Cancel {called}", tag, cancels, **one),
    ]


class JobHandlers:
    """What each operation does. A kind of job of which more is shown than its record has a subclass."""

    def __init__(self, kind: type[Resource], path: str, cancel: Cancel) -> None:
        """`path` leads from the workspace to the jobs."""
        self.kind, self.path, self._cancel = kind, path, cancel

    async def list(self, call: Call) -> Response:
        return await self.page(call, list_query(self.kind, call.query))

    async def page(self, call: Call, query: Query) -> Response:
        async with call.transaction() as tx:
            page = await read.page(tx, self.kind, query, call.services.cursors)
        return json(render.envelope([await self.document(call, row) for row in page.rows], page))

    async def find(self, call: Call) -> Row:
        async with call.transaction() as tx:
            return await lookup.one(tx, self.kind, call.path["id"])

    async def get(self, call: Call) -> Response:
        return json(encode(await self.document(call, await self.find(call))))

    async def cancel(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await self._cancel(tx, call.path["id"])
        return json(encode(await self.document(call, row)))

    async def document(self, call: Call, row: Row) -> dict[str, Any]:
        """What is shown of a job."""
        return render.document(self.kind, row)

    async def accepted(self, call: Call, row: Row, warnings: Sequence[str] = ()) -> Response:
        """The answer to whoever asked for the job: it waits for its turn, and where to ask how far it has come."""
        base = f"{call.services.public_path}{WORKSPACE.format(workspace=call.path['workspace'])}/{self.path}"
        document = await self.document(call, row) | render.warned(warnings)
        return json(encode(document), 202, {"Location": f"{base}/{row['id']}"})
