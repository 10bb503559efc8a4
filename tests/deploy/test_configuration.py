"""What is wrong with the settings is said at the start, all of it, with names and remedies."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from confluence_mcp.misspelt import KNOWN, misspelt
from index.configuration import check_all
from index.errors import ConfigurationError
from index.settings import IndexSettings
from ingest.settings import IngestSettings
from server.proxies import further_hosts, trusted_proxies
from server.settings import ServerSettings
from tests.command import Command
from tests.test_documents import chat_variables, variables

SECRET = "hunter2-of-sixteen-letters"
HTTP = ("serve", "--transport", "http", "--host", "0.0.0.0")
CASES = {
    "serve": (
        HTTP,
        {
            "RATE_LIMIT": "many",
            "AUTH_ISSUER": "http://idp.example.com",
            "AUTH_SCOPES": 'a"b',
            "CONFLUENCE_MCP_HOSTS": "https://wiki-search",
            "TRUSTED_PROXIES": "nginx",
            "SHUTDOWN_DELAY": "-1",
            "METRICS_TOKEN": SECRET[:9],
            "POSTGRES_POOLER": "session",
        },
        ("AUTH_AUDIENCE", "CONFLUENCE_MCP_PUBLIC_URL"),
    ),
    "worker": (
        ("worker",),
        {
            "METRICS_PORT": "0",
            "CONFLUENCE_ATTACHMENTS": "exe",
            "CONFLUENCE_BEARER_TOKEN": SECRET,
            "CONFLUENCE_API_TOKEN": SECRET,
            "CONFLUENCE_HEADERS": SECRET,
            "CONFLUENCE_CLIENT_KEY": "key.pem",
            "CONFLUENCE_DIRECTORY": "nowhere.json",
        },
        ("CONFLUENCE_CLIENT_CERT",),
    ),
    "ingest": (
        ("ingest",),
        {
            "CONFLUENCE_ATTACHMENT_MB": "0",
            "CONFLUENCE_COMMENTS": "perhaps",
            "CONFLUENCE_USERNAME": "wiki@example.com",
            "LOG_LEVEL": "loud",
        },
        ("CONFLUENCE_URL", "CONFLUENCE_API_TOKEN"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_all_that_is_wrong_is_said_at_once(case: str, tmp_path: Path) -> None:
    arguments, wrong, also = CASES[case]

    done = Command(tmp_path, wrong).run(*arguments)

    named = {*wrong, *also} - {"CONFLUENCE_USERNAME"}
    assert done.returncode == 2
    assert {name for name in named if name not in done.stderr} == set()
    assert SECRET[:9] not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_right_for_one_is_no_matter_to_another(tmp_path: Path) -> None:
    settings = {"RATE_LIMIT": "many", "POSTGRES_URL": "postgresql://a@127.0.0.1:1/none",
                "CONFLUENCE_URL": "https://example.atlassian.net/wiki",
                "CONFLUENCE_USERNAME": "a@example.com", "CONFLUENCE_API_TOKEN": SECRET}  # fmt: skip

    done = Command(tmp_path, settings).run("ingest")

    assert done.returncode == 1
    assert "RATE_LIMIT" not in done.stderr


def test_a_wrong_variable_is_not_asked_for_as_if_it_were_missing(tmp_path: Path) -> None:
    done = Command(tmp_path, {"AUTH_API_KEYS": "perhaps"}).run(*HTTP)

    what, remedy = done.stderr.splitlines()
    assert what.startswith("AUTH_API_KEYS: ")
    assert remedy.startswith("Correct or unset it: Whether callers over HTTP may have keys")


def test_a_file_stands_in_for_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in IndexSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "postgres_url").write_text("postgresql://a@b/c\n")
    (tmp_path / "EMBEDDING_MODEL").write_text("of-the-file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("EMBEDDING_MODEL", "of-the-environment")

    settings = IndexSettings.load()

    assert settings.postgres_url is not None
    assert settings.postgres_url.get_secret_value() == "postgresql://a@b/c"
    assert settings.embedding_model == "of-the-environment"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CONFLUENCE_SPACE", ["CONFLUENCE_SPACES"]),
        ("CONFLUENCE_TOKEN", ["CONFLUENCE_API_TOKEN", "CONFLUENCE_MCP_TOKEN"]),
        ("confluence_users", ["CONFLUENCE_USERNAME"]),
        ("AUTH_API_KEY", ["AUTH_API_KEYS"]),
        ("OPENAI_BASEURL", ["OPENAI_BASE_URL"]),
        ("EMBEDDINGS_MODEL", ["EMBEDDING_MODEL"]),
    ],
)
def test_a_slip_of_the_pen_is_seen(name: str, meant: Sequence[str]) -> None:
    (said,) = misspelt([name])

    assert said.startswith(f"{name} is set")
    assert all(each in said for each in meant)


def test_variables_of_others_are_left_alone() -> None:
    others = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "OPENAI_ORG_ID", "AUTH_TOKEN",
              "PATH", "HOME", "HTTPS_PROXY", "CHAINLIT_URL", "OAUTH_GITHUB_CLIENT_ID"}  # fmt: skip

    assert misspelt(others | KNOWN) == []


def test_a_slip_in_the_file_of_settings_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CONFLUENCE_SPACE=ENG\nCONFLUENCE_URL=\n")

    done = Command(tmp_path).run("ingest")

    assert "did you mean CONFLUENCE_SPACES?" in done.stderr


def test_every_variable_is_known() -> None:
    assert variables(IngestSettings) | variables(ServerSettings) | chat_variables() == KNOWN


@pytest.mark.parametrize("proxies", ["0.0.0.0/0", "::/0", "*", "nginx", "10.0.0.1/8", "10.0.0"])
def test_not_everybody_is_believed(proxies: str) -> None:
    with pytest.raises(ConfigurationError, match="TRUSTED_PROXIES"):
        trusted_proxies(ServerSettings.model_validate({"trusted_proxies": proxies}))


def test_names_and_proxies_are_listed() -> None:
    settings = ServerSettings.model_validate(
        {
            "confluence_mcp_hosts": " Wiki-Search.tools.svc, [fd00::7],server ",
            "trusted_proxies": "10.0.0.7, 10.1.0.0/16,fd00::/8,",
        }
    )

    assert further_hosts(settings) == ["wiki-search.tools.svc", "[fd00::7]", "server"]
    assert trusted_proxies(settings) == ["10.0.0.7", "10.1.0.0/16", "fd00::/8"]


def test_several_checks_are_told_together() -> None:
    def wrong(text: str) -> None:
        raise ConfigurationError(text)

    with pytest.raises(ConfigurationError, match=r"^one\ntwo$"):
        check_all(lambda: wrong("one"), lambda: None, lambda: wrong("two"))
