"""What requests are answered while the database is away."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from tests.product import PATIENCE_SECONDS, Workspace, problem


def asked_meanwhile(workspace: Workspace) -> Sequence[httpx.Response]:
    """The answers to a read, a list, a write, a new job and a sign-in."""
    login = {"email": "ann@example.com", "password": "a password"}
    return [
        workspace.admin.get("/instruments/none"),
        workspace.admin.get("/imports"),
        workspace.admin.post("/instrument-types", json={"identifier": "m", "name": "M"}),
        workspace.admin.post(
            "/imports", files={"file": b"identifier,name,type_id\n"}, data={"resource_type": "instruments"}
        ),
        httpx.post(f"{workspace.url}/v1/auth/login", json=login, timeout=PATIENCE_SECONDS),
    ]


def check_told_to_come_back(answers: Sequence[httpx.Response]) -> None:
    for answer in answers:
        told = problem(answer, 503, "database_unavailable")["detail"]
        assert int(answer.headers["retry-after"]) > 0
        assert ("Idempotency-Key" in told) == (answer.request.method == "POST")
