"""`ptolemy workspace …`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.groups import group
from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.database.transaction import Row

_PATIENCE_SECONDS = 30

commands = group("Create workspaces, and put them on plans.", name="workspace")


@commands.callback()
def workspace() -> None:
    """Create workspaces, and put them on plans."""


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


@commands.command("set-plan", epilog="\b\nExample:\n  ptolemy workspace set-plan acme growth")
def set_plan(
    slug: Annotated[str, typer.Argument(help="The workspace.")],
    plan: Annotated[str, typer.Argument(help="starter, growth or enterprise.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a workspace on another plan.

    It holds from now on, for everything that begins now. What the workspace has already stays.
    """
    from ptolemy.accounts import workspaces
    from ptolemy.cli.failures import run
    from ptolemy.cli.opening import open_database
    from ptolemy.kernel.actors import SYSTEM, Caller
    from ptolemy.plans.item_quota import count_up
    from ptolemy.settings import load_settings

    async def work() -> tuple[Row, bool]:
        async with open_database(load_settings(data_dir=data_dir)) as database:
            async with database.session() as session:
                place = await workspaces.workspace_by_slug(session, slug)
            async with database.transaction(Caller(place["id"], SYSTEM)) as tx:
                row = await workspaces.set_plan(tx, plan)
            return row, await count_up(database, place["id"], patience_seconds=_PATIENCE_SECONDS)

    row, counted = run(work())
    if as_json:
        print(json.dumps({"id": str(row["id"]), "slug": row["slug"], "plan": row["plan"], "items_counted": counted}))
        return
    print(f"workspace {row['slug']} is on the plan {row['plan']}")
    if not counted:
        print("its items are counted, and limited, once the imports that are under way have ended, within the hour")
