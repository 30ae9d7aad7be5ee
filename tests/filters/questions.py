"""Random filters, by a seed: most of their values are taken from the records, so that they hit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.filters.oracle import Oracle

SAME = ("eq", "ne", "in", "not_in", "is_null")
ORDER = ("lt", "lte", "gt", "gte")
OPS: dict[str, tuple[str, ...]] = {
    "text": (*SAME, *ORDER, "like", "like", "like"),
    "identifier": (*SAME, *ORDER, "like", "like"),
    "number": (*SAME, *ORDER, *ORDER),
    "date": (*SAME, *ORDER),
    "instant": (*SAME, *ORDER),
    "boolean": SAME,
    "id": (*SAME, *ORDER),
    "reference": SAME,
    "json": ("is_null",),
}
UNKNOWN_ID = "0190aaaa-0000-7000-8000-00000000abcd"
INVENTED: dict[str, tuple[Any, ...]] = {
    "text": ("", " ", "%", "_", "\\", "'", "ß", "SS", "İ", "ς", "日", "\U0001f600", "zzz", "Limited", "mining"),
    "identifier": ("a", "Z", "bhp.ax", "BHP.AX", "日", "\U0001f600", "zzz"),
    "number": (0, -1, "0.0", "1000.00", 7.25, "1e3", 10**20, "-0.5", "99999999999999999999.10"),
    "date": ("2020-02-29", "0001-01-01", "9999-12-31"),
    "instant": ("2022-01-01", "2023-05-05T12:00:00+10:00", "2026-11-15T00:00:00Z"),
    "boolean": (True, False, "true", "false"),
    "id": (UNKNOWN_ID,),
    "reference": ("nope", UNKNOWN_ID, "Equity"),
}


class Questions:
    """An endless supply."""

    def __init__(self, seed: int, oracle: Oracle) -> None:
        self._random, self._oracle = Random(seed), oracle
        keys = [f"field.{key}" for key in sorted(oracle.data_types)]
        self._fields = [*oracle.kinds, *keys]
        # Thrice, since there are fewer of them.
        self._weighted = [*self._fields, *keys, *keys]

    def next(self) -> dict[str, Any]:
        question: dict[str, Any] = {"limit": self._random.choice((1, 3, 10, 50))}
        if self._chance(0.9):
            question["filter"] = self.condition(self._random.choice((1, 1, 1, 2, 3, 5)))
        if self._chance(0.7):
            question["sort"] = [self.key() for _ in range(self._random.choice((1, 1, 2, 3)))]
        if self._chance(0.3):
            question["archived"] = self._random.choice(("true", "all", "only"))
        if self._chance(0.2):
            question["type_id"] = self._random.choice([*self._oracle.named["type_id"], "nope"])
        if self._chance(0.15):
            question["q"] = self.words()
        return question

    def condition(self, depth: int) -> dict[str, Any]:
        if depth == 1:
            return self.leaf()
        parts = [self.condition(self._random.randint(1, depth - 1)) for _ in range(self._random.randint(1, 3))]
        beside = {"or": [self.leaf(), self.leaf()]} if self._chance(0.1) else {}
        return {self._random.choice(("and", "or")): parts} | beside

    def leaf(self) -> dict[str, Any]:
        name = self._random.choice(self._weighted)
        op = self._random.choice(OPS[self._oracle.kind(name)])
        return {"field": name, "op": op, "value": self.operand(name, op)}

    def operand(self, name: str, op: str) -> Any:
        if op == "is_null":
            return self._random.choice((True, False, "true", "false"))
        if op == "like":
            return self.part(str(self.value(name)))
        if op in ("in", "not_in"):
            values = [self.value(name) for _ in range(self._random.randint(0, 5))]
            return [*values, None] if self._chance(0.2) else values
        return None if op in ("eq", "ne") and self._chance(0.1) else self.value(name)

    def value(self, name: str) -> Any:
        """One that a record has, or one that we made up."""
        kind = self._oracle.kind(name)
        held = self.held(name) if kind != "reference" or self._chance(0.5) else self._random.choice(self._names(name))
        return self._random.choice(INVENTED[kind]) if held is None or self._chance(0.2) else held

    def held(self, name: str) -> Any:
        record = self._random.choice(self._oracle.records)
        custom = record[self._oracle.custom]
        return custom.get(name.removeprefix("field.")) if name.startswith("field.") else record[name]

    def part(self, text: str) -> str:
        begin = self._random.randint(0, max(0, len(text) - 1))
        cut = text[begin : begin + self._random.randint(1, 6)]
        return self._random.choice((cut, cut.upper(), cut.lower()))

    def key(self) -> dict[str, Any]:
        sortable = [name for name in self._fields if self._oracle.kind(name) != "json"]
        direction = self._random.choice(({}, {"direction": "asc"}, {"direction": "desc"}))
        return {"field": self._random.choice(sortable), **direction}

    def words(self) -> str:
        record = self._random.choice(self._oracle.records)
        known: Sequence[str] = re.findall(r"[^\W_]+", f"{record['name']} {record['identifier']}") or ["x"]
        words = [self._random.choice(known) for _ in range(self._random.choice((1, 1, 2)))]
        cut = [word[: self._random.randint(1, len(word))] if self._chance(0.5) else word for word in words]
        joined = " ".join(cut)
        return self._random.choice((joined, joined.upper(), joined.lower(), "zzzz"))

    def _names(self, name: str) -> list[str]:
        return list(self._oracle.named[name])

    def _chance(self, of: float) -> bool:
        return self._random.random() < of
