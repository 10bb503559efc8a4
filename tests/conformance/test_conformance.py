"""The server holds to both revisions of the protocol, as its official suite sees them."""

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from index.settings import IndexSettings
from tests.conformance.suite import Missing, Suite
from tests.conftest import Postgres
from tests.openai_endpoint import openai_endpoint
from tests.server.asking import PROJECT, Variables, variables_for
from tests.server.processes import PATIENCE, environment
from tests.server.wiki import ARTICLES, Wiki, take_in

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the suite; `passed` checks are the least, for a suite that looks at less is none."""

    revision: str
    connections: bool
    passed: int

    @property
    def expected(self) -> Path:
        """What may fail."""
        kind = "-connections" if self.connections else ""
        return HERE / f"expected-{self.revision}{kind}.yml"


RUNS = [Run("2026-07-28", False, 130), Run("2025-11-25", False, 50), Run("2025-11-25", True, 60)]


@pytest.fixture(scope="module")
def variables(postgres: Postgres, migrated_template: str) -> Generator[Variables]:
    """The environment of a server over the small wiki."""
    with postgres.copy_of(migrated_template) as name, openai_endpoint() as endpoint:
        variables = variables_for(postgres.url(name), endpoint)
        settings = IndexSettings.model_validate(variables.as_fields())
        with start_blocking_portal() as portal:
            portal.call(take_in, settings, Wiki(ARTICLES))
        yield variables


@contextmanager
def serving(variables: Variables, folder: Path, *options: str) -> Generator[str]:
    """The address of a server that has what the suite calls, too."""
    with (
        (folder / "stderr.log").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.serve", *options],
            cwd=PROJECT,
            env=environment(variables.as_environment()),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/healthz", timeout=PATIENCE).is_success
            yield f"{url}/mcp"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def suite() -> Suite:
    """The suite; where it cannot be had, that is an error in CI alone."""
    try:
        return Suite.installed()
    except Missing as error:
        if os.environ.get("CI") or os.environ.get("CONFORMANCE_SUITE"):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("one", RUNS, ids=lambda one: one.expected.stem)
def test_the_server_passes_the_official_suite(
    suite: Suite, variables: Variables, tmp_path: Path, one: Run
) -> None:
    options = ["connections"] if one.connections else []

    with serving(variables, tmp_path, *options) as url:
        outcome = suite.run(url, one.revision, one.expected, tmp_path / "out")

    print(f"\n{one.expected.stem}: {dict(outcome.checks)}")
    assert outcome.is_as_expected, outcome.log[-8_000:]
    assert outcome.checks["SUCCESS"] >= one.passed


@pytest.mark.parametrize("one", RUNS, ids=lambda one: one.expected.stem)
def test_every_expected_failure_has_a_reason(one: Run) -> None:
    lines = one.expected.read_text().splitlines()

    entries = [line for line in lines if line.startswith("  - ")]

    assert entries
    for line in entries:
        assert re.search(r" # \w.{15}", line), line
