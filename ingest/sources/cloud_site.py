"""The way to one Confluence Cloud site: its own address or the API gateway, and who asks there."""

import logging
from urllib.parse import urlsplit

import httpx

from index.errors import AuthenticationError, SourceError
from index.settings import is_loopback
from ingest.sources.cloud_json import CurrentUserJson, TenantJson
from ingest.sources.cloud_scopes import REFUSALS
from ingest.sources.http import NotVisible, SiteClient
from ingest.sources.pace import Pace

logger = logging.getLogger(__name__)

GATEWAY = "https://api.atlassian.com"
PAGE_SIZE = "250"


class CloudSite:
    """A site and the client that its credentials work with.

    API tokens with scopes work at the API gateway only; `client` asks there once `identity` has
    seen that the site itself refuses the credentials. `requests` counts all that were sent.
    """

    def __init__(self, url: str, auth: httpx.Auth, http: httpx.AsyncClient, pace: Pace) -> None:
        self.url = url
        self.pace = pace
        self._auth = auth
        self._http = http
        self.client = self._client(url, auth)
        self.requests = 0
        hooks = http.event_hooks
        http.event_hooks = {**hooks, "request": [*hooks["request"], self._count]}

    async def _count(self, request: httpx.Request) -> None:
        del request
        self.requests += 1

    def web_url(self, path: str, fallback: str) -> str:
        """Where a person opens something, by its `webui` link or else by another path."""
        return self.url + (path if path.startswith("/") else fallback)

    async def identity(self) -> str:
        """The account id behind the credentials; raises AuthenticationError when there is none."""
        try:
            return await _account_id(self.client)
        except AuthenticationError as error:
            gateway = await self._gateway_client()
            if gateway is None:
                raise
            try:
                account_id = await _account_id(gateway)
            except AuthenticationError as gateway_error:
                raise gateway_error from error
        logger.info("the API gateway takes the credentials: site=%s", self.url)
        self.client = gateway
        return account_id

    async def _gateway_client(self) -> SiteClient | None:
        origin = self.url.removesuffix("/wiki")
        try:
            tenant = await self._client(origin, None).get("/_edge/tenant_info", TenantJson)
        except SourceError:
            return None
        # A site on this machine is a simulation or a tunnel, which brings its own gateway.
        gateway = origin if is_loopback(urlsplit(origin).hostname or "") else GATEWAY
        return self._client(f"{gateway}/ex/confluence/{tenant.cloud_id}/wiki", self._auth)

    def _client(self, base_url: str, auth: httpx.Auth | None) -> SiteClient:
        return SiteClient(self._http, base_url, auth=auth, pace=self.pace, refusals=REFUSALS)


async def _account_id(client: SiteClient) -> str:
    try:
        user = await client.get("/rest/api/user/current", CurrentUserJson)
    except NotVisible as error:
        raise AuthenticationError(
            "Confluence does not say who the credentials belong to. Check that CONFLUENCE_URL is "
            "the site's own address and that the account may use Confluence."
        ) from error
    if user.type == "anonymous" or not user.account_id:
        raise AuthenticationError(
            "Confluence takes the credentials for nobody's and answers as to an anonymous visitor. "
            "Check CONFLUENCE_USERNAME (the e-mail) and CONFLUENCE_API_TOKEN."
        )
    return user.account_id
