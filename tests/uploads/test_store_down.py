"""The whole product on a bucket that fails: a clear problem, a clear error of a job, and all is well afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ptolemy.files import opening
from ptolemy.files.s3 import Patience
from tests.product import Workspace, answered, problem
from tests.s3 import Bucket, bucket, sometimes
from tests.serving import configured, serving, signed_in

IMPATIENT = Patience(request_seconds=0.2, attempts=2, first_wait_seconds=0.01)
ROWS = b"identifier,name,type_id\na,A,equity\n"


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture
def one(s3: Bucket, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr("ptolemy.app.LONG", IMPATIENT)
    monkeypatch.setattr(opening.open_store, "__defaults__", (IMPATIENT,))
    with serving(replace(configured(database_url, tmp_path), files_url=s3.url)) as url:
        token, slug = signed_in(url, database_url), f"w-{uuid4().hex}"
        answered(
            httpx.post(f"{url}/v1/workspaces", json={"slug": slug}, headers={"Authorization": f"Bearer {token}"}), 201
        )
        made = Workspace(url, slug, token)
        made.equity()
        yield made


def test_a_store_that_fails_now_and_then_is_not_noticed(one: Workspace, s3: Bucket) -> None:
    s3.rule = sometimes(500, every=4)
    assert one.import_file("instruments", ROWS)["rows_imported"] == 1
    s3.rule = None
    assert b'"identifier":"a"' in one.export("instruments").replace(b" ", b"")


def test_a_store_that_is_down_is_told_and_leaves_nothing(one: Workspace, s3: Bucket) -> None:
    upload = answered(one.robot.post("/uploads", json={}), 201)["id"]
    s3.rule = lambda method, path: 503
    files, asked = {"file": ROWS}, {"resource_type": "instruments"}
    refused = one.robot.post("/imports", files=files, data=asked)
    assert "try again" in problem(refused, 503, "storage_unavailable")["detail"]
    assert refused.headers["retry-after"]
    problem(one.robot.put(f"/uploads/{upload}/parts/1", content=ROWS), 503, "storage_unavailable")
    job = answered(one.robot.post("/exports", json={"resource_type": "instruments"}), 202)
    failed = one.finished("exports", job)
    assert (failed["status"], failed["download_url"]) == ("failed", None)
    assert "file store doesn't answer" in failed["error"]
    s3.rule = None
    assert one.robot.get("/imports").json()["data"] == []
    assert answered(one.robot.get(f"/uploads/{upload}"), 200)["parts"] == []
    assert s3.keys() == []
    assert one.import_file("instruments", ROWS)["rows_imported"] == 1


def test_an_import_whose_file_cannot_be_read_fails_and_says_why(one: Workspace, s3: Bucket) -> None:
    s3.rule = lambda method, path: 503 if method == "GET" else None
    failed = one.import_file("instruments", ROWS)
    assert failed["status"] == "failed"
    assert "file store doesn't answer" in failed["error"]
    s3.rule = None
    assert one.import_file("instruments", ROWS)["rows_imported"] == 1
