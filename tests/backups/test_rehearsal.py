from __future__ import annotations
from pathlib import Path
from ptolemy.backups.rehearsal import rehearse
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from tests.backups.stock import fill_all
from tests.product import Workspace
from uuid import uuid4


async def test_x(workspace: Workspace, product_database_url: str, tmp_path: Path) -> None:
    fill_all(workspace)
    (tmp_path / "a.zip").write_bytes(workspace.export_workspace())
    db = await Database.open(product_database_url)
    r = await rehearse(db, Caller(uuid4(), SYSTEM), tmp_path / "a.zip", check_in=lambda: None, unpacked_limit_bytes=1000000)
    print("XX", r)
    await db.close()
    assert r.passed
