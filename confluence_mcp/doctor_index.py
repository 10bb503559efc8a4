"""The doctor on the index: what it holds, how old that is, what failed, which model filled it."""

from datetime import datetime, timedelta

from confluence_mcp.doctor_finding import Finding, some
from index.embedder_choice import chosen_model
from index.settings import IndexSettings
from index.status import Status

OLD = timedelta(days=7)  # without a run that succeeded


def examine_index(status: Status, settings: IndexSettings, now: datetime) -> list[Finding]:
    """Whether it is filled, by the model that is set, and lately; and what could not be read."""
    if status.model is None:
        return [Finding("index", False, "it is empty: run `confluence-mcp ingest`")]
    return [_state(status, now), *_failures(status), *_model(status, settings)]


def _state(status: Status, now: datetime) -> Finding:
    pages = sum(space.pages for space in status.spaces)
    text = f"{pages:,} pages in {len(status.spaces)} spaces, embedded by {status.model}"
    if not status.runs or status.runs[0].succeeded is not True:
        if status.is_running:
            return Finding("index", True, f"{text}; a run is under way")
        return Finding("index", False, f"{text}; the last run failed: see `confluence-mcp status`")
    finished = status.runs[0].finished_at or now
    text = f"{text}; last run {finished:%Y-%m-%d %H:%M %Z}"
    if now - finished > OLD:
        days = (now - finished).days
        return Finding("index", False, f"{text}, {days} days ago: run `confluence-mcp ingest`")
    return Finding("index", True, text)


def _failures(status: Status) -> list[Finding]:
    count = sum(space.failures for space in status.spaces)
    if not count:
        return []
    where = some([space.key for space in status.spaces if space.failures])
    text = (
        f"{count} pages could not be taken in (in {where}), and are tried again by each run: "
        "`confluence-mcp status` names them and why"
    )
    return [Finding("failures", False, text)]


def _model(status: Status, settings: IndexSettings) -> list[Finding]:
    chosen = chosen_model(settings, status.model)
    if chosen == status.model:
        return []
    text = (
        f"EMBEDDING_MODEL is {chosen}, but {status.model} filled the index, and embeds the "
        f"questions: unset it, or run `confluence-mcp reindex --embedding-model {chosen}`"
    )
    return [Finding("model", False, text)]
