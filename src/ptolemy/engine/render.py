"""Rows to the bytes of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptolemy.database.transaction import Row
from ptolemy.engine.includes import Included
from ptolemy.engine.read import Page
from ptolemy.engine.resource import Resource, columns
from ptolemy.kernel.json import encode


def document(resource: type[Resource], row: Row) -> dict[str, Any]:
    """The record as JSON values."""
    return {
        of.shown_as: None if (stored := row[name]) is None else of.show(stored)
        for name, of in columns(resource).items()
        if not of.hidden
    }


def record(resource: type[Resource], row: Row) -> bytes:
    return encode(document(resource, row))


def with_included(resource: type[Resource], row: Row, included: Included) -> bytes:
    """The answer of one record with what it refers to."""
    return encode({"data": document(resource, row), "included": _included(included)})


def listing(resource: type[Resource], page: Page, included: Included | None = None) -> bytes:
    return envelope([document(resource, row) for row in page.rows], page, included)


def envelope(documents: Sequence[dict[str, Any]], page: Page, included: Included | None = None) -> bytes:
    """The answer of a list or a filter around the documents of its page."""
    answer: dict[str, Any] = {
        "data": documents,
        "meta": {"next_cursor": page.next_cursor, "has_more": page.next_cursor is not None},
    }
    if included is not None:
        answer["included"] = _included(included)
    return encode(answer | warned(page.warnings))


def _included(included: Included) -> dict[str, Any]:
    """By resource, in order of id, each record once."""
    return {
        resource.table: [document(resource, rows[record]) for record in sorted(rows)]
        for resource, rows in included.items()
    }


def warned(warnings: Sequence[str]) -> dict[str, Any]:
    """Warnings stand beside the data only when there is something to say."""
    return {"warnings": list(warnings)} if warnings else {}
