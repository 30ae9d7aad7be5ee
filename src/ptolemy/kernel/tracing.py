"""Spans of requests, jobs and transactions, where an OpenTelemetry collector is configured; nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

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
    provider = TracerProvider(resource=Resource.create({"service.name": "ptolemy"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector_url}/v1/traces")))
    with traced_by(provider):
        yield


@contextmanager
def traced_by(provider: TracerProvider) -> Iterator[None]:
    """Makes spans with the provider while the block lasts, and lets it send what it has at the end."""
    global _tracer  # noqa: PLW0603 - one a process
    _tracer = provider.get_tracer("ptolemy")
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def span(name: str) -> AbstractContextManager[Any]:
    """A span around the block, within that of the request or the job; costs a look where nothing is traced."""
    if _tracer is None:
        return _NOTHING
    return _tracer.start_as_current_span(name)  # type: ignore[no-any-return] # not typed for its absence


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


def traceparent() -> str | None:
    """What names the span of this request or job, for work that it asks for; None where nothing is traced."""
    return _working.get()


@contextmanager
def _outermost(name: str, **more: Any) -> Iterator[Any]:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    with _tracer.start_as_current_span(name, **more) as current:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        before = _working.set(carrier.get("traceparent"))
        try:
            yield current
        finally:
            _working.reset(before)


def is_on() -> bool:
    return _tracer is not None


def describe(current: Any, name: str, attributes: Mapping[str, Any], *, failed: bool) -> None:
    """Gives the span of `request_span` what is known only at its end."""
    if current is None:
        return
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

    current.update_name(name)
    current.set_attributes(attributes)
    if failed:
        current.set_status(StatusCode.ERROR)
