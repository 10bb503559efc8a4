"""Ways to a site through corporate networks, over real sockets."""

import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from index.errors import ConfigurationError, SourceError, SourceUnavailable
from ingest.sources.connection import BearerToken, ClientCertificate, Connection, headers_from
from ingest.sources.http import SiteClient, WireModel
from ingest.sources.pace import Pace
from ingest.sources.refusals import UnexpectedAnswer
from tests.ingest.corporate import (
    HOST,
    PASSWORD,
    Authority,
    Proxy,
    TlsSite,
    forward_proxy,
    serve_tls,
)
from tests.ingest.fake_time import FakeTime

pytestmark = pytest.mark.anyio

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
LOGIN = httpx.BasicAuth("indexer", "secret-token")


class Body(WireModel):
    """An answer with one text."""

    text: str


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxies and authorities of the machine are not used."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that no system knows."""
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The same, named in SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def site(authority: Authority) -> Iterator[TlsSite]:
    """A site with a certificate of that authority."""
    with serve_tls(authority.issue(HOST)) as served:
        yield served


@pytest.fixture
def proxy(site: TlsSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the site, which HTTPS_PROXY names."""
    with forward_proxy(site.port) as served:
        monkeypatch.setenv("HTTPS_PROXY", served.url())
        yield served


def hash_of(certificate: Path) -> str:
    """The name under which OpenSSL looks for a certificate in a folder."""
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(certificate)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def asked(
    url: str, connection: Connection | None = None, time: FakeTime | None = None
) -> str:
    """What a site answers, asked as the sources do."""
    pace = Pace(timing=(time or FakeTime()).timing())
    async with (connection or Connection()).client(url) as http:
        return (await SiteClient(http, url, auth=LOGIN, pace=pace).get("/plan", Body)).text


async def test_a_certificate_of_an_unknown_authority_is_named_with_the_way_out(
    site: TlsSite,
) -> None:
    time = FakeTime()

    with pytest.raises(SourceUnavailable, match="SSL_CERT_FILE") as caught:
        await asked(site.origin, time=time)

    assert "127.0.0.1" in str(caught.value)
    assert time.slept == []


async def test_an_authority_in_ssl_cert_file_is_believed(trusted: Authority, site: TlsSite) -> None:
    assert await asked(site.origin) == "plan"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl gives the names of the files")
async def test_an_authority_in_ssl_cert_dir_is_believed(
    authority: Authority, site: TlsSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    shutil.copy(authority.file, folder / f"{hash_of(authority.file)}.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))

    assert await asked(site.origin) == "plan"


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_an_ssl_cert_file_that_is_none_is_named(
    site: TlsSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE names .*authorities\.pem"):
        await asked(site.origin)


async def test_a_certificate_of_another_host_is_not_believed(
    trusted: Authority, proxy: Proxy
) -> None:
    with pytest.raises(SourceUnavailable, match=r"not valid for 'intranet\.example\.com'"):
        await asked("https://intranet.example.com")


@pytest.mark.parametrize("password", ["", PASSWORD])
async def test_a_client_certificate_is_shown(trusted: Authority, password: str) -> None:
    files = trusted.issue("indexer", password)
    connection = Connection(certificate=ClientCertificate(*files, password=password))

    with serve_tls(trusted.issue(HOST), clients_of=trusted.file) as site:
        assert await asked(site.origin, connection) == "plan"


async def test_a_client_certificate_may_hold_its_key(trusted: Authority, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(file.read_bytes() for file in trusted.issue("indexer")))

    with serve_tls(trusted.issue(HOST), clients_of=trusted.file) as site:
        assert await asked(site.origin, Connection(certificate=ClientCertificate(both))) == "plan"


async def test_a_site_that_wants_a_client_certificate_is_named_with_the_way_out(
    trusted: Authority,
) -> None:
    time = FakeTime()

    with (
        serve_tls(trusted.issue(HOST), clients_of=trusted.file) as site,
        pytest.raises(SourceUnavailable, match="CONFLUENCE_CLIENT_CERT"),
    ):
        await asked(site.origin, time=time)

    assert time.slept == []


async def test_a_client_certificate_of_nobody_the_site_knows_is_named(
    trusted: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    files = Authority(tmp_path / "other").issue("indexer")
    connection = Connection(certificate=ClientCertificate(*files))

    with (
        serve_tls(trusted.issue(HOST), clients_of=trusted.file) as site,
        pytest.raises(SourceUnavailable, match="CONFLUENCE_CLIENT_CERT"),
    ):
        await asked(site.origin, connection)


@pytest.mark.parametrize("password", ["", "wrong-password"])
def test_a_key_that_stays_locked_is_named_and_nobody_is_asked(
    authority: Authority, password: str
) -> None:
    files = authority.issue("indexer", PASSWORD)
    connection = Connection(certificate=ClientCertificate(*files, password=password))

    with pytest.raises(ConfigurationError, match="CONFLUENCE_CLIENT_KEY_PASSWORD") as caught:
        connection.client("https://wiki.example.com")

    assert "wrong-password" not in f"{caught.value!r} {connection!r}"


def test_files_of_a_client_certificate_that_are_none_are_named(authority: Authority) -> None:
    certificate, key = authority.issue("indexer")
    _, other_key = authority.issue("somebody")
    missing = key.with_name("missing.pem")

    for files in [(missing, key), (certificate, missing), (certificate, other_key), (key, key)]:
        with pytest.raises(ConfigurationError, match="CONFLUENCE_CLIENT_CERT") as caught:
            Connection(certificate=ClientCertificate(*files)).client("https://wiki.example.com")
        assert str(files[0]) in str(caught.value)


async def test_a_site_is_reached_through_the_proxy(trusted: Authority, proxy: Proxy) -> None:
    assert await asked(f"https://{HOST}") == "plan"
    assert proxy.asked == [f"{HOST}:443"]


async def test_a_site_on_this_machine_is_reached_without_the_proxy(
    trusted: Authority, site: TlsSite, proxy: Proxy
) -> None:
    assert await asked(site.origin) == "plan"
    assert proxy.asked == []


async def test_no_proxy_is_heeded(
    trusted: Authority, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.invalid")

    assert await asked(f"https://{HOST}") == "plan"
    with pytest.raises(SourceUnavailable):
        await asked("https://intranet.invalid")

    assert proxy.asked == [f"{HOST}:443"]


async def test_a_proxy_that_wants_a_login_is_named_with_the_way_out(
    trusted: Authority, site: TlsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = FakeTime()

    with forward_proxy(site.port, "ada:proxy-password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        with pytest.raises(SourceUnavailable, match="HTTPS_PROXY"):
            await asked(f"https://{HOST}", time=time)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url("ada:wrong-password"))
        with pytest.raises(SourceUnavailable, match="wants a login") as caught:
            await asked(f"https://{HOST}")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url("ada:proxy-password"))
        assert await asked(f"https://{HOST}") == "plan"

    assert "wrong-password" not in str(caught.value)
    assert time.slept == []


async def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:proxy-password@127.0.0.1:9")

    with pytest.raises(SourceUnavailable, match="proxy") as caught:
        await asked(f"https://{HOST}")

    assert "proxy-password" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["socks5://ada:pw-5@127.0.0.1:9", "ftp://ada:pw-5@p", "http://ada:pw-5@p:port"]
)
def test_a_proxy_that_cannot_be_one_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        Connection().client(f"https://{HOST}")

    assert "pw-5" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_name_that_does_not_exist_is_told() -> None:
    with pytest.raises(SourceUnavailable, match=r"nowhere\.invalid.*resolved.*CONFLUENCE_URL"):
        await asked("https://nowhere.invalid/wiki")


async def test_a_login_page_in_place_of_the_answer_is_told(
    trusted: Authority, site: TlsSite
) -> None:
    site.content = b"<html>Log in, dear</html>"

    with pytest.raises(UnexpectedAnswer, match="single sign-on") as caught:
        await asked(site.origin)

    assert "dear" not in str(caught.value)


async def test_extra_headers_go_to_the_origin_of_the_site_only(
    trusted: Authority, site: TlsSite
) -> None:
    headers = {"CF-Access-Client-Id": "id-1", "CF-Access-Client-Secret": "secret-1"}

    with serve_tls(trusted.issue("media.example.com")) as media:
        async with Connection(headers).client(f"{site.origin}/wiki") as http:
            await http.get(f"{site.origin}/other")
            await http.get(media.origin)

    assert site.headers[0]["cf-access-client-id"] == "id-1"
    assert site.headers[0]["cf-access-client-secret"] == "secret-1"
    assert media.headers[0]["cf-access-client-id"] is None


async def test_extra_headers_are_never_shown(
    site: TlsSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = Connection({"CF-Access-Client-Secret": "secret-1"})

    with pytest.raises(SourceError) as caught:
        await asked(site.origin, connection)

    assert "secret-1" not in f"{caught.value} {connection!r} {caplog.text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n ", {}),
        ("A: 1", {"A": "1"}),
        ("A: 1; B-c: 2", {"A": "1", "B-c": "2"}),
        ("A:1;B:2;", {"A": "1", "B": "2"}),
        ("A: 1\nB: 2\r\n\n", {"A": "1", "B": "2"}),
        ("Cookie: a=b; c=d", {"Cookie": "a=b; c=d"}),
        (
            "A: see; https://wiki.example.com; B: 2",
            {"A": "see; https://wiki.example.com", "B": "2"},
        ),
        ("A: x:y:z", {"A": "x:y:z"}),
        ('{"A": "1; B: 2", "C": "3"}', {"A": "1; B: 2", "C": "3"}),
        ("{}", {}),
    ],
)
def test_headers_are_read_in_every_usual_form(text: str, expected: dict[str, str]) -> None:
    assert headers_from("CONFLUENCE_HEADERS", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        "s3cret; A: 1",
        ": s3cret",
        "A:",
        "A b: s3cret",
        "A: s3crét",
        "A: s3cret\x00",
        '{"A": 3, "B": "s3cret"}',
        '{"A": "s3cret"',
        '{"A": "s3cret\\n"}x',
        '{"A": "s3\\ncret"}',
        "Authorization: s3cret",
        "host: s3cret",
        '{"Content-Length": "3"}',
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_their_values(text: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_HEADERS") as caught:
        headers_from("CONFLUENCE_HEADERS", text)

    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("token", ["to ken", "“token”", "token\n", ""])
def test_a_token_that_cannot_be_one_is_named_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_BEARER_TOKEN") as caught:
        BearerToken("CONFLUENCE_BEARER_TOKEN", token)

    assert not token or token not in str(caught.value)
