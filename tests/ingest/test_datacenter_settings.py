"""Which settings lead to a Data Center, and which contradict each other."""

from pathlib import Path

import pytest

from index.errors import ConfigurationError
from index.principals import group
from ingest.settings import IngestSettings, source_from
from ingest.sources.cloud import CloudSource
from ingest.sources.datacenter import DataCenterSource, datacenter_site_url
from tests.confluence.accounts import TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import serve_datacenter
from tests.confluence.samples import filled_site

pytestmark = pytest.mark.anyio

URL = {"CONFLUENCE_URL": "https://wiki.example.com/confluence"}
PERSONAL = {"CONFLUENCE_PERSONAL_TOKEN": "personal-token"}
LOGIN = {"CONFLUENCE_USERNAME": "indexer", "CONFLUENCE_API_TOKEN": "secret-token"}
DATACENTER = {"CONFLUENCE_DEPLOYMENT": "datacenter"}
CLOUD = {"CONFLUENCE_DEPLOYMENT": "cloud"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment of the machine nor its .env is read."""
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def loaded(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> IngestSettings:
    """The settings of these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return IngestSettings.load()


@pytest.mark.parametrize(
    "variables",
    [
        PERSONAL,
        PERSONAL | DATACENTER,
        PERSONAL | {"CONFLUENCE_USERNAME": "indexer"},
        PERSONAL | {"CONFLUENCE_API_TOKEN": " "},
        LOGIN | DATACENTER,
    ],
)
async def test_credentials_lead_to_a_data_center(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    settings = loaded(monkeypatch, URL | variables)

    async with source_from(settings) as source:
        assert isinstance(source, DataCenterSource)
        assert source.site_url == "https://wiki.example.com/confluence"

    assert "personal-token" not in repr(settings)


async def test_cloud_may_be_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    site = {"CONFLUENCE_URL": "https://example.atlassian.net"}

    async with source_from(loaded(monkeypatch, site | LOGIN | CLOUD)) as source:
        assert isinstance(source, CloudSource)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (URL | PERSONAL | LOGIN, {*PERSONAL, "CONFLUENCE_API_TOKEN"}),
        (URL | PERSONAL | LOGIN | DATACENTER, {*PERSONAL, "CONFLUENCE_API_TOKEN"}),
        (URL | PERSONAL | CLOUD, {*PERSONAL, *CLOUD, *LOGIN}),
        (URL | DATACENTER, set(PERSONAL)),
        (PERSONAL, set(URL)),
        (DATACENTER, {*URL, *PERSONAL}),
        (URL | DATACENTER | {"CONFLUENCE_USERNAME": "indexer"}, set(PERSONAL)),
        (URL | DATACENTER | {"CONFLUENCE_API_TOKEN": "t"}, {"CONFLUENCE_USERNAME"}),
        ({"CONFLUENCE_URL": "https://example.atlassian.net/wiki"} | PERSONAL, {*URL, *LOGIN}),
        (URL | {"CONFLUENCE_PERSONAL_TOKEN": "“token”"}, set(PERSONAL)),
        (URL | {"CONFLUENCE_PERSONAL_TOKEN": "to ken"}, set(PERSONAL)),
    ],
)
def test_missing_and_contradictory_variables_are_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: set[str]
) -> None:
    settings = loaded(monkeypatch, variables)

    with pytest.raises(ConfigurationError) as caught:
        source_from(settings)

    assert {name for name in named if name not in str(caught.value)} == set()
    assert "personal-token" not in str(caught.value)
    assert "secret-token" not in str(caught.value)


def test_another_deployment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"CONFLUENCE_DEPLOYMENT.*datacenter"):
        loaded(monkeypatch, {"CONFLUENCE_DEPLOYMENT": "server"})


async def test_groups_that_may_use_the_site_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = {"CONFLUENCE_PERSONAL_TOKEN": TOKEN, "CONFLUENCE_SITE_GROUPS": " Staff ,, partners"}

    with serve_datacenter(filled_site({"ENG": 1}), edition=Edition("8.5.4")) as base_url:
        settings = loaded(monkeypatch, real | {"CONFLUENCE_URL": base_url})
        async with source_from(settings) as source:
            readers = await source.access.site_readers()

    assert readers == {group("staff"), group("partners")}


@pytest.mark.parametrize("variables", [PERSONAL, LOGIN | DATACENTER])
async def test_a_site_is_read_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    real = {name: TOKEN if name.endswith("_TOKEN") else value for name, value in variables.items()}

    with serve_datacenter(filled_site({"ENG": 1}), edition=Edition(context="/wiki")) as base_url:
        settings = loaded(monkeypatch, real | {"CONFLUENCE_URL": f"{base_url}/"})
        async with source_from(settings) as source:
            spaces = await source.spaces()

    assert [space.key for space in spaces] == ["ENG"]


@pytest.mark.parametrize(
    "given",
    [
        "https://wiki.example.com/confluence",
        " wiki.example.com/confluence// ",
        "https://wiki.example.com/confluence/display/ENG/Plans+and+more",
        "https://wiki.example.com/confluence/pages/viewpage.action?pageId=12",
        "https://wiki.example.com/confluence/spaces/ENG/pages/12/Plans",
        "https://wiki.example.com/confluence/dashboard.action#all-updates",
        "https://wiki.example.com/confluence/x/AbCd",
        "https://wiki.example.com/confluence/rest/api",
    ],
)
def test_the_base_url_is_taken_from_the_address_of_a_page(given: str) -> None:
    assert datacenter_site_url(given) == "https://wiki.example.com/confluence"


@pytest.mark.parametrize(
    "given",
    [
        "https://wiki.example.com",
        "https://wiki.example.com:8443/",
        "https://example.com/display",
        "https://example.com/x",
        "http://127.0.0.1:8090/confluence",
        "http://localhost:8090",
    ],
)
def test_the_base_url_may_have_any_path_or_none(given: str) -> None:
    assert datacenter_site_url(given) == given.rstrip("/")


@pytest.mark.parametrize(
    "given",
    [
        "http://wiki.example.com/confluence",
        "https://user:secret-token@wiki.example.com",
        "https://example.atlassian.net/wiki",
        "ftp://wiki.example.com",
    ],
)
def test_addresses_that_no_token_may_be_sent_to_are_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_URL") as caught:
        datacenter_site_url(given)

    assert "secret-token" not in str(caught.value)
