"""The server holds to both revisions of the protocol, as its official suite sees them."""

import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from bundle.npm import Missing
from index.settings import IndexSettings
from tests.conformance.suite import Outcome, Suite
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
    passed: int
    has_sessions: bool = False

    @property
    def name(self) -> str:
        """What is run, in short."""
        return f"{self.revision}{'-sessions' if self.has_sessions else ''}"

    @property
    def expected(self) -> Path | None:
        """What may fail; with sessions nothing may."""
        return None if self.has_sessions else HERE / f"expected-{self.revision}.yml"


RUNS = [Run("2026-07-28", 150), Run("2025-11-25", 50), Run("2025-11-25", 70, has_sessions=True)]


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
def serving(variables: Variables, log: Path, *options: str) -> Generator[str]:
    """The address of a server that has what the suite calls, too."""
    with (
        log.open("w") as errors,
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


@pytest.fixture(scope="module")
def outcomes(
    suite: Suite, variables: Variables, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Run, Outcome]:
    """How all runs end, which for the most part wait: side by side they take as long as one."""
    folder = tmp_path_factory.mktemp("conformance")
    with (
        serving(variables, folder / "alone.log") as alone,
        serving(variables, folder / "sessions.log", "sessions") as with_sessions,
        ThreadPoolExecutor() as threads,
    ):
        running = {
            one: threads.submit(
                suite.run,
                with_sessions if one.has_sessions else alone,
                one.revision,
                one.expected,
                folder / one.name,
            )
            for one in RUNS
        }
        return {one: future.result() for one, future in running.items()}


@pytest.mark.parametrize("one", RUNS, ids=lambda one: one.name)
def test_the_server_passes_the_official_suite(outcomes: Mapping[Run, Outcome], one: Run) -> None:
    outcome = outcomes[one]

    print(f"\n{one.name}: {dict(outcome.checks)}")
    assert outcome.is_as_expected, outcome.log[-8_000:]
    assert outcome.checks["SUCCESS"] >= one.passed


@pytest.mark.parametrize("expected", sorted(HERE.glob("expected-*.yml")), ids=lambda one: one.stem)
def test_every_expected_failure_has_a_reason(expected: Path) -> None:
    lines = expected.read_text().splitlines()

    entries = [line for line in lines if line.startswith("  - ")]

    assert entries
    for line in entries:
        assert re.search(r" # \w.{15}", line), line
