"""`ptolemy user …`"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.groups import group
from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.accounts.passwords import Passwords
    from ptolemy.database.transaction import Row, Session
    from ptolemy.settings import Settings

commands = group("Create people who can sign in.", name="user")


@commands.callback()
def user() -> None:
    """Create people who can sign in."""


@commands.command(epilog="\b\nExample:\n  ptolemy user create ann@example.com --workspace acme --role admin")
def create(
    email: Annotated[str, typer.Argument(help="What they sign in with.")],
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    workspace: Annotated[str | None, typer.Option(metavar="SLUG", help="A workspace to make them a member of.")] = None,
    role: Annotated[str, typer.Option(help="viewer, member, editor or admin, in that workspace.")] = "member",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a person who can sign in.

    One who exists already is only added to the workspace, and keeps their password: make sure that it is them, or set
    another with `ptolemy user set-password`. Nobody has checked whose e-mail it is.
    """
    from ptolemy.accounts.passwords import Passwords
    from ptolemy.cli.failures import explained, run
    from ptolemy.settings import load_settings

    with explained():
        settings = load_settings(data_dir=data_dir)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif workspace and run(_exists(settings, email)):
        password = ""  # never used: the person keeps theirs
    else:
        # Outside of an event loop, which would keep Ctrl-C from ending the question.
        password = _asked()
    row, created = run(_create(settings, Passwords(), email, password, name, workspace, role))
    if as_json:
        joined = {"workspace": workspace, "role": role} if workspace else {}
        print(json.dumps({"id": str(row["id"]), "email": row["email"], "created": created, **joined}))
        return
    print(f"created {row['email']}" if created else f"{row['email']} exists already and keeps their password")
    if workspace:
        print(f"{row['email']} is {role} of {workspace}")


@commands.command("set-password", epilog="\b\nExample:\n  ptolemy user set-password ann@example.com")
def set_password(
    email: Annotated[str, typer.Argument(help="What they sign in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking for it.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Set the password of a person who has forgotten it.

    All their sessions end.
    """
    from ptolemy.accounts import sign_in
    from ptolemy.accounts.passwords import Passwords
    from ptolemy.cli.failures import explained, run
    from ptolemy.cli.logs import configure_logs
    from ptolemy.cli.opening import open_database
    from ptolemy.settings import load_settings

    with explained():
        settings = load_settings(data_dir=data_dir)
    configure_logs(settings.log_level)  # else the line about it would go to stdout
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else _asked()

    async def work() -> Row:
        async with open_database(settings) as database:
            return await sign_in.set_password(database, Passwords(), email, password)

    print(f"{run(work())['email']} has a new password, and has to sign in again everywhere")


async def _exists(settings: Settings, email: str) -> bool:
    from ptolemy.accounts.people import is_email, person_by_email
    from ptolemy.cli.opening import open_database

    if not is_email(email):
        return False
    async with open_database(settings) as database, database.session() as session:
        return await person_by_email(session, email) is not None


def _asked() -> str:
    from ptolemy.cli.failures import wrong_usage

    if not sys.stdin.isatty():
        wrong_usage("give the password with --password-stdin: there is no terminal to ask for it")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


async def _create(
    settings: Settings,
    passwords: Passwords,
    email: str,
    password: str,
    name: str | None,
    workspace: str | None,
    role: str,
) -> tuple[Row, bool]:
    """The person, and whether they are new."""
    from ptolemy.accounts.memberships import add_member
    from ptolemy.accounts.people import create_person
    from ptolemy.accounts.workspaces import workspace_by_slug
    from ptolemy.cli.opening import open_database
    from ptolemy.kernel.actors import SYSTEM, Caller

    async with open_database(settings) as database:
        if workspace is None:
            async with database.session() as session:
                return await create_person(session, passwords, email, password, name), True
        async with database.session() as session:
            place = await workspace_by_slug(session, workspace)
        async with database.transaction(Caller(place["id"], SYSTEM)) as tx:
            row, created = await _found_or_created(tx, passwords, email, password, name)
            await add_member(tx, row["id"], role)
        return row, created


async def _found_or_created(
    session: Session, passwords: Passwords, email: str, password: str, name: str | None
) -> tuple[Row, bool]:
    from ptolemy.accounts.people import create_person, is_email, person_by_email

    found = await person_by_email(session, email) if is_email(email) else None
    if found:
        return found, False
    return await create_person(session, passwords, email, password, name), True
