"""SQL text with its arguments. Values never become text; names come from declarations only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class Sql(NamedTuple):
    """`Sql.of("lot_size > ?", Decimal(3))`: one `?` for each argument."""

    text: str
    args: tuple[Any, ...] = ()

    @staticmethod
    def of(text: str, *args: Any) -> Sql:
        return Sql(text, args)


@lru_cache(maxsize=4096)
def numbered(text: str) -> str:
    """As PostgreSQL takes it: `$1`, `$2`, … for the question marks."""
    first, *rest = text.split("?")
    return first + "".join(f"${i}{part}" for i, part in enumerate(rest, 1))


def name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"not a column name: {text!r}")
    return text


def joined(separator: str, parts: Iterable[Sql]) -> Sql:
    parts = list(parts)
    return Sql(separator.join(part.text for part in parts), tuple(arg for part in parts for arg in part.args))


def every(parts: Iterable[Sql]) -> Sql:
    both = joined(" and ", parts)
    return Sql(f"({both.text})", both.args) if both.text else Sql("true")


def some(parts: Iterable[Sql]) -> Sql:
    either = joined(" or ", parts)
    return Sql(f"({either.text})", either.args) if either.text else Sql("false")
