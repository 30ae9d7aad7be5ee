"""`GET /readyz` is a 200 for as long as the database and the file store answer, and says which of them doesn't."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from ptolemy.database.embedded import EmbeddedServer
from ptolemy.files import opening
from ptolemy.files.s3 import Patience
from tests.product import PATIENCE_SECONDS, answered, problem, wait_for
from tests.s3 import bucket
from tests.serving import configured, serving


def ready(url: str) -> httpx.Response:
    return httpx.get(f"{url}/readyz", timeout=PATIENCE_SECONDS)


def test_a_bucket_that_is_down_makes_the_server_unready_until_it_is_back(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening.open_store, "__defaults__", (Patience(0.2, 1, 0.01),))
    with bucket() as s3, serving(replace(configured(database_url, tmp_path), files_url=s3.url)) as url:
        assert answered(ready(url), 200) == {"status": "ready"}
        s3.rule = lambda method, path: 503
        assert "file store" in problem(ready(url), 503, "storage_unavailable")["detail"]
        assert httpx.get(f"{url}/healthz").status_code == 200
        s3.rule = None
        assert ready(url).status_code == 200


def test_a_database_of_an_older_version_makes_the_server_unready(database_url: str, tmp_path: Path) -> None:
    async def run(statement: str) -> None:
        driver = await asyncpg.connect(database_url)
        try:
            await driver.execute(statement)
        finally:
            await driver.close()

    with serving(configured(database_url, tmp_path)) as url:
        assert ready(url).status_code == 200
        asyncio.run(run("update schema_migrations set name = 'x' || name where name like '%1_accounts'"))
        try:
            assert "1_accounts" in problem(ready(url), 503, "not_ready")["detail"]
        finally:
            asyncio.run(run("update schema_migrations set name = substr(name, 2) where name like 'x%'"))
        assert ready(url).status_code == 200


def test_a_bucket_that_is_not_there_makes_the_server_unready(database_url: str, tmp_path: Path) -> None:
    with bucket() as s3:
        elsewhere = replace(configured(database_url, tmp_path), files_url=f"{s3.url.rpartition('/pre')[0]}x")
        with serving(elsewhere) as url:
            problem(ready(url), 503, "storage_unavailable")


def test_a_directory_that_is_none_makes_the_server_unready(database_url: str, tmp_path: Path) -> None:
    with serving(configured(database_url, tmp_path / "files")) as url:
        assert ready(url).status_code == 200
        shutil.rmtree(tmp_path / "files")
        (tmp_path / "files").write_text("in the way")
        problem(ready(url), 503, "storage_unavailable")


def test_a_database_that_takes_nobody_makes_the_server_unready(
    postgresql: EmbeddedServer, database_url: str, tmp_path: Path
) -> None:
    name = urlsplit(database_url).path.strip("/")

    async def close(*, connections: bool) -> None:
        driver = await asyncpg.connect(postgresql.dsn)
        try:
            await driver.execute(f'alter database "{name}" with allow_connections {connections}')
            await driver.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        finally:
            await driver.close()

    with serving(replace(configured(database_url, tmp_path), jobs_at_once=0)) as url:
        asyncio.run(close(connections=False))
        try:
            assert "database" in problem(ready(url), 503, "not_ready")["detail"]
        finally:
            asyncio.run(close(connections=True))
        wait_for(lambda: True if ready(url).status_code == 200 else None)
