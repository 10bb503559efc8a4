"""Settings of the writing side: which Confluence is read, as whom, and which of its spaces."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator

from index.errors import ConfigurationError
from index.settings import IndexSettings
from ingest.attachments.kinds import KINDS
from ingest.sources.connection import ClientCertificate, Connection, headers_from
from ingest.sources.directory import Directory
from ingest.sources.directory_file import read_directory
from ingest.sources.directory_source import with_directory
from ingest.sources.export import ExportSource, exported_site_url
from ingest.sources.live import Account, Credentials, account_from, opened
from ingest.sources.pace import Pace
from ingest.sources.source import Deployment, Source

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
    confluence_bearer_token: SecretStr | None = Field(
        None,
        description="Cloud, in place of user name and API token: an OAuth 2.0 access token or the "
        "token of a service account, with read scopes. It is not renewed when it expires.",
    )
    confluence_personal_token: SecretStr | None = Field(
        None, description="Server and Data Center: personal access token of the account."
    )
    confluence_deployment: Literal["cloud", "datacenter"] | None = Field(
        None,
        description="`cloud` or `datacenter` (Server too). Unset: Data Center with a personal "
        "token, else Cloud. `datacenter` also takes a user name and a password, as API token.",
    )
    confluence_headers: SecretStr | None = Field(
        None,
        description="Extra headers for the site, such as those of a gateway in front of it: "
        "`Name: value`, several with semicolons or on lines, or a JSON object.",
    )
    confluence_client_cert: Path | None = Field(
        None, description="File (PEM) of the certificate that the site wants to see."
    )
    confluence_client_key: Path | None = Field(
        None, description="File (PEM) of its key. Unset: in the file of the certificate."
    )
    confluence_client_key_password: SecretStr | None = Field(
        None, description="Password of that key, if it is locked."
    )
    confluence_spaces: str = Field(
        "", description="Comma list of space keys to index; `-KEY` excludes. Empty: all visible."
    )
    confluence_comments: bool = Field(
        True, description="Whether comments are indexed with their pages."
    )
    confluence_attachments: str = Field(
        ",".join(KINDS),
        description="Comma list of the kinds of attachments whose text is indexed, or `none`.",
    )
    confluence_attachment_mb: float = Field(
        25,
        gt=0,
        le=4096,
        description="Attachments larger than this many MiB are listed but not read.",
    )

    confluence_permissions: bool = Field(
        True,
        description="Whether it is read who may read what; without that nobody but the crawler is "
        "shown anything.",
    )
    confluence_site_groups: str = Field(
        "",
        description="Data Center that does not tell who may use it (before 9.2, or to others than "
        "administrators): comma list of the groups whose members may.",
    )
    confluence_directory: Path | None = Field(
        None,
        description="JSON file of accounts and members of groups, which exports do not tell; for "
        "live sites of e-mails, which Confluence may hide.",
    )

    @field_validator("confluence_attachments")
    @classmethod
    def _has_known_kinds(cls, text: str) -> str:
        kinds = _kinds(text)
        unknown = sorted(kinds.difference(KINDS))
        if unknown and kinds != {"none"}:
            raise ValueError(
                f"{', '.join(unknown)} is not among {', '.join(KINDS)}; none stands alone"
            )
        return text

    @classmethod
    def load_for(cls, export: Path | None) -> Self:
        """The settings for an export, or for a live site with its account.

        Raises ConfigurationError with all that can be seen to be wrong before anybody is asked.
        """
        of_site = () if export else (_account, _certificate, _headers)
        return cls.load(*of_site, _directory)

    @property
    def space_filter(self) -> SpaceFilter:
        """CONFLUENCE_SPACES, taken apart."""
        keys = [key.strip().lower() for key in self.confluence_spaces.split(",")]
        return SpaceFilter(
            included=frozenset(key for key in keys if key and not key.startswith("-")),
            excluded=frozenset(key[1:].strip() for key in keys if key.startswith("-")),
        )

    @property
    def comments(self) -> bool:
        """Whether comments are indexed."""
        return self.confluence_comments

    @property
    def attachment_kinds(self) -> frozenset[str]:
        """CONFLUENCE_ATTACHMENTS, taken apart: some of KINDS."""
        return frozenset(_kinds(self.confluence_attachments)) - {"none"}

    @property
    def attachment_bytes(self) -> int:
        """The largest attachment that is read."""
        return int(self.confluence_attachment_mb * 2**20)

    @property
    def credentials(self) -> Credentials:
        """The site and the account, unchecked."""
        deployment = self.confluence_deployment
        return Credentials(
            url=(self.confluence_url or "").strip(),
            username=(self.confluence_username or "").strip(),
            api_token=_revealed(self.confluence_api_token),
            personal_token=_revealed(self.confluence_personal_token),
            bearer_token=_revealed(self.confluence_bearer_token),
            deployment=Deployment(deployment) if deployment else None,
            site_groups=self.confluence_site_groups,
        )

    @property
    def connection(self) -> Connection:
        """How the site is reached; ConfigurationError for headers or files that are none."""
        return Connection(_headers(self), _certificate(self))


def source_from(
    settings: IngestSettings,
    export: Path | None = None,
    make_pace: Callable[[str], Pace] | None = None,
    *,
    public: bool = False,
) -> AbstractAsyncContextManager[Source]:
    """The source that the settings describe, or the export at a path, to use with `async with`.

    Everybody may read an export that is made `public`. Raises ConfigurationError that names what
    is missing or wrong; entering it, when the site is of another kind than the credentials.
    `make_pace` gives the pace for a site by its URL.
    """
    if public and export is None:
        raise ConfigurationError(
            "--public is for exports alone: who may read a live site is told by the site. "
            "Leave it away, or name an export with --export."
        )
    directory = _directory(settings)
    if export is not None:
        site_url = _site_of(export, settings.confluence_url)
        return ExportSource(export, site_url, directory=directory, is_public=public)
    account = _account(settings)
    pace = make_pace(account.site_url) if make_pace else None
    source = opened(account, settings.connection, pace)
    return with_directory(source, directory) if directory else source


def _account(settings: IngestSettings) -> Account:
    return account_from(settings.credentials)


def _headers(settings: IngestSettings) -> Mapping[str, str]:
    return headers_from("CONFLUENCE_HEADERS", _revealed(settings.confluence_headers))


def _certificate(settings: IngestSettings) -> ClientCertificate | None:
    certificate, key = settings.confluence_client_cert, settings.confluence_client_key
    if key and not certificate:
        raise ConfigurationError(
            "CONFLUENCE_CLIENT_KEY is set without CONFLUENCE_CLIENT_CERT. Set both."
        )
    password = _revealed(settings.confluence_client_key_password)
    return certificate and ClientCertificate(
        certificate.expanduser(), key and key.expanduser(), password
    )


def _directory(settings: IngestSettings) -> Directory | None:
    path = settings.confluence_directory
    return read_directory(path.expanduser()) if path else None


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


def _kinds(text: str) -> set[str]:
    kinds = {kind.strip().lower().removeprefix(".") for kind in text.split(",")}
    return kinds - {""}


def _revealed(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value().strip()
