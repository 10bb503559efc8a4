"""Where spans go: to a collector, as the OTEL_* variables of the environment have it."""

import logging
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

LAST_SPANS_S = 2.0  # seconds that a process which ends has to send them
SERVICE = "confluence-mcp"
HTTP = "http/protobuf"


@contextmanager
def exported() -> Generator[None]:
    """Has spans sent for the length of a `with`, where the environment asks for it.

    Nothing that is wrong with it costs more than the spans: it is logged.
    """
    provider = _provider() if _is_asked_for() else None
    if provider is None:
        yield
        return
    # The exporter complains of each batch that a collector does not take.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    trace.set_tracer_provider(provider)
    with _ended_with_the_process(provider):
        yield


@contextmanager
def _ended_with_the_process(provider: "TracerProvider") -> Generator[None]:
    """Has the last spans sent, also when a signal ends the process as if nobody handled it."""

    def end() -> None:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(LAST_SPANS_S)

    def end_and_die(number: int, _: object) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_and_die)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        end()


def _is_asked_for() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if chosen := os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower():
        if chosen not in ("otlp", "none"):
            logger.warning("OTEL_TRACES_EXPORTER is neither otlp nor none: no traces are sent")
        return chosen == "otlp"
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name, "").strip() for name in names)


def _provider() -> "TracerProvider | None":
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", HTTP
    )
    if protocol != HTTP:
        logger.warning(
            "no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL has to be %s (port 4318)", HTTP
        )
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from index.trace_discretion import Discreet
    except ImportError:
        logger.warning("no traces are sent: install `confluence-mcp[otel]` for them")
        return None
    ours = {"service.name": SERVICE, "service.version": version("confluence-mcp")}
    resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Discreet(OTLPSpanExporter())))
    return provider
