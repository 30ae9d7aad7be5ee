"""Archives sent, and rehearsed."""

from __future__ import annotations

from typing import Any

import httpx

from tests.product import Workspace, answered


def sent(workspace: Workspace, archive: bytes) -> str:
    """The id of an upload that is the archive."""
    upload = answered(workspace.robot.post("/uploads", json={"file_name": "w.zip"}), 201)
    answered(workspace.robot.put(f"/uploads/{upload['id']}/parts/1", content=archive), 200)
    return str(upload["id"])


def asked(workspace: Workspace, upload_id: str) -> httpx.Response:
    return workspace.robot.post("/backups/rehearse", json={"upload_id": upload_id})


def rehearsed(workspace: Workspace, archive: bytes) -> dict[str, Any]:
    """The finished rehearsal of an archive."""
    return workspace.finished("backups/rehearsals", answered(asked(workspace, sent(workspace, archive)), 202))
