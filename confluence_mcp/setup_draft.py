"""The settings that setup puts together: what is set already, and what a person answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from pydantic import SecretStr

from ingest.settings import IngestSettings
from ingest.sources.source import Deployment
from server.settings import ServerSettings

# What setup asks for, in the order in which it is written into a new file.
ASKED = (
    "CONFLUENCE_URL",
    "CONFLUENCE_USERNAME",
    "CONFLUENCE_API_TOKEN",
    "CONFLUENCE_BEARER_TOKEN",
    "CONFLUENCE_PERSONAL_TOKEN",
    "CONFLUENCE_DEPLOYMENT",
    "CONFLUENCE_SPACES",
    "POSTGRES_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "EMBEDDING_MODEL",
    "CHAT_MODEL",
)
CLOUD_TOKENS = ("CONFLUENCE_API_TOKEN", "CONFLUENCE_BEARER_TOKEN")


@dataclass(slots=True)
class Draft:
    """Values by variable; empty means unset. All other settings are those that are there."""

    values: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of_settings(cls) -> Self:
        """What is set in the environment and in `.env`; raises ConfigurationError."""
        sources = (IngestSettings.load(), ServerSettings.load())
        return cls({name: _set_in(sources, name) for name in ASKED})

    def __getitem__(self, name: str) -> str:
        """The value of a variable."""
        return self.values[name]

    def put(self, **values: str) -> None:
        """Sets variables."""
        self.values |= values

    def put_account(self, deployment: Deployment, username: str, token_of: str, token: str) -> None:
        """Sets who reads: one token, and none of the others."""
        tokens = dict.fromkeys((*CLOUD_TOKENS, "CONFLUENCE_PERSONAL_TOKEN"), "")
        self.values |= {**tokens, "CONFLUENCE_USERNAME": username, token_of: token}
        if self.values["CONFLUENCE_DEPLOYMENT"] != deployment.value:
            self.values["CONFLUENCE_DEPLOYMENT"] = ""  # the token tells it

    def ingest(self) -> IngestSettings:
        """The settings of the writing side."""
        return IngestSettings.model_validate(self._given())

    def server(self) -> ServerSettings:
        """The settings of the reading side."""
        return ServerSettings.model_validate(self._given())

    def _given(self) -> Mapping[str, str | None]:
        return {name.lower(): value or None for name, value in self.values.items()} | {
            "confluence_spaces": self.values["CONFLUENCE_SPACES"]
        }


def _set_in(sources: tuple[IngestSettings, ServerSettings], name: str) -> str:
    for settings in sources:
        value: object = getattr(settings, name.lower(), None)
        if isinstance(value, SecretStr):
            return value.get_secret_value().strip()
        if value:
            return str(value).strip()
    return ""
