"""The command `ptolemy`: its subcommands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from ptolemy.cli import (
    backup,
    backups,
    demo,
    diff,
    doctor,
    export,
    import_files,
    migrate,
    restore,
    serve,
    token,
    user,
    verify,
    worker,
    workspace,
)
from ptolemy.cli.ending import ended_by_its_exit_code
from ptolemy.cli.groups import group

app = group("A self-hosted store for financial reference data and time series.")
app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
app.command("worker", epilog=worker.EXAMPLE)(worker.worker)
app.command("migrate", epilog=migrate.EXAMPLE)(migrate.migrate)
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)
app.command("export", epilog=export.EXAMPLE)(export.export)
app.command("import", epilog=import_files.EXAMPLE)(import_files.import_files)
app.command("backup", epilog=backup.EXAMPLE)(backup.backup)
app.command("restore", epilog=restore.EXAMPLE)(restore.restore)
app.command("verify", epilog=verify.EXAMPLE)(verify.verify)
app.command("diff", epilog=diff.EXAMPLE)(diff.diff)
app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
app.add_typer(workspace.commands)
app.add_typer(backups.commands)
app.add_typer(user.commands)
app.add_typer(token.commands)


@app.callback(invoke_without_command=True)
def ptolemy(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A self-hosted store for financial reference data and time series."""
    if version:
        from importlib.metadata import version as installed

        print(f"ptolemy {installed('ptolemy-data')}")
        raise typer.Exit


def main() -> None:
    with ended_by_its_exit_code():
        app(prog_name="ptolemy")
