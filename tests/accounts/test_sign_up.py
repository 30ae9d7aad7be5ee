"""Signing up where the server is open to everybody, and only there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.accounts.persons import NEW_PASSWORD, new_email, post
from tests.accounts.test_invitations import run
from tests.product import answered, problem, refused_fields
from tests.serving import configured, serving

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def open_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("files")
    with serving(replace(configured(database_url, folder), signup_is_open=True)) as url:
        yield url


@pytest.fixture
def sign_up(open_url: str, database_url: str) -> Ask:
    run(database_url, "delete from sign_in_attempts")

    def ask(**body: Any) -> httpx.Response:
        return post(open_url, "signup", {"email": new_email(), "password": NEW_PASSWORD, **body})

    return ask


def test_signing_up_is_closed_unless_the_operator_opens_it(product_url: str) -> None:
    body = {"email": new_email(), "password": NEW_PASSWORD}
    problem(post(product_url, "signup", body), 403, "signup_closed")
    problem(post(product_url, "login", body), 401, "invalid_credentials")


def test_who_signs_up_is_signed_in_and_makes_a_workspace(sign_up: Ask, open_url: str) -> None:
    email = new_email()
    answer = sign_up(email=email, name="Ann")
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {answered(answer, 200)['access_token']}"}
    with httpx.Client(base_url=f"{open_url}/v1", headers=headers) as client:
        assert answered(client.get("/auth/me"), 200) | {"id": ""} == {
            "id": "",
            "type": "human",
            "email": email,
            "name": "Ann",
        }
        assert answered(client.get("/workspaces"), 200)["data"] == []
        answered(client.post("/workspaces", json={"slug": f"w-{email[:12]}"}), 201)
    problem(sign_up(email=email.upper()), 409, "duplicate")


def test_a_bad_value_is_named(sign_up: Ask) -> None:
    assert refused_fields(sign_up(email="ann")) == {"email": "invalid_email"}
    assert refused_fields(sign_up(password="x" * 257)) == {"password": "password_length"}
    assert refused_fields(sign_up(password="password1234")) == {"password": "common_password"}
    assert refused_fields(sign_up(name="")) == {"name": "invalid_name"}


def test_many_sign_ups_from_one_address_are_slowed(sign_up: Ask, database_url: str) -> None:
    for _ in range(5):
        answered(sign_up(), 200)
    run(database_url, "update sign_in_attempts set attempts = 9, free_at = now() + interval '50 seconds'")
    refused = sign_up()
    problem(refused, 429, "too_many_attempts")
    assert 40 <= int(refused.headers["retry-after"]) <= 50


def test_a_network_of_ipv6_is_slowed_as_one_address(open_url: str, database_url: str) -> None:
    """Everybody has a network of them: each would else bring its own free attempts along."""
    run(database_url, "delete from sign_in_attempts")

    def sign_up_from(address: str) -> httpx.Response:
        body = {"email": new_email(), "password": NEW_PASSWORD}
        return httpx.post(f"{open_url}/v1/auth/signup", json=body, headers={"X-Forwarded-For": address})

    answered(sign_up_from("2001:db8:1:2::1"), 200)
    run(database_url, "update sign_in_attempts set attempts = 9, free_at = now() + interval '50 seconds'")
    problem(sign_up_from("2001:db8:1:2:ffff::2"), 429, "too_many_attempts")
    answered(sign_up_from("2001:db8:1:3::1"), 200)


def test_nobody_keeps_others_from_signing_up_by_signing_in(sign_up: Ask, open_url: str, database_url: str) -> None:
    for email in ("sign-up from 127.0.0.1", "sign-up from ::1"):
        problem(post(open_url, "login", {"email": email, "password": "wrong password"}), 401, "invalid_credentials")
    run(database_url, "update sign_in_attempts set attempts = 9, free_at = now() + interval '50 seconds'")
    answered(sign_up(), 200)
