"""`GET /metrics` for Prometheus: for who shows the operator's token, else for the same host alone."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from ptolemy.api.observations import observed
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call, Services
from ptolemy.kernel.metrics import REGISTRY
from ptolemy.kernel.problems import Unauthorized

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def metrics_operations() -> list[Operation]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    openapi = {"responses": {"200": {"description": "Metrics in the text format of Prometheus", "content": text}}}
    summary = "What Prometheus reads"
    answers, problems = {200: None}, (401, 503, 507)
    return [
        Operation(
            "GET", "/metrics", _metrics, summary, "operations", "anyone", answers, problems=problems, openapi=openapi
        )
    ]


async def _metrics(call: Call) -> Response:
    """With PTOLEMY_METRICS_TOKEN set, for who sends it as a bearer token; else for the server's own host."""
    if not _may_read(call.request, call.services):
        detail = "send PTOLEMY_METRICS_TOKEN as `Authorization: Bearer …`; where none is set, ask from the same host"
        raise Unauthorized("metrics_unauthorized", detail)
    content = generate_latest(REGISTRY) + generate_latest(await observed(call.services.database))
    return Response(content, media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _may_read(request: Request, services: Services) -> bool:
    token = services.metrics_token
    if token is not None:
        _, _, sent = request.headers.get("authorization", "").partition(" ")
        return hmac.compare_digest(sent.strip().encode(), token.encode())
    return services.public_url is None and _is_from_here(request)


def _is_from_here(request: Request) -> bool:
    """Straight from a process of this host: not through a proxy on it, nor from a page that a browser was led to."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    host = request.headers.get("host", "")
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name.lower() in _LOCAL_NAMES and ip_address(request.client.host).is_loopback
