"""A store that fails: what is put is there in the end, or the problem is told and the sender's copy is untouched."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ptolemy.files.s3 import S3Files
from ptolemy.files.store import ServedAs, StorageUnavailable, discard
from ptolemy.kernel.problems import NotFound
from tests.files.conftest import IMPATIENT
from tests.files.test_store import KEY, content
from tests.relay import relay
from tests.s3 import Bucket, sometimes

LARGE = bytes(range(256)) * 100_000


@pytest.fixture
def files(s3: Bucket, tmp_path: Path) -> S3Files:
    return S3Files(f"{s3.url}/{tmp_path.name}".lower(), IMPATIENT)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_store_that_fails_now_and_then_is_asked_again(files: S3Files, s3: Bucket, status: int) -> None:
    s3.rule = sometimes(status, every=3)
    assert await files.put(KEY, BytesIO(LARGE)) == len(LARGE)
    assert await content(files, KEY) == LARGE
    assert await files.size(KEY) == len(LARGE)
    await files.delete(KEY)
    assert len(s3.asked) > 12


async def test_a_file_whose_completion_ends_in_a_502_is_sent_again(files: S3Files, s3: Bucket) -> None:
    """The store has put the parts together, but nobody heard: told again, it knows of no parts."""
    failures = 0

    def once(method: str, path: str) -> int | None:
        nonlocal failures
        if method == "POST" and "uploadId=" in path:
            failures += 1
            return 502 if failures == 1 else None
        return None

    s3.after = once
    assert await files.put(KEY, BytesIO(LARGE)) == len(LARGE)
    assert await content(files, KEY) == LARGE
    assert failures >= 2


async def test_a_store_that_sends_its_reader_elsewhere_gives_no_credentials_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 itself redirects reads for a while after a bucket was made; a write is sent nowhere else."""
    with relay("") as store, relay("") as elsewhere:
        variables = {"AWS_ENDPOINT_URL": store.url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        store.faults = [(method, "", (307, {"location": f"{elsewhere.url}/there"})) for method in ("HEAD", "PUT")]
        elsewhere.faults = [("HEAD", "", (404, {}))]
        files = S3Files("s3://a-bucket", IMPATIENT)
        with pytest.raises(NotFound):
            await files.size(KEY)
        with pytest.raises(StorageUnavailable):
            await files.put(KEY, BytesIO(b"what is nobody's business elsewhere"))
    assert "authorization" in store.headers("HEAD", "")[0]
    assert [(method, path, headers.get("authorization")) for method, path, headers in elsewhere.asked] == [
        ("HEAD", "/there", None)
    ]


async def test_a_store_that_is_down_is_a_problem_and_the_source_stays(
    files: S3Files, s3: Bucket, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(LARGE)
    s3.rule = lambda method, path: 500
    with pytest.raises(StorageUnavailable, match="doesn't answer") as caught:
        await files.put(KEY, source)
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert source.read_bytes() == LARGE
    for attempt in (files.size(KEY), files.delete(KEY), content(files, KEY)):
        with pytest.raises(StorageUnavailable):
            await attempt
    with pytest.raises(StorageUnavailable):
        [found async for found in files.files("exports")]
    await discard(files, KEY)
    s3.rule = None
    assert not [found async for found in files.files("exports")]


async def test_parts_of_a_file_that_could_not_be_sent_are_given_up(files: S3Files, s3: Bucket) -> None:
    s3.rule = lambda method, path: 500 if "partNumber=2" in path else None
    with pytest.raises(StorageUnavailable):
        await files.put(KEY, BytesIO(LARGE))
    assert s3.unfinished() == 0


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_a_size_that_the_store_does_not_confirm_is_no_success(files: S3Files, s3: Bucket, size: int) -> None:
    s3.cut = True
    with pytest.raises(StorageUnavailable):
        await files.put(KEY, BytesIO(LARGE[:size]))


async def test_a_file_that_the_store_has_lost_is_no_success(files: S3Files, s3: Bucket) -> None:
    s3.after = lambda method, path: 404 if method == "HEAD" else None
    with pytest.raises(StorageUnavailable):
        await files.put(KEY, BytesIO(b"x"))


async def test_a_missing_bucket_is_told(s3: Bucket) -> None:
    with pytest.raises(StorageUnavailable):
        await S3Files("s3://there-is-none", IMPATIENT).put(KEY, BytesIO(b"x"))


async def test_credentials_that_are_refused_are_told_at_once(files: S3Files, s3: Bucket) -> None:
    s3.rule = lambda method, path: 403
    with pytest.raises(StorageUnavailable, match="credentials"):
        await files.put(KEY, BytesIO(b"x"))
    assert len(s3.asked) == 1


async def test_an_address_of_the_store_is_good_for_anyone_for_a_while(files: S3Files) -> None:
    await files.put(KEY, BytesIO(LARGE), ServedAs("markets.csv.gz", "application/gzip"))
    address = await files.address(KEY, 900)
    assert address
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["900"]
    whole = await asyncio.to_thread(httpx.get, address)
    assert whole.content == LARGE
    assert whole.headers["content-type"] == "application/gzip"
    assert whole.headers["content-disposition"] == 'attachment; filename="markets.csv.gz"'
    part = await asyncio.to_thread(httpx.get, address, headers={"range": "bytes=250-260"})
    assert (part.status_code, part.content) == (206, LARGE[250:261])
