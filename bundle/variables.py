"""The variables that an installer asks a person for, as the settings classes describe them."""

from dataclasses import dataclass
from typing import Self

from ingest.settings import IngestSettings
from server.settings import ServerSettings

# What the server reads when somebody else fills the index.
SERVING = {
    "POSTGRES_URL": "Postgres",
    "CONFLUENCE_MCP_HOME": "Folder of the index",
    "CONFLUENCE_MCP_USER": "Shown as",
    "OPENAI_API_KEY": "OpenAI API key",
    "OPENAI_BASE_URL": "Model endpoint",
    "CHAT_MODEL": "Chat model",
}
# What a person gives who reads Confluence on the same machine.
READING = {
    "CONFLUENCE_URL": "Confluence URL",
    "CONFLUENCE_USERNAME": "Account (Cloud)",
    "CONFLUENCE_API_TOKEN": "API token (Cloud)",
    "CONFLUENCE_PERSONAL_TOKEN": "Personal access token (Data Center)",
    "CONFLUENCE_SPACES": "Spaces",
    "POSTGRES_URL": "Postgres",
    "OPENAI_API_KEY": "OpenAI API key",
}
NEEDED = frozenset({"CONFLUENCE_URL"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with the title of its field; secret ones are typed unseen and stored safely."""

    name: str
    title: str
    description: str
    is_secret: bool
    is_needed: bool

    @classmethod
    def of(cls, name: str, title: str) -> Self:
        """As its settings class has it."""
        fields = ServerSettings.model_fields | IngestSettings.model_fields
        field = fields[name.lower()]
        is_secret = "SecretStr" in str(field.annotation)
        return cls(name, title, field.description or title, is_secret, name in NEEDED)


def serving() -> tuple[Variable, ...]:
    """Those of `confluence-mcp serve`."""
    return tuple(Variable.of(name, title) for name, title in SERVING.items())


def reading() -> tuple[Variable, ...]:
    """Those of a server with an ingest beside it."""
    return tuple(Variable.of(name, title) for name, title in READING.items())
