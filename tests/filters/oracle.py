"""What a filter means, once more and in plain Python: the reference's rules over a list of records.

It shares no code with the product, so that the two don't err alike.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

Record = Mapping[str, Any]
"""One record as the API answers it."""
Question = Mapping[str, Any]
"""The body of a filter."""
Condition = Mapping[str, Any]


def instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def flag(value: Any) -> bool:
    return value in (True, "true")


READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "identifier": str,
    "number": lambda value: Decimal(str(value)),
    "date": date.fromisoformat,
    "instant": instant,
    "boolean": flag,
    "id": str,
    "reference": str,
    "json": dict,
}
"""How a value is read, of a record and of a condition alike: numbers as numbers, dates as dates."""
ORDER = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


@dataclass(frozen=True)
class Answer:
    rows: list[Record]
    warned: bool


@dataclass
class Oracle:
    """Knows all records, the kind of each field, what references name, and which custom keys have which data types."""

    records: Sequence[Record]
    kinds: Mapping[str, str]
    named: Mapping[str, Mapping[str, str]]
    """By reference field: the UUID that each identifier and UUID names."""
    data_types: Mapping[str, set[str]] = field(default_factory=dict)
    """By custom key: its data types in all types that have it."""
    custom: str = "extra_fields_snapshot"
    _values: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)

    def ask(self, question: Question) -> Answer:
        """All records that match, in order; the page is the first of them."""
        condition = question.get("filter")
        shorthands = [{"field": name, "op": "eq", "value": question[name]} for name in self.named if name in question]
        asked: list[Condition] = [*([condition] if condition else []), *shorthands]
        mentioned = any("archived_at" in fields_of(each) for each in asked)
        archived = question.get("archived", "true" if mentioned else "false")
        rows = [record for record in self.records if is_shown(record, archived)]
        for each in asked:
            rows = self.matching(rows, each)
        if "q" in question:
            rows = found(rows, question["q"])
        keys = question.get("sort", ())
        warned = any(self.warns(each) for each in asked) or question.get("limit", 0) > 200
        return Answer(self.ordered(rows, keys), warned or any(self.is_mixed(key["field"]) for key in keys))

    def matching(self, rows: list[Record], condition: Condition) -> list[Record]:
        """What stands beside each other all holds."""
        for part in condition.get("and", ()):
            rows = self.matching(rows, part)
        if "field" in condition:
            values, holds = self.values(condition["field"]), self.comparison(condition)
            rows = [record for record in rows if holds(values[record["id"]])]
        if "or" in condition:
            either = {record["id"] for part in condition["or"] for record in self.matching(rows, part)}
            rows = [record for record in rows if record["id"] in either]
        return rows

    def comparison(self, condition: Condition) -> Callable[[Any], bool]:
        """Whether a value compares as the condition says."""
        name, op, given = condition["field"], condition["op"], condition["value"]
        if op == "is_null":
            null = flag(given)
            return lambda value: (value is None) == null
        if op in ("in", "not_in"):
            among = [self.meant(name, each) for each in given]
            return lambda value: (value in among) == (op == "in")
        if op in ("eq", "ne"):
            # Null is a value here: `ne` and `not_in` match it unless they name it.
            same = self.meant(name, given)
            return lambda value: bool((value == same) == (op == "eq"))
        if op == "like":
            part = fold(given)
            return lambda value: value is not None and part in fold(value)
        holds, bound = ORDER[op], self.meant(name, given)
        return lambda value: value is not None and bool(holds(value, bound))

    def ordered(self, rows: Sequence[Record], keys: Sequence[Mapping[str, str]]) -> list[Record]:
        """By the first key, then the next, at last by id; nulls last in both directions."""
        ordered = sorted(rows, key=lambda record: str(record["id"]))
        for key in reversed(keys):
            values = self.values(key["field"])
            known = [record for record in ordered if values[record["id"]] is not None]
            nulls = [record for record in ordered if values[record["id"]] is None]
            descending = key.get("direction", "asc") == "desc"
            # A stable sort keeps ties in the order of the later keys, reversed or not.
            ordered = sorted(known, key=lambda record: values[record["id"]], reverse=descending) + nulls
        return ordered

    def values(self, name: str) -> dict[str, Any]:
        """What each record holds in a field, by the record's id; read once."""
        if name not in self._values:
            self._values[name] = {record["id"]: self.value(record, name) for record in self.records}
        return self._values[name]

    def value(self, record: Record, name: str) -> Any:
        held = record[self.custom].get(name.removeprefix("field.")) if name.startswith("field.") else record[name]
        return None if held is None else READ[self.kind(name)](held)

    def meant(self, name: str, given: Any) -> Any:
        """What a value of a condition means; what names nothing equals nothing."""
        if given is None:
            return None
        if name in self.named:
            return self.named[name].get(given, ("nothing", given))
        return READ[self.kind(name)](given)

    def kind(self, name: str) -> str:
        """A key that means different data types in different types is compared as text."""
        if not name.startswith("field."):
            return self.kinds[name]
        return "text" if self.is_mixed(name) else next(iter(self.data_types[name.removeprefix("field.")]))

    def is_mixed(self, name: str) -> bool:
        return len(self.data_types.get(name.removeprefix("field."), ())) > 1 if name.startswith("field.") else False

    def warns(self, condition: Condition) -> bool:
        """Whether it names nothing, or compares what has different data types."""
        parts = [*condition.get("and", ()), *condition.get("or", ())]
        if any(self.warns(part) for part in parts):
            return True
        if "field" not in condition:
            return False
        name, given = condition["field"], condition["value"]
        values = given if isinstance(given, list) else [given]
        names = [each for each in values if each is not None] if name in self.named else []
        lost = condition["op"] != "is_null" and any(each not in self.named[name] for each in names)
        return lost or self.is_mixed(name)


def fields_of(condition: Condition) -> set[str]:
    parts = [*condition.get("and", ()), *condition.get("or", ())]
    own = {condition["field"]} if "field" in condition else set()
    return own.union(*(fields_of(part) for part in parts))


def is_shown(record: Record, archived: str) -> bool:
    is_archived = record.get("archived_at") is not None
    return {"false": not is_archived, "true": True, "all": True, "only": is_archived}[archived]


@cache
def fold(text: str) -> str:
    """Letter by letter: no letter becomes two."""
    return "".join(letter.lower()[0] for letter in text)


def found(rows: list[Record], q: str) -> list[Record]:
    """Each word of `q` begins a word of the name or of the identifier."""
    for word in fold(q).split():
        begin = re.compile(rf"(?<![^\W_]){re.escape(word)}")
        texts = [[fold(each[name]) for name in ("identifier", "name") if each.get(name) is not None] for each in rows]
        rows = [each for each, told in zip(rows, texts, strict=True) if any(map(begin.search, told))]
    return rows
