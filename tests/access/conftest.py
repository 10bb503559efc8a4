"""Servers over one index for the tests of a file, which ask callers for tokens of one issuer."""

from collections.abc import AsyncGenerator, Generator

import pytest

from index.settings import IndexSettings
from ingest.sources.source import Deployment
from tests.access.asked_wiki import Doors, doors
from tests.access.office import Office, opened_office
from tests.conftest import Postgres
from tests.openai_endpoint import openai_endpoint
from tests.server.asking import variables_for
from tests.server.signing import Issuer, issuer


@pytest.fixture(scope="module")
def identity_provider() -> Generator[Issuer]:
    """Signs the tokens of everybody."""
    with issuer() as provider:
        yield provider


@pytest.fixture(scope="module")
def shared_settings(postgres: Postgres, migrated_template: str) -> Generator[IndexSettings]:
    """An index that is filled anew by each test, and an endpoint that embeds texts by words."""
    with postgres.copy_of(migrated_template) as name, openai_endpoint() as endpoint:
        variables = variables_for(postgres.url(name), endpoint)
        yield IndexSettings.model_validate(variables.as_fields())


@pytest.fixture(scope="module")
async def open_doors(
    shared_settings: IndexSettings, identity_provider: Issuer
) -> AsyncGenerator[Doors]:
    """Servers over that index."""
    async with doors(shared_settings, identity_provider) as opened:
        yield opened


@pytest.fixture
async def office(open_doors: Doors) -> AsyncGenerator[Office]:
    """A small office on Cloud."""
    async with opened_office(open_doors, Deployment.CLOUD) as office:
        yield office


@pytest.fixture(params=Deployment)
async def any_office(request: pytest.FixtureRequest, open_doors: Doors) -> AsyncGenerator[Office]:
    """The same on either kind of Confluence."""
    async with opened_office(open_doors, request.param) as office:
        yield office
