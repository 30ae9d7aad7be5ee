"""Before row 1: does the workspace have the types and fields that a backup speaks of?

Schemas are recreated rather than restored. Where one was forgotten, one message says so, instead of an error a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

from ptolemy.database.transaction import Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields import Reference
from ptolemy.engine.fields.type_values import definitions
from ptolemy.engine.interchange import Interchange
from ptolemy.engine.resource import Resource
from ptolemy.formats.csv import unguard
from ptolemy.formats.rows import FileRow, UnreadableFile

Spoken = dict[Reference, dict[str, set[str]]]
"""By reference to the schema: the identifiers that the file has, each with the keys of its custom fields."""


def spoken_of(resource: type[Resource], rows: Iterable[FileRow], *, guarded: bool) -> Spoken:
    """What the rows of a backup name of the schema; rows without an `id` are new, and told one by one.

    A file is a backup if its first row carries an `id`: exports write it in every row. `guarded` texts are as a
    spreadsheet runs none of them.
    """
    interchange = Interchange(resource)
    names = [name for name in interchange.names if name.reference.target.is_schema]
    found: Spoken = {name.reference: defaultdict(set) for name in names}
    sound = (row for row in rows if not row.fault)
    first = next(sound, None)
    if first is None or not first.values.get("id"):
        return found
    for row in chain([first], sound):
        if not row.values.get("id"):
            continue
        for name in names:
            identifier = row.values.get(name.column)
            if guarded:
                identifier = unguard(identifier)
            if isinstance(identifier, str):
                keys = found[name.reference][identifier]
                if interchange.custom and interchange.custom.type is name.reference:
                    keys |= _keys(interchange, row.values)
    return found


async def check(tx: Transaction, resource: type[Resource], spoken: Spoken) -> None:
    """Raises `UnreadableFile` with all that is missing."""
    missing: list[str] = []
    custom = Interchange(resource).custom
    for reference, asked in spoken.items():
        found = await lookup.ids(tx, reference.target, set(asked))
        called = reference.target.called
        missing += [f"{called} {identifier}" for identifier in sorted(asked.keys() - found.keys())]
        if custom and custom.type is reference:
            missing += await _missing_fields(tx, resource, found, asked)
    if missing:
        raise UnreadableFile("schema_missing", f"create these first, then import again: {', '.join(missing)}")


async def _missing_fields(
    tx: Transaction, resource: type[Resource], found: Mapping[str, UUID], asked: Mapping[str, set[str]]
) -> list[str]:
    custom = Interchange(resource).custom
    if custom is None:
        return []
    known = await definitions(tx, custom.defined_by, set(found.values()))
    return [
        f"field {key} of {identifier}"
        for identifier, type_id in sorted(found.items())
        for key in sorted(asked[identifier] - known[type_id].active.keys() - known[type_id].archived.keys())
    ]


def _keys(interchange: Interchange, values: Mapping[str, Any]) -> set[str]:
    assert interchange.custom is not None  # noqa: S101 - the caller looked
    nested = values.get(interchange.custom.name)
    if isinstance(nested, dict):
        return set(nested)
    if isinstance(nested, list):
        return {
            item["field_key"] for item in nested if isinstance(item, dict) and isinstance(item.get("field_key"), str)
        }
    prefix = interchange.prefix
    return {column.removeprefix(prefix) for column, cell in values.items() if column.startswith(prefix) and cell}
