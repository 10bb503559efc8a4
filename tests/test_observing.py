"""Dashboard, alerts and the page about them name what the program really tells Prometheus."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.core import Metric

import ingest.metrics
import server.metrics
from index.metrics import REGISTRY
from index.metrics_collector import IndexCollector
from tests.command import ROOT

OPS = ROOT / "ops"
EXPRESSION = re.compile(r'"expr": ("(?:[^"\\]|\\.)*")')
NAME = re.compile(r"\b(?:confluence_mcp|process)_[a-z_]+")
ENDS = {"counter": "_total", "info": "_info"}
OF_HISTOGRAM = ("_bucket", "_count", "_sum")
assert server.metrics and ingest.metrics  # what they count is in the registry


async def _nowhere() -> str:
    return ""


def families() -> Iterator[Metric]:
    """All that any process tells."""
    yield from REGISTRY.collect()
    yield from IndexCollector(_nowhere).collect()


def exported() -> set[str]:
    """The names of all series."""
    return {
        family.name + end
        for family in families()
        for end in (OF_HISTOGRAM if family.type == "histogram" else [ENDS.get(family.type, "")])
    }


def rows() -> list[str]:
    """The lines of the table of metrics."""
    ours = [family for family in families() if family.name.startswith("confluence_mcp_")]
    return sorted(
        f"| `{family.name}{ENDS.get(family.type, '')}` | {family.type} | {family.documentation} |"
        for family in ours
    )


def test_the_page_has_every_metric() -> None:
    page = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")

    assert [line for line in page.splitlines() if line.startswith("| `confluence_mcp_")] == rows()


def test_the_dashboard_asks_for_nothing_that_is_not_told() -> None:
    text = (OPS / "grafana" / "confluence-mcp.json").read_text(encoding="utf-8")
    expressions = [json.loads(found) for found in EXPRESSION.findall(text)]
    names = {name for expression in expressions for name in NAME.findall(expression)}

    assert len(expressions) > 40
    assert names <= exported()


def test_the_alerts_ask_for_nothing_that_is_not_told() -> None:
    text = (OPS / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    names = {name for name in NAME.findall(text) if "confluence_mcp" in name}

    assert len(names) > 8
    assert names <= exported()


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((OPS / "grafana" / "confluence-mcp.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    shown = [panel for panel in panels if panel["type"] != "row"]
    variables = [one["name"] for one in dashboard["templating"]["list"]]
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]

    assert dashboard["uid"] == "confluence-mcp" and dashboard["schemaVersion"] >= 39
    assert variables == ["datasource", "job"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in shown)
    assert all(panel["targets"] and panel["title"] for panel in shown)
    assert all(x + w <= 24 for x, _, w, _ in places) and not list(_overlaps(places))


def _overlaps(places: list[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    for number, (x, y, w, h) in enumerate(places):
        for ox, oy, ow, oh in places[:number]:
            if x < ox + ow and ox < x + w and y < oy + oh and oy < y + h:
                yield x, y


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
)
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")
def test_prometheus_takes_the_rules(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=OPS / "prometheus", capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
