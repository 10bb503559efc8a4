"""Settings of the writing side: which Confluence is read, as whom, and which of its spaces."""

import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from pydantic import Field, SecretStr

from index.errors import ConfigurationError
from index.settings import IndexSettings
from ingest.sources.cloud import CloudSource, cloud_site_url
from ingest.sources.datacenter import DataCenterSource, PersonalToken, datacenter_site_url
from ingest.sources.export import ExportSource, exported_site_url
from ingest.sources.source import Source

logger = logging.getLogger(__name__)

SAMPLE_SPACE = Path(__file__).resolve().parent / "sample_space"
# Sites that are no real ones: the invented company of the sample space, and exports whose site was
# not named. They leave the index when a real site comes in.
SAMPLE_SITE = "https://harbourlight.example/wiki"
UNNAMED_SITE = "https://confluence.invalid/wiki"


@dataclass(frozen=True, slots=True)
class SpaceFilter:
    """Space keys to index and to leave out, in lower case; nothing included means all."""

    included: frozenset[str]
    excluded: frozenset[str]

    def admits(self, space_key: str) -> bool:
        """Whether a space is to be indexed."""
        key = space_key.lower()
        return key not in self.excluded and (not self.included or key in self.included)


class IngestSettings(IndexSettings):
    """What `ingest` and `worker` read, besides the settings of the index."""

    confluence_url: str | None = Field(
        None,
        description="The site, such as https://example.atlassian.net/wiki, or the base URL of a "
        "Data Center, such as https://wiki.example.com/confluence.",
    )
    confluence_username: str | None = Field(
        None, description="Cloud: e-mail of the account that reads Confluence."
    )
    confluence_api_token: SecretStr | None = Field(
        None, description="Cloud: API token of that account, classic or with read scopes."
    )
    confluence_personal_token: SecretStr | None = Field(
        None, description="Server and Data Center: personal access token of the account."
    )
    confluence_deployment: Literal["cloud", "datacenter"] | None = Field(
        None,
        description="`cloud` or `datacenter` (Server too). Unset: Data Center with a personal "
        "token, else Cloud. `datacenter` also takes a user name and a password, as API token.",
    )
    confluence_spaces: str = Field(
        "", description="Comma list of space keys to index; `-KEY` excludes. Empty: all visible."
    )

    @property
    def space_filter(self) -> SpaceFilter:
        """CONFLUENCE_SPACES, taken apart."""
        keys = [key.strip().lower() for key in self.confluence_spaces.split(",")]
        return SpaceFilter(
            included=frozenset(key for key in keys if key and not key.startswith("-")),
            excluded=frozenset(key[1:].strip() for key in keys if key.startswith("-")),
        )


def source_from(
    settings: IngestSettings, export: Path | None = None
) -> AbstractAsyncContextManager[Source]:
    """The source that the settings describe, or the export at a path, to use with `async with`.

    Raises ConfigurationError that names the missing variables.
    """
    if export is not None:
        return ExportSource(export, _site_of(export, settings.confluence_url))
    if _is_datacenter(settings):
        return _datacenter(settings)
    url, username, token = _required(
        "to read Confluence Cloud (Data Center is read with CONFLUENCE_PERSONAL_TOKEN)",
        CONFLUENCE_URL=settings.confluence_url,
        CONFLUENCE_USERNAME=settings.confluence_username,
        CONFLUENCE_API_TOKEN=_revealed(settings.confluence_api_token),
    )
    return CloudSource(cloud_site_url(url), username, token)


def _is_datacenter(settings: IngestSettings) -> bool:
    """What CONFLUENCE_DEPLOYMENT says, else the credentials; ConfigurationError for both kinds."""
    has_personal_token = bool(_revealed(settings.confluence_personal_token))
    if has_personal_token and _revealed(settings.confluence_api_token):
        raise ConfigurationError(
            "CONFLUENCE_API_TOKEN is for Cloud and CONFLUENCE_PERSONAL_TOKEN for Data Center, and "
            "both are set. Unset one of them."
        )
    if has_personal_token and settings.confluence_deployment == "cloud":
        raise ConfigurationError(
            "CONFLUENCE_DEPLOYMENT is cloud, but CONFLUENCE_PERSONAL_TOKEN is for Data Center. "
            "Set CONFLUENCE_USERNAME and CONFLUENCE_API_TOKEN instead of it, or unset "
            "CONFLUENCE_DEPLOYMENT."
        )
    return has_personal_token or settings.confluence_deployment == "datacenter"


def _datacenter(settings: IngestSettings) -> DataCenterSource:
    password = _revealed(settings.confluence_api_token)
    if password:
        url, username = _required(
            "to read a Data Center with user name and password",
            CONFLUENCE_URL=settings.confluence_url,
            CONFLUENCE_USERNAME=settings.confluence_username,
        )
        return DataCenterSource(datacenter_site_url(url), httpx.BasicAuth(username, password))
    url, token = _required(
        "to read a Confluence Data Center",
        CONFLUENCE_URL=settings.confluence_url,
        CONFLUENCE_PERSONAL_TOKEN=_revealed(settings.confluence_personal_token),
    )
    return DataCenterSource(datacenter_site_url(url), PersonalToken(token))


def _site_of(export: Path, url: str | None) -> str:
    if export.expanduser().resolve().is_relative_to(SAMPLE_SPACE):
        return SAMPLE_SITE
    if url:
        return exported_site_url(url)
    logger.warning(
        "links of these pages lead nowhere: set CONFLUENCE_URL to the site of the export and run "
        "the ingest again"
    )
    return UNNAMED_SITE


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value().strip()


def _required(purpose: str, **variables: str | None) -> list[str]:
    missing = [name for name, value in variables.items() if not value]
    if missing:
        raise ConfigurationError(f"Set {', '.join(missing)} {purpose}. See .env.example.")
    return [value for value in variables.values() if value]
