"""No word of a caller becomes text of a statement, wherever it is sent: PostgreSQL's own log of statements is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from ptolemy.catalogue import RESOURCES
from tests import house
from tests.access.callers import new_workspace
from tests.access.operations import LAST, Documented, documented, kept_place, request
from tests.access.places import Stock
from tests.faults.ground import seeing
from tests.product import PATIENCE_SECONDS
from tests.serving import configured, serving

WORD = "zqx'\"$1;--?{}"
"""Would end a text, a name, a statement; PostgreSQL is asked for it in every form that a text could take."""
SHOWN = "zqx"
ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
STATEMENT = re.compile(r"LOG: +(?:statement|execute [^:]*): ")
QUOTED = re.compile(r"'(?:[^']|'')*'")
"""COPY takes no parameters: what it selects by is a literal there, made by PostgreSQL (`quote_literal`)."""


@pytest.fixture
def stock(database_url: str, tmp_path: Path) -> Iterator[Stock]:
    """Of a product whose every statement is logged, without its parameters."""
    name = database_url.partition("?")[0].rpartition("/")[2]
    house.execute(database_url, f"alter database {name} set log_statement = 'all'")
    with serving(configured(database_url, tmp_path)) as url:
        yield Stock(new_workspace(url, database_url))


@pytest.mark.usefixtures("one_server")
def test_no_word_of_a_caller_becomes_text_of_a_statement(
    stock: Stock, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list(_asked(stock))
    headers = {"Authorization": f"Bearer {stock.workspace.admin_token}"}
    with httpx.Client(timeout=PATIENCE_SECONDS, headers=headers) as client, seeing(database_url) as sight:
        begun = sight.value("select size from pg_stat_file('server.log')")
        statuses = [client.request(**each).status_code for each in asked]
        log = sight.value("select pg_read_file('server.log', $1, 1 << 29)", begun)
    assert not [
        each for each, status in zip(asked, statuses, strict=True) if status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ]
    statements = [each for each in ENTRY.split(log) if STATEMENT.search(each)]
    assert not [each for each in statements if SHOWN in _unquoted(each)]
    done = sum(status < HTTPStatus.BAD_REQUEST for status in statuses)
    assert done > 200 and len(statements) > len(asked)
    with capsys.disabled():
        sys.stdout.write(f"\nwords of a caller: {len(asked)} requests, {done} done, {len(statements)} statements\n")


def _unquoted(statement: str) -> str:
    return QUOTED.sub("''", statement) if re.search(r"\bcopy \(", statement, re.IGNORECASE) else statement


def _asked(stock: Stock) -> Iterator[dict[str, Any]]:
    """Every operation with the word in each place of its address, its parameters and its body by turns."""
    for each in sorted(documented(stock.workspace.url), key=lambda each: each.method == "DELETE"):
        if str(each) in LAST:
            continue
        parts = kept_place(each, stock)
        plain = request(each, stock, parts, stock)
        yield from (request(each, stock, {**parts, name: quote(WORD, safe="")}, stock) for name in parts)
        yield from ({**plain, "params": {**plain.get("params", {}), name: WORD}} for name in each.parameters)
        yield from ({**plain, "json": body} for body in (*_with_word(plain.get("json")), *_filters(each)))


def _filters(operation: Documented) -> Iterator[Any]:
    """Bodies of filters and counts, and of what takes a filter besides."""
    if operation.path.endswith(("/filter", "/count")):
        yield from ({"q": WORD}, {"after": WORD}, {"include": [WORD]}, {"sort": [{"field": WORD}]})
        conditions = _conditions(operation.collection)
        yield from ({"filter": {"and": [condition]}} for condition in conditions)
        yield from ({condition["field"]: WORD} for condition in conditions)
    elif operation.path.endswith("/exports") and operation.content:
        yield from ({"resource_type": "instruments", "filter": each} for each in _conditions("instruments"))


def _conditions(collection: str) -> list[dict[str, Any]]:
    fields = next((each.fields for each in RESOURCES if each.collection == collection), {"id": None})
    return [
        {"field": WORD, "op": "eq", "value": "a"},
        {"field": "id", "op": WORD, "value": "a"},
        *({"field": field, "op": "eq", "value": WORD} for field in (*fields, "field.sector", f"field.{WORD}", "tags")),
        *({"field": field, "op": op, "value": WORD} for field in ("name", "identifier") for op in ("like", "gt")),
        {"field": "identifier", "op": "in", "value": [WORD, None]},
        {"field": "tags", "op": "tagged_with_descendants", "value": WORD},
        {"field": "path", "op": "is_descendant_of", "value": WORD},
    ]


def _with_word(value: Any) -> Iterator[Any]:
    """The value with the word in one place, for each of its places."""
    if isinstance(value, str):
        yield WORD
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from ([*value[:at], changed, *value[at + 1 :]] for changed in _with_word(each))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from ({**value, name: changed} for changed in _with_word(each))
            yield {**{key: kept for key, kept in value.items() if key != name}, WORD: each}
