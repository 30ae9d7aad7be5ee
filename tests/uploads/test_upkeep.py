"""What nobody goes on with, and what killed processes have left, is removed in time; nothing else is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ptolemy.database.pool import Database
from ptolemy.files.local import LocalFiles
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.worker import tidy_files
from tests.faults.ground import Sight, seeing
from tests.product import Workspace, answered, problem
from tests.serving import configured, serving, signed_in

OLD_SECONDS = 25 * 3600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def url(database_url: str, folder: Path) -> Iterator[str]:
    with serving(configured(database_url, folder)) as address:
        yield address


@pytest.fixture
def sight(database_url: str) -> Iterator[Sight]:
    with seeing(database_url) as opened:
        yield opened


@pytest.fixture
def one(url: str, database_url: str) -> Workspace:
    token, slug = signed_in(url, database_url), f"w-{uuid4().hex}"
    made = Workspace(url, slug, token)
    answered(made.client(token).post(f"{url}/v1/workspaces", json={"slug": slug}), 201)
    made.equity()
    return made


@pytest.fixture
def tidy(database_url: str, folder: Path, sight: Sight, one: Workspace) -> Callable[[], None]:
    """The upkeep of the workspace's files, done now."""
    workspace_id = sight.value("select id from workspaces where slug = $1", one.slug)

    async def work() -> None:
        database = await Database.open(database_url, app_connections=2, owner_connections=1)
        try:
            await tidy_files(database, LocalFiles(folder), Caller(workspace_id, SYSTEM))
        finally:
            await database.close()

    return lambda: asyncio.run(work())


def kept(folder: Path, one: Workspace, sight: Sight) -> list[Path]:
    workspace_id = sight.value("select id from workspaces where slug = $1", one.slug)
    return sorted(path for path in (folder / str(workspace_id)).rglob("*") if path.is_file())


def age(*paths: Path) -> None:
    for path in paths:
        changed = path.stat().st_mtime - OLD_SECONDS
        os.utime(path, (changed, changed))


def sent(one: Workspace) -> str:
    upload = str(answered(one.robot.post("/uploads", json={}), 201)["id"])
    for number, part in enumerate((b"identifier,name,", b"type_id\na,A,equity\n"), 1):
        answered(one.robot.put(f"/uploads/{upload}/parts/{number}", content=part), 200)
    return upload


def test_an_upload_that_nobody_goes_on_with_is_removed_after_a_day(
    one: Workspace, tidy: Callable[[], None], folder: Path, sight: Sight
) -> None:
    forgotten, going_on = sent(one), sent(one)
    sight.rows("update uploads set expires_at = now() - interval '1 second' where id = $1", UUID(forgotten))
    problem(one.robot.put(f"/uploads/{forgotten}/parts/3", content=b"x"), 404, "not_found")
    tidy()
    problem(one.robot.get(f"/uploads/{forgotten}"), 404, "not_found")
    assert len(answered(one.robot.get(f"/uploads/{going_on}"), 200)["parts"]) == 2
    assert {path.name[:36] for path in kept(folder, one, sight)} == {going_on}
    assert sight.value("select count(*) from upload_parts where upload_id = $1", UUID(forgotten)) == 0


def test_files_that_belong_to_nothing_are_removed_after_a_day(
    one: Workspace, tidy: Callable[[], None], folder: Path, sight: Sight
) -> None:
    upload = sent(one)
    one.export("markets")
    valid = kept(folder, one, sight)
    assert len(valid) == 3
    root = valid[0].parents[1]
    orphans = [
        root / "uploads" / f"{upload}-1-{'0' * 16}",
        root / "uploads" / f"{uuid4()}-1-{'0' * 16}",
        root / "imports" / str(uuid4()),
        root / "exports" / f"{uuid4()}-{'0' * 16}",
    ]
    young = root / "imports" / str(uuid4())
    for path in (*orphans, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    age(*valid, *orphans)
    tidy()
    assert kept(folder, one, sight) == sorted([*valid, young])
    assert one.finished("imports", _asked(one, upload))["rows_imported"] == 1


def test_an_upload_whose_worker_died_behind_the_end_is_removed(
    one: Workspace, tidy: Callable[[], None], folder: Path, sight: Sight
) -> None:
    job = one.import_file("instruments", b"identifier,name,type_id\nb,B,equity\n")
    upload = sent(one)
    sight.rows("update uploads set used_by = $2 where id = $1", UUID(upload), UUID(job["id"]))
    tidy()
    problem(one.robot.get(f"/uploads/{upload}"), 404, "not_found")
    assert kept(folder, one, sight) == []


def _asked(one: Workspace, upload: str) -> dict[str, str]:
    fields = {"upload_id": (None, upload), "resource_type": (None, "instruments")}
    return answered(one.robot.post("/imports", files=fields), 202)
