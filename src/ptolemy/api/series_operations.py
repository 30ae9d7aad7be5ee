"""Time series as a whole over HTTP: batches of values, and one series as a stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, PlainValidator, create_model
from pydantic_core import PydanticCustomError
from starlette.responses import Response, StreamingResponse

from ptolemy.api.accepted import ARROW, CSV, JSON, preferred
from ptolemy.api.answers import json
from ptolemy.api.bodies import MAX_BATCH_BYTES
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.services import Call
from ptolemy.catalogue import COMPOSITE_VALUES, SCALAR_VALUES
from ptolemy.engine.fields import Timestamp
from ptolemy.engine.schemas import Body, schemas
from ptolemy.kernel.json import encode
from ptolemy.resources.time_series_values import Values
from ptolemy.series.arrow import ArrowForm, Numbers
from ptolemy.series.batches import MAX_RECORDS, OnConflict, write_batch
from ptolemy.series.columns import Layout
from ptolemy.series.forms import CsvForm, Form, JsonForm
from ptolemy.series.reading import Asked, read_series
from ptolemy.series.spool import Spool


class BatchWritten(BaseModel):
    """`skipped` records changed nothing: their instant was taken, or the value there was the same already."""

    created: int
    updated: int
    skipped: int


class SeriesMeta(BaseModel):
    instrument_id: UUID
    type_id: UUID
    kind: Literal["scalar", "composite"]
    unit: str | None
    count: int


class SeriesAnswer(BaseModel):
    """A list a column, all of one length, oldest first: `timestamp`, then `value` or `item.<key>`, `field.<key>`."""

    data: dict[str, list[str | None]]
    meta: SeriesMeta


_instant = Timestamp().optional_annotation
_fields: dict[str, Any] = {
    "instrument_id": (Values.instrument_id.annotation, ...),
    "type_id": (Values.type_id.annotation, ...),
    "begin": (_instant, Field(None, alias="from", description="the first instant that is answered")),
    "end": (_instant, Field(None, alias="to", description="the first instant that is answered no longer")),
    "numbers": (Numbers, Field("decimal", description="what numbers are in an Arrow stream")),
}
SeriesQuery = create_model("SeriesQuery", __base__=Body, **_fields)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORMS = {"responses": {"200": {"content": {CSV: {"schema": {"type": "string"}}, ARROW: _BINARY}}}}
_AT_ONCE_BYTES = 1 << 18


def series_operations() -> list[Operation]:
    batches = [_batch(values) for values in (SCALAR_VALUES, COMPOSITE_VALUES)]
    path = f"{WORKSPACE}/{SCALAR_VALUES.collection}/series"
    tag, answers = SCALAR_VALUES.collection, {200: SeriesAnswer}
    read = Operation("GET", path, _read, "Read one series", tag, "viewer", answers, query=SeriesQuery, openapi=_FORMS)
    return [*batches, read]


class _Batches:
    def __init__(self, values: Values) -> None:
        self._values = values

    async def write(self, call: Call) -> Response:
        """All records or none; a 422 or a 409 names each bad one by its place: `data.17.value`."""
        asked = call.body
        async with call.transaction() as tx:
            outcome = await write_batch(tx, self._values, asked.data, asked.on_conflict)
        return json(encode(outcome))


def _batch(values: Values) -> Operation:
    many = values.collection.replace("-", " ")
    return Operation(
        "POST",
        f"{WORKSPACE}/{values.collection}/batch",
        _Batches(values).write,
        f"Write many {many}",
        values.collection,
        "member",
        {200: BatchWritten},
        body=_batch_body(values),
        body_limit_bytes=MAX_BATCH_BYTES,
        problems=(409,),
    )


def _batch_body(values: Values) -> type[BaseModel]:
    record: Any = schemas(type(values)).create
    documented = Annotated[list[record], Field(max_length=MAX_RECORDS)]
    # The records themselves are checked in one pass: by models it would take longer than storing them.
    data = Annotated[Any, PlainValidator(_records, json_schema_input_type=documented)]
    fields: dict[str, Any] = {"data": (data, ...), "on_conflict": (OnConflict, "error")}
    return create_model(f"{record.__name__.removesuffix('Create')}Batch", __base__=Body, **fields)


def _records(value: Any) -> Any:
    if not isinstance(value, list):
        raise PydanticCustomError("invalid_list", "must be a list")
    if len(value) > MAX_RECORDS:
        raise PydanticCustomError("invalid_length", "must have at most {most} entries", {"most": MAX_RECORDS})
    return value


async def _read(call: Call) -> Response:
    """Active values, oldest first, all of them: as `Accept` says in JSON, CSV or an Arrow stream."""
    query = call.query
    asked = Asked(query.instrument_id, query.type_id, query.begin, query.end)
    media_type = preferred(call.request.headers.get("accept", ""), (JSON, CSV, ARROW))
    forms: dict[str, Callable[[Layout, Spool], Form]] = {
        JSON: JsonForm,
        CSV: CsvForm,
        ARROW: partial(ArrowForm, numbers=query.numbers),
    }
    spool = await read_series(call.services.database, call.caller, asked, forms[media_type])
    size, headers = spool.size_bytes, {"Vary": "Accept"}
    if size <= _AT_ONCE_BYTES:
        return Response(spool.content(), headers=headers, media_type=media_type)
    headers["Content-Length"] = str(size)
    return StreamingResponse(spool.read(), headers=headers, media_type=media_type)
