"""The table of a resource as its declaration implies it; the contract test holds the migrations against it.

Every key starts with `workspace_id`: references can't cross workspaces, a restore keeps its ids, and the tables can be
distributed by workspace.
"""

from __future__ import annotations

from ptolemy.database.sql import name
from ptolemy.engine.fields import Reference
from ptolemy.engine.resource import NoOverlap, Resource, Unique


def create_table(resource: type[Resource]) -> list[str]:
    """The statements that create the table, its constraints and its indexes."""
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
    ]


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
