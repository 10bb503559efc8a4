"""Settings of the writing side, and the source that they lead to."""

from pathlib import Path

import pytest

from index.errors import ConfigurationError
from ingest.settings import (
    SAMPLE_SITE,
    SAMPLE_SPACE,
    UNNAMED_SITE,
    IngestSettings,
    SpaceFilter,
    source_from,
)
from ingest.sources.cloud import CloudSource, cloud_site_url
from ingest.sources.export import ExportSource

pytestmark = pytest.mark.anyio

COMPLETE = {
    "CONFLUENCE_URL": "https://example.atlassian.net",
    "CONFLUENCE_USERNAME": "indexer@example.com",
    "CONFLUENCE_API_TOKEN": "secret-token",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment of the machine nor its .env is read."""
    for name in IngestSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> IngestSettings:
    """The settings of these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return IngestSettings.load()


async def test_credentials_lead_to_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **COMPLETE)

    async with source_from(settings) as source:
        assert isinstance(source, CloudSource)
        assert source.site_url == "https://example.atlassian.net/wiki"
        assert source.is_whole_site

    assert "secret-token" not in repr(settings)


@pytest.mark.parametrize("missing", [*COMPLETE, None])
def test_each_missing_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: str | None
) -> None:
    given = {name: value for name, value in COMPLETE.items() if missing and name != missing}
    settings = loaded(monkeypatch, **given)

    with pytest.raises(ConfigurationError) as caught:
        source_from(settings)

    for name in COMPLETE:
        assert (name in str(caught.value)) == (name not in given)


async def test_an_export_needs_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = loaded(monkeypatch, CONFLUENCE_URL="http://wiki.example.com/confluence")

    async with source_from(settings, tmp_path) as source:
        assert isinstance(source, ExportSource)
        assert source.site_url == "http://wiki.example.com/confluence"
        assert not source.is_whole_site


async def test_an_export_of_an_unnamed_site_is_taken_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with source_from(loaded(monkeypatch), tmp_path) as source:
        assert source.site_url == UNNAMED_SITE

    (record,) = caplog.records
    assert "CONFLUENCE_URL" in record.message


@pytest.mark.parametrize("folder", [".", "ENG"])
async def test_the_sample_space_is_of_its_own_site_whatever_is_set(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    settings = loaded(monkeypatch, **COMPLETE)

    async with source_from(settings, SAMPLE_SPACE / folder) as source:
        assert source.site_url == SAMPLE_SITE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SpaceFilter(frozenset(), frozenset())),
        ("ENG", SpaceFilter(frozenset({"eng"}), frozenset())),
        (" ENG , ~ada,,-HR ", SpaceFilter(frozenset({"eng", "~ada"}), frozenset({"hr"}))),
        ("-HR,-OPS", SpaceFilter(frozenset(), frozenset({"hr", "ops"}))),
        ('["ENG"]', SpaceFilter(frozenset({'["eng"]'}), frozenset())),
    ],
)
def test_space_keys_are_a_comma_list(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: SpaceFilter
) -> None:
    settings = loaded(monkeypatch, CONFLUENCE_SPACES=text)

    assert settings.space_filter == expected


def test_excluded_spaces_are_left_out_of_what_is_included() -> None:
    everything = SpaceFilter(frozenset(), frozenset({"hr"}))
    some = SpaceFilter(frozenset({"eng", "hr"}), frozenset({"hr"}))

    assert [everything.admits(key) for key in ("ENG", "OPS", "HR")] == [True, True, False]
    assert [some.admits(key) for key in ("ENG", "OPS", "HR")] == [True, False, False]


@pytest.mark.parametrize(
    "given",
    [
        "https://example.atlassian.net",
        "https://example.atlassian.net/",
        "https://example.atlassian.net/wiki",
        "https://example.atlassian.net/wiki//",
        "https://example.atlassian.net/wiki/spaces/ENG/overview?x=1",
        " example.atlassian.net/wiki ",
    ],
)
def test_the_site_address_is_taken_in_every_usual_form(given: str) -> None:
    assert cloud_site_url(given) == "https://example.atlassian.net/wiki"


@pytest.mark.parametrize("given", ["http://127.0.0.1:8090", "http://localhost:8090/wiki"])
def test_plain_http_is_for_this_machine(given: str) -> None:
    assert cloud_site_url(given) == f"{given.removesuffix('/wiki')}/wiki"


@pytest.mark.parametrize(
    "given",
    [
        "http://example.atlassian.net/wiki",
        "http://127.0.0.1.example.com/wiki",
        "http://localhost@example.com/wiki",
        "https://user:secret-token@example.atlassian.net/wiki",
        "https://example.atlassian.net/jira",
        "https://api.atlassian.com/ex/confluence/1/wiki",
        "https://example.atlassian.net:port/wiki",
        "file:///etc/passwd",
        "https://",
    ],
)
def test_addresses_that_no_token_may_be_sent_to_are_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_URL") as caught:
        cloud_site_url(given)

    assert "secret-token" not in str(caught.value)
