"""What the settings make of a server over HTTP: told in a process of its own where it matters."""

from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from index.api_keys import ApiKeys
from index.database import Database
from index.errors import ConfigurationError
from index.settings import IndexSettings
from server.auth_settings import HttpAuth, http_auth, transport_security
from server.settings import ServerSettings
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, titles, variables_for
from tests.server.callers import HEADERS, INITIALIZE
from tests.server.processes import http_server
from tests.server.signing import AUDIENCE, Issuer, issuer

ISSUER = {"AUTH_ISSUER": "https://idp.example.com/tenant", "AUTH_AUDIENCE": AUDIENCE}
KEYS = {"AUTH_API_KEYS": "true"}
SECRET = "a-secret-of-webhooks"


def made_of(variables: Mapping[str, str], host: str = "127.0.0.1") -> HttpAuth | None:
    """What a server makes of its settings."""
    fields = {name.lower(): value for name, value in variables.items()}
    return http_auth(ServerSettings.model_validate(fields), host, 8080)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting but those of a test."""
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_settings_nobody_is_asked_on_this_machine() -> None:
    assert [made_of({}, host) for host in ("127.0.0.1", "::1", "localhost")] == [None] * 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "wiki.example.com"])
def test_where_others_can_come_somebody_has_to_be_asked(host: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        made_of({}, host)

    what, remedy = str(raised.value).splitlines()
    assert f"not on {host}" in what
    assert all(name in remedy for name in ("AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_API_KEYS"))


def test_an_issuer_is_taken_with_all_that_is_said_of_it() -> None:
    auth = made_of(
        ISSUER
        | {"AUTH_SCOPES": " confluence:read, wiki  other,", "AUTH_ACCOUNT_CLAIM": "sub",
           "AUTH_JWKS_URL": "https://idp.example.com/keys?v=2"}
    )  # fmt: skip

    assert auth is not None
    assert auth.issuer is not None
    assert auth.issuer.url == "https://idp.example.com/tenant"
    assert auth.issuer.jwks_url == "https://idp.example.com/keys?v=2"
    assert list(auth.issuer.scopes) == ["confluence:read", "wiki", "other"]
    assert auth.issuer.account_claim == "sub"
    assert (auth.takes_keys, auth.public_url) == (False, AUDIENCE)


@pytest.mark.parametrize(
    ("variables", "host", "public_url"),
    [
        (KEYS, "127.0.0.1", "http://127.0.0.1:8080/mcp"),
        (KEYS, "::1", "http://[::1]:8080/mcp"),
        (ISSUER, "0.0.0.0", AUDIENCE),
        (ISSUER | {"AUTH_AUDIENCE": "wiki"}, "127.0.0.1", "http://127.0.0.1:8080/mcp"),
        (ISSUER | {"CONFLUENCE_MCP_PUBLIC_URL": "https://a.example/b/mcp"}, "::",
         "https://a.example/b/mcp"),
    ],
)  # fmt: skip
def test_the_address_for_clients_is_found(
    variables: dict[str, str], host: str, public_url: str
) -> None:
    auth = made_of(variables, host)

    assert auth is not None
    assert auth.public_url == public_url


PUBLIC = "CONFLUENCE_MCP_PUBLIC_URL"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"AUTH_ISSUER": "https://idp.example.com"}, "AUTH_AUDIENCE"),
        ({"AUTH_AUDIENCE": AUDIENCE}, "AUTH_AUDIENCE"),
        (KEYS | {"AUTH_AUDIENCE": AUDIENCE}, "AUTH_AUDIENCE"),
        (KEYS | {"AUTH_JWKS_URL": "https://idp.example.com/keys"}, "AUTH_JWKS_URL"),
        (KEYS | {"AUTH_SCOPES": "wiki"}, "AUTH_SCOPES"),
        ({"AUTH_ACCOUNT_CLAIM": "sub"}, "AUTH_ACCOUNT_CLAIM"),
        *[(ISSUER | {"AUTH_ISSUER": url}, "AUTH_ISSUER") for url in
          ("http://idp.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1",
           "idp.example.com", "https://", "https://user:pass@idp.example.com", "ftp://idp",
           "https://idp.example.com?x=1", "https://idp.example.com#x", "https://idp.example:x",
           "https://[::1", "https://idp.exämple.com", "https://idp.example.com/ x", 'https://idp.example.com/"x',
           "//idp.example.com", "file:///etc/passwd")],
        *[(ISSUER | {"AUTH_JWKS_URL": url}, "AUTH_JWKS_URL") for url in
          ("http://idp.example.com/keys", "file:///keys", "keys")],
        (ISSUER | {"AUTH_SCOPES": 'a"b'}, "AUTH_SCOPES"),
        (ISSUER | {"AUTH_SCOPES": "lesen,schreiben,löschen"}, "AUTH_SCOPES"),
        (ISSUER | {PUBLIC: "wiki.example.com/mcp"}, PUBLIC),
        (ISSUER | {PUBLIC: "https://wiki.example.com/mcp?x"}, PUBLIC),
        (ISSUER | {"AUTH_AUDIENCE": "https://"}, "AUTH_AUDIENCE"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        made_of(variables)

    what, remedy = str(raised.value).splitlines()
    assert named in what
    assert remedy
    assert "pass@" not in what + remedy


@pytest.mark.parametrize("variables", [KEYS, ISSUER | {"AUTH_AUDIENCE": "wiki"}])
def test_where_others_come_the_address_has_to_be_known(variables: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=PUBLIC):
        made_of(variables, "0.0.0.0")


@pytest.mark.parametrize("variables", [{"AUTH_API_KEYS": "perhaps"}])
def test_a_setting_that_cannot_be_read_is_named(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match="AUTH_API_KEYS"):
        ServerSettings.load()


def test_hosts_and_origins_are_those_of_the_address_and_of_this_machine() -> None:
    found = transport_security("0.0.0.0", "https://Wiki.example.com:8443/mcp")

    assert {"127.0.0.1:*", "localhost:*", "[::1]:*"} < set(found.allowed_hosts)
    assert {"wiki.example.com", "wiki.example.com:*"} < set(found.allowed_hosts)
    assert not any("0.0.0.0" in host for host in found.allowed_hosts)
    assert "https://wiki.example.com:8443" in found.allowed_origins
    assert not any(origin.startswith("http://wiki") for origin in found.allowed_origins)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that takes tokens and keys, with one of each."""

    url: str
    key: str
    provider: Issuer

    def post(self, **headers: str) -> httpx.Response:
        """The answer to a first request."""
        given = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/mcp", json=INITIALIZE, headers=given, timeout=30)


@pytest.fixture(scope="module")
def variables(
    postgres: Postgres, wiki_template: str, shared_endpoint: OpenAIEndpoint
) -> Generator[Variables]:
    """The environment of a server over a small wiki of this file's own."""
    with postgres.copy_of(wiki_template) as name:
        yield variables_for(postgres.url(name), shared_endpoint)


@pytest.fixture(scope="module")
async def key(variables: Variables) -> str:
    """A key of a service."""
    settings = IndexSettings.model_validate({"postgres_url": variables.postgres_url})
    async with Database.open(settings, application_name="tests") as database:
        return await ApiKeys(database).create("whole-stack", None)


@pytest.fixture(scope="module")
def server(
    variables: Variables, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Server]:
    """The server as a person starts it."""
    with issuer() as provider:
        settings = variables.as_environment() | {
            "AUTH_ISSUER": provider.url, "AUTH_AUDIENCE": AUDIENCE, "AUTH_API_KEYS": "true",
            "AUTH_SCOPES": "confluence:read", "CONFLUENCE_WEBHOOK_SECRET": SECRET,
        }  # fmt: skip
        with http_server(settings, tmp_path_factory.mktemp("server")) as (_, url):
            yield Server(url, key, provider)


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[Client]:
    """A client of MCP with the key."""
    headers = {"Authorization": f"Bearer {server.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
    ):
        yield client


@pytest.mark.anyio
async def test_a_service_with_a_key_searches(client: Client) -> None:
    assert (await titles(client, "TB-4031"))[0] == "VPN"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_somebody_without_an_account_is_shown_nothing(server: Server, mode: str) -> None:
    token = server.provider.token(
        email="nobody@example.com", email_verified=True, scope="confluence:read"
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as client,
    ):
        found = await titles(client, "TB-4031")

    assert found == []


def test_the_keys_of_the_provider_are_discovered(server: Server) -> None:
    taken = server.post(authorization=f"Bearer {server.provider.token(scope='confluence:read')}")
    lacking = server.post(authorization=f"Bearer {server.provider.token()}")

    assert (taken.status_code, lacking.status_code) == (200, 403)


def test_nobody_comes_in_without_a_token_even_on_this_machine(server: Server) -> None:
    refused = server.post()

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == (
        'Bearer resource_metadata="https://wiki-search.example.com/.well-known/'
        'oauth-protected-resource/mcp", scope="confluence:read"'
    )


def test_a_token_does_not_open_it_to_foreign_pages(server: Server) -> None:
    bearer = f"Bearer {server.key}"

    assert server.post(authorization=bearer, host="evil.example").status_code == 421
    assert server.post(authorization=bearer, origin="https://evil.example").status_code == 403
    assert server.post(authorization=bearer, host="wiki-search.example.com").status_code == 200
    own = "https://wiki-search.example.com"
    assert server.post(authorization=bearer, origin=own).status_code == 200


def test_health_stays_open_and_webhooks_keep_their_secret(server: Server) -> None:
    url = f"{server.url}/webhooks/confluence"
    body = {"page": {"id": "1"}}

    health = [httpx.get(f"{server.url}/{path}").status_code for path in ("healthz", "readyz")]
    noted = httpx.post(url, json=body, headers={"Authorization": f"Bearer {SECRET}"})
    refused = httpx.post(url, json=body, headers={"Authorization": f"Bearer {server.key}"})
    wrong = server.post(authorization=f"Bearer {SECRET}")

    assert health == [200, 200]
    assert (noted.status_code, refused.status_code, wrong.status_code) == (202, 401, 401)
