"""A running product for tests: the real application on a real port, its worker inside, a workspace for each test."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

PATIENCE_SECONDS = 60
NO_TLS = ssl.create_default_context()
"""Made once: 20 ms a client, for certificates that nobody here shows."""


@dataclass(frozen=True)
class Workspace:
    """One workspace of the running product, and clients for it. `url` is the server's."""

    url: str
    slug: str
    admin_token: str

    def client(self, token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=f"{self.url}/v1/workspaces/{self.slug}", headers=headers, timeout=PATIENCE_SECONDS, verify=NO_TLS
        )

    @cached_property
    def admin(self) -> httpx.Client:
        return self.client(self.admin_token)

    @cached_property
    def robot(self) -> httpx.Client:
        """A robot of the role member: what scripts use."""
        return self.client(self.token("member"))

    def token(self, role: str) -> str:
        robot = answered(self.admin.post("/memberships/robots", json={"name": f"{role} robot", "role": role}), 201)
        user = robot.get("user_id") or robot["id"]
        return str(answered(self.admin.post(f"/memberships/robots/{user}/tokens", json={}), 201)["token"])

    def create(self, collection: str, **body: Any) -> dict[str, Any]:
        return answered(self.admin.post(f"/{collection}", json=body), 201)

    def equity(self) -> None:
        """The schema that most tests need: instruments with two fields, markets, a scalar and a composite series."""
        self.create("instrument-types", identifier="equity", name="Equity")
        self.create("instrument-type-fields", type_id="equity", field_key="sector", data_type="text", display_order=1)
        self.create("instrument-type-fields", type_id="equity", field_key="shares", data_type="number", display_order=2)
        self.create("market-types", identifier="exchange")
        self.create("series", identifier="close", kind="scalar")
        self.create("series", identifier="bar", kind="composite")
        for order, key in enumerate(("open", "high", "low", "close")):
            self.create(
                "time-series-type-fields",
                type_id="bar",
                field_key=key,
                data_type="number",
                is_required=True,
                allow_null=False,
                display_order=order,
            )

    def export(self, resource_type: str, **more: Any) -> bytes:
        """The file of an export, downloaded by its signed address."""
        asked = {"resource_type": resource_type, "include_archived": True, **more}
        job = self.finished("exports", answered(self.robot.post("/exports", json=asked), 202))
        assert job["status"] == "completed", job
        download = httpx.get(job["download_url"], verify=NO_TLS)
        assert download.status_code == 200
        return download.content

    def import_file(self, resource_type: str, content: bytes, on_error: str = "abort") -> dict[str, Any]:
        """The finished import of a file."""
        files = {"file": (resource_type, content)}
        data = {"resource_type": resource_type, "on_error": on_error}
        return self.finished("imports", answered(self.robot.post("/imports", files=files, data=data), 202))

    def export_workspace(self) -> bytes:
        """The archive of all there is."""
        job = self.finished("exports", answered(self.admin.post("/exports", json={"resource_type": "workspace"}), 202))
        assert job["status"] == "completed", job
        download = answered(self.admin.get(f"/exports/{job['id']}"), 200)["download_url"]  # a robot is shown none
        return httpx.get(download, verify=NO_TLS).content

    def import_workspace(self, archive: bytes, **options: Any) -> dict[str, Any]:
        """The finished import of an archive."""
        files = {"file": ("workspace.zip", archive)}
        asked = self.admin.post("/imports", files=files, data={"resource_type": "workspace", **options})
        return self.finished("imports", answered(asked, 202))

    def finished(self, jobs: str, job: Mapping[str, Any]) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            now = answered(self.robot.get(f"/{jobs}/{job['id']}"), 200)
            return now if now["status"] not in ("queued", "processing") else None

        return wait_for(ended)


def answered(response: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer that has the status; the body says what went wrong where it hasn't."""
    assert response.status_code == status, (response.request.method, str(response.url), response.text)
    body: dict[str, Any] = response.json() if response.content else {}
    return body


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer that refuses."""
    body = answered(response, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert body["code"] == code, body
    return body


def refused_fields(response: httpx.Response) -> dict[str, str]:
    """The bad fields of a 422, each with its code."""
    body = problem(response, 422, "invalid_values")
    return {error["field"]: error["code"] for error in body["errors"]}


def wait_for(fact: Callable[[], T | None]) -> T:
    """The first answer of `fact` that isn't None."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (found := fact()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came true")
