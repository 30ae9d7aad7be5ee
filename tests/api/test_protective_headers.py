"""What every answer tells browsers and caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.product import Workspace
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
