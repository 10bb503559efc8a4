"""A collector of OpenTelemetry over real HTTP on a loopback port, which keeps the spans it gets."""

import gzip
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.served import free_port, served


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it arrived; ids are in hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    has_failed: bool
    said: str
    events: int
    attributes: dict[str, str | int]


@dataclass(slots=True)
class Collector:
    """A running collector: where it is, and what it was sent."""

    url: str
    spans: list[SeenSpan] = field(default_factory=list[SeenSpan])
    bodies: list[bytes] = field(default_factory=list[bytes])
    services: set[str] = field(default_factory=set[str])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that have a process send its spans here, as late as it can."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}

    def named(self, name: str) -> list[SeenSpan]:
        """The spans of a name, in the order in which they ended."""
        return [span for span in self.spans if span.name == name]

    async def receive(self, request: Request) -> Response:
        """Takes a batch."""
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        batch = ExportTraceServiceRequest.FromString(body)
        for resource in batch.resource_spans:
            self.services.add(str(_values(resource.resource.attributes)["service.name"]))
            for scope in resource.scope_spans:
                self.spans += [
                    SeenSpan(
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        kind=span.kind,
                        has_failed=span.status.code == 2,
                        said=span.status.message,
                        events=len(span.events),
                        attributes=_values(span.attributes),
                    )
                    for span in scope.spans
                ]
        return Response(b"", media_type="application/x-protobuf")


def _values(attributes: Iterable[KeyValue]) -> dict[str, str | int]:
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
        for one in attributes
    }


@contextmanager
def otlp_collector() -> Generator[Collector]:
    """A running collector on a free port."""
    with free_port() as (listener, url):
        collector = Collector(url)
        app = Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])
        with served(app, listener):
            yield collector
