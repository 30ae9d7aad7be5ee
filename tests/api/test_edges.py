"""Forms of answers, ranges of files, addresses behind a proxy, and the words of refusals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ptolemy.app import operations
from tests.lifecycle.stock import Stock
from tests.product import PATIENCE_SECONDS, Workspace, answered, problem, refused_fields
from tests.serving import configured, serving

ROWS = 1003
"""More than is read at once."""


@pytest.fixture(scope="module")
def errors(shop: Stock) -> str:
    """The address of an import's failed rows."""
    rows = [{"identifier": f"bad {number}", "name": "Bad", "type_id": "equity"} for number in range(ROWS)]
    rows.append({"identifier": "good", "name": "Good", "type_id": "equity", "=1+1": "x"})
    job = shop.workspace.import_file("instruments", json.dumps(rows).encode(), on_error="continue")
    assert job["rows_failed"] == ROWS + 1, job
    return f"/imports/{job['id']}/errors"


@pytest.fixture(scope="module")
def download(shop: Stock) -> str:
    """The signed address of a finished export."""
    job = answered(shop.workspace.robot.post("/exports", json={"resource_type": "instruments"}), 202)
    return str(shop.workspace.finished("exports", job)["download_url"])


@pytest.fixture(scope="module")
def behind_a_proxy(shop: Stock, product_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same workspace, served where a proxy takes `/base` away."""
    folder: Path = tmp_path_factory.mktemp("proxied")
    configuration = replace(
        configured(product_database_url, folder), public_url="https://x.example/base", jobs_at_once=0
    )
    with serving(configuration) as url:
        yield replace(shop.workspace, url=url)


def rows_of(response: httpx.Response) -> list[list[str]]:
    assert response.status_code == 200, response.text
    return list(csv.reader(io.StringIO(response.text)))


def test_failed_rows_are_csv_for_who_accepts_it(shop: Stock, errors: str) -> None:
    response = shop.workspace.robot.get(errors, headers={"accept": "text/csv"})
    header, *rows = rows_of(response)
    assert response.headers["content-type"].startswith("text/csv")
    assert header == ["row", "line", "field", "code", "message"]
    assert [int(row[0]) for row in rows] == list(range(1, ROWS + 2))


def test_failed_rows_in_csv_are_no_formulas(shop: Stock, errors: str) -> None:
    rows = rows_of(shop.workspace.robot.get(errors, headers={"accept": "text/csv"}))
    assert rows[-1][2:4] == ["'=1+1", "unknown_field"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/csv;q=0.5, application/json", "text/csv;q=x"])
def test_failed_rows_are_json_for_everybody_else(shop: Stock, errors: str, accept: str) -> None:
    assert answered(shop.workspace.robot.get(errors, headers={"accept": accept}), 200)["meta"]["has_more"]


def test_failed_rows_in_csv_have_no_pages(shop: Stock, errors: str) -> None:
    response = shop.workspace.robot.get(f"{errors}?limit=5", headers={"accept": "text/csv"})
    assert refused_fields(response) == {"limit": "unknown_field"}


def test_a_limit_on_failed_rows_is_cut_with_a_warning(shop: Stock, errors: str) -> None:
    page = answered(shop.workspace.robot.get(f"{errors}?limit=500"), 200)
    assert (len(page["data"]), page["warnings"]) == (200, ["limit was cut from 500 to 200"])


def test_failed_rows_are_documented_in_both_forms(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    answer = document["paths"]["/v1/workspaces/{workspace}/imports/{id}/errors"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"application/json", "text/csv"}


@pytest.mark.parametrize("asked", ["bytes=5-2", "lines=1-2", "bytes=a-b", "bytes", "bytes=-", "bytes=0-1,4-5", "5-9"])
def test_a_range_that_means_nothing_here_is_ignored(download: str, asked: str) -> None:
    response = httpx.get(download, headers={"range": asked})
    assert (response.status_code, response.content) == (200, httpx.get(download).content)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-99999999", "bytes=-0", f"bytes={'9' * 40}-"])
def test_a_range_behind_the_end_is_a_416(download: str, asked: str) -> None:
    response = httpx.get(download, headers={"range": asked})
    problem(response, 416, "range_not_satisfiable")
    assert response.headers["content-range"] == f"bytes */{len(httpx.get(download).content)}"


@pytest.mark.parametrize(("asked", "part"), [("bytes=2-", slice(2, None)), ("Bytes=-7", slice(-7, None))])
def test_an_open_range_is_the_rest(download: str, asked: str, part: slice) -> None:
    response = httpx.get(download, headers={"range": asked})
    assert (response.status_code, response.content) == (206, httpx.get(download).content[part])


def test_a_range_of_another_version_is_ignored(download: str) -> None:
    response = httpx.get(download, headers={"range": "bytes=99999999-", "if-range": '"other"'})
    assert response.status_code == 200


def test_head_answers_like_get_without_the_file(download: str) -> None:
    looked, got = httpx.head(download), httpx.get(download)
    names = ("content-length", "content-type", "etag", "accept-ranges", "content-disposition")
    assert (looked.status_code, looked.content) == (200, b"")
    assert [looked.headers[name] for name in names] == [got.headers[name] for name in names]


def test_a_download_is_documented_with_its_forms_and_refusals(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    responses = document["paths"]["/v1/files/{signed}"]["get"]["responses"]
    assert {"200", "206", "403", "404", "416"} <= responses.keys()
    content = responses["200"]["content"]
    packed = {"application/vnd.apache.parquet", "application/gzip", "application/zip"}
    assert set(content) == {"application/json", "text/csv", "application/x-ndjson"} | packed
    assert {each["schema"]["format"] for each in content.values()} == {"binary"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/markets", {"identifier": "proxied", "name": "Proxied", "type_id": "exchange"}),
        ("/exports", {"resource_type": "markets"}),
        ("/memberships/robots", {"name": "proxied"}),
    ],
)
def test_locations_carry_the_path_of_the_public_url(behind_a_proxy: Workspace, path: str, body: dict[str, Any]) -> None:
    response = behind_a_proxy.admin.post(path, json=body)
    prefix = f"/base/v1/workspaces/{behind_a_proxy.slug}{path}/"
    assert response.headers["location"] == f"{prefix}{response.json()['id']}"


def test_the_document_names_the_path_of_the_public_url(behind_a_proxy: Workspace) -> None:
    # Made when it is first asked for, which takes its time on a busy machine.
    document = httpx.get(f"{behind_a_proxy.url}/openapi.json", timeout=PATIENCE_SECONDS).json()
    assert document["servers"] == [{"url": "/base"}]


def test_the_page_of_the_api_asks_for_the_document_beside_it(behind_a_proxy: Workspace) -> None:
    page = httpx.get(f"{behind_a_proxy.url}/docs")
    assert page.status_code == 200
    assert 'src="docs/start.js"' in page.text
    assert 'url: "openapi.json"' in httpx.get(f"{behind_a_proxy.url}/docs/start.js").text


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br", 415), ("identity", 201)])
def test_a_json_body_is_not_encoded(shop: Stock, encoding: str, status: int) -> None:
    body = {"identifier": "encoded", "name": "Encoded", "type_id": "exchange"}
    response = shop.workspace.admin.post("/markets", json=body, headers={"content-encoding": encoding})
    answered(response, status)
    assert status == 201 or response.json()["code"] == "unsupported_encoding"


def test_the_document_names_no_class_of_ours(product_url: str) -> None:
    schemas = httpx.get(f"{product_url}/v1/openapi.json").json()["components"]["schemas"]
    assert {"RowError", "FieldError", "Problem"} <= schemas.keys()
    assert not [name for name, schema in schemas.items() if "Model" in name or "Model" in schema.get("title", "")]


@pytest.mark.parametrize(
    "collection", ["market-listing-suspensions", "time-series-values", "instruments", "exports", "imports"]
)
def test_a_verb_that_a_resource_lacks_is_a_405(shop: Stock, collection: str) -> None:
    has = {
        operation.path.rpartition("/")[2] for operation in operations() if f"/{collection}/{{id}}/" in operation.path
    }
    for verb in {"restore", "cancel"} - has:
        response = shop.workspace.admin.post(f"/{collection}/{shop.suspension}/{verb}")
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == ""


def test_a_405_names_every_method_of_the_address(shop: Stock, download: str) -> None:
    assert shop.workspace.admin.put("/instruments").headers["allow"] == "GET, HEAD, POST"
    assert shop.workspace.admin.put("/instruments/bhp.ax").headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert httpx.post(download).headers["allow"] == "GET, HEAD"


def test_what_is_no_verb_of_any_resource_stays_a_404(shop: Stock) -> None:
    problem(shop.workspace.admin.post("/instruments/bhp.ax/errors"), 404, "not_found")


@pytest.mark.parametrize("sent", [True, False])
def test_archived_may_be_a_boolean_in_a_body(shop: Stock, sent: bool) -> None:
    robot = shop.workspace.robot
    as_text = answered(robot.post("/instruments/count", json={"archived": str(sent).lower()}), 200)
    assert answered(robot.post("/instruments/count", json={"archived": sent}), 200) == as_text
    assert answered(robot.post("/instruments/filter", json={"archived": sent}), 200)["data"]


@pytest.mark.parametrize(
    ("path", "body", "refused", "words"),
    [
        ("/exports", {"resource_type": "markets", "include_archived": "yes"}, "invalid_boolean", "true or false"),
        ("/instruments/filter", {"limit": "5"}, "invalid_integer", "whole number"),
        ("/instruments/filter", {"limit": 5.5}, "invalid_integer", "whole number"),
        ("/instruments/filter", {"limit": True}, "invalid_integer", "whole number"),
        ("/instruments/filter", {"limit": 0}, "out_of_range", "must be at least 1"),
        ("/instruments/filter", {"archived": "maybe"}, "invalid_choice", "must be one of false, true, all, only"),
        ("/instruments/filter", {"archived": 1}, "invalid_choice", "must be one of false, true, all, only"),
        ("/instruments/filter", {"after": 5}, "invalid_text", "must be text"),
        ("/instruments/filter", {"filter": 5}, "invalid_object", "must be a JSON object"),
        ("/instruments/filter", {"sort": {}}, "invalid_list", "must be a list"),
        ("/instruments/filter", {"filter": {"and": [{}] * 201}}, "invalid_length", "must have at most 200 entries"),
        ("/instruments", [], "invalid_object", "must be a JSON object"),
    ],
    ids=str,
)
def test_a_refusal_has_a_code_and_words_of_ours(shop: Stock, path: str, body: Any, refused: str, words: str) -> None:
    [error] = problem(shop.workspace.admin.post(path, json=body), 422, "invalid_values")["errors"]
    assert (error["code"], error["message"].endswith(words)) == (refused, True), error


def test_the_query_of_an_address_stays_text(shop: Stock) -> None:
    assert len(answered(shop.workspace.robot.get("/instruments?limit=1"), 200)["data"]) == 1
