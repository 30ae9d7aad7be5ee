"""The address of a file is the permission to read it, for fifteen minutes."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest

from ptolemy.kernel.signing import Signer
from tests.lifecycle.stock import Stock
from tests.product import answered, problem, refused_fields

KEY = "a secret key that only the tests know"


@pytest.fixture(scope="module")
def download(shop: Stock) -> str:
    """The signed address of a finished export."""
    job = answered(shop.workspace.robot.post("/exports", json={"resource_type": "instruments"}), 202)
    return str(shop.workspace.finished("exports", job)["download_url"])


def test_a_download_needs_no_header(download: str) -> None:
    response = httpx.get(download)
    assert response.status_code == 200
    assert [row["identifier"] for row in response.json()] == ["bhp.ax", "free"]
    assert "instruments.json" in response.headers["content-disposition"]


def test_a_download_answers_ranges(download: str) -> None:
    whole = httpx.get(download).content
    part = httpx.get(download, headers={"range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole[3:10])


def test_every_read_of_the_export_signs_a_fresh_address(shop: Stock) -> None:
    job = answered(shop.workspace.robot.post("/exports", json={"resource_type": "markets"}), 202)
    done = shop.workspace.finished("exports", job)
    again = answered(shop.workspace.robot.get(f"/exports/{job['id']}"), 200)
    assert done["expires_at"] <= again["expires_at"]
    assert httpx.get(again["download_url"]).status_code == 200


def test_a_whole_workspace_is_downloaded_by_those_who_may_export_it(shop: Stock) -> None:
    """Who only reads would else take along what they may not ask for."""
    admin, robot = shop.workspace.admin, shop.workspace.robot
    job = answered(admin.post("/exports", json={"resource_type": "workspace"}), 202)
    assert shop.workspace.finished("exports", job)["status"] == "completed"
    assert httpx.get(answered(admin.get(f"/exports/{job['id']}"), 200)["download_url"]).status_code == 200
    [listed] = [each for each in answered(robot.get("/exports"), 200)["data"] if each["id"] == job["id"]]
    for told in (answered(robot.get(f"/exports/{job['id']}"), 200), listed):
        assert (told["download_url"], told["expires_at"]) == (None, None)


def test_an_altered_address_is_a_403(download: str) -> None:
    head, _, signed = download.rpartition("/")
    for position in range(0, len(signed), 5):
        other = "A" if signed[position] != "A" else "B"
        altered = signed[:position] + other + signed[position + 1 :]
        problem(httpx.get(f"{head}/{altered}"), 403, "invalid_signature")


@pytest.mark.parametrize("signed", ["x", "A" * 200, "%00", "%ff", "é", "=", "e30", "A" * 20_000])
def test_a_forged_address_is_a_403(download: str, signed: str) -> None:
    problem(httpx.get(f"{download.rpartition('/')[0]}/{signed}"), 403, "invalid_signature")


def resigned(download: str, purpose: str, seconds: int) -> str:
    """The address as if signed for a purpose, to expire in so many seconds from now."""
    head, _, signed = download.rpartition("/")
    payload = Signer(KEY, "files").open(signed)
    assert payload is not None
    *what, expires = msgspec.json.decode(payload)
    assert time.time() < expires <= time.time() + 15 * 60
    return f"{head}/{Signer(KEY, purpose).sign(msgspec.json.encode([*what, int(time.time()) + seconds]))}"


def test_an_expired_address_is_a_403(download: str) -> None:
    assert httpx.get(resigned(download, "files", 60)).status_code == 200
    problem(httpx.get(resigned(download, "files", -1)), 403, "address_expired")


def test_an_address_signed_for_something_else_is_a_403(download: str) -> None:
    problem(httpx.get(resigned(download, "cursors", 60)), 403, "invalid_signature")


def test_an_address_takes_no_query(download: str) -> None:
    assert refused_fields(httpx.get(f"{download}?x=1")) == {"x": "unknown_field"}
