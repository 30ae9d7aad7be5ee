"""Traces, where a collector is configured: spans of requests, transactions and jobs; nothing where none is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ptolemy.kernel import tracing
from tests.product import Workspace, answered, problem, wait_for

CLIENT_TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """Takes traces as an OpenTelemetry collector does (OTLP over HTTP)."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies = b""

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.bodies += body
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are sent as they end: an answer is there a moment before its span has ended."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


def said(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}


def test_a_request_its_transactions_and_a_job_are_spans(workspace: Workspace) -> None:
    workspace.equity()
    headers = {"traceparent": f"00-{CLIENT_TRACE}-b7ad6b7169203331-01", "X-Request-Id": "traced"}
    with collecting() as (collector, url), tracing.traces_to(url):
        body = {"identifier": "bhp.ax", "name": "BHP", "type_id": "equity"}
        answered(workspace.robot.post("/instruments", json=body, headers=headers), 201)
        workspace.export("instruments")
        wait_for(lambda: collector.named("post_workspaces_workspace_instruments") or None)
        wait_for(lambda: collector.named("job export") or None)
    [request] = [
        span
        for span in collector.named("post_workspaces_workspace_instruments")
        if said(span)["ptolemy.request_id"] == "traced"
    ]
    assert request.trace_id.hex() == CLIENT_TRACE
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert request.kind == Span.SPAN_KIND_SERVER
    assert said(request)["http.response.status_code"] == "201"
    assert said(request)["ptolemy.actor_type"] == "robot"
    transactions = [span for span in collector.named("transaction") if span.parent_span_id == request.span_id]
    assert transactions
    [job] = collector.named("job export")
    assert [span for span in collector.named("transaction") if span.trace_id == job.trace_id]


def test_a_job_is_linked_to_the_request_that_asked_for_it(workspace: Workspace) -> None:
    headers = {"traceparent": f"00-{CLIENT_TRACE}-b7ad6b7169203331-01"}
    with collecting() as (collector, url), tracing.traces_to(url):
        asked = workspace.robot.post("/exports", json={"resource_type": "instruments"}, headers=headers)
        workspace.finished("exports", answered(asked, 202))
        [request] = wait_for(lambda: collector.named("post_workspaces_workspace_exports") or None)
        [job] = wait_for(lambda: collector.named("job export") or None)
    [link] = job.links
    assert (link.trace_id, link.span_id) == (request.trace_id, request.span_id)
    # A trace of its own: an import that runs for an hour is no part of a request.
    assert job.trace_id != request.trace_id and not job.parent_span_id


def test_a_span_tells_no_address_of_a_download_and_no_token(workspace: Workspace) -> None:
    with collecting() as (collector, url), tracing.traces_to(url):
        job = workspace.finished(
            "exports", answered(workspace.robot.post("/exports", json={"resource_type": "instruments"}), 202)
        )
        signed = job["download_url"].rpartition("/")[2]
        assert httpx.get(job["download_url"]).status_code == 200
        problem(workspace.client("ptk_live_" + "a" * 64).get("/instruments?q=secret-words"), 401, "invalid_token")
        wait_for(lambda: collector.named("get_workspaces_workspace_instruments") or None)
    assert collector.named("get_files_signed")
    for secret in (signed.partition("?")[0], "ptk_live_", "secret-words", workspace.admin_token):
        assert secret.encode() not in collector.bodies


def test_a_refusal_is_no_failure_of_the_span(workspace: Workspace) -> None:
    with collecting() as (collector, url), tracing.traces_to(url):
        problem(workspace.robot.get("/instruments/none"), 404, "not_found")
        [span] = wait_for(lambda: collector.named("get_workspaces_workspace_instruments_id") or None)
    assert span.status.code != Status.STATUS_CODE_ERROR


def test_a_span_tells_of_a_refusal_neither_the_person_nor_what_was_sent(workspace: Workspace) -> None:
    email, sent = "somebody.else@example.com", "what-nobody-but-the-sender-may-know"
    with collecting() as (collector, url), tracing.traces_to(url):
        for expected in (201, 409):
            body = {"identifier": sent, "name": "N"}
            assert workspace.admin.post("/series", json=body).status_code == expected
        problem(workspace.admin.patch(f"/series/{sent}", json={"kind": f"{sent}-2"}), 422, "invalid_values")
        answered(workspace.admin.post("/invitations", json={"email": email}), 201)
        problem(workspace.admin.post("/invitations", json={"email": email, "role": sent}), 422, "invalid_values")
        wait_for(lambda: len(collector.named("post_workspaces_workspace_invitations")) == 2 or None)
        wait_for(lambda: len(collector.named("post_workspaces_workspace_series")) == 2 or None)
    for secret in (email, sent, "Traceback"):
        assert secret.encode() not in collector.bodies


def test_a_transaction_that_is_refused_is_no_failure_and_none_stands_alone(workspace: Workspace) -> None:
    with collecting() as (collector, url), tracing.traces_to(url):
        body = {"identifier": "close", "name": "Close"}
        answered(workspace.admin.post("/series", json=body), 201)
        problem(workspace.admin.post("/series", json=body), 409, "duplicate")
        workspace.export("instruments")
        wait_for(lambda: len(collector.named("post_workspaces_workspace_series")) == 2 or None)
        wait_for(lambda: collector.named("job export") or None)
    found = collector.named("transaction")
    assert found and all(span.parent_span_id for span in found)
    assert not [span for span in found if span.status.code == Status.STATUS_CODE_ERROR]


def test_a_delivery_to_a_webhook_is_a_span(workspace: Workspace) -> None:
    made = answered(workspace.admin.post("/webhooks", json={"url": "https://nowhere.invalid/with-a-secret"}), 201)
    with collecting() as (collector, url), tracing.traces_to(url):
        delivery = answered(workspace.admin.post(f"/webhooks/{made['id']}/test"), 202)
        [span] = wait_for(lambda: collector.named("webhook delivery") or None)
    assert said(span)["ptolemy.delivery_id"] == delivery["id"]
    assert span.kind == Span.SPAN_KIND_CLIENT and span.status.code == Status.STATUS_CODE_ERROR
    assert b"with-a-secret" not in collector.bodies


def test_a_collector_that_is_away_keeps_no_process_from_its_end(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with tracing.traces_to(f"http://127.0.0.1:{silent.getsockname()[1]}"):
            answered(workspace.robot.get("/instruments"), 200)
            began = time.monotonic()
        assert time.monotonic() - began < tracing.LAST_SPANS_SECONDS + 2


def test_a_collector_that_is_away_holds_nobody_up(workspace: Workspace) -> None:
    with collecting() as (_, url):
        pass
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        with tracing.traces_to(url):
            answered(workspace.robot.get("/instruments"), 200)


def test_without_a_collector_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys, json; import ptolemy.app; from ptolemy.kernel import tracing;"
        "cm = tracing.span('x');\nwith cm: pass\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry.sdk')"
        " or name.startswith('opentelemetry.exporter')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_collector_without_the_extra_is_refused_with_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; from ptolemy.kernel import tracing\n"
        "with tracing.traces_to('http://127.0.0.1:9'): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'ptolemy-data[otel]'" in done.stderr
