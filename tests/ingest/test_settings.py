"""Settings of the writing side, and the source that they lead to."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from index.errors import AuthenticationError, ConfigurationError
from ingest.settings import (
    SAMPLE_SITE,
    SAMPLE_SPACE,
    UNNAMED_SITE,
    IngestSettings,
    SpaceFilter,
    source_from,
)
from ingest.sources.cloud import CloudSource, cloud_site_url
from ingest.sources.datacenter import DataCenterSource
from ingest.sources.directory import WithDirectory
from ingest.sources.export import ExportSource
from ingest.sources.export_access import ExportAccess
from ingest.sources.export_public import PublicAccess
from ingest.sources.pace import Pace
from ingest.sources.source import Deployment, Source
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.datacenter.edition import Edition
from tests.confluence.datacenter.visiting import serve_datacenter
from tests.confluence.faults import Faults, failing
from tests.confluence.samples import filled_site
from tests.confluence.server import serve
from tests.confluence.site import Site

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


async def test_a_bearer_token_leads_to_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"CONFLUENCE_URL": "example.atlassian.net", "CONFLUENCE_BEARER_TOKEN": "secret-token"}
    settings = loaded(monkeypatch, **given)

    async with source_from(settings) as source:
        assert isinstance(source, CloudSource)

    assert "secret-token" not in repr(settings)


async def test_the_pace_may_be_made_for_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    sites: list[str] = []

    def make_pace(site_url: str) -> Pace:
        sites.append(site_url)
        return Pace()

    async with source_from(loaded(monkeypatch, **COMPLETE), make_pace=make_pace):
        assert sites == ["https://example.atlassian.net/wiki"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"CONFLUENCE_BEARER_TOKEN": "secret-token"}, {"CONFLUENCE_API_TOKEN"}),
        (
            {"CONFLUENCE_API_TOKEN": "", "CONFLUENCE_BEARER_TOKEN": "secret token"},
            {"CONFLUENCE_BEARER_TOKEN"},
        ),
        (
            {
                "CONFLUENCE_API_TOKEN": "",
                "CONFLUENCE_BEARER_TOKEN": "secret-token",
                "CONFLUENCE_DEPLOYMENT": "datacenter",
            },
            {"CONFLUENCE_DEPLOYMENT", "CONFLUENCE_PERSONAL_TOKEN"},
        ),
        (
            {"CONFLUENCE_URL": "https://wiki.example.com/confluence"},
            {"CONFLUENCE_URL", "CONFLUENCE_PERSONAL_TOKEN", "CONFLUENCE_DEPLOYMENT"},
        ),
        ({"CONFLUENCE_HEADERS": "secret-token"}, {"CONFLUENCE_HEADERS"}),
        ({"CONFLUENCE_CLIENT_KEY": "key.pem"}, {"CONFLUENCE_CLIENT_CERT"}),
    ],
)
def test_what_cannot_be_together_is_named(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: set[str]
) -> None:
    settings = loaded(monkeypatch, **COMPLETE | changes)

    with pytest.raises(ConfigurationError) as caught:
        source_from(settings)

    assert {name for name in named if name not in str(caught.value)} == set()
    assert "secret-token" not in str(caught.value)


async def test_a_client_certificate_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = loaded(monkeypatch, **COMPLETE, CONFLUENCE_CLIENT_CERT="~/missing.pem")

    with pytest.raises(ConfigurationError, match=r"missing\.pem.*CONFLUENCE_CLIENT_CERT"):
        async with source_from(settings):
            pass


PERSONAL = {"CONFLUENCE_PERSONAL_TOKEN": TOKEN}
PASSWORD = {"CONFLUENCE_USERNAME": EMAIL, "CONFLUENCE_API_TOKEN": TOKEN}
BEARER = {"CONFLUENCE_BEARER_TOKEN": TOKEN}


async def test_a_personal_token_is_not_for_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Site()) as base_url:
        settings = loaded(monkeypatch, CONFLUENCE_URL=base_url, **PERSONAL)
        with pytest.raises(ConfigurationError, match="Confluence Cloud") as caught:
            async with source_from(settings):
                pass

    assert "Set CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN" in str(caught.value)


@pytest.mark.parametrize("context", ["/confluence", "/wiki", ""])
@pytest.mark.parametrize("credentials", [PASSWORD, BEARER])
async def test_tokens_of_the_cloud_are_not_for_a_data_center(
    monkeypatch: pytest.MonkeyPatch, credentials: dict[str, str], context: str
) -> None:
    with serve_datacenter(filled_site({"ENG": 1}), None, Edition(context=context)) as base_url:
        settings = loaded(monkeypatch, CONFLUENCE_URL=base_url, **credentials)
        with pytest.raises(ConfigurationError, match="CONFLUENCE_PERSONAL_TOKEN"):
            async with source_from(settings):
                pass


@pytest.mark.parametrize("credentials", [PASSWORD, PERSONAL])
async def test_a_site_that_is_what_it_was_taken_for_is_read(
    monkeypatch: pytest.MonkeyPatch, credentials: dict[str, str]
) -> None:
    site = filled_site({"ENG": 1})
    kind = Deployment.DATACENTER if credentials is PERSONAL else Deployment.CLOUD

    with serve(site) if kind is Deployment.CLOUD else serve_datacenter(site) as base_url:
        settings = loaded(monkeypatch, CONFLUENCE_URL=base_url, **credentials)
        async with source_from(settings) as source:
            spaces = await source.spaces()

    assert source.deployment is kind
    assert [space.key for space in spaces] == ["ENG"]


async def test_a_site_is_not_asked_what_it_is_when_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site()

    with serve_datacenter(site) as base_url:
        given = {"CONFLUENCE_URL": base_url, "CONFLUENCE_DEPLOYMENT": "datacenter"}
        async with source_from(loaded(monkeypatch, **given, **PERSONAL)):
            pass

    assert site.request_log.count() == 0


async def test_no_credentials_are_sent_to_find_out_what_a_site_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Headers] = []

    async def answer(request: Request) -> Response:
        asked.append(request.headers)
        return Response(status_code=401, headers={"Set-Cookie": "JSESSIONID=a-visitors"})

    app = Starlette(routes=[Route("/{path:path}", answer)])
    with serve(Site(), personality=lambda site: app) as base_url:
        settings = loaded(monkeypatch, CONFLUENCE_URL=base_url, **PERSONAL)
        async with source_from(settings) as source:
            probes = len(asked)
            with pytest.raises(AuthenticationError):
                await source.identity()

    assert probes > 0
    assert all("authorization" not in headers for headers in asked[:probes])
    assert asked[probes]["authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in asked[probes]


async def test_a_base_url_without_its_context_path_is_mended_in_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = Faults()
    faults.add(failing(302, headers={"Location": "/docs/index.action"}), "/", times=None)

    with serve_datacenter(Site(), faults, Edition(context="/docs")) as base_url:
        settings = loaded(monkeypatch, CONFLUENCE_URL=base_url.removesuffix("/docs"), **PERSONAL)
        with pytest.raises(ConfigurationError, match=f"{base_url}. Set CONFLUENCE_URL"):
            async with source_from(settings):
                pass


async def test_a_site_that_does_not_answer_is_left_to_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = loaded(monkeypatch, CONFLUENCE_URL="http://127.0.0.1:9/wiki", **PERSONAL)

    async with source_from(settings) as source:
        assert isinstance(source, DataCenterSource)


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


async def test_an_export_is_public_when_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = loaded(monkeypatch)

    async with (
        source_from(settings, tmp_path, public=True) as source,
        source_from(settings, tmp_path) as other,
    ):
        assert isinstance(source.access, PublicAccess)
        assert isinstance(other.access, ExportAccess)


def test_a_live_site_is_not_made_public(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"--public.*--export"):
        source_from(loaded(monkeypatch, **COMPLETE), public=True)


DIRECTORY = {
    "accounts": [{"id": "a1", "email": "ada@example.com", "active": True}],
    "groups": {"staff": ["ada@example.com"]},
}


async def test_a_directory_has_the_groups_of_an_export(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "people.json").write_text(json.dumps(DIRECTORY))
    settings = loaded(monkeypatch, CONFLUENCE_DIRECTORY="people.json")

    async with source_from(settings, SAMPLE_SPACE) as source:
        assert await source.access.members("staff") == {"a1"}


async def test_a_directory_leaves_a_live_site_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "people.json").write_text(json.dumps(DIRECTORY))

    with serve(filled_site({"ENG": 2})) as base_url:
        monkeypatch.setenv("CONFLUENCE_URL", base_url)
        async with source_from(loaded(monkeypatch, **PASSWORD)) as plain:
            expected = await everything(plain)
        settings = loaded(monkeypatch, CONFLUENCE_DIRECTORY="people.json")
        async with source_from(settings) as source:
            assert isinstance(source.access, WithDirectory)
            assert await everything(source) == expected


async def everything(source: Source) -> list[object]:
    """What a source gives of its first space."""
    (space,) = await source.spaces()
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    summaries = [one async for one in source.sweep(space)]
    page = await source.page(summaries[0])
    return [
        source.site_url,
        source.deployment,
        source.is_whole_site,
        await source.identity(),
        space,
        summaries,
        page,
        await source.comments(summaries[0]),
        [one async for one in source.changed_pages(long_ago)],
        [one async for one in source.items([space])],
        [one async for one in source.changed_items(long_ago)],
        [one async for one in source.labels(space)],
        await source.still_shown([summaries[0].page_id]),
        await source.user_names([page.author or ""]),
        source.attachment_url(summaries[0].page_id, "plan.pdf"),
        source.requests > 0,
    ]


@pytest.mark.parametrize("export", [SAMPLE_SPACE, None])
def test_a_wrong_directory_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, export: Path | None
) -> None:
    settings = loaded(monkeypatch, **COMPLETE, CONFLUENCE_DIRECTORY="~/missing-people.json")

    with pytest.raises(ConfigurationError, match=r"missing-people.*CONFLUENCE_DIRECTORY") as caught:
        source_from(settings, export)

    assert "~" not in str(caught.value)


def test_how_permissions_are_read_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = loaded(monkeypatch)
    given = {"CONFLUENCE_PERMISSIONS": "false", "CONFLUENCE_SITE_GROUPS": "staff, guests"}
    settings = loaded(monkeypatch, **given)

    assert (usual.confluence_permissions, usual.credentials.site_groups) == (True, "")
    assert not settings.confluence_permissions
    assert settings.credentials.site_groups == "staff, guests"


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


def test_comments_and_every_kind_of_attachment_are_read_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = loaded(monkeypatch)

    assert settings.comments
    assert settings.attachment_kinds == {
        "pdf", "docx", "pptx", "xlsx", "csv", "txt", "md", "html", "eml",
    }  # fmt: skip
    assert settings.attachment_bytes == 25 * 2**20


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("pdf", {"pdf"}),
        (" PDF, .docx ,,", {"pdf", "docx"}),
        ("none", set[str]()),
        (" None ", set[str]()),
    ],
)
def test_kinds_of_attachments_are_a_comma_list(
    monkeypatch: pytest.MonkeyPatch, text: str, kinds: set[str]
) -> None:
    assert loaded(monkeypatch, CONFLUENCE_ATTACHMENTS=text).attachment_kinds == kinds


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CONFLUENCE_ATTACHMENTS", "pdf,exe"),
        ("CONFLUENCE_ATTACHMENTS", "none,pdf"),
        ("CONFLUENCE_ATTACHMENT_MB", "0"),
        ("CONFLUENCE_ATTACHMENT_MB", "-1"),
        ("CONFLUENCE_ATTACHMENT_MB", "inf"),
        ("CONFLUENCE_ATTACHMENT_MB", "nan"),
        ("CONFLUENCE_ATTACHMENT_MB", "25 MB"),
        ("CONFLUENCE_COMMENTS", "perhaps"),
    ],
)
def test_wrong_switches_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        loaded(monkeypatch, **{variable: text})


def test_switches_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"CONFLUENCE_COMMENTS": "false", "CONFLUENCE_ATTACHMENT_MB": "0.5"}
    settings = loaded(monkeypatch, **given)

    assert not settings.comments
    assert settings.attachment_bytes == 2**19
