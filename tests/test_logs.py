"""The log as a machine reads it: from the formatter, and from processes of their own."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from confluence_mcp.logs import JsonFormatter
from ingest.settings import SAMPLE_SPACE
from tests.command import Command
from tests.openai_endpoint import openai_endpoint
from tests.scrapes import Numbers, free_port

SENTINEL = "hunter2-hunter2-hunter2"


def told(template: str, *values: object) -> dict[str, object]:
    """What becomes of a log call."""
    record = logging.LogRecord("a.logger", logging.INFO, "", 1, template, values, None)
    return json.loads(JsonFormatter().format(record))


@pytest.mark.parametrize(
    ("template", "values", "facts"),
    [
        ("run=%d pages=%d due", (7, 25), {"run": 7, "pages": 25}),
        ("seconds=%.1f share=%g", (1.25001, 0.5), {"seconds": 1.3, "share": 0.5}),
        ("title=%r by=%s", ("a b", None), {"title": "'a b'", "by": None}),
        ("is=%s lag=%.1f", (True, float("inf")), {"is": True, "lag": "inf"}),
        ("100%% of pages=%d at %s", (3, "noon"), {"pages": 3}),
        ("nothing to see", (), {}),
        ("%s model=%s", ("first", "words"), {"model": "words"}),
    ],
)
def test_facts_are_fields(
    template: str, values: Sequence[object], facts: dict[str, object]
) -> None:
    line = told(template, *values)

    fixed = {"ts", "level", "logger", "message"}
    assert {name: value for name, value in line.items() if name not in fixed} == facts
    assert line["message"] == template % tuple(values)


def test_no_fact_takes_the_place_of_what_each_line_has() -> None:
    line = told("level=%s message=%s ts=%d", "low", "none", 0)

    assert (line["level"], line["logger"]) == ("INFO", "a.logger")
    assert str(line["message"]).startswith("level=low")


def test_an_exception_stays_in_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, "", 1, "failed", None, info)

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: two\nlines")


def lines_of(text: str) -> Iterator[dict[str, object]]:
    """Each line as an object; whatever is none fails."""
    for line in text.splitlines():
        yield json.loads(line)


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("worker", "--every", "1d")],
)
def test_what_is_wrong_is_a_line_like_any_other(arguments: tuple[str, ...], tmp_path: Path) -> None:
    url = f"postgresql://somebody:{SENTINEL}@127.0.0.1:9/none"
    command = Command(tmp_path, {"LOG_FORMAT": "json", "POSTGRES_URL": url})

    done = command.run(*arguments)

    (*_, last) = lines_of(done.stderr)
    assert done.returncode in (1, 2)
    assert last["level"] == "ERROR" and last["logger"] == "confluence_mcp"
    assert re.search("No Postgres listens|CONFLUENCE_URL", str(last["message"]))
    assert SENTINEL not in done.stderr


def test_a_wrong_setting_of_the_log_is_told_with_the_others(tmp_path: Path) -> None:
    command = Command(tmp_path, {"LOG_FORMAT": "yaml", "LOG_LEVEL": "loud", "METRICS_PORT": "0"})

    done = command.run("status")

    assert done.returncode == 2
    assert all(name in done.stderr for name in ("LOG_FORMAT", "LOG_LEVEL", "METRICS_PORT"))


def test_an_ingest_that_keeps_running_logs_in_json_and_is_scraped(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    with openai_endpoint() as endpoint:
        command = Command(
            tmp_path,
            {
                "LOG_FORMAT": "json",
                "LOG_LEVEL": "info",
                "POSTGRES_URL": database_url,
                "OPENAI_BASE_URL": endpoint.url,
                "OPENAI_API_KEY": SENTINEL,
                "EMBEDDING_MODEL": "words",
                "METRICS_PORT": str(port),
            },
        )
        export = str(SAMPLE_SPACE / "OPS")
        with command.begin("ingest", "--export", export, "--every", "1d") as process:
            assert process.stderr is not None
            said: list[str] = []
            while not said or "next_run" not in json.loads(said[-1]):
                said.append(process.stderr.readline())
            numbers = Numbers(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
            process.terminate()
            _, rest = process.communicate(timeout=60)

    lines = list(lines_of("".join(said) + rest))
    times = [datetime.fromisoformat(str(line["ts"])) for line in lines]
    assert process.returncode == 0
    assert times == sorted(times) and all(str(line["ts"]).endswith("Z") for line in lines)
    assert {"index.metrics_listener", "ingest.schedule", "confluence_mcp"} <= {
        line["logger"] for line in lines
    }
    assert {"port": port, "path": "/metrics"}.items() <= lines[0].items() | lines[1].items()
    assert lines[-1]["message"] == "Stopped."
    assert SENTINEL not in "".join(said) + rest
    assert numbers("ingest_runs_total", kind="run", outcome="succeeded") == 1
    assert numbers("ingest_pages_total", outcome="stored") > 10
    assert numbers("ingest_pages_total", outcome="failed") == 0
    assert numbers("pool_connections_most", pool="ingest") == 8
