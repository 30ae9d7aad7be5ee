"""Files go when their time is over, and what killed processes have left; nothing else does, and not before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from tests.product import NO_TLS, Workspace, answered, problem, refused_fields
from tests.upkeep.keeping import Body, Keeping

ALMOST_A_WEEK = {"days": 7, "minutes": -1}
ALMOST_A_DAY = {"hours": 24, "minutes": -1}
A_LITTLE = {"minutes": 2}

Made = Callable[[Workspace], str]
"""Asks for a file; the address of its ended job."""


def export(resource_type: str) -> Made:
    def made(one: Workspace) -> str:
        job = answered(one.admin.post("/exports", json={"resource_type": resource_type}), 202)
        return f"/exports/{one.finished('exports', job)['id']}"

    return made


def backup(one: Workspace) -> str:
    return f"/backups/{one.finished('backups', answered(one.admin.post('/backups', json={}), 202))['id']}"


MADE: dict[str, Made] = {
    "an export": export("markets"),
    "the archive of a workspace": export("workspace"),
    "a backup that has no destination": backup,
}


def shown(one: Workspace, job: str) -> Body:
    found = answered(one.admin.get(job), 200)
    assert found["status"] == "completed", found
    return found


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_file_is_there_for_a_week_and_then_it_is_not(keeping: Keeping, made: Made) -> None:
    one, job = keeping.workspace, made(keeping.workspace)
    address = shown(one, job)["download_url"]
    keeping.pass_by(**ALMOST_A_WEEK)
    keeping.upkeep()
    assert shown(one, job)["download_url"]
    content = httpx.get(address, verify=NO_TLS).content
    assert [path.read_bytes() for path in keeping.files()] == [content]
    keeping.pass_by(**A_LITTLE)
    # Nobody is shown the way any more to what upkeep is about to remove.
    assert shown(one, job)["download_url"] is None
    keeping.upkeep()
    assert keeping.files() == []
    problem(httpx.get(address, verify=NO_TLS), 404, "file_gone")


def test_an_export_tells_when_its_file_went(keeping: Keeping) -> None:
    job = export("markets")(keeping.workspace)
    keeping.pass_by(**ALMOST_A_WEEK)
    keeping.upkeep()
    assert shown(keeping.workspace, job)["file_removed_at"] is None
    keeping.pass_by(**A_LITTLE)
    keeping.upkeep()
    told = shown(keeping.workspace, job)
    assert told["file_expires_at"] < told["file_removed_at"]
    assert told["sha256"] and told["row_count"] == 0


def test_a_backup_tells_when_its_file_went_and_serves_for_nothing_more(keeping: Keeping) -> None:
    admin, job = keeping.workspace.admin, backup(keeping.workspace)
    keeping.pass_by(days=7, minutes=1)
    keeping.upkeep()
    told = shown(keeping.workspace, job)
    assert told["removed_at"] and told["removed_reason"] == "its time was over"
    assert refused_fields(admin.post("/backups/rehearse", json={"backup_id": told["id"]})) == {
        "backup_id": "unknown_reference"
    }
    problem(admin.post(f"{job}/restore", json={"slug": f"w-{uuid4().hex}"}), 404, "file_gone")


def test_the_file_of_an_import_is_kept_no_longer_than_the_import_takes(keeping: Keeping) -> None:
    one = keeping.workspace
    assert one.import_file("instruments", b"identifier,name,type_id\nb,B,equity\n")["rows_imported"] == 1
    assert one.import_file("instruments", b"identifier,name,type_id\nc,C,nothing\n")["status"] == "failed"
    keeping.upkeep()
    assert keeping.files() == []


def sent(one: Workspace, kind: bytes = b"equity") -> str:
    upload = str(answered(one.robot.post("/uploads", json={}), 201)["id"])
    for number, part in enumerate((b"identifier,name,", b"type_id\na,A,%s\n" % kind), 1):
        answered(one.robot.put(f"/uploads/{upload}/parts/{number}", content=part), 200)
    return upload


def imported(one: Workspace, upload: str) -> Body:
    fields = {"upload_id": (None, upload), "resource_type": (None, "instruments")}
    return one.finished("imports", answered(one.robot.post("/imports", files=fields), 202))


def test_an_upload_that_nobody_goes_on_with_is_removed_after_a_day(keeping: Keeping) -> None:
    one, forgotten = keeping.workspace, sent(keeping.workspace)
    keeping.pass_by(**ALMOST_A_DAY)
    going_on = sent(one)
    keeping.upkeep()
    assert len(answered(one.robot.get(f"/uploads/{forgotten}"), 200)["parts"]) == 2
    keeping.pass_by(**A_LITTLE)
    problem(one.robot.put(f"/uploads/{forgotten}/parts/3", content=b"x"), 404, "not_found")
    keeping.upkeep()
    problem(one.robot.get(f"/uploads/{forgotten}"), 404, "not_found")
    assert len(answered(one.robot.get(f"/uploads/{going_on}"), 200)["parts"]) == 2
    assert [path.name[:36] for path in keeping.files()] == [going_on] * 2
    assert keeping.count("uploads") == 1 and keeping.count("upload_parts") == 2


def test_an_upload_that_somebody_goes_on_with_has_a_day_from_its_last_part(keeping: Keeping) -> None:
    one, upload = keeping.workspace, sent(keeping.workspace)
    keeping.pass_by(hours=20)
    answered(one.robot.put(f"/uploads/{upload}/parts/3", content=b"b,B,equity\n"), 200)
    keeping.pass_by(hours=20)
    keeping.upkeep()
    assert imported(one, upload)["rows_imported"] == 2


def test_the_upload_of_an_import_that_failed_is_kept_for_a_day(keeping: Keeping) -> None:
    one, upload = keeping.workspace, sent(keeping.workspace, b"bond")
    assert imported(one, upload)["status"] == "failed"
    keeping.pass_by(**ALMOST_A_DAY)
    keeping.upkeep()
    assert len(keeping.files()) == 2
    one.create("instrument-types", identifier="bond", name="Bond")
    # Each attempt gives it another day.
    assert imported(one, upload)["status"] == "completed"
    assert keeping.files() == []
    again = sent(one, b"nothing")
    assert imported(one, again)["status"] == "failed"
    keeping.pass_by(days=1, minutes=1)
    keeping.upkeep()
    assert keeping.files() == []


def test_files_that_belong_to_nothing_are_removed_after_a_day(keeping: Keeping) -> None:
    one, upload = keeping.workspace, sent(keeping.workspace)
    one.export("markets")
    valid = keeping.files()
    assert len(valid) == 3
    root = valid[0].parents[1]
    orphans = [
        root / "uploads" / f"{upload}-1-{'0' * 16}",
        root / "uploads" / f"{uuid4()}-1-{'0' * 16}",
        root / "imports" / str(uuid4()),
        root / "exports" / f"{uuid4()}-{'0' * 16}",
        root / "backups" / f"{uuid4()}-{'0' * 16}",
    ]
    young = root / "imports" / str(uuid4())
    for path in (*orphans, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    age(*valid, *orphans)
    keeping.upkeep()
    assert keeping.files() == sorted([*valid, young])
    assert imported(one, upload)["rows_imported"] == 1


def age(*paths: Path) -> None:
    for path in paths:
        changed = path.stat().st_mtime - 25 * 3600
        os.utime(path, (changed, changed))


def test_an_upload_whose_worker_died_behind_the_end_is_removed(keeping: Keeping) -> None:
    one = keeping.workspace
    job = one.import_file("instruments", b"identifier,name,type_id\nb,B,equity\n")
    upload = sent(one)
    keeping.sight.rows("update uploads set used_by = $2 where id = $1", UUID(upload), UUID(job["id"]))
    keeping.upkeep()
    problem(one.robot.get(f"/uploads/{upload}"), 404, "not_found")
    assert keeping.files() == []
