"""`ptolemy serve` killed with SIGKILL in the middle of an import that runs in it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import new_data_dir, serving_process
from tests.faults.files import mixed_instruments
from tests.faults.ground import kill, of_serve
from tests.faults.imports import check_completed, check_half_way, under_way, upload, wait_until_processed
from tests.product import Workspace


def test_an_import_survives_the_death_of_the_server(tmp_path: Path) -> None:
    sent = mixed_instruments()
    with (
        new_data_dir() as data_dir,
        serving_process(data_dir) as served,
        of_serve(served.url, data_dir, tmp_path) as ground,
    ):
        workspace = ground.workspace()
        job = upload(workspace, sent, "continue")
        wait_until_processed(ground, job, sent.rows // 3)
        kill(served.process)
        assert under_way(ground, job)
        check_half_way(ground, job)
        # The dead worker's lease ends in twenty seconds: let them pass.
        ground.sight.rows("update jobs set lease_until = now() where lease_until is not null")
        with serving_process(data_dir) as again:
            check_completed(ground, Workspace(again.url, workspace.slug, workspace.admin_token), job, sent)
