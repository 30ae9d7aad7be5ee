"""Files that arrive in parts: in any order, at any process, again and again, and then as one import."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.backups.archives import contents
from tests.product import Workspace, answered, problem, refused_fields, wait_for
from tests.s3 import bucket
from tests.serving import configured, serving, signed_in

LIMIT = 1_000_000
HEADER = b"identifier,name,type_id\n"


@dataclass(frozen=True)
class Place:
    """Two servers of one database and one file store; the first runs the jobs."""

    urls: tuple[str, str]
    token: str
    files: Path | None

    def workspace(self) -> tuple[Workspace, Workspace]:
        """A new one with its schema, as seen at either server."""
        slug = f"w-{uuid4().hex}"
        headers = {"Authorization": f"Bearer {self.token}"}
        answered(httpx.post(f"{self.urls[0]}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
        first, second = (Workspace(url, slug, self.token) for url in self.urls)
        first.equity()
        return first, second


@pytest.fixture(scope="module", params=["local", "s3"])
def place(
    request: pytest.FixtureRequest, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("files")
    configuration = replace(configured(database_url, folder), max_upload_bytes=LIMIT)
    if request.param == "local":
        with serving(configuration) as one, serving(replace(configuration, jobs_at_once=0)) as two:
            yield Place((one, two), signed_in(one, database_url), folder)
        return
    with bucket() as made:
        configuration = replace(configuration, files_url=made.url)
        with serving(configuration) as one, serving(replace(configuration, jobs_at_once=0)) as two:
            yield Place((one, two), signed_in(one, database_url), None)


@pytest.fixture
def both(place: Place) -> tuple[Workspace, Workspace]:
    return place.workspace()


@pytest.fixture
def one(both: tuple[Workspace, Workspace]) -> Workspace:
    return both[0]


def begun(workspace: Workspace, **announced: Any) -> str:
    return str(answered(workspace.robot.post("/uploads", json=announced), 201)["id"])


def send(workspace: Workspace, upload: str, number: int, content: bytes) -> dict[str, Any]:
    return answered(workspace.robot.put(f"/uploads/{upload}/parts/{number}", content=content), 200)


def asked(workspace: Workspace, upload: str, resource_type: str = "instruments", **more: str) -> httpx.Response:
    fields = {"upload_id": upload, "resource_type": resource_type, **more}
    return workspace.robot.post("/imports", files={name: (None, value) for name, value in fields.items()})


def imported(workspace: Workspace, upload: str, **more: str) -> dict[str, Any]:
    return workspace.finished("imports", answered(asked(workspace, upload, **more), 202))


def cut(content: bytes, size: int = LIMIT) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def instruments(count: int, name: str = "n") -> bytes:
    return HEADER + b"".join(b"i%d,%s,equity\n" % (number, name.encode()) for number in range(count))


def test_parts_in_any_order_at_two_servers_make_one_file(both: tuple[Workspace, Workspace]) -> None:
    content = instruments(200_000 // 20)
    parts = cut(content, 30_000)
    digest = hashlib.sha256(content).hexdigest()
    upload = begun(both[0], file_name="i.csv", size=len(content), sha256=digest.upper())
    for number in reversed(range(len(parts))):
        send(both[number % 2], upload, number + 1, parts[number])
    job = imported(both[1], upload)
    assert (job["status"], job["rows_imported"], job["file_name"]) == ("completed", 10_000, "i.csv")
    assert (job["file_size"], job["sha256"]) == (len(content), digest)


def test_a_file_of_thirty_megabytes_passes_a_limit_of_one(one: Workspace) -> None:
    note = b"x" * 100_000
    rows = (b'i%d,n,equity,"{""note"": ""%s""}"\n' % (number, note) for number in range(305))
    content = b"identifier,name,type_id,extras\n" + b"".join(rows)
    assert len(content) > 30_000_000
    upload = begun(one, sha256=hashlib.sha256(content).hexdigest())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: send(one, upload, part[0], part[1]), enumerate(cut(content), 1)))
    assert imported(one, upload)["rows_imported"] == 305


def test_an_export_larger_than_the_limit_is_taken_back(place: Place, one: Workspace) -> None:
    upload = begun(one)
    for number, part in enumerate(cut(instruments(5_000, "x" * 500)), 1):
        send(one, upload, number, part)
    imported(one, upload)
    exported = one.export("instruments")
    assert len(exported) > LIMIT
    refused = one.robot.post("/imports", files={"file": exported}, data={"resource_type": "instruments"})
    assert "POST /uploads" in problem(refused, 413, "file_too_large")["detail"]
    another, _ = place.workspace()
    upload = begun(another)
    for number, part in enumerate(cut(exported), 1):
        send(another, upload, number, part)
    assert imported(another, upload)["rows_imported"] == 5_000
    assert another.export("instruments") == exported


def test_a_backup_larger_than_the_limit_is_taken_back(place: Place, one: Workspace) -> None:
    chance = random.Random(1)
    rows = b"".join(b"i%d,%s,equity\n" % (n, chance.randbytes(300).hex().encode()) for n in range(5_000))
    upload = begun(one)
    for number, part in enumerate(cut(HEADER + rows), 1):
        send(one, upload, number, part)
    imported(one, upload)
    archive = one.export_workspace()
    assert len(archive) > LIMIT
    other = new_workspace(place)
    upload = begun(other, size=len(archive), sha256=hashlib.sha256(archive).hexdigest())
    for number, part in enumerate(cut(archive), 1):
        send(other, upload, number, part)
    fields = {"upload_id": upload, "resource_type": "workspace"}
    answer = other.admin.post("/imports", files={name: (None, value) for name, value in fields.items()})
    assert other.finished("imports", answered(answer, 202))["status"] == "completed"
    assert contents(other.export_workspace()) == contents(archive)


def new_workspace(place: Place) -> Workspace:
    """Without a schema."""
    slug, headers = f"w-{uuid4().hex}", {"Authorization": f"Bearer {place.token}"}
    answered(httpx.post(f"{place.urls[0]}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
    return Workspace(place.urls[0], slug, place.token)


def test_an_export_is_downloaded_whole_and_in_ranges(one: Workspace) -> None:
    one.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    job = one.finished("exports", answered(one.robot.post("/exports", json={"resource_type": "instruments"}), 202))
    whole = httpx.get(job["download_url"])
    assert hashlib.sha256(whole.content).hexdigest() == job["sha256"]
    assert whole.headers["content-type"] == "application/json"
    assert 'filename="instruments.json"' in whole.headers["content-disposition"]
    part = httpx.get(job["download_url"], headers={"range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, whole.content[2:10])


def test_what_has_arrived_can_be_asked_for(one: Workspace) -> None:
    upload = begun(one, size=9)
    assert send(one, upload, 2, b"rest") == {
        "number": 2,
        "size": 4,
        "sha256": hashlib.sha256(b"rest").hexdigest(),
    }
    found = answered(one.robot.get(f"/uploads/{upload}"), 200)
    assert (found["size"], found["received_size"], found["largest_part"]) == (9, 4, LIMIT)
    assert [part["number"] for part in found["parts"]] == [2]
    assert found["import_id"] is None


def test_the_last_sending_of_a_part_counts(one: Workspace) -> None:
    upload = begun(one)
    send(one, upload, 1, b"nonsense,")
    send(one, upload, 2, b"a,A,equity\n")
    send(one, upload, 1, HEADER)
    assert imported(one, upload)["rows_imported"] == 1


def test_a_part_sent_by_many_at_once_is_one_of_theirs(both: tuple[Workspace, Workspace], place: Place) -> None:
    upload = begun(both[0])
    contents = [HEADER + b"i%d,A,equity\n" % number for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: send(both[n % 2], upload, 1, contents[n]), range(8)))
    [part] = answered(both[0].robot.get(f"/uploads/{upload}"), 200)["parts"]
    assert part["sha256"] in {hashlib.sha256(content).hexdigest() for content in contents}
    if place.files:
        assert len(list(place.files.rglob(f"{upload}-*"))) == 1
    assert imported(both[0], upload)["rows_imported"] == 1


@pytest.mark.parametrize(
    ("numbers", "named"), [([], "all its parts"), ([2], "part 1"), ([1, 4, 7], "parts 2 to 3, parts 5 to 6")]
)
def test_parts_that_are_missing_are_named(one: Workspace, numbers: list[int], named: str) -> None:
    upload = begun(one)
    for number in numbers:
        send(one, upload, number, b"x")
    response = asked(one, upload)
    assert refused_fields(response) == {"upload_id": "parts_missing"}
    assert f"lacks {named}:" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("announced", "code"), [({"size": 3}, "size_mismatch"), ({"sha256": "0" * 64}, "sha256_mismatch")]
)
def test_a_file_that_is_not_what_was_announced_is_refused(one: Workspace, announced: Any, code: str) -> None:
    upload = begun(one, **announced)
    for number, part in enumerate((HEADER, b"a,A,equity\n"), 1):
        send(one, upload, number, part)
    assert refused_fields(asked(one, upload)) == {"upload_id": code}


def test_a_part_larger_than_the_limit_is_refused(one: Workspace) -> None:
    upload = begun(one)
    send(one, upload, 1, b"x" * LIMIT)
    too_large = b"x" * (LIMIT + 1)
    problem(one.robot.put(f"/uploads/{upload}/parts/2", content=too_large), 413, "part_too_large")
    problem(one.robot.put(f"/uploads/{upload}/parts/2", content=iter([too_large])), 413, "part_too_large")
    assert len(answered(one.robot.get(f"/uploads/{upload}"), 200)["parts"]) == 1


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", "1.5", "%C2%B2", "9" * 5000])
def test_parts_are_numbered_from_one_to_ten_thousand(one: Workspace, number: str) -> None:
    upload = begun(one)
    assert refused_fields(one.robot.put(f"/uploads/{upload}/parts/{number}", content=b"x")) == {"n": "out_of_range"}
    send(one, upload, 10_000, b"x")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"size": -1}, "size"),
        ({"size": "5"}, "size"),
        ({"size": 2**53}, "size"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "g" * 64}, "sha256"),
        ({"file_name": "a\0"}, "file_name"),
        ({"file_name": "x" * 1001}, "file_name"),
        ({"parts": 5}, "parts"),
    ],
)
def test_bad_announcements_are_refused_by_field(one: Workspace, body: dict[str, Any], field: str) -> None:
    assert list(refused_fields(one.robot.post("/uploads", json=body))) == [field]


def test_an_upload_is_known_in_its_workspace_alone(place: Place, one: Workspace) -> None:
    upload, (foreign, _) = begun(one), place.workspace()
    for key in (upload, str(uuid4()), "nope", "%00"):
        problem(foreign.robot.get(f"/uploads/{key}"), 404, "not_found")
        problem(foreign.robot.delete(f"/uploads/{key}"), 404, "not_found")
        problem(foreign.robot.put(f"/uploads/{key}/parts/1", content=b"x"), 404, "not_found")
    assert refused_fields(asked(foreign, upload)) == {"upload_id": "unknown_reference"}
    assert list(refused_fields(asked(foreign, "nope"))) == ["upload_id"]


def test_a_viewer_may_not_upload(one: Workspace) -> None:
    viewer = one.client(one.token("viewer"))
    problem(viewer.post("/uploads", json={}), 403, "forbidden")
    problem(viewer.get(f"/uploads/{begun(one)}"), 403, "forbidden")


def test_an_upload_takes_the_place_of_the_file(one: Workspace) -> None:
    upload = begun(one)
    send(one, upload, 1, instruments(1))
    fields = {"upload_id": upload, "resource_type": "instruments"}
    both = one.robot.post("/imports", files={"file": b"x"}, data=fields)
    assert refused_fields(both) == {"upload_id": "beside_file"}


def test_an_upload_that_was_given_up_is_gone_with_its_parts(one: Workspace, place: Place) -> None:
    upload = begun(one)
    send(one, upload, 1, b"x")
    assert one.robot.delete(f"/uploads/{upload}").status_code == 204
    problem(one.robot.get(f"/uploads/{upload}"), 404, "not_found")
    problem(one.robot.put(f"/uploads/{upload}/parts/1", content=b"x"), 404, "not_found")
    if place.files:
        assert not list(place.files.rglob(f"{upload}-*"))


def test_a_part_of_an_upload_that_is_given_up_meanwhile_leaves_nothing(one: Workspace, place: Place) -> None:
    upload = begun(one)

    def body() -> Iterator[bytes]:
        yield b"first"
        assert one.client(one.admin_token).delete(f"/uploads/{upload}").status_code == 204
        yield b"last"

    problem(one.robot.put(f"/uploads/{upload}/parts/1", content=body()), 404, "not_found")
    if place.files:
        assert not list(place.files.rglob(f"{upload}-*"))


def test_a_completed_import_takes_the_upload_along(one: Workspace, place: Place) -> None:
    upload = begun(one)
    for number, part in enumerate(cut(instruments(10), 50), 1):
        send(one, upload, number, part)
    imported(one, upload)
    wait_for(lambda: one.robot.get(f"/uploads/{upload}").status_code == 404 or None)
    if files := place.files:
        wait_for(lambda: not list(files.rglob(f"{upload}-*")) or None)


def test_an_upload_whose_import_failed_can_be_used_again(one: Workspace) -> None:
    upload = begun(one)
    send(one, upload, 1, HEADER + b"a,A,bond\n")
    assert imported(one, upload)["status"] == "failed"
    one.create("instrument-types", identifier="bond")
    wait_for(lambda: one.robot.get(f"/uploads/{upload}").json()["import_id"] is None or None)
    assert imported(one, upload)["rows_imported"] == 1


def test_an_upload_that_is_being_read_is_left_alone(both: tuple[Workspace, Workspace]) -> None:
    one = both[0]
    upload = begun(one)
    for number, part in enumerate(cut(instruments(10_000, "x" * 300)), 1):
        send(one, upload, number, part)
    job = answered(asked(one, upload), 202)
    used = answered(one.robot.get(f"/uploads/{upload}"), 200)
    assert used["import_id"] == job["id"]
    problem(asked(one, upload), 409, "upload_used")
    problem(one.robot.delete(f"/uploads/{upload}"), 409, "upload_used")
    problem(one.robot.put(f"/uploads/{upload}/parts/1", content=b"x"), 409, "upload_used")
    assert one.finished("imports", job)["rows_imported"] == 10_000
