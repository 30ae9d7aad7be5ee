"""`ptolemy token …`"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.groups import group
from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.database.transaction import Row
    from ptolemy.settings import Settings

commands = group("Create tokens for robots.", name="token")


@commands.callback()
def token() -> None:
    """Create tokens for robots."""


@commands.command(epilog="\b\nExample:\n  PTOLEMY_TOKEN=$(ptolemy token create --workspace acme --robot loader)")
def create(
    workspace: Annotated[str, typer.Option(metavar="SLUG", help="The robot's workspace.")],
    robot: Annotated[str, typer.Option(metavar="NAME", help="The robot; it is created where there is none.")],
    role: Annotated[
        str | None, typer.Option(help="viewer or member (the default), for a robot that is created.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="When it ends, ISO 8601; never by default.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a token for a robot, and print it.

    It can't be shown again.
    """
    from ptolemy.cli.failures import explained, run, wrong_usage
    from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp
    from ptolemy.settings import load_settings

    try:
        expires_at = parse_timestamp(expires) if expires else None
    except ValueError as error:
        wrong_usage(f"--expires {error}")
    with explained():
        settings = load_settings(data_dir=data_dir)
    secret, row = run(_create(settings, workspace, robot, role, expires_at))
    if not as_json:
        print(secret)
        return
    ends = write_timestamp(row["expires_at"]) if row["expires_at"] else None
    print(json.dumps({"token": secret, "id": str(row["id"]), "robot_id": str(row["user_id"]), "expires_at": ends}))


async def _create(
    settings: Settings, workspace: str, name: str, role: str | None, expires_at: datetime | None
) -> tuple[str, Row]:
    from ptolemy.accounts.robots import create_robot, robot_named
    from ptolemy.accounts.tokens import issue_token
    from ptolemy.accounts.workspaces import workspace_by_slug
    from ptolemy.cli.opening import open_database
    from ptolemy.kernel.actors import SYSTEM, Caller
    from ptolemy.kernel.problems import Conflict

    async with open_database(settings) as database:
        async with database.session() as session:
            place = await workspace_by_slug(session, workspace)
        async with database.transaction(Caller(place["id"], SYSTEM)) as tx:
            await tx.lock("robots")
            owner = await robot_named(tx, name) or await create_robot(tx, name, role or "member")
            if role and owner["role"] != role:
                raise Conflict(
                    "other_role", f"the robot {name!r} is a {owner['role']}: change its role first, or name another"
                )
            return await issue_token(tx, owner["user_id"], expires_at=expires_at)
