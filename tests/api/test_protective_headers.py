"""What every answer tells browsers and caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.product import NO_TLS, Workspace
from tests.serving import configured, serving

Headers = httpx.Headers


@pytest.fixture(scope="module")
def over_tls(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    configuration = configured(database_url, tmp_path_factory.mktemp("files"))
    with serving(replace(configuration, jobs_at_once=0, public_url="https://ptolemy.example.com")) as url:
        yield url


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/nowhere", "/v1/openapi.json", "/v1/auth/me", "/docs/start.js"])
def test_every_answer_is_not_guessed_at_not_framed_and_tells_no_referrer(product_url: str, path: str) -> None:
    headers = httpx.get(f"{product_url}{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert "object-src 'none'" in policy or "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "access-control-allow-origin" not in headers


def test_answers_are_kept_by_no_cache(workspace: Workspace) -> None:
    for path in ("/", "/instruments", "/instruments/none", "/memberships/robots"):
        assert workspace.admin.get(path).headers["cache-control"] == "no-store"


def test_only_who_is_reached_by_https_demands_it(product_url: str, over_tls: str) -> None:
    assert "strict-transport-security" not in httpx.get(f"{product_url}/healthz").headers
    demanded = httpx.get(f"{over_tls}/healthz").headers["strict-transport-security"]
    assert demanded == "max-age=31536000; includeSubDomains"


PATHS = ["/", "/docs", "/docs/", "/v1", "/v1/", "/v1/auth/me", "/v1/auth/me/", "//elsewhere.example", "/healthz"]


def test_nobody_is_sent_elsewhere_neither_to_https_nor_to_a_file(product_url: str, over_tls: str) -> None:
    """Who sends a token in the clear has to notice; an address to download from is told, not redirected to."""
    with httpx.Client(verify=NO_TLS) as client:
        for path in PATHS:
            for url in (product_url, over_tls):
                answer = client.get(f"{url}{path}")
                assert not answer.is_redirect and "location" not in answer.headers, path
    paths = httpx.get(f"{product_url}/v1/openapi.json").json()["paths"].values()
    statuses = {status for path in paths for method in path.values() for status in method["responses"]}
    assert {status for status in statuses if status.startswith("3")} == {"304"}


def test_a_text_says_how_it_is_encoded(product_url: str) -> None:
    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui.css", "/metrics"):
        assert "charset=utf-8" in httpx.get(f"{product_url}{path}", verify=NO_TLS).headers["content-type"], path


FILES = [
    "/.git/config",
    "/.env",
    "/pyproject.toml",
    "/src/",
    "/tests/",
    "/files/",
    "/docs/",
    "/v1/files/",
    "/secret.key",
]


@pytest.mark.parametrize("path", [*FILES, "/docs/..%2f..%2fapp.py", "/v1/files/..%2f..%2fsecret.key"])
def test_neither_the_files_of_the_server_are_served_nor_its_directories(product_url: str, path: str) -> None:
    assert httpx.get(f"{product_url}{path}", verify=NO_TLS).status_code in (403, 404)


def test_only_what_the_server_has_made_is_given_as_a_file(product_url: str) -> None:
    """What somebody has uploaded has no address: it is read, and never given to anybody."""
    paths = httpx.get(f"{product_url}/v1/openapi.json").json()["paths"]
    given = {
        path
        for path, methods in paths.items()
        for content in (methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {}),)
        if content.keys() - {"application/json"}
    }
    inside = "/v1/workspaces/{workspace}"
    rows = {f"{inside}/time-series-values/series", f"{inside}/imports/{{id}}/errors"}
    assert given == {"/v1/files/{signed}", "/metrics", *rows}


def test_the_page_of_the_api_loads_from_this_server_alone(product_url: str) -> None:
    page = httpx.get(f"{product_url}/docs")
    assert "http" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f"docs/{name}" in page.text
        found = httpx.get(f"{product_url}/docs/{name}")
        assert found.status_code == 200
        assert found.text
    assert httpx.get(f"{product_url}/docs/..%2fapp.py").status_code == 404
    assert httpx.get(f"{product_url}/docs/README.md").status_code == 404


def test_a_server_says_nothing_of_what_it_is_made_of(product_url: str) -> None:
    headers = httpx.get(f"{product_url}/healthz").headers
    assert "x-powered-by" not in headers
