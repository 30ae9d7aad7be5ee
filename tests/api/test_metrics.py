"""`GET /metrics`: what Prometheus reads, and who else may."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ptolemy.app import Configuration, operations
from tests.access.callers import new_workspace
from tests.product import PATIENCE_SECONDS, Workspace, answered, problem, wait_for
from tests.serving import configured, serving

TOKEN = "a token that only Prometheus knows"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(url: str, **headers: str) -> Samples:
    answer = httpx.get(f"{url}/metrics", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def asked_by_token(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(_with(database_url, tmp_path_factory, metrics_token=TOKEN)) as url:
        yield url


@pytest.fixture(scope="module")
def behind_a_proxy(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(_with(database_url, tmp_path_factory, public_url="https://ptolemy.example.com")) as url:
        yield url


def _with(database_url: str, folders: pytest.TempPathFactory, **more: str) -> Configuration:
    folder: Path = folders.mktemp("files")
    return replace(configured(database_url, folder), jobs_at_once=0, **more)  # type: ignore[arg-type] # texts, both


def test_requests_are_counted_by_operation_and_status(workspace: Workspace) -> None:
    def counted(operation: str, status: int) -> float:
        labels = (("operation", operation), ("status", str(status)))
        return read(workspace.url).get(("ptolemy_request_seconds_count", labels), 0)

    name = "get_workspaces_workspace_instruments_id"
    before = counted(name, 404), counted("none", 404), counted("post_workspaces_workspace_instruments", 401)
    for key in ("one", "two", "three"):
        problem(workspace.admin.get(f"/instruments/{key}"), 404, "not_found")
    httpx.get(f"{workspace.url}/nowhere/{workspace.slug}")
    problem(workspace.client(None).post("/instruments", json={}), 401, "unauthorized")

    def grown() -> list[float]:
        after = counted(name, 404), counted("none", 404), counted("post_workspaces_workspace_instruments", 401)
        return [new - old for new, old in zip(after, before, strict=True)]

    # A request is counted once its answer is out.
    wait_for(lambda: sum(grown()) >= 5 or None)
    assert grown() == [3, 1, 1]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=here"])
def test_who_goes_away_amid_a_body_is_no_fault_of_the_server(workspace: Workspace, content_type: str) -> None:
    operation = "post_workspaces_workspace_" + ("imports" if "form" in content_type else "exports")

    def counted() -> dict[str, float]:
        samples = read(workspace.url).items()
        return {
            labels["status"]: value
            for (name, pairs), value in samples
            if name == "ptolemy_request_seconds_count" and (labels := dict(pairs))["operation"] == operation
        }

    before, address = counted(), urlsplit(workspace.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        path = f"/v1/workspaces/{workspace.slug}/{operation.rpartition('_')[2]}"
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {workspace.token('member')}\r\n"
        sent = f"{head}Content-Type: {content_type}\r\nContent-Length: 100\r\n\r\n--here\r\n"
        connection.sendall(sent.encode())
    after = wait_for(lambda: now if (now := counted()) != before else None)
    grown = {status: number for status, value in after.items() if (number := value - before.get(status, 0))}
    assert grown == {"400": 1}


def test_labels_are_words_of_the_code_whatever_is_asked(workspace: Workspace) -> None:
    # Other tests of this process may have made resources of their own.
    before = _operations_in(read(workspace.url))
    for path in ("/instruments/bhp.ax", f"/exports/{workspace.slug}", "/nothing", "/instruments?q=words"):
        workspace.admin.get(path)
    httpx.request("OPTIONS", f"{workspace.url}/v1/auth/me")
    samples = read(workspace.url)
    assert _operations_in(samples) <= {operation.name for operation in operations()} | {"none"} | before
    assert not [
        labels for _, labels in samples if any(re.search(r"[0-9a-f]{8}-|w-[0-9a-f]", each) for _, each in labels)
    ]


def _operations_in(samples: Samples) -> set[str]:
    return {value for _, labels in samples for name, value in labels if name == "operation"}


def test_jobs_rows_of_imports_connections_and_the_feed_are_shown(workspace: Workspace) -> None:
    workspace.equity()
    before = read(workspace.url)
    workspace.import_file("instruments", b"identifier,name,type_id\na,A,equity\nb,B,nope\n", on_error="continue")
    samples = read(workspace.url)

    def grown(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return samples[key] - before.get(key, 0)

    assert grown("ptolemy_job_seconds_count", kind="import", outcome="done") >= 1
    assert grown("ptolemy_import_rows_total", outcome="created") >= 1
    assert grown("ptolemy_import_rows_total", outcome="failed") >= 1
    assert ("ptolemy_jobs", (("kind", "upkeep"), ("state", "waiting"))) in samples
    assert samples["ptolemy_database_connections", (("pool", "app"), ("state", "most"))] == 16
    shown = {name for name, _ in samples}
    assert {
        "ptolemy_job_oldest_due_seconds",
        "ptolemy_events_horizon_transactions",
        "ptolemy_events_horizon_lag_seconds",
        "ptolemy_backup_policies",
        "ptolemy_backup_age_seconds",
        "process_resident_memory_bytes",
    } <= shown


def test_the_queue_of_webhooks_is_shown_and_how_late_it_is(workspace: Workspace) -> None:
    def shown() -> tuple[float, float]:
        samples = read(workspace.url)
        late = samples["ptolemy_webhook_oldest_due_seconds", ()]
        return samples["ptolemy_webhook_deliveries", (("state", "waiting"),)], late

    before, _ = shown()
    webhook = workspace.create("webhooks", url="http://127.0.0.1:9/nobody-listens")["id"]
    answered(workspace.admin.put(f"/webhooks/{webhook}/subscriptions", json=["series.created"]), 200)
    workspace.create("series", identifier="close")
    waiting, late = wait_for(lambda: found if (found := shown())[0] > before else None)
    assert waiting > before  # what has failed waits for its time: it makes the queue long, and nobody late
    assert 0 <= late < PATIENCE_SECONDS
    answered(workspace.admin.delete(f"/webhooks/{webhook}"), 204)
    wait_for(lambda: shown()[0] <= before or None)


def test_where_no_worker_delivers_the_queue_of_webhooks_gets_late(asked_by_token: str, database_url: str) -> None:
    workspace = new_workspace(asked_by_token, database_url)
    webhook = workspace.create("webhooks", url="http://127.0.0.1:9/nobody-listens")["id"]
    answered(workspace.admin.put(f"/webhooks/{webhook}/subscriptions", json=["series.created"]), 200)
    workspace.create("series", identifier="close")

    def late() -> float:
        return read(asked_by_token, authorization=f"Bearer {TOKEN}")["ptolemy_webhook_oldest_due_seconds", ()]

    first = wait_for(lambda: late() or None)
    wait_for(lambda: late() > first or None)


def test_without_a_token_only_the_same_host_may_read_them(product_url: str) -> None:
    read(product_url)
    port = httpx.URL(product_url).port
    read(product_url, host=f"localhost:{port}")
    # A proxy on this host hands on what comes from elsewhere, and a browser on it what a page had it ask for.
    for headers in (
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
        {"host": "ptolemy.example.com"},
        {"host": f"rebound.example.com:{port}"},
    ):
        problem(httpx.get(f"{product_url}/metrics", headers=headers), 401, "metrics_unauthorized")


def test_where_the_product_has_a_public_address_nobody_reads_them_without_a_token(behind_a_proxy: str) -> None:
    problem(httpx.get(f"{behind_a_proxy}/metrics"), 401, "metrics_unauthorized")


def test_with_a_token_whoever_sends_it_may_read_them_and_nobody_else(asked_by_token: str) -> None:
    read(asked_by_token, authorization=f"Bearer {TOKEN}")
    for sent in ({}, {"authorization": "Bearer other"}, {"authorization": "Bearer"}, {"authorization": TOKEN[:-1]}):
        problem(httpx.get(f"{asked_by_token}/metrics", headers=sent), 401, "metrics_unauthorized")


def test_a_token_of_the_product_is_no_token_for_metrics(asked_by_token: str, workspace: Workspace) -> None:
    headers = {"authorization": f"Bearer {workspace.admin_token}"}
    problem(httpx.get(f"{asked_by_token}/metrics", headers=headers), 401, "metrics_unauthorized")
    assert answered(workspace.admin.get("/"), 200)
