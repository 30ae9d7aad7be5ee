"""`ptolemy import`"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.client import Client
    from ptolemy.client.progress import Tell

EXAMPLE = "\b\nExample:\n  ptolemy import prices.csv --resource time_series_values --dry-run"


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="Of any size.")],
    resource: Annotated[
        str | None, typer.Option(help="What the files hold; by default their names say it, as in instruments.csv.")
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="abort: all rows or none; continue: the good rows go in, the bad ones are told.")
    ] = "abort",
    identifier_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Change the records that this column names, create the rest.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, and change nothing.")] = False,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Import files: CSV, JSON, NDJSON or Parquet, also with gzip, known by their content.

    Several files go in the order of a restore. Rows in error are listed, and make the exit code 1.
    """
    from ptolemy.cli.connection import connected
    from ptolemy.cli.failures import wrong_usage
    from ptolemy.cli.progress import shown_progress

    if on_error not in ("abort", "continue"):
        wrong_usage(f"--on-error must be abort or continue, got {on_error!r}")
    options = {"on_error": on_error, "identifier_column": identifier_column, "dry_run": dry_run}
    wanted = _in_order(files, resource)
    jobs: list[Mapping[str, Any]] = []
    with connected(url, token, workspace, profile) as client:
        with shown_progress(as_json=as_json) as tell:
            failure = _import_all(client, wanted, options, tell, jobs)
        _show(jobs, as_json=as_json)
        if failure:
            raise failure
    raise typer.Exit(1 if any(job["rows_failed"] for job in jobs) else 0)


def _import_all(
    client: Client,
    wanted: Sequence[tuple[Path, str]],
    options: Mapping[str, Any],
    tell: Tell,
    jobs: list[Mapping[str, Any]],
) -> Exception | None:
    """Adds each finished job; the first file that fails as a whole ends it, since those behind it may need its rows."""
    from ptolemy.client import JobFailed

    for path, resource in wanted:
        try:
            jobs.append(client.import_file(path, resource, on_progress=tell, **options))
        except JobFailed as error:
            jobs.append(error.job)
            return error
    return None


def _in_order(files: Sequence[Path], resource: str | None) -> list[tuple[Path, str]]:
    from ptolemy.cli.failures import wrong_usage
    from ptolemy.client.backups import RESOURCE_TYPES

    named = [(path, resource or path.name.partition(".")[0]) for path in files]
    for path, each in named:
        if each not in RESOURCE_TYPES:
            hint = "" if resource else f" in {path.name}: say --resource"
            wrong_usage(f"there is no resource {each!r}{hint}; there are {', '.join(RESOURCE_TYPES)}")
    return sorted(named, key=lambda each: RESOURCE_TYPES.index(each[1]))


def _show(jobs: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    from ptolemy.cli.columns import columns

    if as_json:
        print(json.dumps({"imports": jobs}, indent=2, ensure_ascii=False))
        return
    headings = ("file", "resource", "created", "changed", "failed", "status")
    names = ("file_name", "resource_type", "rows_imported", "rows_updated", "rows_failed", "status")
    print("\n".join(columns(headings, [[job[name] for name in names] for job in jobs])))
    if any(job["dry_run"] for job in jobs):
        print("this was a dry run: nothing was changed")
    for job in jobs:
        print_row_errors(job)


def print_row_errors(job: Mapping[str, Any]) -> None:
    """The bad rows that the job names, as a table, and how many there are besides."""
    from ptolemy.cli.columns import columns

    errors = job["errors"]
    if not errors:
        return
    print(f"\n{job['file_name'] or job['resource_type']}: rows in error")
    headings = ("row", "line", "field", "code", "message")
    print("\n".join(columns(headings, [[error[name] for name in headings] for error in errors])))
    more = sum(entry["count"] for entry in job["error_summary"]) - len(errors)
    if more > 0:
        print(f"… and {more} more errors: GET /imports/{job['id']}/errors has all of them")
