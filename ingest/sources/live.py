"""The live site that credentials lead to, of the kind that they are for."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import httpx

from index.errors import ConfigurationError
from ingest.sources.cloud import CloudSource, cloud_site_url
from ingest.sources.connection import BearerToken, Connection
from ingest.sources.datacenter import DataCenterSource, PersonalToken, datacenter_site_url
from ingest.sources.pace import Pace
from ingest.sources.probe import address_nearby, deployment_at
from ingest.sources.source import Deployment, Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the settings say of a site and an account there, unchecked; empty means not said.

    `site_groups` is a comma list of groups that may use a Data Center.
    """

    url: str = ""
    username: str = ""
    api_token: str = field(default="", repr=False)
    personal_token: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    deployment: Deployment | None = None
    site_groups: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A site and who reads it there; `is_certain` unless the kind of site is only a guess."""

    deployment: Deployment
    is_certain: bool
    site_url: str
    given_url: str
    auth: httpx.Auth
    site_groups: frozenset[str] = frozenset()


def account_from(credentials: Credentials) -> Account:
    """The account, or ConfigurationError that names what is missing or contradictory."""
    _refuse_contradictions(credentials)
    if credentials.personal_token or credentials.deployment is Deployment.DATACENTER:
        return _datacenter_account(credentials)
    return _cloud_account(credentials)


@asynccontextmanager
async def opened(
    account: Account, connection: Connection, pace: Pace | None = None
) -> AsyncGenerator[Source]:
    """The site as a source. Raises ConfigurationError when it is of the other kind."""
    async with connection.client(account.site_url) as http:
        if not account.is_certain:
            await _refuse_other_kind(account, http)
        kinds = {
            Deployment.CLOUD: CloudSource,
            Deployment.DATACENTER: partial(DataCenterSource, site_groups=account.site_groups),
        }
        kind = kinds[account.deployment]
        async with kind(account.site_url, account.auth, http=http, pace=pace) as source:
            yield source


def _refuse_contradictions(credentials: Credentials) -> None:
    tokens = {
        "CONFLUENCE_API_TOKEN": credentials.api_token,
        "CONFLUENCE_BEARER_TOKEN": credentials.bearer_token,
        "CONFLUENCE_PERSONAL_TOKEN": credentials.personal_token,
    }
    given = [name for name, token in tokens.items() if token]
    if len(given) > 1:
        raise ConfigurationError(
            f"{' and '.join(given)} are both set. Unset one of them: CONFLUENCE_API_TOKEN and "
            "CONFLUENCE_BEARER_TOKEN are for Cloud, CONFLUENCE_PERSONAL_TOKEN for Data Center."
        )
    if credentials.personal_token and credentials.deployment is Deployment.CLOUD:
        raise ConfigurationError(
            "CONFLUENCE_DEPLOYMENT is cloud, but CONFLUENCE_PERSONAL_TOKEN is for Data Center. "
            "Set CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN instead of it, or unset "
            "CONFLUENCE_DEPLOYMENT."
        )
    if credentials.bearer_token and credentials.deployment is Deployment.DATACENTER:
        raise ConfigurationError(
            "CONFLUENCE_DEPLOYMENT is datacenter, but CONFLUENCE_BEARER_TOKEN is for Cloud. Set "
            "CONFLUENCE_PERSONAL_TOKEN instead of it, or unset CONFLUENCE_DEPLOYMENT."
        )


def _datacenter_account(credentials: Credentials) -> Account:
    if credentials.api_token:
        url, username = _required(
            "to read a Data Center with user name and password",
            CONFLUENCE_URL=credentials.url,
            CONFLUENCE_USERNAME=credentials.username,
        )
        auth: httpx.Auth = httpx.BasicAuth(username, credentials.api_token)
    else:
        url, token = _required(
            "to read a Confluence Data Center",
            CONFLUENCE_URL=credentials.url,
            CONFLUENCE_PERSONAL_TOKEN=credentials.personal_token,
        )
        auth = PersonalToken(token)
    is_certain = credentials.deployment is not None
    site_url = datacenter_site_url(url)
    groups = _listed(credentials.site_groups)
    return Account(Deployment.DATACENTER, is_certain, site_url, url, auth, groups)


def _cloud_account(credentials: Credentials) -> Account:
    if credentials.bearer_token:
        auth: httpx.Auth = BearerToken("CONFLUENCE_BEARER_TOKEN", credentials.bearer_token)
        (url,) = _required("to read Confluence Cloud", CONFLUENCE_URL=credentials.url)
    else:
        url, username, token = _required(
            "to read Confluence Cloud (Data Center is read with CONFLUENCE_PERSONAL_TOKEN)",
            CONFLUENCE_URL=credentials.url,
            CONFLUENCE_USERNAME=credentials.username,
            CONFLUENCE_API_TOKEN=credentials.api_token,
        )
        auth = httpx.BasicAuth(username, token)
    is_certain = credentials.deployment is not None
    try:
        site_url = cloud_site_url(url)
    except ConfigurationError as error:
        if is_certain:
            raise
        raise ConfigurationError(
            f"{error} A Data Center is read with CONFLUENCE_PERSONAL_TOKEN, or with "
            "CONFLUENCE_DEPLOYMENT=datacenter, a user name and a password."
        ) from error
    is_at_atlassian = (urlsplit(site_url).hostname or "").endswith(".atlassian.net")
    return Account(Deployment.CLOUD, is_certain or is_at_atlassian, site_url, url, auth)


async def _refuse_other_kind(account: Account, http: httpx.AsyncClient) -> None:
    site_url = datacenter_site_url(account.given_url)
    try:
        found = await deployment_at(http, site_url)
        nearby = None if found else await address_nearby(http, site_url)
    except httpx.RequestError as error:
        # It is met again with the account, and told then.
        logger.info("no answer to a probe: site=%s problem=%s", site_url, type(error).__name__)
        return
    http.cookies.clear()  # a visitor's session is not the account's
    if nearby:
        raise ConfigurationError(
            f"There is no Confluence at {site_url}, but a Data Center at {nearby}. Set "
            "CONFLUENCE_URL to that."
        )
    if found is None or found is account.deployment:
        return
    if found is Deployment.CLOUD:
        raise ConfigurationError(
            f"{site_url} is a Confluence Cloud, and CONFLUENCE_PERSONAL_TOKEN is for Data Center. "
            "Set CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN in its place."
        )
    if isinstance(account.auth, BearerToken):
        raise ConfigurationError(
            f"{site_url} is a Confluence Data Center, and CONFLUENCE_BEARER_TOKEN is for Cloud. "
            "Set CONFLUENCE_PERSONAL_TOKEN in its place."
        )
    raise ConfigurationError(
        f"{site_url} is a Confluence Data Center, and an API token is for Cloud. Set "
        "CONFLUENCE_PERSONAL_TOKEN in place of CONFLUENCE_API_TOKEN; if that is the password of "
        "CONFLUENCE_USERNAME there, set CONFLUENCE_DEPLOYMENT to datacenter."
    )


def _listed(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) - {""}


def _required(purpose: str, **variables: str) -> list[str]:
    missing = [name for name, value in variables.items() if not value]
    if missing:
        raise ConfigurationError(f"Set {', '.join(missing)} {purpose}. See .env.example.")
    return list(variables.values())
