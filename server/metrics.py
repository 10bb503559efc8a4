"""What calls of clients come to, as numbers for Prometheus; never who called, or for what."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from prometheus_client import Gauge

from index.metrics import REGISTRY, SLOW, counter, from_zero, histogram
from server.audit import Outcome

TOOLS = ("search_confluence", "get_page", "answer_question")

CALLS = counter(
    "calls",
    "Calls that have ended, by call (a tool, or a method of MCP) and outcome: ok, not_found, "
    "refused (wrong arguments), limited (too many of one caller), busy (too many of all), failed, "
    "cancelled.",
    "call",
    "outcome",
)
CALL_SECONDS = histogram(
    "call_duration_seconds",
    "How long they took, by call.",
    "call",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
UNDER_WAY = Gauge(
    "confluence_mcp_calls_in_flight", "Calls under way, by call.", ["call"], registry=REGISTRY
)
STRANGERS = counter(
    "calls_without_account",
    "Calls of people of whom the index knows no account: they are shown public pages alone.",
)
ANSWERS = counter("answers", "Answers, by status (answered, not_found, passages_only).", "status")
ANSWER_SECONDS = histogram(
    "answer_duration_seconds",
    "Steps of an answer, by step: searching, answering (the chat model and the check of quotes).",
    "step",
    buckets=SLOW,
)
SESSIONS = Gauge(
    "confluence_mcp_http_sessions",
    "Sessions over HTTP, of clients of the older protocol.",
    registry=REGISTRY,
)
REFUSALS = counter(
    "auth_refusals",
    "Requests that were turned away before MCP, by reason: no token, why the token does not hold, "
    "missing scopes, or that it cannot be checked.",
    "reason",
)

from_zero(CALL_SECONDS, TOOLS)
from_zero(ANSWERS, ("answered", "not_found", "passages_only"))
for _tool in TOOLS:
    for _outcome in Outcome:
        CALLS.labels(_tool, _outcome)


@contextmanager
def call_under_way(call: str) -> Generator[None]:
    """Counts a call among those under way."""
    with UNDER_WAY.labels(call).track_inprogress():
        yield


def call_ended(call: str, outcome: Outcome, seconds: float) -> None:
    """Counts a call, and notes in the trace how it ended."""
    CALLS.labels(call, outcome).inc()
    CALL_SECONDS.labels(call).observe(seconds)
    trace.get_current_span().set_attribute("confluence_mcp.outcome", outcome.value)
