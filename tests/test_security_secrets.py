"""Secrets stay where they are: not in output, logs or the database, whatever goes wrong."""

import re
import signal
import subprocess
import threading
from base64 import b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import httpx2
import psycopg
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from psycopg import sql
from starlette.responses import RedirectResponse

from index.settings import IndexSettings
from ingest.settings import IngestSettings
from server.settings import ServerSettings
from tests.command import Command
from tests.confluence.accounts import EMAIL
from tests.confluence.content import Token
from tests.confluence.faults import Exchange, Faults, Json, failing, rewritten
from tests.confluence.samples import site_with_space
from tests.confluence.server import serve
from tests.confluence.site import Site
from tests.ingest.corporate import Authority, forward_proxy
from tests.openai_endpoint import Fault, OpenAIEndpoint, openai_endpoint
from tests.server.processes import http_options

SECRET = "s3cret"  # a part of every secret here, and of nothing else
API_TOKEN = f"ATATT-{SECRET}-api-token"
MODEL_KEY = f"proj-{SECRET}-model"
LOGIN = f"indexer:{SECRET}-login"
BASIC = b64encode(f"{EMAIL}:{API_TOKEN}".encode()).decode()
PAGE_WORDS = "Quicksilver ledger of the harbour"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
ROWS = "SELECT row::text FROM {} AS row"


@dataclass(frozen=True, slots=True)
class Scene:
    """A site that says whatever it was told, an endpoint, and the command line set up for both."""

    site: Site
    faults: Faults
    endpoint: OpenAIEndpoint
    command: Command
    database_url: str

    def with_settings(self, variables: Mapping[str, str]) -> Command:
        """The command line with other settings."""
        return Command(self.command.folder, {**self.command.variables, **variables})

    def stored(self) -> str:
        """Every row of every table as text."""
        with psycopg.connect(self.database_url) as connection:
            tables = [sql.Identifier(name) for (name,) in connection.execute(TABLES)]
            rows = [row for one in tables for row in connection.execute(sql.SQL(ROWS).format(one))]
        return "\n".join(text for (text,) in rows)


@pytest.fixture
def scene(index_settings: IndexSettings, tmp_path: Path) -> Generator[Scene]:
    """A space with three pages, one of which has an attachment."""
    assert index_settings.postgres_url is not None
    url = index_settings.postgres_url.get_secret_value()
    site, faults = site_with_space(), Faults()
    site.tokens[API_TOKEN] = Token(site.crawler.account_id, None)
    for title in ("Crane", "Ferry", "Pilot"):
        page = site.add_page("ENG", title, f"<p>{PAGE_WORDS} and the {title}.</p>")
        site.attach(page.id, "notes.txt", media_type="text/plain", data=b"Oil the crane.")
    with serve(site, faults) as base_url, openai_endpoint() as endpoint:
        variables = {
            "POSTGRES_URL": url.replace("@", f":{SECRET}-postgres@", 1),
            "CONFLUENCE_URL": base_url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": API_TOKEN,
            "CONFLUENCE_HEADERS": f"X-Gateway-Key: {SECRET}-gateway",
            "OPENAI_BASE_URL": endpoint.url,
            "OPENAI_API_KEY": MODEL_KEY,
            "EMBEDDING_MODEL": "words",
        }
        yield Scene(site, faults, endpoint, Command(tmp_path, variables), url)


def is_silent(said: str) -> bool:
    """Whether a text has no secret in it, as it is or as a header carries it."""
    return SECRET not in said and BASIC not in said and BASIC[:20] not in said


def test_a_run_in_which_much_goes_wrong_repeats_no_secret(scene: Scene) -> None:
    crane, ferry, pilot = (content.id for content in scene.site.contents.values())
    echo: Json = {"message": f"{API_TOKEN} may not; Authorization: Basic {BASIC}"}

    async def to_a_signed_address(exchange: Exchange) -> None:
        target = f"http://{LOGIN}@files.example.com/notes?signature={SECRET}-signature"
        await exchange.reply(RedirectResponse(target, 302))

    scene.faults.add(failing(400, body=echo), f"*/pages/{crane}", times=None)
    scene.faults.add(failing(403, body=str(echo)), f"*/pages/{ferry}*comments", times=None)
    scene.faults.add(rewritten(lambda _: {"id": [API_TOKEN], "title": echo}), f"*/pages/{pilot}")
    scene.faults.add(to_a_signed_address, "*/download*", times=None)

    done = scene.command.run("--verbose", "ingest")

    assert "failed=2" in done.stderr
    assert "DEBUG" in done.stderr
    assert is_silent(done.stdout + done.stderr)
    assert is_silent(scene.stored())
    assert PAGE_WORDS not in done.stderr
    assert EMAIL not in done.stderr


def test_an_endpoint_that_repeats_the_key_is_not_repeated(scene: Scene) -> None:
    scene.endpoint.embed = lambda texts: Fault(
        400, f"Incorrect API key provided: {MODEL_KEY} (Bearer {MODEL_KEY})", "invalid_api_key"
    )

    done = scene.command.run("--verbose", "ingest")

    assert done.returncode == 1
    assert is_silent(done.stdout + done.stderr)
    assert is_silent(scene.stored())


NOBODY = "127.0.0.1:9"
BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "wrong token": ("ingest", {"CONFLUENCE_API_TOKEN": f"{SECRET}-wrong"}),
    "token with a line end": ("ingest", {"CONFLUENCE_API_TOKEN": f"{SECRET}\nwrong"}),
    "bearer token with a space": (
        "ingest",
        {"CONFLUENCE_API_TOKEN": "", "CONFLUENCE_BEARER_TOKEN": f"{SECRET} wrong"},
    ),
    "personal token with an accent": (
        "ingest",
        {"CONFLUENCE_API_TOKEN": "", "CONFLUENCE_PERSONAL_TOKEN": f"{SECRET}-é"},
    ),
    "two tokens": ("ingest", {"CONFLUENCE_PERSONAL_TOKEN": f"{SECRET}-personal"}),
    "login in the address": ("ingest", {"CONFLUENCE_URL": f"https://{LOGIN}@wiki.example.com"}),
    "headers without names": ("ingest", {"CONFLUENCE_HEADERS": f"{SECRET}-gateway"}),
    "headers of another kind": ("ingest", {"CONFLUENCE_HEADERS": f'{{"X": ["{SECRET}"]}}'}),
    "authorization among headers": (
        "ingest",
        {"CONFLUENCE_HEADERS": f"Authorization: Bearer {SECRET}"},
    ),
    "proxy that is none": (
        "ingest",
        {"CONFLUENCE_URL": "https://wiki.example.com", "HTTPS_PROXY": f"ftp://{LOGIN}@{NOBODY}"},
    ),
    "proxy with a wrong port": (
        "ingest",
        {"CONFLUENCE_URL": "https://wiki.example.com", "HTTPS_PROXY": f"http://{LOGIN}@a:port"},
    ),
    "no database": ("ingest", {"POSTGRES_URL": f"postgresql://{LOGIN}@{NOBODY}/wiki"}),
    "password not escaped": ("ingest", {"POSTGRES_URL": f"postgresql://u:{SECRET}@/@{NOBODY}/w"}),
    "password with a percent sign": (
        "status",
        {"POSTGRES_URL": f"postgresql://u:%{SECRET}@{NOBODY}/wiki"},
    ),
    "password as a word": ("status", {"POSTGRES_URL": f"host=127.0.0.1 port=9 password={SECRET}"}),
    "unknown word beside it": ("status", {"POSTGRES_URL": f"hosts=a password={SECRET}"}),
    "key with an accent": ("ingest", {"OPENAI_API_KEY": f"proj-{SECRET}-é"}),
    "login at the endpoint": ("ingest", {"OPENAI_BASE_URL": f"http://{LOGIN}@127.0.0.1:1/v1"}),
    "endpoint that is none": ("ingest", {"OPENAI_BASE_URL": f"http://{LOGIN}@a:port/v1"}),
    "short webhook secret": ("serve", {"CONFLUENCE_WEBHOOK_SECRET": SECRET}),
    "issuer with a login": (
        "serve --transport http",
        {"AUTH_ISSUER": f"https://{LOGIN}@id.example.com", "AUTH_AUDIENCE": "wiki"},
    ),
    "keys with a login": (
        "serve --transport http",
        {
            "AUTH_ISSUER": "https://id.example.com",
            "AUTH_AUDIENCE": "wiki",
            "AUTH_JWKS_URL": f"https://{LOGIN}@id.example.com/jwks",
        },
    ),
}


@pytest.mark.parametrize(("command", "variables"), BROKEN.values(), ids=BROKEN)
def test_what_is_set_wrongly_is_told_without_the_secret(
    scene: Scene, command: str, variables: dict[str, str]
) -> None:
    done = scene.with_settings(variables).run("--verbose", *command.split(), timeout=120)

    assert done.returncode != 0
    assert done.stderr
    assert is_silent(done.stdout + done.stderr)


def test_a_proxy_that_wants_another_login_is_told_without_the_one_it_got(scene: Scene) -> None:
    with forward_proxy(9, "somebody:else") as proxy:
        variables = {
            "CONFLUENCE_URL": "https://wiki.example.com/wiki",
            "CONFLUENCE_DEPLOYMENT": "cloud",
            "HTTPS_PROXY": proxy.url(LOGIN),
        }
        done = scene.with_settings(variables).run("--verbose", "ingest")

    assert "407" in done.stderr
    assert is_silent(done.stdout + done.stderr)


def test_a_key_that_its_password_does_not_open_is_told_without_it(
    scene: Scene, tmp_path: Path
) -> None:
    certificate, key = Authority(tmp_path).issue("indexer", f"{SECRET}-right")
    variables = {
        "CONFLUENCE_CLIENT_CERT": str(certificate),
        "CONFLUENCE_CLIENT_KEY": str(key),
        "CONFLUENCE_CLIENT_KEY_PASSWORD": f"{SECRET}-wrong",
    }

    done = scene.with_settings(variables).run("--verbose", "ingest")

    assert "client certificate" in done.stderr
    assert is_silent(done.stdout + done.stderr)


def test_the_settings_are_shown_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        name
        for name in {**IngestSettings.model_fields, **ServerSettings.model_fields}
        if re.search("token$|api_key$|secret$|password$|headers$|postgres_url$", name)
    }
    for name in secrets:
        monkeypatch.setenv(name.upper(), f"{SECRET}-of-sixteen-letters")
    monkeypatch.setenv("CONFLUENCE_HEADERS", f"X-Gateway-Key: {SECRET}-gateway")

    ingest, server = IngestSettings.load(), ServerSettings.load()

    assert len(secrets) >= 8
    assert is_silent(repr(ingest) + str(ingest) + repr(server) + str(server))
    assert is_silent(repr(ingest.credentials) + repr(ingest.connection))


@dataclass(slots=True)
class Served:
    """A server at its most talkative, and all that it has said."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list[str])
    is_listening: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def listen(self) -> None:
        """Keeps every line, in a thread of its own."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if match := re.search(r"MCP at (http://\S+)/mcp", line):
                self.url = match[1]
                self.is_listening.set()
        self.is_listening.set()


@contextmanager
def talkative_server(command: Command) -> Generator[Served]:
    """`confluence-mcp --verbose serve` over HTTP; at the end `said` is complete."""
    with command.begin("--verbose", "serve", *http_options()) as process:
        served = Served(process)
        thread = threading.Thread(target=served.listen)
        thread.start()
        assert served.is_listening.wait(60)
        assert served.url, "".join(served.said)
        yield served
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        thread.join()
        assert process.stdout is not None
        served.said.append(process.stdout.read())


async def many_calls(url: str, key: str, mode: str) -> None:
    """Calls of every tool, some of which fail."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        await client.call_tool("search_confluence", {"query": "who keeps the Marmalade ledger"})
        read = await client.call_tool("get_page", {"page": "ENG:Crane"})
        assert PAGE_WORDS in str(read.structured_content)
        await client.call_tool("get_page", {"page": f"{urlsplit(url).netloc}/x/Marmalade"})
        await client.call_tool("answer_question", {"question": "Where is the Marmalade?"})
        await client.call_tool("search_confluence", {"query": "Marmalade", "limit": "Marmalade"})


def test_a_server_keeps_keys_questions_and_pages_out_of_its_log(scene: Scene) -> None:
    assert scene.command.run("ingest").returncode == 0
    wrong = f"cmcp_{SECRET}".ljust(48, "x")
    webhook = f"{SECRET}-webhook-of-the-site"
    variables = {"AUTH_API_KEYS": "true", "CONFLUENCE_WEBHOOK_SECRET": webhook, "CHAT_MODEL": "x"}
    command = scene.with_settings(variables)
    key = command.run("token", "create", "robot", "--service").stdout.strip()
    scene.endpoint.reply = lambda messages, tools: Fault(400, f"No such key: {MODEL_KEY}")

    with talkative_server(command) as served:
        for mode in ("auto", "legacy"):
            anyio.run(many_calls, served.url, key, mode)
        for token in (wrong, f"eyJhbGciOiJub25lIn0.{SECRET}.x", SECRET):
            httpx.post(f"{served.url}/mcp", headers={"Authorization": f"Bearer {token}"})
        for bearer in (webhook, wrong):
            sent = {"Authorization": f"Bearer {bearer}"}
            hook = f"{served.url}/webhooks/confluence?secret={webhook}"
            httpx.post(hook, headers=sent, json={"page": {"id": "1", "title": f"{SECRET}"}})

    said = "".join(served.said)
    assert "DEBUG" in said
    assert key.startswith("cmcp_")
    assert key not in said
    assert is_silent(said)
    assert "Marmalade" not in said
    assert PAGE_WORDS not in said
    stored = scene.stored()
    assert is_silent(stored)
    assert key not in stored
