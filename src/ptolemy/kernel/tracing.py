"""Spans of requests, jobs and transactions, where an OpenTelemetry collector is configured; nothing otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ptolemy.kernel.problems import Problem

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

LAST_SPANS_SECONDS = 5
"""How long a process that ends waits for a collector to take the spans of its last moments."""

_working: ContextVar[str | None] = ContextVar("working", default=None)
_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracer: Any = None
"""One a process, like the clock: what is traced lies deep in every room."""


class TracingUnavailable(RuntimeError):
    """Traces are asked for and can't be made; the message says what to install."""


@contextmanager
def traces_to(collector_url: str | None) -> Iterator[None]:
    """Sends spans to the collector (OTLP over HTTP) while the block lasts; without one it does nothing."""
    if collector_url is None:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
    except ImportError:
        raise TracingUnavailable("PTOLEMY_TRACES_URL needs an extra: pip install 'ptolemy-data[otel]'") from None
    # Not the global one: a library that traces by itself would tell what we keep silent about, like signed addresses.
    provider = TracerProvider(resource=Resource.create({"service.name": "ptolemy"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector_url}/v1/traces")))
    with traced_by(provider):
        yield


@contextmanager
def traced_by(provider: TracerProvider) -> Iterator[None]:
    """Makes spans with the provider while the block lasts, and gives it a moment to send what it has at the end."""
    global _tracer  # noqa: PLW0603 - one a process
    _tracer = provider.get_tracer("ptolemy")
    try:
        yield
    finally:
        _tracer = None
        # The SDK would ask a collector that is away for half a minute.
        ending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(LAST_SPANS_SECONDS)


def span(name: str) -> AbstractContextManager[Any]:
    """A span around the block, within that of a request or a job; outside of them, and untraced, nothing."""
    if _tracer is None or _working.get() is None:
        return _NOTHING
    return _current(name)


def request_span(method: str, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
    """A span around a request, within that of the client where its `traceparent` says so (W3C Trace Context)."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    known = TraceContextTextMapPropagator().extract(headers)
    return _outermost(method, context=known, kind=SpanKind.SERVER, attributes={"http.request.method": method})


def job_span(name: str, attributes: Mapping[str, Any], asked_by: str | None) -> AbstractContextManager[Any]:
    """A span around an attempt at a job, in a trace of its own that is linked to what asked for it."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import Link, get_current_span  # noqa: PLC0415 - an extra
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    carrier = {"traceparent": asked_by} if asked_by else {}
    asker = get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
    return _outermost(name, attributes=attributes, links=[Link(asker)] if asker.is_valid else [])


def delivery_span(attributes: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """A span around an attempt to deliver an event to a webhook, in a trace of its own."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra

    return _outermost("webhook delivery", kind=SpanKind.CLIENT, attributes=attributes)


def traceparent() -> str | None:
    """What names the span of this request or job, for work that it asks for; None where nothing is traced."""
    return _working.get()


@contextmanager
def _outermost(name: str, **more: Any) -> Iterator[Any]:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    with _current(name, **more) as current:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        before = _working.set(carrier.get("traceparent"))
        try:
            yield current
        finally:
            _working.reset(before)


@contextmanager
def _current(name: str, **more: Any) -> Iterator[Any]:
    """A span that tells an exception by its type alone: its message may name people, or repeat what somebody sent."""
    silent = {"record_exception": False, "set_status_on_exception": False}
    with _tracer.start_as_current_span(name, **silent, **more) as current:
        try:
            yield current
        except Exception as error:
            if not isinstance(error, Problem):
                describe(current, name, {"error.type": type(error).__name__}, failed=True)
            raise


def is_on() -> bool:
    return _tracer is not None


def describe(current: Any, name: str, attributes: Mapping[str, Any], *, failed: bool) -> None:
    """Gives a span what is known only at its end; one of nothing is left alone."""
    if current is None:
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

    current.update_name(name)
    current.set_attributes(attributes)
    if failed:
        current.set_status(StatusCode.ERROR)
