"""Files and large answers of a site, over real connections to the site and to a media host."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from tempfile import TemporaryFile

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from ingest.sources.download import redirect_target
from ingest.sources.http import SiteClient, WireModel
from ingest.sources.pace import Pace
from ingest.sources.refusals import NotVisible, UnexpectedAnswer
from ingest.sources.refusals import Request as Asked
from tests.confluence.faults import Faults, connection_reset, failing
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.ingest.fake_time import FakeTime

pytestmark = pytest.mark.anyio

PLAN = bytes(range(256)) * 4096
LOGIN = httpx.BasicAuth("indexer", "secret-token")
Answer = Callable[[Request], Response]


@dataclass(slots=True)
class Host:
    """A host whose paths are answered as told; `asked` has every request."""

    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: list[Request] = field(default_factory=list[Request])
    faults: Faults = field(default_factory=Faults)
    origin: str = ""

    def app(self, _: Site) -> Starlette:
        """The host as an application."""

        async def answer(request: Request) -> Response:
            self.asked.append(request)
            made = self.answers.get(request.url.path)
            return made(request) if made else Response("no such file", 404)

        return Starlette(routes=[Route("/{path:path}", answer)])

    def gives(self, path: str, content: bytes, **headers: str) -> None:
        """Let a path be a file."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = lambda request: Response(content, headers=sent)

    def redirects(self, path: str, target: str) -> None:
        """Let a path lead elsewhere."""
        self.answers[path] = lambda request: RedirectResponse(target, 302)


@dataclass(slots=True)
class Scene:
    """A site, the host of its files, and a client of the site."""

    site: Host
    media: Host
    time: FakeTime
    http: httpx.AsyncClient
    client: SiteClient

    async def downloaded(self, path: str, limit: int = len(PLAN)) -> bytes:
        """The file at a path of the site."""
        with TemporaryFile() as file:
            file.write(b"what was there before")
            await self.client.download(path, file, limit)
            file.seek(0)
            return file.read()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A site and a media host on ports of their own."""
    site, media, time = Host(), Host(), FakeTime()
    with ExitStack() as stack:
        for host in (site, media):
            url = stack.enter_context(serve(Site(), host.faults, personality=host.app))
            host.origin = url.removesuffix("/wiki")
        async with httpx.AsyncClient(trust_env=False) as http:
            pace = Pace(timing=time.timing())
            client = SiteClient(http, f"{site.origin}/wiki", auth=LOGIN, pace=pace)
            yield Scene(site, media, time, http, client)


@pytest.mark.parametrize("kind", ["application/pdf", "text/html", "application/json", ""])
async def test_a_file_of_any_kind_arrives_as_it_is(scene: Scene, kind: str) -> None:
    scene.site.gives("/wiki/download/plan", PLAN, content_type=kind)

    assert await scene.downloaded("/download/plan") == PLAN
    assert scene.site.asked[0].headers["accept"] == "*/*"
    assert scene.site.asked[0].headers["authorization"].startswith("Basic ")


async def test_an_empty_file_is_a_file(scene: Scene) -> None:
    scene.site.gives("/wiki/download/nothing", b"")

    assert await scene.downloaded("/download/nothing", 0) == b""


async def test_parameters_join_those_of_the_link(scene: Scene) -> None:
    scene.site.gives("/wiki/download/plan", b"plan")
    file = BytesIO()

    await scene.client.download("/download/plan?api=v2", file, 10, {"version": "3"})

    assert scene.site.asked[0].url.query == "api=v2&version=3"


async def test_a_link_is_asked_for_letter_by_letter(scene: Scene) -> None:
    scene.site.gives("/wiki/download/a+b%20c", b"plan")
    scene.site.gives("/wiki/download/a+b c.pdf", b"plan")

    assert await scene.downloaded("/download/a+b%20c.pdf?modificationDate=1%2F2&x=a%20b+c")
    assert scene.site.asked[0].url.query == "modificationDate=1%2F2&x=a%20b+c"


@pytest.mark.parametrize("limit", [0, len(PLAN) - 1])
async def test_a_file_whose_length_is_beyond_the_limit_is_not_begun(
    scene: Scene, limit: int
) -> None:
    scene.site.gives("/wiki/download/plan", PLAN)
    file = BytesIO()

    with pytest.raises(UnexpectedAnswer, match=f"more than {limit} bytes"):
        await scene.client.download("/download/plan", file, limit)

    assert file.getvalue() == b""
    assert len(scene.site.asked) == 1


async def test_a_file_without_an_end_is_left_at_the_limit(scene: Scene) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield PLAN
            await asyncio.sleep(0)

    scene.site.answers["/wiki/download/zeros"] = lambda request: StreamingResponse(endless())
    file = BytesIO()

    with pytest.raises(UnexpectedAnswer, match="more than 3000000 bytes"):
        await scene.client.download("/download/zeros", file, 3_000_000)

    assert len(file.getvalue()) <= 3_000_000


@pytest.mark.parametrize("after", [0, 1, 500_000])
async def test_a_file_that_breaks_off_is_begun_anew(scene: Scene, after: int) -> None:
    scene.site.gives("/wiki/download/plan", PLAN)
    scene.site.faults.add(connection_reset(after=after), times=2)

    assert await scene.downloaded("/download/plan") == PLAN
    assert len(scene.time.slept) == 2


async def test_a_shorter_file_after_a_break_keeps_nothing_of_the_longer(scene: Scene) -> None:
    scene.site.gives("/wiki/download/plan", PLAN)
    file = BytesIO()
    await scene.client.download("/download/plan", file, len(PLAN))
    scene.site.gives("/wiki/download/plan", b"short")

    await scene.client.download("/download/plan", file, len(PLAN))

    assert file.getvalue() == b"short"


async def test_a_file_is_asked_for_again_after_the_time_that_the_site_wants(scene: Scene) -> None:
    scene.site.gives("/wiki/download/plan", PLAN)
    scene.site.faults.add(failing(429, headers={"Retry-After": "7"}))
    scene.site.faults.add(failing(503))

    assert await scene.downloaded("/download/plan") == PLAN
    assert scene.time.slept == pytest.approx([7, 1.4])


async def test_a_file_that_is_never_given_is_unavailable(scene: Scene) -> None:
    scene.site.faults.add(failing(502), times=None)

    with pytest.raises(SourceUnavailable, match="after 5 tries"):
        await scene.downloaded("/download/plan")


async def test_a_media_host_gets_neither_credentials_nor_cookies(scene: Scene) -> None:
    scene.http.cookies.set("JSESSIONID", "secret-session", domain="127.0.0.1")
    target = f"{scene.media.origin}/file/1/binary?token=a%2Fb%3D&name=Plan%20B.pdf"
    scene.site.redirects("/wiki/download/plan", target)
    scene.media.gives("/file/1/binary", PLAN)

    assert await scene.downloaded("/download/plan") == PLAN

    (at_home,), (abroad,) = scene.site.asked, scene.media.asked
    assert at_home.headers["cookie"] == "JSESSIONID=secret-session"
    assert {"authorization", "cookie"}.isdisjoint(abroad.headers)
    assert str(abroad.url) == target


async def test_a_redirect_within_the_site_keeps_the_credentials(scene: Scene) -> None:
    scene.site.redirects("/wiki/download/plan", "../other/plan")
    scene.site.gives("/wiki/other/plan", PLAN)

    assert await scene.downloaded("/download/plan") == PLAN
    assert all("authorization" in request.headers for request in scene.site.asked)


async def test_the_way_back_from_a_media_host_has_the_credentials_again(scene: Scene) -> None:
    scene.site.redirects("/wiki/download/plan", f"{scene.media.origin}/there")
    scene.media.redirects("/there", f"{scene.site.origin}/wiki/back")
    scene.site.gives("/wiki/back", PLAN)

    assert await scene.downloaded("/download/plan") == PLAN
    assert "authorization" in scene.site.asked[-1].headers


async def test_five_redirects_are_followed_and_no_more(scene: Scene) -> None:
    for number in range(6):
        scene.site.redirects(f"/wiki/{number}", f"/wiki/{number + 1}")
    scene.site.gives("/wiki/6", PLAN)

    assert await scene.downloaded("/1") == PLAN
    with pytest.raises(UnexpectedAnswer, match="more than 5 times"):
        await scene.downloaded("/0")


@pytest.mark.parametrize(
    "target",
    [
        "http://files.example.com/plan",
        "ftp://files.example.com/plan",
        "file:///etc/passwd",
        "https://user:secret@files.example.com/plan",
        "https:///plan",
        "https://files.example.com:port/plan",
    ],
)
async def test_redirects_to_unsafe_places_are_not_followed(scene: Scene, target: str) -> None:
    scene.site.answers["/wiki/plan"] = lambda request: Response(
        status_code=302, headers={"Location": target}
    )

    with pytest.raises(UnexpectedAnswer) as caught:
        await scene.downloaded("/plan")

    assert "secret" not in str(caught.value)
    assert len(scene.site.asked) == 1


@pytest.mark.parametrize("target", ["http://127.0.0.1:80/", "https://localhost/", "https://[::1]/"])
def test_no_site_but_a_local_one_leads_to_this_machine(target: str) -> None:
    url = "https://example.atlassian.net/wiki/download/plan"
    answer = httpx.Response(302, headers={"Location": target}, request=httpx.Request("GET", url))

    with pytest.raises(UnexpectedAnswer, match="not followed"):
        redirect_target(Asked("GET", url), answer)


@pytest.mark.parametrize("target", ["/wiki/login.action?os_destination=%2Fplan", "/login?x=1"])
async def test_a_redirect_to_the_login_is_a_file_out_of_sight(scene: Scene, target: str) -> None:
    scene.site.redirects("/wiki/plan", target)

    with pytest.raises(NotVisible, match="login"):
        await scene.downloaded("/plan")


async def test_the_page_of_a_single_sign_on_is_not_taken_for_the_file(scene: Scene) -> None:
    scene.site.redirects("/wiki/plan", f"{scene.media.origin}/sso?return=plan")
    scene.media.gives("/sso", b"<html>Log in, dear</html>", content_type="text/html; charset=utf-8")

    with pytest.raises(NotVisible, match="login") as caught:
        await scene.downloaded("/plan")

    assert "dear" not in str(caught.value)


async def test_a_web_page_that_is_attached_is_a_file(scene: Scene) -> None:
    scene.site.redirects("/wiki/plan", f"{scene.media.origin}/plan.html")
    headers = {"content_type": "text/html", "content_disposition": "attachment"}
    scene.media.gives("/plan.html", b"<html>Plan</html>", **headers)

    assert await scene.downloaded("/plan") == b"<html>Plan</html>"


async def test_an_expired_link_to_a_media_host_is_asked_for_anew(scene: Scene) -> None:
    scene.site.redirects("/wiki/plan", f"{scene.media.origin}/plan")
    scene.media.gives("/plan", PLAN)
    scene.media.faults.add(failing(403), times=2)

    assert await scene.downloaded("/plan") == PLAN
    assert len(scene.site.asked) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_media_host_that_refuses_costs_one_file_only(scene: Scene, status: int) -> None:
    scene.site.redirects("/wiki/plan", f"{scene.media.origin}/plan")
    scene.media.faults.add(failing(status), times=None)

    with pytest.raises(NotVisible, match=str(status)):
        await scene.downloaded("/plan")


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (403, NotVisible), (404, NotVisible)]
)
async def test_the_site_refuses_a_file_like_anything_else(
    scene: Scene, status: int, kind: type[SourceError]
) -> None:
    scene.site.faults.add(failing(status), times=None)

    with pytest.raises(kind):
        await scene.downloaded("/plan")


class Body(WireModel):
    """An answer with one long text."""

    text: str


def body(megabytes: int) -> bytes:
    """A JSON answer of this size."""
    return b'{"text": "' + b"x" * (megabytes * 2**20) + b'"}'


async def test_a_body_of_50_megabytes_comes_through(scene: Scene) -> None:
    scene.site.gives("/wiki/page", body(50))

    answer = await scene.client.get("/page", Body)

    assert len(answer.text) == 50 * 2**20


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_an_answer_that_is_larger_than_any_page_is_refused_at_once(
    scene: Scene, coding: str
) -> None:
    sent = gzip.compress(body(65), 1) if coding == "gzip" else body(65)
    scene.site.gives("/wiki/page", sent, content_encoding=coding)

    with pytest.raises(UnexpectedAnswer, match="larger than"):
        await scene.client.get("/page", Body)

    assert len(scene.site.asked) == 1


async def test_packed_answers_are_read(scene: Scene) -> None:
    packed = gzip.compress(json.dumps({"text": "plan"}).encode())
    scene.site.gives("/wiki/page", packed, content_encoding="gzip")

    assert (await scene.client.get("/page", Body)).text == "plan"


async def test_packed_refusals_are_read(scene: Scene) -> None:
    packed = gzip.compress(b'{"message": "Unauthorized; scope does not match"}')
    headers = {"content-encoding": "gzip"}
    scene.site.answers["/wiki/api/v2/pages/1"] = lambda request: Response(packed, 401, headers)

    with pytest.raises(AuthenticationError, match="read:page:confluence"):
        await scene.client.get("/api/v2/pages/1", Body)
