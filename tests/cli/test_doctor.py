"""What `ptolemy doctor` finds wrong."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.command import ptolemy
from tests.s3 import bucket
from tests.serving import configured, serving


def test_values_without_their_parents_are_an_error_that_counts_them(database_url: str, tmp_path: Path) -> None:
    execute(
        database_url,
        "insert into time_series_values (workspace_id, id, instrument_id, type_id, timestamp, value, field_values)"
        " select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(), 1, '{}'"
        " from generate_series(1, 3)",
    )
    found = checks(database_url, tmp_path, exit_code=1)["orphans"]
    assert found["level"] == "error"
    assert "3 in time_series_values.instrument_id" in found["found"]
    execute(database_url, "delete from time_series_values")
    assert checks(database_url, tmp_path)["orphans"]["level"] == "ok"


def test_a_table_without_row_level_security_is_a_warning(database_url: str, tmp_path: Path) -> None:
    execute(database_url, "alter table instruments disable row level security")
    found = checks(database_url, tmp_path)["roles"]
    assert found["level"] == "warning" and "instruments" in found["found"]
    execute(database_url, "alter table instruments enable row level security")
    assert checks(database_url, tmp_path)["roles"]["level"] == "ok"


def test_deliveries_that_no_worker_takes_are_a_warning(database_url: str, tmp_path: Path) -> None:
    execute(
        database_url,
        "with made as (insert into workspaces (id, slug, name) values (gen_random_uuid(), 'waiting', 'W') returning id)"
        " insert into webhook_feeds (workspace_id, wanted, epoch, seen, due_at)"
        " select id, true, 1, '1:1:', now() - interval '1 hour' from made",
    )
    found = checks(database_url, tmp_path)["webhooks"]
    assert found["level"] == "warning" and "1 workspaces" in found["found"] and "ptolemy worker" in found["advice"]
    execute(database_url, "delete from workspaces where slug = 'waiting'")
    assert checks(database_url, tmp_path)["webhooks"]["level"] == "ok"


def test_a_secret_key_that_others_can_read_is_a_warning(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x" * 64)
    (tmp_path / "secret.key").chmod(0o644)
    found = checks(database_url, tmp_path)["secret key"]
    assert (found["level"], found["advice"]) == ("warning", f"chmod 600 {tmp_path / 'secret.key'}")


def test_storage_that_can_not_be_written_is_an_error(database_url: str, tmp_path: Path) -> None:
    found = checks(database_url, tmp_path, exit_code=1, PTOLEMY_STORAGE_URL="file:///proc/ptolemy")["storage"]
    assert found["level"] == "error" and "PTOLEMY_STORAGE_URL" in found["advice"]


def test_a_bucket_is_written_to_and_read_from(database_url: str, tmp_path: Path) -> None:
    with bucket() as made:
        found = checks(database_url, tmp_path, PTOLEMY_STORAGE_URL=made.url)
        assert found["storage"] == {
            "name": "storage",
            "level": "ok",
            "found": f"{made.url} can be written to and read from",
            "advice": "",
        }
        assert made.keys() == []
        made.rule = lambda method, path: 403
        refused = checks(database_url, tmp_path, exit_code=1, PTOLEMY_STORAGE_URL=made.url)["storage"]
        assert refused["level"] == "error" and "credentials" in refused["found"]
        assert "AWS_ACCESS_KEY_ID" in refused["advice"]


def test_an_endpoint_of_s3_that_is_no_address_is_an_error(database_url: str, tmp_path: Path) -> None:
    given = {"PTOLEMY_STORAGE_URL": "s3://a-bucket", "AWS_ENDPOINT_URL": "minio.example.com:9000"}
    found = checks(database_url, tmp_path, exit_code=1, **given)["storage"]
    assert found["level"] == "error" and "AWS_ENDPOINT_URL must be an address like https://" in found["found"]


def test_processes_that_keep_their_files_in_different_places_are_an_error(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As workers on several hosts do, each with a directory of its own."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    with serving(configured(database_url, here / "files")):
        fine = checks(database_url, here)["sharing"]
        assert (fine["level"], fine["found"]) == ("ok", "1 host at work")
        with serving(configured(database_url, there / "files")):
            found = checks(database_url, here, exit_code=1)["sharing"]
            assert found["level"] == "error" and "s3://" in found["advice"]
        apart = checks(database_url, there, exit_code=1)["sharing"]
        assert apart["level"] == "error"


def test_the_version_is_told_as_postgresql_tells_it(database_url: str, tmp_path: Path) -> None:
    done = ptolemy("doctor", "--json", data_dir=tmp_path, PTOLEMY_DATABASE_URL=database_url)
    report = json.loads(done.stdout)
    theirs = execute(database_url, "select current_setting('server_version_num')::int")
    assert report["database"]["version"] == f"{theirs // 10000}.{theirs % 10000}"
    [check] = [check for check in report["checks"] if check["name"] == "version"]
    assert check["found"] == f"PostgreSQL {report['database']['version']}"


def checks(url: str, data_dir: Path, exit_code: int = 0, **variables: str) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by the check's name."""
    done = ptolemy("doctor", "--json", data_dir=data_dir, PTOLEMY_DATABASE_URL=url, **variables)
    assert done.returncode == exit_code, (done.stdout, done.stderr)
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def execute(url: str, statement: str) -> Any:
    async def work() -> Any:
        driver = await asyncpg.connect(url)
        try:
            return await driver.fetchval(statement)
        finally:
            await driver.close()

    return asyncio.run(work())
