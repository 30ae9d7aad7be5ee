"""The session of a browser: in a cookie that scripts can't read, and that other sites can't use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.accounts.persons import browser, someone, token
from tests.accounts.test_invitations import run
from tests.product import PATIENCE_SECONDS, Workspace, answered, problem
from tests.serving import PASSWORD, configured, serving

PUBLIC = "https://ptolemy.example.com"


@pytest.fixture
def ann(product_database_url: str) -> str:
    return someone(product_database_url)


@pytest.fixture(scope="module")
def behind_tls(product_database_url: str, product_files: Path) -> Iterator[str]:
    with serving(replace(configured(product_database_url, product_files), public_url=PUBLIC)) as url:
        yield url


def signing_in(url: str, email: str, **headers: str) -> httpx.Response:
    login = {"email": email, "password": PASSWORD, "cookie": True}
    return httpx.post(f"{url}/v1/auth/login", json=login, headers=headers, timeout=PATIENCE_SECONDS)


def test_a_browser_signs_in_for_a_cookie_and_is_a_person_like_any_other(product_url: str, ann: str) -> None:
    with browser(product_url, ann) as client:
        assert answered(client.get("/auth/me"), 200)["email"] == ann
        slug = f"w-{ann[:12]}"
        answered(client.post("/workspaces", json={"slug": slug}), 201)
        assert answered(client.get(f"/workspaces/{slug}"), 200)["role"] == "admin"


def test_the_cookie_is_closed_to_scripts_and_to_other_sites(product_url: str, behind_tls: str, ann: str) -> None:
    plain = signing_in(product_url, ann, Origin=product_url)
    assert plain.json().keys() == {"token_type", "expires_in"}
    assert plain.headers["cache-control"] == "no-store"
    name, *attributes = plain.headers["set-cookie"].split("; ")
    assert name.startswith("ptolemy_session=ptc_")
    assert attributes == ["Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Lax"]
    name, *attributes = signing_in(behind_tls, ann, Origin=PUBLIC).headers["set-cookie"].split("; ")
    assert name.startswith("__Host-ptolemy_session=ptc_")
    assert attributes == ["Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Lax", "Secure"]


def test_below_a_path_the_cookie_comes_by_tls_alone_too(
    product_database_url: str, product_files: Path, ann: str
) -> None:
    configuration = replace(configured(product_database_url, product_files), public_url=f"{PUBLIC}/data")
    with serving(replace(configuration, jobs_at_once=0)) as url:
        cookie = signing_in(url, ann, Origin=PUBLIC).headers["set-cookie"]
        assert cookie.startswith("__Secure-ptolemy_session=ptc_")
        assert cookie.endswith("; Path=/data; Max-Age=1209600; HttpOnly; SameSite=Lax; Secure")
        session = cookie.partition(";")[0]
        answered(httpx.get(f"{url}/v1/auth/me", headers={"Cookie": session}), 200)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_site_changes_nothing_with_the_cookie(product_url: str, ann: str, headers: dict[str, str]) -> None:
    with browser(product_url, ann) as client:
        own = client.headers.pop("Origin")
        change = {"slug": f"x-{ann[:12]}"}
        problem(client.post("/workspaces", json=change, headers=headers), 403, "cross_site")
        problem(client.request("DELETE", "/auth/sessions/x", headers=headers), 403, "cross_site")
        problem(client.post("/auth/logout", headers=headers), 403, "cross_site")
        problem(signing_in(product_url, ann, **headers), 403, "cross_site")
        answered(client.get("/auth/me", headers=headers), 200)
        answered(client.post("/workspaces", json=change, headers={"Sec-Fetch-Site": "same-origin"}), 201)
        assert client.post("/auth/logout", headers={"Origin": own}).status_code == 204


def test_behind_tls_our_own_pages_are_those_of_the_public_address(behind_tls: str, ann: str) -> None:
    cookie = signing_in(behind_tls, ann, Origin=PUBLIC).headers["set-cookie"].partition(";")[0]
    ended = f"{behind_tls}/v1/auth/logout"
    for origin in (behind_tls, "http://ptolemy.example.com", f"{PUBLIC}.evil.example", f"{PUBLIC}:8443"):
        problem(httpx.post(ended, headers={"Cookie": cookie, "Origin": origin}), 403, "cross_site")
    unprefixed = cookie.removeprefix("__Host-")
    problem(httpx.get(f"{behind_tls}/v1/auth/me", headers={"Cookie": unprefixed}), 401, "unauthorized")
    assert httpx.post(ended, headers={"Cookie": cookie, "Origin": PUBLIC}).status_code == 204


def test_signing_out_ends_the_session_and_takes_the_cookie_back(product_url: str, ann: str) -> None:
    with browser(product_url, ann) as client:
        kept = f"ptolemy_session={client.cookies['ptolemy_session']}"
        ended = client.post("/auth/logout")
        assert ended.status_code == 204
        assert ended.headers["set-cookie"].startswith("ptolemy_session=; Path=/; Max-Age=0;")
        assert not client.cookies
    problem(httpx.get(f"{product_url}/v1/auth/me", headers={"Cookie": kept}), 401, "invalid_token")


def test_a_browser_that_signs_in_again_leaves_no_session_behind(product_url: str, ann: str) -> None:
    with browser(product_url, ann) as client:
        earlier = {"Cookie": f"ptolemy_session={client.cookies['ptolemy_session']}"}
        again = {"email": ann, "password": PASSWORD, "cookie": True}
        answered(client.post("/auth/login", json=again), 200)
        answered(client.get("/auth/me"), 200)
        problem(httpx.get(f"{product_url}/v1/auth/me", headers=earlier), 401, "invalid_token")


def test_a_cookie_is_no_bearer_token_and_a_bearer_token_no_cookie(product_url: str, ann: str) -> None:
    address = f"{product_url}/v1/auth/me"
    with browser(product_url, ann) as client:
        secret = client.cookies["ptolemy_session"]
    problem(httpx.get(address, headers={"Authorization": f"Bearer {secret}"}), 401, "invalid_token")
    cookie = {"Cookie": f"ptolemy_session={token(product_url, ann)}"}
    problem(httpx.get(address, headers=cookie), 401, "invalid_token")


def test_the_bearer_token_goes_before_the_cookie(workspace: Workspace, ann: str) -> None:
    with browser(workspace.url, ann) as client:
        headers = {"Authorization": f"Bearer {workspace.token('viewer')}"}
        assert answered(client.get("/auth/me", headers=headers), 200)["type"] == "robot"


def test_a_cookie_lives_for_as_long_as_it_is_used(product_url: str, product_database_url: str, ann: str) -> None:
    with browser(product_url, ann) as client:
        person = answered(client.get("/auth/me"), 200)["id"]
        run(
            product_database_url,
            "update sessions set access_expires_at = now() + interval '1 minute', last_used_at = null"
            " where user_id = $1",
            person,
        )
        answered(client.get("/auth/me"), 200)
        run(
            product_database_url,
            "do $$ begin assert (select bool_and(access_expires_at > now() + interval '11 hours')"
            f" from sessions where user_id = '{person}'); end $$",
        )
        run(product_database_url, "update sessions set access_expires_at = now() where user_id = $1", person)
        problem(client.get("/auth/me"), 401, "token_expired")


def test_a_cookie_carries_an_invitation_to_its_end(workspace: Workspace, ann: str) -> None:
    invitation = answered(workspace.admin.post("/invitations", json={"email": ann}), 201)
    with browser(workspace.url, ann) as client:
        own = client.headers.pop("Origin")
        body = {"token": invitation["token"]}
        problem(client.post("/auth/invitations/accept", json=body), 403, "cross_site")
        answered(client.post("/auth/invitations/accept", json=body, headers={"Origin": own}), 200)
