"""Whom the program calls: the site and the models, whatever the site, a page or a caller says."""

import io
import json
import re
import zipfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from index.database import Database
from index.errors import SourceError
from index.settings import IndexSettings
from ingest.sources.download import redirect_target
from ingest.sources.refusals import Request as Asked
from ingest.sources.refusals import UnexpectedAnswer
from ingest.sources.source import Deployment
from server.settings import ServerSettings
from tests.confluence.faults import Exchange, Fault, Json, rewritten
from tests.confluence.samples import filled_site, site_with_space
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.ingest.cloud_sites import scene
from tests.ingest.model_wiki import ModelWiki, model_wiki
from tests.ingest.wiki import command_line
from tests.openai_endpoint import openai_endpoint
from tests.server.asking import Variables, serving

pytestmark = pytest.mark.anyio

API = "*/[ar][pe][is]*"  # both of `/api/` and `/rest/`
PLAN = b"The crane lifts forty tonnes."
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
ROWS = "SELECT row::text FROM {} AS row"
STORED_URLS = """
SELECT url FROM page UNION ALL SELECT url FROM comment UNION ALL SELECT url FROM attachment
"""
LINK = re.compile(
    r'("(?:next|base|self|webui|tinyui|download|context|downloadLink|webuiLink|url)": )"[^"]*"'
)


@dataclass(slots=True)
class Stranger:
    """A host that nobody named; `asked` has whatever was asked of it."""

    origin: str = ""
    asked: list[Request] = field(default_factory=list[Request])

    def app(self, _: Site) -> Starlette:
        """Takes notes, and gives the same file for everything."""

        async def answer(request: Request) -> Response:
            self.asked.append(request)
            return Response(PLAN, media_type="text/plain")

        every = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
        return Starlette(routes=[Route("/{path:path}", answer, methods=every)])

    @property
    def host(self) -> str:
        """Host and port."""
        return self.origin.removeprefix("http://")


@pytest.fixture
def stranger() -> Generator[Stranger]:
    """It listens on a loopback port."""
    host = Stranger()
    with serve(Site(), personality=host.app) as url:
        host.origin = url.removesuffix("/wiki")
        yield host


@pytest.fixture(params=Deployment, ids=str)
async def wiki(
    request: pytest.FixtureRequest, index_settings: IndexSettings, database: Database
) -> AsyncGenerator[ModelWiki]:
    """A space of thirty pages, with a comment and an attachment."""
    site = filled_site({"ENG": 30})
    first = next(iter(site.contents))
    site.comment(first, "<p>Who oils it?</p>")
    site.attach(first, "plan.txt", media_type="text/plain", data=PLAN)
    async with model_wiki(site, request.param, index_settings, database) as wiki:
        yield wiki


def leading_to(address: str) -> Fault:
    """Answers in which all links lead to one address, and listings go on there."""

    def change(answer: Json) -> Json:
        if "results" in answer:
            answer = {**answer, "_links": {"next": ""}}
        written = json.dumps(address)
        return json.loads(LINK.sub(lambda link: link[1] + written, json.dumps(answer)))

    return rewritten(change)


FORMS: dict[str, Callable[[Stranger], str]] = {
    "another host": lambda one: f"{one.origin}/wiki/rest/api/content",
    "another host, same scheme": lambda one: f"//{one.host}/wiki/rest/api/content",
    "after a user name": lambda one: f"http://127.0.0.1@{one.host}/wiki/rest/api/content",
    "with backslashes": lambda one: f"/\\{one.host}/wiki/rest/api/content",
    "a file": lambda one: "file:///etc/passwd",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_no_link_in_an_answer_leads_away_from_the_site(
    wiki: ModelWiki, stranger: Stranger, form: Callable[[Stranger], str]
) -> None:
    misled = wiki.faults.add(leading_to(form(stranger)), API, times=None)

    with suppress(SourceError):
        await wiki.run()

    assert misled.hits
    assert stranger.asked == []
    stored = [str(url) for (url,) in await wiki.rows(STORED_URLS)]
    assert not [url for url in stored if not url.startswith(f"{wiki.scene.base_url}/")]


async def test_no_redirect_of_an_answer_is_followed(wiki: ModelWiki, stranger: Stranger) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.reply(RedirectResponse(f"{stranger.origin}/wiki/rest/api/content", 302))

    wiki.faults.add(redirect, times=None)

    with pytest.raises(SourceError, match="redirects"):
        await wiki.run()

    assert stranger.asked == []


def test_a_redirected_download_takes_no_credentials_along(
    index_settings: IndexSettings, stranger: Stranger, tmp_path: Path
) -> None:
    site = site_with_space()
    page = site.add_page("ENG", "Crane", "<p>See the plan.</p>")
    site.attach(page.id, "plan.txt", media_type="text/plain", data=PLAN)

    async def redirect(exchange: Exchange) -> None:
        answer = RedirectResponse(f"{stranger.origin}/plan.txt", 302)
        answer.set_cookie("session", "s3cret-of-the-site", domain="127.0.0.1")
        await exchange.reply(answer)

    with scene(site) as served, openai_endpoint() as endpoint:
        served.faults.add(redirect, "*/download*", times=None)
        command = command_line(index_settings, served.base_url, endpoint, tmp_path)
        gateway = {"CONFLUENCE_HEADERS": "X-Gateway-Key: s3cret-of-the-gateway"}
        done = type(command)(tmp_path, {**command.variables, **gateway}).run("ingest")

    assert done.returncode == 0, done.stderr
    assert len(stranger.asked) == 1
    sent = {name.lower(): value for name, value in stranger.asked[0].headers.items()}
    assert not set(sent) & {"authorization", "cookie", "x-gateway-key", "referer"}
    assert "s3cret" not in str(sent)


IN_THE_WORLD, IN_A_COMPANY = "https://example.atlassian.net/wiki/plan", "https://10.0.0.5/wiki/plan"
NEARER = (
    (IN_THE_WORLD, "https://10.0.0.8/plan"),
    (IN_THE_WORLD, "https://192.168.1.1/plan"),
    (IN_THE_WORLD, "https://169.254.169.254/latest/meta-data"),
    (IN_THE_WORLD, "https://[fd00::1]/plan"),
    (IN_THE_WORLD, "https://[::ffff:127.0.0.1]/plan"),
    (IN_THE_WORLD, "https://0.0.0.0/plan"),
    (IN_A_COMPANY, "https://127.0.0.1/plan"),
    (IN_A_COMPANY, "http://10.0.0.8/plan"),
)


@pytest.mark.parametrize(("site", "target"), NEARER)
def test_no_site_leads_to_what_only_this_machine_reaches(site: str, target: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="not followed"):
        redirected(site, target)


@pytest.mark.parametrize(
    ("site", "target"),
    [(IN_A_COMPANY, "https://10.0.0.8/plan"), (IN_THE_WORLD, "https://files.example.com/plan")],
)
def test_files_may_be_kept_on_another_host_of_the_same_kind(site: str, target: str) -> None:
    assert str(redirected(site, target)) == target


def redirected(site: str, target: str) -> httpx.URL:
    """Where a download goes on."""
    asked = httpx.Request("GET", site)
    answer = httpx.Response(302, headers={"Location": target}, request=asked)
    return redirect_target(Asked("GET", site), answer)


def references(origin: str) -> str:
    """A body that points to a host in every way that storage format has, and in some others."""
    there = f"{origin}/from-a-page"
    return f"""
<p><img src="{there}"/><a href="{there}">link</a><ac:image><ri:url ri:value="{there}"/></ac:image>
<ac:link><ri:url ri:value="{there}"/></ac:link><iframe src="{there}"></iframe>
<script src="{there}"></script><link rel="stylesheet" href="{there}"/><object data="{there}"/></p>
<p style="background-image: url({there})">text</p>
<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{there}" parse="text"/>
<ac:structured-macro ac:name="iframe"><ac:parameter ac:name="src"><ri:url ri:value="{there}"/>
</ac:parameter></ac:structured-macro>
<ac:structured-macro ac:name="widget"><ac:parameter ac:name="url"><ri:url ri:value="{there}"/>
</ac:parameter></ac:structured-macro>
<ac:structured-macro ac:name="include"><ac:parameter ac:name=""><ac:link><ri:url
ri:value="{there}"/></ac:link></ac:parameter></ac:structured-macro>
<ac:structured-macro ac:name="markdown-from-url"><ac:parameter ac:name="url">{there}</ac:parameter>
</ac:structured-macro>
<ac:structured-macro ac:name="plantuml"><ac:plain-text-body><![CDATA[!include {there}
]]></ac:plain-text-body></ac:structured-macro>
<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[<img src="{there}">
]]></ac:plain-text-body></ac:structured-macro>
<ac:structured-macro ac:name="rss"><ac:parameter ac:name="url">{there}</ac:parameter>
</ac:structured-macro>"""


def doctype(origin: str) -> str:
    """What makes a careless XML parser ask a host, or read a file of this machine."""
    return (
        f'<!DOCTYPE p SYSTEM "{origin}/from-a-doctype" [<!ENTITY far SYSTEM "{origin}/far">'
        '<!ENTITY near SYSTEM "file:///etc/hostname">'
        f'<!ENTITY % more SYSTEM "{origin}/more">%more;]><p>&far;&near;</p>'
    )


def word_file(origin: str) -> bytes:
    """A document whose template and picture are elsewhere."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="b" Type="{office}/attachedTemplate" TargetMode="External" '
        f'Target="{origin}/template"/></Relationships>',
        "word/document.xml": f'<!DOCTYPE d SYSTEM "{origin}/dtd"><w:document xmlns:w="{word}">'
        "<w:body><w:p><w:r><w:t>Crane</w:t></w:r></w:p></w:body></w:document>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


async def test_nothing_that_pages_comments_and_files_point_to_is_fetched(
    wiki: ModelWiki, stranger: Stranger
) -> None:
    origin = stranger.origin
    for number, body in enumerate((references(origin), doctype(origin), references(origin)[:-9])):
        page = wiki.site.add_page("ENG", f"Crane {number}", body)
        wiki.site.comment(page.id, body)
        html = f'<base href="{origin}/"><meta http-equiv="refresh" content="0;url={origin}">{body}'
        files = {
            "page.html": html.encode(),
            "notes.md": f"![crane]({origin}/a.png) [more]({origin})\n<img src={origin}>".encode(),
            "crane.docx": word_file(origin),
            "mail.eml": f"Subject: Crane\nContent-Type: text/html\n\n{html}".encode(),
        }
        for name, data in files.items():
            wiki.site.attach(page.id, f"{number}-{name}", data=data)

    report = await wiki.run()

    assert report.succeeded
    assert stranger.asked == []
    assert len(await wiki.rows("SELECT 1 FROM page WHERE title LIKE 'Crane %%'")) == 3


@pytest.fixture
async def variables(index_settings: IndexSettings) -> AsyncGenerator[Variables]:
    """The environment of a server over an index of one page."""
    site = site_with_space()
    site.add_page("ENG", "Crane", "<p>The crane lifts forty tonnes.</p>")
    assert index_settings.postgres_url is not None
    url = index_settings.postgres_url.get_secret_value()
    async with (
        Database.open(index_settings, application_name="tests") as database,
        model_wiki(site, Deployment.CLOUD, index_settings, database) as wiki,
    ):
        assert (await wiki.run()).succeeded
        yield Variables(url, wiki.endpoint.url)


async def test_no_address_of_a_caller_is_fetched(variables: Variables, stranger: Stranger) -> None:
    addresses = [
        f"{stranger.origin}/wiki/spaces/ENG/pages/1",
        f"//{stranger.host}/wiki/pages/viewpage.action?pageId=1",
        f"{stranger.host}/x/AbCd",
        f"confluence://page/{stranger.origin}",
        "file:///etc/passwd",
    ]

    async with serving(variables) as client:
        for address in addresses:
            page = {"page": address, "attachment": address}
            search = {"query": address, "ancestor": address, "spaces": [address]}
            await client.call_tool("get_page", page)
            await client.call_tool("search_confluence", search)
            await client.call_tool("answer_question", {"question": address})

    assert stranger.asked == []


async def test_no_call_changes_anything(variables: Variables) -> None:
    before = stored(variables.postgres_url)

    async with serving(variables) as client:
        tools = (await client.list_tools()).tools
        await client.call_tool("search_confluence", {"query": "'; DELETE FROM page; --"})
        await client.call_tool("get_page", {"page": "ENG:Crane'); DROP TABLE page; --"})
        await client.call_tool("get_page", {"page": "ENG:Crane"})
        await client.call_tool("answer_question", {"question": "How much does the crane lift?"})

    assert stored(variables.postgres_url) == before
    assert [tool.annotations and tool.annotations.read_only_hint for tool in tools] == [True] * 3


def stored(database_url: str) -> dict[str, list[str]]:
    """Every row of every table as text."""
    with psycopg.connect(database_url) as connection:
        names = [name for (name,) in connection.execute(TABLES)]
        return {
            name: sorted(
                text for (text,) in connection.execute(sql.SQL(ROWS).format(sql.Identifier(name)))
            )
            for name in names
        }


def test_the_server_has_no_setting_with_which_to_reach_the_site() -> None:
    names = set(ServerSettings.model_fields)

    assert not names & {"confluence_url", "confluence_api_token", "confluence_personal_token"}
