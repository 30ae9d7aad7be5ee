from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ptolemy.backups.surroundings import Surroundings, UploadPace
from ptolemy.files.s3 import Patience
from tests.backups.vault import Clock, Vault
from tests.faults.ground import Sight, seeing
from tests.product import Workspace, answered
from tests.s3 import Bucket, bucket
from tests.serving import configured, serving, signed_in

PACE = UploadPace(attempts=4, first_wait_seconds=0.05, longest_wait_seconds=0.1)
IMPATIENT = Patience(request_seconds=0.05, attempts=1, first_wait_seconds=0.01)


@pytest.fixture(scope="module")
def one_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def one_bucket() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vault")


@pytest.fixture(scope="module")
def vault_url(database_url: str, folder: Path, one_clock: Clock, one_bucket: Bucket) -> Iterator[str]:
    surroundings = Surroundings(
        [folder / "allowed"], [one_bucket.url], now=one_clock.now, look_seconds=0.2, pace=PACE, patience=IMPATIENT
    )
    with serving(configured(database_url, folder / "files", surroundings)) as url:
        yield url


@pytest.fixture(scope="module")
def vault_token(vault_url: str, database_url: str) -> str:
    return signed_in(vault_url, database_url)


@pytest.fixture
def sight(database_url: str) -> Iterator[Sight]:
    with seeing(database_url) as opened:
        yield opened


@pytest.fixture
def vault(
    vault_url: str, vault_token: str, folder: Path, one_clock: Clock, one_bucket: Bucket, sight: Sight
) -> Iterator[Vault]:
    slug = f"w-{uuid4().hex}"
    workspace = Workspace(vault_url, slug, vault_token)
    answered(workspace.admin.post(f"{vault_url}/v1/workspaces", json={"slug": slug}), 201)
    workspace.equity()
    workspace.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    directory = folder / "allowed" / slug
    yield Vault(workspace, directory, folder / "files", one_bucket, one_clock, sight)
    # Nothing of this test's comes due in the next one.
    sight.rows("update backup_policies set active = false")
    one_bucket.rule, one_bucket.after, one_bucket.cut, one_bucket.flip = None, None, False, False
    one_clock.ahead *= 0
