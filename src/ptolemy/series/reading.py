"""One series, whole or a span of it, from one snapshot, oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ptolemy.database.copying import copy_lines
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields import Reference
from ptolemy.files.store import room_for
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import FieldError, Invalid, NotFound
from ptolemy.kernel.quoting import seen
from ptolemy.resources.time_series_values import Values
from ptolemy.series.columns import Layout, layout
from ptolemy.series.forms import Form
from ptolemy.series.spool import Spool


@dataclass(frozen=True)
class Asked:
    """Which series: of which instrument, and from when (inclusive) to when (exclusive)."""

    instrument: str
    series: str
    begin: datetime | None = None
    end: datetime | None = None


async def read_series(
    database: Database, caller: Caller, asked: Asked, make_form: Callable[[Layout, Spool], Form]
) -> Spool:
    """The answer in the form that is asked for; close the spool where you don't read it to its end."""
    if asked.begin and asked.end and asked.end < asked.begin:
        raise Invalid(FieldError("to", "before_from", "must not be before from"))
    spool = Spool()
    try:
        with room_for("the server has no room for this answer"):
            async with database.snapshot(caller) as tx:
                instrument, series = await _named(tx, asked)
                found = await layout(tx, series)
                form = await asyncio.to_thread(make_form, found, spool)
                select = found.select(tx.workspace_id, instrument["id"], series["id"], _span(asked))
                count = await copy_lines(tx, select, form.take)
            meta = {
                "instrument_id": instrument["id"],
                "type_id": series["id"],
                "kind": series["kind"],
                "unit": series["unit"],
                "count": count,
            }
            await asyncio.to_thread(form.finish, meta)
    except BaseException:
        spool.close()
        raise
    return spool


async def _named(tx: Transaction, asked: Asked) -> tuple[Row, Row]:
    """The instrument and the series, archived or not; one series is asked for, so both must be there."""
    found: list[Row] = []
    errors = []
    wanted: list[tuple[Reference, str]] = [(Values.instrument_id, asked.instrument), (Values.type_id, asked.series)]
    for reference, key in wanted:
        try:
            found.append(await lookup.one(tx, reference.target, key))
        except NotFound:
            message = f"no {reference.target.called} {seen(key)} here"
            errors.append(FieldError(reference.name, "unknown_reference", message))
    if errors:
        raise Invalid(*errors)
    instrument, series = found
    return instrument, series


def _span(asked: Asked) -> Sql:
    bounds = []
    if asked.begin is not None:
        bounds.append(Sql.of("timestamp >= ?", asked.begin))
    if asked.end is not None:
        bounds.append(Sql.of("timestamp < ?", asked.end))
    return every(bounds)
