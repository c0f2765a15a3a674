"""Traces of jobs, sent to an OpenTelemetry collector where one is set: a job's id is its trace's id.

So messages and rows carry nothing more: whoever knows the job, in whatever process, adds to its trace; and who has a
job's id finds its trace. Without a collector nothing of this costs more than a look.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from common.names import VERSION
from common.settings import Settings

Attribute = str | int | float | bool

SERVICE_VARIABLE: Final = "OTEL_SERVICE_NAME"
"""OpenTelemetry's own: where a service's name is looked for."""
EXPORT_TIMEOUT_S: Final = 5.0
"""A collector that takes longer to answer counts as away, in seconds: its spans are let go."""
NANO: Final = 1e9

_next_ids: ContextVar[tuple[int, int] | None] = ContextVar("next_ids", default=None)
"""The trace and the span of the next span, where they are not drawn."""


def name_service(service: str) -> None:
    """Say which of Nurie's this process and those that it starts are: nurie-api, nurie-control, nurie-cgan, …"""
    os.environ.setdefault(SERVICE_VARIABLE, service)


def start_tracing(settings: Settings) -> None:
    """Send this process's spans to `NURIE_OTLP_ENDPOINT`; does nothing where none is set. Not before a fork."""
    if settings.otlp_endpoint is None:
        return
    # Half a second of imports, for those alone who have a collector.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    class JobIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return ids[0] if (ids := _next_ids.get()) else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return ids[1] if (ids := _next_ids.get()) else super().generate_span_id()

    # By the trace's id alone, of which the last 80 bits are random: all processes choose the same jobs.
    provider = TracerProvider(
        sampler=TraceIdRatioBased(settings.trace_ratio),
        resource=Resource.create({"service.version": VERSION}),  # and what OTEL_… says
        id_generator=JobIds(),
    )
    exporter = OTLPSpanExporter(f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def stop_tracing() -> None:
    """Send what has not been sent; for processes that leave without Python's own end."""
    provider = trace.get_tracer_provider()
    if hasattr(provider, "shutdown"):
        provider.shutdown()


@contextmanager
def job_span(name: str, job_id: str, **attributes: Attribute) -> Iterator[Span]:
    """A span of a job's trace around what is done inside."""
    context = trace.set_span_in_context(NonRecordingSpan(_root(job_id)))
    with _tracer().start_as_current_span(name, context, attributes={"nurie.job": job_id, **_named(attributes)}) as span:
        yield span


def part_span(name: str) -> AbstractContextManager[object]:
    """A span inside the one that is open; none where none is."""
    if not trace.get_current_span().is_recording():
        return nullcontext()
    return _tracer().start_as_current_span(name)


def record_request(name: str, job_id: str, started_at: float, status: int) -> None:
    """Note a request about a job that has been answered; `started_at` in seconds since 1970."""
    context = trace.set_span_in_context(NonRecordingSpan(_root(job_id)))
    attributes: dict[str, Attribute] = {"nurie.job": job_id, "http.response.status_code": status}
    span = _tracer().start_span(
        name, context, SpanKind.SERVER, attributes=attributes, start_time=int(started_at * NANO)
    )
    span.end()


def record_job(job_id: str, started_at: float, outcome: str) -> None:
    """Note that a job has ended: the span that all of its others lie in. `started_at` in seconds since 1970."""
    root = _root(job_id)
    token = _next_ids.set((root.trace_id, root.span_id))
    try:
        span = _tracer().start_span(
            "job",
            trace.set_span_in_context(trace.INVALID_SPAN),
            attributes={"nurie.job": job_id, "nurie.outcome": outcome},
            start_time=int(started_at * NANO),
        )
    finally:
        _next_ids.reset(token)
    span.end(int(time.time() * NANO))


def _root(job_id: str) -> SpanContext:
    """Where a job's spans hang, the same in every process."""
    span_id = int(hashlib.sha256(job_id.encode()).hexdigest()[:16], 16)
    return SpanContext(int(job_id, 16), span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _tracer() -> trace.Tracer:
    return trace.get_tracer("nurie", VERSION)


def _named(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {f"nurie.{name}": value for name, value in attributes.items()}
