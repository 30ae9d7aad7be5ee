"""Imports and exports through the API: a job each, asked for and waited for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from ptolemy.demo.problems import DemoProblem

RESOURCE_TYPES = (
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
)
"""All that a backup is made of, in the order in which it is restored."""

JOB_SECONDS = 300


@dataclass(frozen=True)
class Transfer:
    """What became of one file.

    `seconds` of an import last from its upload to its end; those of exports, which run side by side, are the job's own.
    """

    resource_type: str
    rows: int
    failed: int
    seconds: float


def import_file(
    workspace: httpx.Client, resource_type: str, name: str, content: bytes, on_error: Literal["abort", "continue"]
) -> Transfer:
    """Uploads a file and answers when it is in; `rows` counts the created ones."""
    began = time.perf_counter()
    asked = workspace.post(
        "/imports", files={"file": (name, content)}, data={"resource_type": resource_type, "on_error": on_error}
    ).json()
    job = _ended(workspace, f"/imports/{asked['id']}")
    seconds = time.perf_counter() - began
    return Transfer(resource_type, job["rows_imported"], job["rows_failed"], seconds)


def export_all(workspace: httpx.Client, directory: Path) -> Sequence[Transfer]:
    """Asks for an export of everything, archived records too, and saves each file as `<resource type>.json`."""
    directory.mkdir()
    asked = [
        workspace.post(
            "/exports", json={"resource_type": resource_type, "format": "json", "include_archived": True}
        ).json()
        for resource_type in RESOURCE_TYPES
    ]
    return [_saved(_ended(workspace, f"/exports/{job['id']}"), directory) for job in asked]


def file_of(directory: Path, resource_type: str) -> Path:
    return directory / f"{resource_type}.json"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _saved(job: dict[str, Any], directory: Path) -> Transfer:
    """Downloads by the signed address alone, and believes the file only if it is what the job says it wrote."""
    path = file_of(directory, job["resource_type"])
    with httpx.stream("GET", job["download_url"], trust_env=False) as response, path.open("wb") as file:
        response.raise_for_status()
        for block in response.iter_bytes():
            file.write(block)
    sha256 = sha256_of(path)
    if sha256 != job["sha256"]:
        raise DemoProblem(f"{path.name} arrived damaged: its SHA-256 is {sha256}, the server wrote {job['sha256']}")
    return Transfer(job["resource_type"], job["row_count"], 0, _seconds(job))


def _ended(workspace: httpx.Client, path: str) -> dict[str, Any]:
    give_up = time.monotonic() + JOB_SECONDS
    while time.monotonic() < give_up:
        job: dict[str, Any] = workspace.get(path).json()
        if job["status"] == "completed":
            return job
        if job["status"] in ("failed", "cancelled"):
            raise DemoProblem(f"{path} of {job['resource_type']} {job['status']}: {job['error']} {_first_error(job)}")
        time.sleep(0.05)
    raise DemoProblem(f"{path} has not ended after {JOB_SECONDS} seconds")


def _first_error(job: dict[str, Any]) -> str:
    errors = job.get("errors")
    return f"(row {errors[0]['row']}, {errors[0]['field']}: {errors[0]['message']})" if errors else ""


def _seconds(job: dict[str, Any]) -> float:
    return (datetime.fromisoformat(job["completed_at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()
