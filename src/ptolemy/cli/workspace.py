"""`ptolemy workspace …`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.groups import group
from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.database.transaction import Row

commands = group("Create workspaces.", name="workspace")


@commands.callback()
def workspace() -> None:
    """Create workspaces."""


@commands.command(epilog="\b\nExample:\n  ptolemy workspace create acme --name 'Acme Research'")
def create(
    slug: Annotated[
        str, typer.Argument(help="Its name in addresses: 2 to 63 lower-case letters, digits, inner hyphens.")
    ],
    name: Annotated[str | None, typer.Option(help="Its name for people; the slug by default.")] = None,
    plan: Annotated[str, typer.Option(help="starter, growth or enterprise.")] = "enterprise",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a workspace."""
    from ptolemy.accounts.workspaces import create_workspace
    from ptolemy.catalogue import seed
    from ptolemy.cli.failures import run
    from ptolemy.cli.opening import open_database
    from ptolemy.kernel.actors import SYSTEM, Caller
    from ptolemy.kernel.identifiers import uuid7
    from ptolemy.settings import load_settings

    async def work() -> Row:
        caller = Caller(uuid7(), SYSTEM)
        async with open_database(load_settings(data_dir=data_dir)) as database, database.transaction(caller) as tx:
            return await create_workspace(tx, slug, name, creator=None, seed=seed, plan=plan)

    row = run(work())
    if as_json:
        print(json.dumps({"id": str(row["id"]), "slug": row["slug"], "name": row["name"], "plan": row["plan"]}))
    else:
        print(f"created workspace {row['slug']} ({row['id']})")
