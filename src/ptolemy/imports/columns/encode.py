"""A block of scalar values, checked and made into rows of COPY: for a thread, while the block before is written."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.formats.columns import ColumnsBlock
from ptolemy.formats.rows import FileRow
from ptolemy.imports.columns.binary import (
    EPOCH,
    Ids,
    Mask,
    Numbers,
    Rows,
    new_ids,
    numerics,
    rows_of,
    uuids,
    with_instant,
)
from ptolemy.imports.columns.cells import Faults, decimals, instants
from ptolemy.imports.columns.parents import NONE, UNKNOWN, Parents
from ptolemy.imports.row_errors import RowError
from ptolemy.kernel.identifiers import as_uuid, identifier_fault

_FIELD = "field."
_NO_FIELD_VALUES = b"\x01{}"  # jsonb on the wire: its version, then the text


@dataclass(frozen=True)
class RowsBlock:
    """A block that needs the engine row by row: values with custom fields, or of series that demand some."""

    first_row: int
    rows: Sequence[FileRow]

    @property
    def count(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class EncodedBlock:
    """The sound rows of a block, by columns, and the errors of the others."""

    source: ColumnsBlock
    errors: Sequence[RowError]
    numbers: Numbers
    ids: Ids
    recorded: Mask
    """Rows that carry their id: they come back as they were recorded."""
    instruments: Numbers
    series: Numbers
    times: Numbers
    active_rows: Rows
    archived_rows: Rows
    archived: Mask
    """Which of the arrays' rows are in `archived_rows`; both keep the arrays' order."""

    @property
    def first_row(self) -> int:
        return self.source.first_row

    @property
    def count(self) -> int:
        """All rows of the block, sound or not."""
        return self.source.count

    def only(self, wanted: Mask) -> EncodedBlock:
        """Some of the sound rows, and all errors."""
        return replace(
            self,
            numbers=self.numbers[wanted],
            ids=self.ids[wanted],
            recorded=self.recorded[wanted],
            instruments=self.instruments[wanted],
            series=self.series[wanted],
            times=self.times[wanted],
            active_rows=self.active_rows[wanted[~self.archived]],
            archived_rows=self.archived_rows[wanted[self.archived]],
            archived=self.archived[wanted],
        )

    def file_rows(self, numbers: Collection[int]) -> list[FileRow]:
        """Some rows once more, by rows."""
        return [row for row in self.source.file_rows() if row.number in numbers] if numbers else []


def encode(block: ColumnsBlock, workspace_id: UUID, instruments: Parents, series: Parents) -> EncodedBlock | RowsBlock:
    columns = _Columns(block)
    if columns.any_field():
        return RowsBlock(block.first_row, block.file_rows())
    faults = _Faults(block)
    ids, recorded = _ids(columns, faults)
    of_instrument = _references(columns, faults, instruments, recorded, ("instrument_id", "instrument"))
    of_series = _references(columns, faults, series, recorded, ("type_id",))
    known = of_series >= 0
    # An empty cell is a null that a recorded row keeps; without such cells only new rows get what is demanded.
    asked = known if columns.field_cells() else known & ~recorded
    if series.demanding[of_series[asked]].any():
        return RowsBlock(block.first_row, block.file_rows())
    times = _instants(columns, faults, "timestamp", missing=0)
    faults.refuse("timestamp", "required", "is required", columns.is_null("timestamp"))
    values, refused = decimals(columns["value"])
    faults.refuse_each("value", "invalid_number", refused)
    faults.refuse("value", "required", "is required", columns.is_null("value"))
    now = time.time_ns() // 1000 - EPOCH
    created, updated, archived_at = (
        _instants(columns, faults, name, missing=now) for name in ("created_at", "updated_at", "archived_at")
    )
    archived = ~columns.is_null("archived_at")
    good = np.flatnonzero(~faults.bad)
    rows = rows_of(
        len(good),
        {
            "workspace_id": workspace_id.bytes,
            "id": ids[good],
            "instrument_id": instruments.ids[of_instrument[good]],
            "type_id": series.ids[of_series[good]],
            "timestamp": times[good],
            "value": numerics(values.take(pa.array(good))),
            "field_values": _NO_FIELD_VALUES,
            "created_at": created[good],
            "updated_at": updated[good],
        },
    )
    return EncodedBlock(
        block,
        faults.errors(),
        block.numbers[good],
        ids[good],
        recorded[good],
        of_instrument[good],
        of_series[good],
        times[good],
        rows[~archived[good]],
        with_instant(rows[archived[good]], "archived_at", archived_at[good][archived[good]]),
        archived[good],
    )


class _Columns:
    """A block's columns, with nulls for those that the file lacks."""

    def __init__(self, block: ColumnsBlock) -> None:
        self._block, self.count = block, len(block.numbers)

    def __getitem__(self, name: str) -> pa.Array[Any]:
        found = self._block.columns.get(name)
        return pa.nulls(self.count, pa.string()) if found is None else found

    def is_null(self, name: str) -> Mask:
        return np.asarray(self[name].is_null().to_numpy(zero_copy_only=False))

    def field_cells(self) -> bool:
        """Whether custom fields have cells of their own, as in CSV and Parquet."""
        return any(name.startswith(_FIELD) for name in self._block.columns)

    def any_field(self) -> bool:
        """Whether a row has a custom field that is not null."""
        fields = (name for name in self._block.columns if name == "field_values" or name.startswith(_FIELD))
        return any(self[name].null_count < self.count for name in fields)


class _Faults:
    """What is wrong with which rows of a block."""

    def __init__(self, block: ColumnsBlock) -> None:
        self._block, self._found = block, [_unread(row) for row in block.faults]
        self.bad: Mask = np.zeros(len(block.numbers), np.bool_)

    def refuse(self, field: str, code: str, message: str, where: Mask) -> None:
        self.refuse_each(field, code, dict.fromkeys(np.flatnonzero(where).tolist(), message))

    def refuse_each(self, field: str, code: str, faults: Faults) -> None:
        for place, message in faults.items():
            self.bad[place] = True
            self._found.append(RowError(int(self._block.numbers[place]), None, field, code, message))

    def errors(self) -> Sequence[RowError]:
        return located(self._block, self._found)


def located(block: ColumnsBlock, errors: Sequence[RowError]) -> Sequence[RowError]:
    """In the order of rows, with the lines where they begin."""
    if not errors:
        return ()
    errors = sorted(errors, key=lambda error: error.row)
    lines = block.lines([error.row for error in errors])
    return [error._replace(line=line) for error, line in zip(errors, lines, strict=True)]


def _unread(row: FileRow) -> RowError:
    fault = row.fault
    assert fault is not None  # noqa: S101 - it is among the faults
    return RowError(row.number, row.line, fault.field or None, fault.code, fault.message)


def _ids(columns: _Columns, faults: _Faults) -> tuple[Ids, Mask]:
    """Each row's id, a new one where it has none; and where it has one."""
    given = ~columns.is_null("id")
    if not given.any():
        return new_ids(columns.count), given
    ids, sound = uuids(columns["id"])
    faults.refuse("id", "invalid_id", "must be a UUID", given & ~sound)
    return np.where(given, ids, new_ids(columns.count)) if not given.all() else ids, given


def _references(
    columns: _Columns, faults: _Faults, parents: Parents, recorded: Mask, names: tuple[str, ...]
) -> Numbers:
    """Whom each row names, by position; `names` are the field, and the column beside it that may decide."""
    field, keys = names[0], [columns[name] for name in names]
    found = parents.positions(*keys)
    faults.refuse(field, "required", "is required", found == NONE)
    unknown = np.flatnonzero(found == UNKNOWN)
    if len(unknown):
        asked = pc.coalesce(*keys).take(pa.array(unknown)).to_pylist()
        for place, key in zip(unknown.tolist(), asked, strict=True):
            faults.refuse_each(field, *_unknown(parents, key, place))
    archived = (found >= 0) & ~recorded
    archived[archived] = parents.archived[found[archived]]
    called = parents.resource.called
    faults.refuse(field, "parent_archived", f"the {called} is archived: restore it first", archived)
    composite = found >= 0
    composite[composite] = parents.composite[found[composite]]
    faults.refuse(field, "wrong_series_kind", "must be a scalar series, this one is composite", composite)
    return found


def _unknown(parents: Parents, key: str, place: int) -> tuple[str, Faults]:
    if as_uuid(key) is None and (fault := identifier_fault(key)):
        return "invalid_reference", {place: f"{fault}, got {key[:40]!r}"}
    return "unknown_reference", {place: f"no {parents.resource.called} {key[:40]!r} here"}


def _instants(columns: _Columns, faults: _Faults, field: str, *, missing: int) -> Numbers:
    """Microseconds since 2000; `missing` where there is none."""
    if columns[field].null_count == columns.count:
        return np.full(columns.count, missing)
    found, refused = instants(columns[field])
    faults.refuse_each(field, "invalid_timestamp", refused)
    null = columns.is_null(field)
    return np.where(null, missing, found) if null.any() else found
