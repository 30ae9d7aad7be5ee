"""Lists of accounts, a page at a time, in order of id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.read import cut_limit
from ptolemy.engine.render import warned
from ptolemy.engine.schemas import Body
from ptolemy.kernel.json import encode


class PageQuery(Body):
    limit: Annotated[int, Field(ge=1)] = 50
    after: str | None = None


async def page(
    call: Call,
    listed: str,
    fetch: Callable[[UUID | None, int], Awaitable[Sequence[Row]]],
    show: Callable[[Row], Mapping[str, Any]],
) -> Response:
    """The page that the query asks for; `fetch(after, limit)` answers the rows, `listed` names the list."""
    cursors = call.services.cursors
    limit, warnings = cut_limit(call.query.limit)
    asked = [listed, str(call.caller.workspace_id), str(call.signed_in.user_id), sorted(call.path.items())]
    after = UUID(cursors.read(asked, call.query.after)[0]) if call.query.after is not None else None
    rows = await fetch(after, limit + 1)
    shown = rows[:limit]
    cursor = cursors.write(asked, [str(shown[-1]["id"])]) if len(rows) > limit else None
    answer: dict[str, Any] = {
        "data": [show(row) for row in shown],
        "meta": {"next_cursor": cursor, "has_more": cursor is not None},
    }
    return json(encode(answer | warned(warnings)))
