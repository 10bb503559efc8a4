"""What the settings say about who may ask over HTTP; contradictions are told at the start."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import SplitResult, urlsplit

from mcp.server.transport_security import TransportSecuritySettings

from index.configuration import check_all
from index.errors import ConfigurationError
from index.settings import is_loopback
from server.proxies import further_hosts, trusted_proxies
from server.settings import ServerSettings

logger = logging.getLogger(__name__)

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, section 2
# Settings that say nothing without AUTH_ISSUER.
_ISSUER_ONLY = ("auth_audience", "auth_jwks_url", "auth_scopes", "auth_account_claim")


@dataclass(frozen=True, slots=True)
class Issuer:
    """An identity provider, and what its tokens must say."""

    url: str
    audience: str
    jwks_url: str | None
    scopes: Sequence[str]
    account_claim: str


@dataclass(frozen=True, slots=True)
class HttpAuth:
    """Who is let in over HTTP: those with a token of the issuer, with a key, or with either.

    `public_url` is the address under which clients reach the server.
    """

    issuer: Issuer | None
    takes_keys: bool
    public_url: str

    @property
    def needed(self) -> str:
        """What callers have to bring along, for the operator."""
        doors: list[str] = []
        if self.issuer is not None:
            by = self.issuer.account_claim
            doors.append(f"access tokens of {self.issuer.url} (account by {by})")
        if self.takes_keys:
            doors.append("keys of `confluence-mcp token create`")
        return " or ".join(doors)


def http_auth(settings: ServerSettings, host: str, port: int) -> HttpAuth | None:
    """What is asked of callers; None when nobody is asked.

    Raises ConfigurationError as `check_http` does.
    """
    check_http(settings, host)
    if settings.auth_issuer is None and not settings.auth_api_keys:
        return None
    url = _public_url(settings, host) or f"http://{_in_url(host)}:{port}/mcp"
    if not is_secure(url):
        logger.warning("%s has no https: tokens can be read on their way", url)
    return HttpAuth(_issuer(settings), settings.auth_api_keys, url)


def check_http(settings: ServerSettings, host: str) -> None:
    """Raises ConfigurationError that names every variable which is wrong for HTTP.

    So is an address that others can reach while nobody is asked.
    """
    urls = {"AUTH_ISSUER": settings.auth_issuer, "AUTH_JWKS_URL": settings.auth_jwks_url}
    checks = [
        partial(_checked, name, url, query=name == "AUTH_JWKS_URL")
        for name, url in urls.items()
        if url is not None
    ]
    if settings.auth_issuer is None:
        checks = [partial(_refuse_alone, settings, name) for name in _ISSUER_ONLY]
    if settings.auth_issuer is None and not settings.auth_api_keys:
        checks += [partial(_refuse_open, host)]
    else:
        checks += [partial(_check_audience, settings), partial(_public_url, settings, host)]
    check_all(
        *checks,
        partial(_scopes, settings),
        partial(further_hosts, settings),
        partial(trusted_proxies, settings),
    )


def _refuse_alone(settings: ServerSettings, name: str) -> None:
    if name in settings.model_fields_set and getattr(settings, name):
        raise ConfigurationError(
            f"{name.upper()} is set, but AUTH_ISSUER is not.\n"
            f"Set AUTH_ISSUER to the issuer of the tokens, or unset {name.upper()}."
        )


def _refuse_open(host: str) -> None:
    if not is_loopback(host):
        raise ConfigurationError(
            f"Nobody is asked who they are, so the server listens on loopback only, not on {host}."
            "\nUse --host 127.0.0.1, or set AUTH_ISSUER and AUTH_AUDIENCE (tokens of an identity "
            "provider) or AUTH_API_KEYS=true (keys of `confluence-mcp token create`)."
        )


def _check_audience(settings: ServerSettings) -> None:
    if settings.auth_issuer is not None and settings.auth_audience is None:
        raise ConfigurationError(
            "AUTH_ISSUER is set, but AUTH_AUDIENCE is not: any token of that issuer would do.\n"
            "Set AUTH_AUDIENCE to what the tokens for this server have as `aud`."
        )


def _issuer(settings: ServerSettings) -> Issuer | None:
    if settings.auth_issuer is None or settings.auth_audience is None:
        return None
    return Issuer(
        settings.auth_issuer,
        settings.auth_audience,
        settings.auth_jwks_url,
        _scopes(settings),
        settings.auth_account_claim,
    )


def _scopes(settings: ServerSettings) -> Sequence[str]:
    scopes = re.split(r"[\s,]+", settings.auth_scopes.strip(", ")) if settings.auth_scopes else []
    if wrong := [scope for scope in scopes if not _SCOPE.fullmatch(scope)]:
        raise ConfigurationError(
            f"AUTH_SCOPES has what is no scope: {', '.join(map(repr, wrong))}.\n"
            "List scopes with commas or spaces between them, such as confluence:read."
        )
    return scopes


def _public_url(settings: ServerSettings, host: str) -> str | None:
    """The address under which clients reach it; None for that at which it listens."""
    if settings.confluence_mcp_public_url is not None:
        url = settings.confluence_mcp_public_url
        _checked("CONFLUENCE_MCP_PUBLIC_URL", url, secure=False)
        return url
    audience = settings.auth_audience or ""
    if audience.startswith(("https://", "http://")):
        _checked("AUTH_AUDIENCE", audience, secure=False)
        return audience
    if not is_loopback(host):
        raise ConfigurationError(
            f"The server is to listen on {host}, but under which address clients reach it is not "
            "known.\nSet CONFLUENCE_MCP_PUBLIC_URL, such as https://wiki-search.example.com/mcp."
        )
    return None


def _checked(name: str, url: str, *, secure: bool = True, query: bool = False) -> None:
    """Raises ConfigurationError unless it is a plain address, and `secure` where it has to be."""
    parts = _parts(url)
    has_more = parts is None or parts.fragment or parts.username is not None
    if parts is None or not parts.hostname or has_more or (parts.query and not query):
        raise ConfigurationError(
            f"{name} is not an address such as https://host.example.com/path.\n"
            "Give it with https:// and without user, password, question mark or hash."
        )
    if secure and not is_secure(url):
        raise ConfigurationError(
            f"{name} has no https, though it is not on this machine.\n"
            "Give its https address: whoever can change what it answers can sign in as anybody."
        )


def _parts(url: str) -> SplitResult | None:
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def is_secure(url: str, *, loopback: bool = True) -> bool:
    """Whether nobody between here and there can change what is sent: https, or this machine."""
    parts = _parts(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (loopback and is_loopback(parts.hostname))


def transport_security(
    host: str, public_url: str | None, further_hosts: Sequence[str] = ()
) -> TransportSecuritySettings:
    """Refuses pages of other sites whose name was made to point at this server."""
    names = {"127.0.0.1", "localhost", "[::1]"}
    if host not in ("0.0.0.0", "::"):
        names.add(_in_url(host))
    hosts = [allowed for name in sorted(names) for allowed in (name, f"{name}:*")]
    origins = [f"http://{allowed}" for allowed in hosts]
    hosts += [allowed for name in further_hosts for allowed in (name, f"{name}:*")]
    if public_url is not None and (parts := _parts(public_url)) is not None:
        name = _in_url(parts.hostname or "")
        hosts += [name, f"{name}:*"]
        origins.append(f"{parts.scheme}://{parts.netloc.lower()}")
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
