from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ptolemy.files.local import LocalFiles
from ptolemy.files.s3 import Patience, S3Files
from ptolemy.files.store import FileStore
from tests.s3 import Bucket, bucket

IMPATIENT = Patience(request_seconds=0.2, attempts=3, first_wait_seconds=0.01)


@pytest.fixture(scope="module")
def one_bucket() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture
def s3(one_bucket: Bucket) -> Iterator[Bucket]:
    """The module's bucket, which does what it is asked."""
    yield one_bucket
    one_bucket.rule, one_bucket.after, one_bucket.cut = None, None, False
    one_bucket.asked.clear()


@pytest.fixture(params=["local", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """A store of each kind."""
    if request.param == "local":
        return LocalFiles(tmp_path / "files")
    return S3Files(f"{request.getfixturevalue('s3').url}/{tmp_path.name}".lower(), IMPATIENT)
