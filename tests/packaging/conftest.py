"""Wheel and sdist, built once for all files that install them."""

from pathlib import Path

import pytest

from tests.packaging.installed import build


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel there."""
    return next(dist.glob("*.whl"))
