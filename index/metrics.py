"""What searches and models cost, as numbers for Prometheus; never a word of what was asked."""

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

# Another series for each counter that tells when it began: of no use here.
disable_created_metrics()

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
Info("confluence_mcp_build", "Which version runs.", registry=REGISTRY).info(
    {"version": version("confluence-mcp")}
)

# Seconds. What is over in a moment, what a model takes its time over, and what takes hours.
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
LONG = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200)


def counter(name: str, text: str, *labels: str) -> Counter:
    """A count that only grows; Prometheus sees it as `confluence_mcp_NAME_total`."""
    return Counter(f"confluence_mcp_{name}", text, labels, registry=REGISTRY)


def histogram(name: str, text: str, *labels: str, buckets: Sequence[float] = QUICK) -> Histogram:
    """How long something took, in seconds."""
    return Histogram(f"confluence_mcp_{name}", text, labels, buckets=buckets, registry=REGISTRY)


def from_zero(metric: Counter | Histogram, values: Iterable[str]) -> None:
    """Shows series before anything happened, without which a first failure is no increase."""
    for value in values:
        metric.labels(value)


SEARCHES = counter("searches", "Searches, by hits (some, none).", "hits")
STATEMENTS = counter(
    "search_statements",
    "Runs of the search statement, by route to the chunks: scan of what is permitted, graph of "
    "vectors, phrase; words where no model embedded the question; none where nothing was found.",
    "route",
)
LEG_SECONDS = histogram(
    "search_leg_duration_seconds",
    "Parts of a search, by leg: embedding of the question, statement (the wait for a connection "
    "included), reranking.",
    "leg",
)
RERANKINGS = counter("rerankings", "Results to be reranked, by outcome (done, skipped).", "outcome")
QUESTION_VECTORS = counter(
    "question_embeddings",
    "Vectors of questions, by cache: remembered (hit), asked for by another call just now (shared) "
    "or made (miss).",
    "cache",
)
MODEL_REQUESTS = counter(
    "model_requests",
    "Requests to the endpoints of models, retries within, by operation (embed_question, "
    "embed_passages, chat) and outcome (ok, timeout, unreachable, rate_limited, failed, ...).",
    "operation",
    "outcome",
)
MODEL_SECONDS = histogram(
    "model_request_duration_seconds",
    "How long these requests took, by operation.",
    "operation",
    buckets=SLOW,
)
MODEL_TOKENS = counter(
    "model_tokens",
    "Tokens as these endpoints count them, by operation and direction (input, output).",
    "operation",
    "direction",
)

ROUTES = {"few": "scan", "many": "graph", "phrased": "phrase"}

from_zero(SEARCHES, ("some", "none"))
from_zero(STATEMENTS, (*ROUTES.values(), "words", "none"))
from_zero(LEG_SECONDS, ("embedding", "statement", "reranking"))
from_zero(RERANKINGS, ("done", "skipped"))
from_zero(QUESTION_VECTORS, ("hit", "shared", "miss"))


@contextmanager
def timed(metric: Histogram, label: str) -> Generator[None]:
    """Observes how long a block takes, however it ends."""
    started = time.perf_counter()
    try:
        yield
    finally:
        metric.labels(label).observe(time.perf_counter() - started)
