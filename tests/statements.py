"""Every statement that the product ran in a test run, held against what a distributed database can do."""

from __future__ import annotations

import asyncio
import re

import asyncpg

from ptolemy.database.embedded import EmbeddedServer
from ptolemy.database.security import APP, OWNER, WITHOUT_WORKSPACE

REMEMBERED = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}

_TABLE = re.compile(r'\b(?:from|join|into|update|copy)\s+(?:only\s+)?"?([a-z_]+)')
_UNSTABLE = re.compile(r"\bclock_timestamp\(|\b(?:coalesce\(|case )[^=]*\bnow\(\)")
_UNSTABLE_MERGE = re.compile(r"\bdo update\b.*\b(?:now|clock_timestamp)\(")
_SAYS_WORKSPACE = re.compile(r"\bworkspace_id\b\S* = (\$|')")
_OWN_NUMBERS = re.compile(r"\bpg_current_(snapshot|xact_id)\b")
_SETTLED = "pg_snapshot_xmin(pg_current_snapshot())"
"""`database/snapshots.py` puts it into queries where the tables aren't distributed, and only there."""
_SCHEMA = re.compile(r"\s*(create|alter|drop|grant|analyze|truncate|begin|commit|rollback|set|savepoint|release)\b")


def unfit_statements(server: EmbeddedServer, template: str) -> list[str]:
    """What is wrong with which statement; empty when all is well."""
    return asyncio.run(_unfit(server, template))


def fault(statement: str, tenant_tables: set[str]) -> str | None:
    """Why a statement can't run where tables are distributed by workspace, or why it forgets the workspace."""
    text = " ".join(statement.lower().split())
    if _SCHEMA.match(text):
        return None
    tables = set(_TABLE.findall(text))
    if not tables & tenant_tables:
        return None
    if "workspace_id" not in text:
        return "doesn't say which workspace"
    if tables & WITHOUT_WORKSPACE:
        return "joins a distributed table with a local one"
    if "skip locked" in text:
        return "skips locked rows of a distributed table"
    if text.startswith("insert") and " select " in text and not re.search(r" returning | on conflict ", text):
        return "becomes a COPY to the shards, which row-level security refuses: add `returning`"
    if any(_forgets_workspace(query, tenant_tables) for query in _queries_within(text)):
        return "has a query within it that doesn't say which workspace by a value, so that all nodes are asked"
    if _OWN_NUMBERS.search(text.replace(_SETTLED, "")):
        return "takes the worker's number of a transaction for the coordinator's"
    if text.startswith("update") and _UNSTABLE.search(text):
        return "computes an instant where it can't be computed beforehand"
    if _UNSTABLE_MERGE.search(text):
        return "computes an instant for a row that is there already: take that of the new one (`excluded`)"
    return "sets a setting by a function" if "set_config(" in text else None


def _queries_within(text: str) -> list[str]:
    """The queries in parentheses, each without those within itself."""
    found, open_at = [], [""]
    for part in re.split(r"([()])", text):
        if part == "(":
            open_at.append("")
        elif part == ")" and len(open_at) > 1:
            inner = open_at.pop()
            if re.match(r"\s*(select|with)\b", inner):
                found.append(inner)
            else:
                open_at[-1] += f"({inner})"
        else:
            open_at[-1] += part
    return found


def _forgets_workspace(query: str, tenant_tables: set[str]) -> bool:
    return bool(set(_TABLE.findall(query)) & tenant_tables) and not _SAYS_WORKSPACE.search(query)


async def _unfit(server: EmbeddedServer, template: str) -> list[str]:
    driver = await asyncpg.connect(server.dsn_for(template))
    tables = await driver.fetch(
        "select relname from pg_class where relkind in ('r', 'p', 'v') and relnamespace = 'public'::regnamespace"
    )
    await driver.close()
    tenant = {row["relname"] for row in tables} - WITHOUT_WORKSPACE
    driver = await asyncpg.connect(server.dsn_for("postgres"))
    await driver.execute("create extension if not exists pg_stat_statements")
    # The tests' own statements run as the superuser, the product's as one of its roles.
    statements = await driver.fetch(
        "select distinct query from pg_stat_statements s join pg_roles r on r.oid = s.userid"
        " where r.rolname = any($1::text[])",
        [APP, OWNER],
    )
    await driver.close()
    return [f"{why}: {row['query']}" for row in statements if (why := fault(row["query"], tenant))]
