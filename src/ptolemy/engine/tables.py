"""The table of a resource as its declaration implies it; the contract test holds the migrations against it.

Every key starts with `workspace_id`: references can't cross workspaces, a restore keeps its ids, and the tables can be
distributed by workspace.
"""

from __future__ import annotations

from typing import Any

from ptolemy.database.sql import name
from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.filters.custom import custom_values
from ptolemy.engine.resource import NoOverlap, Resource, Unique, times


def create_table(resource: type[Resource]) -> list[str]:
    """The statements that create the table, its constraints, its indexes, and the view of its keys."""
    table = name(resource.table)
    lines = [
        "workspace_id uuid not null",
        "id uuid not null",
        *(field.column() for field in resource.fields.values()),
        "created_at timestamptz not null default now()",
        "updated_at timestamptz not null default now()",
        *(["archived_at timestamptz"] if resource.lifecycle.archive else []),
        "recorded_at timestamptz not null default now()",
        "primary key (workspace_id, id)",
        *(_foreign_key(reference) for reference in resource.references() if reference.enforced),
        *([_exclusion(resource, resource.no_overlap)] if resource.no_overlap else []),
    ]
    body = ",\n  ".join(lines)
    return [
        f"create table {table} (\n  {body}\n)",
        *(_unique(resource, rule) for rule in resource.unique),
        *(_reference_index(resource, reference) for reference in resource.references()),
        *([_archived_name_index(resource)] if resource.named_by and resource.lifecycle.archive else []),
        *([_words_index(resource)] if has_words_index(resource) else []),
        *([_keys_view(resource)] if has_keys(resource) else []),
    ]


def has_keys(resource: type[Resource]) -> bool:
    """Whether there is a view of the keys of its records, for conditions that no index serves under row-level security.

    Only comparisons that can't leak a value may use an index there, and those of numerics, of JSON and of words aren't
    marked as such. So the ids of a page are picked through a view, which the owner reads on behalf of who asks, and the
    records are then read under row-level security by id.
    """
    return has_words_index(resource) or custom_values(resource) is not None


def keys_view(resource: type[Resource]) -> str:
    return f"{resource.table}_keys"


def has_words_index(resource: type[Resource]) -> bool:
    """Whether there may be so many records that `q` needs an index."""
    return resource.counted and not resource.by_the_million and bool(searched(resource))


def searched(resource: type[Resource]) -> list[Field[Any]]:
    """The fields that `q` looks in."""
    return [of for of in resource.fields.values() if of.searched]


def words(resource: type[Resource]) -> str:
    """The words of the searched fields; statements and the index must write it alike."""
    parts = [of.name if of.required else f"coalesce({of.name}, '')" for of in searched(resource)]
    text = " || ' ' || ".join(parts)
    return f"search_words(workspace_id, {text})"


def unique_name(resource: type[Resource], rule: Unique) -> str:
    # Short: names end at 63 bytes, and Citus adds the number of the shard.
    return f"{resource.table}_unique{'' if len(resource.unique) == 1 else '_' + '_'.join(rule.names)}"


def overlap_name(resource: type[Resource]) -> str:
    return f"{resource.table}_no_overlap"


def _foreign_key(reference: Reference) -> str:
    action = "cascade" if reference.when_deleted == "cascade" else "restrict"
    return (
        f"foreign key (workspace_id, {reference.name})"
        f" references {reference.target.table} (workspace_id, id) on delete {action}"
    )


def _exclusion(resource: type[Resource], rule: NoOverlap) -> str:
    return (
        f"constraint {overlap_name(resource)} exclude using gist (workspace_id with =, {rule.of.name} with =,"
        f" tstzrange({rule.start.name}, {rule.end.name}) with &&)"
    )


def _unique(resource: type[Resource], rule: Unique) -> str:
    where = " where archived_at is null" if resource.lifecycle.archive else ""
    columns = ", ".join(("workspace_id", *rule.names))
    return f"create unique index {unique_name(resource, rule)} on {resource.table} ({columns}){where}"


def _reference_index(resource: type[Resource], reference: Reference) -> str:
    """Finds the dependents of a record. Values have theirs in the unique index; only the archived ones need another."""
    index = f"create index {resource.table}_{reference.name} on {resource.table} (workspace_id, {reference.name})"
    return index if reference.enforced else f"{index} where archived_at is not null"


def _archived_name_index(resource: type[Resource]) -> str:
    """Finds the record archived last where no active one has the name."""
    columns = f"workspace_id, {resource.named_by}, archived_at"
    return f"create index {resource.table}_archived on {resource.table} ({columns}) where archived_at is not null"


def _words_index(resource: type[Resource]) -> str:
    return f"create index {resource.table}_words on {resource.table} using gin ({words(resource)})"


def _keys_view(resource: type[Resource]) -> str:
    """What records are found by, in the workspace of the transaction: of what only can be null, whether it is."""
    shown = ["workspace_id", "id"]
    custom = custom_values(resource)
    for field in resource.fields.values():
        if field is custom or field.operators - {"is_null"}:
            shown.append(field.name)
        elif field.operators:
            shown.append(f"case when {field.name} is not null then '{{}}'::{field.column_type} end as {field.name}")
    return (
        f"create view {keys_view(resource)} as select {', '.join([*shown, *times(resource)])} from {resource.table}"
        " where workspace_id = current_setting('ptolemy.workspace_id')::uuid"
    )
