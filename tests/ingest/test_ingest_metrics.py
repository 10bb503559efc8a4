"""What a worker tells of its work, to Prometheus and to a collector of traces."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from index.database import Database
from index.settings import IndexSettings
from tests.command import Command
from tests.confluence.faults import rate_limited
from tests.confluence.samples import filled_site
from tests.ingest.wiki import wiki_of
from tests.ingest.worker_hosts import is_idle, rows, until
from tests.otlp_collector import otlp_collector
from tests.scrapes import Numbers, free_port

pytestmark = pytest.mark.anyio

PAGES = 12
STORED = "SELECT count(*) FROM page"


async def _is_done(database: Database) -> bool:
    return await rows(database, STORED) == [(PAGES,)] and await is_idle(database)


async def test_a_worker_tells_of_requests_pages_jobs_and_batches(
    database: Database, index_settings: IndexSettings, tmp_path: Path
) -> None:
    port = free_port()
    site = filled_site({"ENG": PAGES})
    site.clock.now = datetime.now(UTC)
    with otlp_collector() as collector:
        async with wiki_of(site, index_settings, database) as wiki:
            wiki.faults.add(rate_limited(retry_after=1), "*/api/v2/spaces")
            command = wiki.command(tmp_path)
            told = {"METRICS_PORT": str(port), "LOG_FORMAT": "json", **collector.environment}
            worker = Command(command.folder, {**command.variables, **told})
            with worker.begin("worker", "--every", "1d") as process:
                await until(lambda: _is_done(database))
                text = ""
                async with httpx.AsyncClient() as http:
                    while "index_pages{" not in text:
                        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
                process.terminate()
                _, said = process.communicate(timeout=60)

    numbers = Numbers(text)
    assert process.returncode == 0, said
    loggers = {json.loads(line)["logger"] for line in said.splitlines()}
    assert {"ingest.jobs", "ingest.sources.http"} <= loggers
    assert numbers("ingest_pages_total", outcome="stored") == PAGES
    assert numbers("ingest_chunks_total") >= PAGES
    assert numbers("ingest_runs_total", kind="look", outcome="succeeded") == 1
    assert numbers("ingest_runs_total", kind="batch", outcome="succeeded") == 1
    assert numbers("confluence_requests_total", status="200") > PAGES
    assert numbers("confluence_requests_total", status="429") == 1
    assert numbers("confluence_pauses_total") == 1
    assert numbers("confluence_pause_seconds_total") == 1
    assert numbers("model_requests_total", operation="embed_passages", outcome="ok") >= 1
    assert numbers("index_pages", site=wiki.scene.base_url) == PAGES
    assert numbers("queue_workers") == 1
    assert numbers("queue_jobs", state="waiting") == 0
    assert numbers("queue_jobs", state="failed") == 0
    assert numbers("queue_oldest_job_seconds") == 0
    assert numbers("pool_connections_most", pool="worker") > 1
    (batch,) = collector.named("ingest batch")
    below = {span.name for span in collector.spans if span.parent_id == batch.span_id}
    assert below == {"ingest convert", "ingest embed", "ingest write"}
    (embed,) = collector.named("ingest embed")
    assert embed.attributes == {"confluence_mcp.pages": PAGES}
    assert {one.trace_id for one in collector.named("embeddings words")} >= {batch.trace_id}
    assert len(collector.named("ingest look")) == 1
