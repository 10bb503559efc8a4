"""Spans of OpenTelemetry: what a call spends its time on, never a word of what it is about."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import psycopg
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SpanValue = str | int | float | bool

# Of what comes with a request nothing else goes on to endpoints: baggage may hold anything.
TRACE_CONTEXT = TraceContextTextMapPropagator()

_tracer = trace.get_tracer("confluence-mcp")


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, SpanValue] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    faults: type[BaseException] = BaseException,
) -> Generator[Span]:
    """A span for the length of a `with`; of an error it keeps the class alone, never the text.

    Errors that are no `faults` of what it stands for only pass through.
    """
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except faults as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(StatusCode.ERROR)
            raise


@contextmanager
def query_span(summary: str) -> Generator[Span]:
    """The span of a transaction that reads; `summary` names it, such as "SELECT search"."""
    attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": summary.partition(" ")[0],
        "db.query.summary": summary,
    }
    with span(summary, attributes, kind=SpanKind.CLIENT, faults=psycopg.Error) as current:
        yield current


def passed_on() -> dict[str, str]:
    """The headers (W3C traceparent) by which an endpoint joins this trace; none without one."""
    headers: dict[str, str] = {}
    if trace.get_current_span().is_recording():
        TRACE_CONTEXT.inject(headers)
    return headers
