"""A worker killed in the middle of a file that came in parts: another one puts it together anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.files import good_instruments
from tests.faults.ground import Ground
from tests.faults.imports import check_completed, kill_workers, moments
from tests.product import answered, wait_for


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_parts_are_put_together_again_when_a_worker_was_killed(ground: Ground, on_error: str) -> None:
    workspace, sent = ground.workspace(), good_instruments()
    upload = answered(workspace.robot.post("/uploads", json={}), 201)["id"]
    size = len(sent.content) // 3
    for number in range(4):
        part = sent.content[number * size : (number + 1) * size]
        answered(workspace.robot.put(f"/uploads/{upload}/parts/{number + 1}", content=part), 200)
    fields = {"upload_id": upload, "resource_type": sent.resource_type, "on_error": on_error}
    job = answered(workspace.robot.post("/imports", files={name: (None, text) for name, text in fields.items()}), 202)
    kill_workers(ground, job, list(moments(3, sent, seed=5)))
    check_completed(ground, workspace, job, sent)
    wait_for(lambda: True if not _parts(ground.files, upload) else None)


def _parts(files: Path, upload: str) -> list[Path]:
    return list(files.rglob(f"{upload}-*"))
