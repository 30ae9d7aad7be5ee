"""`ptolemy export`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

EXAMPLE = "\b\nExample:\n  ptolemy export instruments markets --format csv --to exports"

FORMATS = ("json", "ndjson", "csv", "parquet")


def export(
    resources: Annotated[
        list[str], typer.Argument(metavar="RESOURCE...", help="instruments, time_series_values and so on.")
    ],
    format: Annotated[str, typer.Option(help="json, ndjson, csv or parquet.")] = "json",
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the files go; it is made where there is none.")
    ] = Path(),
    include_archived: Annotated[bool, typer.Option("--include-archived", help="Archived records too.")] = False,
    filter: Annotated[
        str | None, typer.Option(metavar="JSON", help="A condition, as POST /instruments/filter.")
    ] = None,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Export records to files, one for each resource type.

    A file that is there already is replaced when the new one has arrived whole, as its SHA-256 tells.
    """
    from ptolemy.cli.columns import columns
    from ptolemy.cli.connection import connected
    from ptolemy.cli.progress import shown_progress

    condition = _condition(filter)
    _check(resources, format)
    done: list[dict[str, Any]] = []
    with connected(url, token, workspace, profile) as client:
        to.mkdir(parents=True, exist_ok=True)
        with shown_progress(as_json=as_json) as tell:
            for resource in resources:
                job = client.export(
                    resource,
                    to=to,
                    format=format,  # type: ignore[arg-type] # checked above
                    include_archived=include_archived,
                    filter=condition,
                    on_progress=tell,
                )
                done.append(file_document(job))
    if as_json:
        print(json.dumps({"files": done}, indent=2, ensure_ascii=False))
    else:
        shown = columns(("file", "rows", "bytes"), [(each["file"], each["rows"], each["bytes"]) for each in done])
        print("\n".join(shown))


def file_document(job: dict[str, Any]) -> dict[str, Any]:
    """An exported file, for scripts."""
    return {
        "file": job["path"],
        "resource": job["resource_type"],
        "rows": job["row_count"],
        "bytes": job["file_size"],
        "sha256": job["sha256"],
    }


def _condition(text: str | None) -> dict[str, Any] | None:
    from ptolemy.cli.failures import wrong_usage

    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        wrong_usage(f"--filter is no JSON: {error}")
    if not isinstance(found, dict):
        wrong_usage(f"--filter must be an object like {{'field': 'name', 'op': 'eq', 'value': 'BHP'}}, got {text}")
    return found


def _check(resources: list[str], format: str) -> None:
    from ptolemy.cli.failures import wrong_usage
    from ptolemy.client.backups import RESOURCE_TYPES, WORKSPACE

    for resource in resources:
        if resource not in (*RESOURCE_TYPES, WORKSPACE):
            wrong_usage(f"there is no resource {resource!r}; there are {', '.join((*RESOURCE_TYPES, WORKSPACE))}")
    if format not in FORMATS:
        wrong_usage(f"--format must be one of {', '.join(FORMATS)}, got {format!r}")
