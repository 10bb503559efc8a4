"""The way to a site through a corporate network: trust, proxies, a client certificate, headers."""

import os
import re
import ssl
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import TypeAdapter, ValidationError

from index.errors import ConfigurationError
from index.settings import is_loopback
from ingest.sources.download import is_same_origin
from ingest.sources.http import TIMEOUT

_OWN_HEADERS = {"Accept": "application/json", "User-Agent": "confluence-mcp"}
_SET_ELSEWHERE = frozenset(
    {"authorization", "connection", "content-length", "host", "transfer-encoding"}
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Between headers; a semicolon within a value, as of a cookie, is not followed by "name:".
_SEPARATOR = re.compile(rf"\s*(?:[\r\n]+|;(?=\s*{_NAME.pattern}:(?!//)))\s*")
_VALUE = re.compile(r"[ -~]+")
_TOKEN = re.compile(r"[!-~]+")
_JSON_HEADERS = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Files (PEM) with which this program shows who it is; without `key` it is in the first."""

    certificate: Path
    key: Path | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """What it takes to reach a site, besides its address and the account."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    certificate: ClientCertificate | None = None

    def client(self, site_url: str) -> httpx.AsyncClient:
        """A client for one site; ConfigurationError when files or the proxy cannot be used.

        Proxies are those of the environment. Requests to this machine take none. The headers go
        to the site's own origin only.
        """
        verify = trust(self.certificate)
        try:
            return httpx.AsyncClient(
                verify=verify,
                timeout=TIMEOUT,
                headers=_OWN_HEADERS,
                mounts=_without_proxy(httpx.URL(site_url).host),
                event_hooks={"request": [_adding(self.headers, httpx.URL(site_url))]},
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            # The text may hold the password of the proxy, so that not even the cause is kept.
            raise ConfigurationError(
                "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment is not the address of an "
                "HTTP proxy. Write it as http://proxy.example.com:3128."
            ) from None


class BearerToken(httpx.Auth):
    """Signs requests with a token; ConfigurationError of its variable when it cannot be one."""

    def __init__(self, variable: str, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise ConfigurationError(
                f"{variable} has a character that no token has. Copy it again, without quotes or "
                "spaces."
            )
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """The request with the token in its header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def headers_from(variable: str, text: str) -> dict[str, str]:
    """Headers of a JSON object, or of `Name: value` on lines or between semicolons.

    Raises ConfigurationError, which repeats no value.
    """
    if text.lstrip().startswith("{"):
        pairs = _json_pairs(variable, text)
    else:
        parts = (part.strip("; \t\r\n") for part in _SEPARATOR.split(text))
        pairs = [_pair(variable, part) for part in parts if part]
    for name, value in pairs:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise _no_header(variable)
        if name.lower() in _SET_ELSEWHERE:
            raise ConfigurationError(
                f"{variable} sets {name}, which is not an extra header. Leave it out; credentials "
                "have variables of their own."
            )
    return dict(pairs)


def _json_pairs(variable: str, text: str) -> list[tuple[str, str]]:
    try:
        parsed = _JSON_HEADERS.validate_json(text)
    except ValidationError:
        # Its text would repeat the values.
        raise _no_header(variable) from None
    return [(name.strip(), value.strip()) for name, value in parsed.items()]


def _pair(variable: str, part: str) -> tuple[str, str]:
    name, colon, value = part.partition(":")
    if not colon:
        raise _no_header(variable)
    return name.strip(), value.strip()


def _no_header(variable: str) -> ConfigurationError:
    return ConfigurationError(
        f'{variable} cannot be read. Write "Name: value", several of them on lines of their own or '
        'with semicolons between, or a JSON object such as {"Name": "value"}.'
    )


def trust(certificate: ClientCertificate | None = None) -> ssl.SSLContext:
    """Whom to believe: the usual authorities, the system's, SSL_CERT_FILE and SSL_CERT_DIR."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    # Many companies' own authorities lack what Python 3.13 demands of them and nobody did before.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            context.load_verify_locations(cafile=file)
        except OSError as error:
            raise ConfigurationError(
                f"SSL_CERT_FILE names {file}, which is no readable file of certificates (PEM)."
            ) from error
    if certificate is not None:
        _show(certificate, context)
    return context


def _show(certificate: ClientCertificate, context: ssl.SSLContext) -> None:
    try:
        # A password has to be given, or else OpenSSL asks for one at the terminal.
        context.load_cert_chain(certificate.certificate, certificate.key, certificate.password)
    except OSError as error:
        files = " and ".join(
            str(file) for file in (certificate.certificate, certificate.key) if file
        )
        raise ConfigurationError(
            f"The client certificate in {files} cannot be used ({_why(error)}). "
            "CONFLUENCE_CLIENT_CERT and CONFLUENCE_CLIENT_KEY name PEM files that belong together, "
            "and CONFLUENCE_CLIENT_KEY_PASSWORD opens the key if it is locked."
        ) from error


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no certificate and key").lower().replace("_", " ")
    return error.strerror or type(error).__name__


def _without_proxy(site_host: str) -> dict[str, None]:
    """Patterns of this machine's names; the address of a loopback site may be any of 127/8."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if is_loopback(site_host) and ":" not in site_host:
        names.append(site_host)
    return {f"all://{name}": None for name in names}


def _adding(
    headers: Mapping[str, str], site: httpx.URL
) -> Callable[[httpx.Request], Awaitable[None]]:
    async def add(request: httpx.Request) -> None:
        if is_same_origin(site, request.url):
            request.headers.update(headers)

    return add
