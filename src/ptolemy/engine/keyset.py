"""A total order of records, and what lies beyond one of them: in segments that an index can walk.

A page that begins in the middle costs what the first one costs: each segment is a range of its leading key, so nothing
that comes before it is read. Nulls are a segment of their own at the end, since no range holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ptolemy.database.sql import Sql, every
from ptolemy.engine.filters.subjects import Subject

Direction = Literal["asc", "desc"]


@dataclass(frozen=True)
class Key:
    """One key of a sort."""

    subject: Subject
    direction: Direction


@dataclass(frozen=True)
class Segment:
    """A stretch of the order: the records in it, and the keys that order them, most significant first."""

    where: Sql
    keys: Sequence[Key]
    holds: Subject | None = None
    """What is not null in all of it."""

    def within(self, *conditions: Sql) -> Segment:
        return Segment(every([*conditions, self.where]), self.keys, self.holds)


def segments(keys: Sequence[Key], position: Sequence[Any] | None) -> list[Segment]:
    """The order from its beginning, or from behind the record with these values; all of a segment before the next."""
    if position is not None:
        return _beyond(keys, position)
    lead = keys[0].subject
    if not lead.may_be_null:
        return [Segment(Sql("true"), keys)]
    return [Segment(Sql(f"{lead.sql} is not null"), keys, lead), *_nulls(keys)]


def order_by(segment: Segment, expressions: Sequence[str]) -> str:
    """`order by` of a segment; the expressions are its keys'."""
    return ", ".join(
        # The first is never null here, and an index read backwards has its nulls first: the words would rule it out.
        f"{expression} {key.direction}{' nulls last' if place and key.subject.may_be_null else ''}"
        for place, (key, expression) in enumerate(zip(segment.keys, expressions, strict=True))
    )


def _beyond(keys: Sequence[Key], position: Sequence[Any]) -> list[Segment]:
    if not keys:
        return []
    lead, value, rest = keys[0].subject, position[0], keys[1:]
    if value is None:  # nulls come last: only ties are left behind one
        return [segment.within(Sql(f"{lead.sql} is null")) for segment in _beyond(rest, position[1:])]
    return [*_further(keys, position), *(_nulls(keys) if lead.may_be_null else [])]


def _nulls(keys: Sequence[Key]) -> list[Segment]:
    """The records without the leading key, by the others."""
    return [segment.within(Sql(f"{keys[0].subject.sql} is null")) for segment in segments(keys[1:], None)]


def _further(keys: Sequence[Key], position: Sequence[Any]) -> list[Segment]:
    lead, rest = keys[0], keys[1:]
    sign = ">" if lead.direction == "asc" else "<"
    if all(key.direction == lead.direction and not key.subject.may_be_null for key in rest):
        names, marks = ", ".join(key.subject.sql for key in keys), ", ".join("?" for _ in keys)
        return [Segment(Sql(f"({names}) {sign} ({marks})", tuple(position)), keys, lead.subject)]
    ties = [each.within(Sql.of(f"{lead.subject.sql} = ?", position[0])) for each in _beyond(rest, position[1:])]
    beyond = Segment(Sql.of(f"{lead.subject.sql} {sign} ?", position[0]), keys)
    return [Segment(each.where, each.keys, lead.subject) for each in (*ties, beyond)]
