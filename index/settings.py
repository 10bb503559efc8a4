"""Settings that both sides need: where the index lives and which model fills and reads it."""

import os
from pathlib import Path
from typing import Literal, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import ConfigurationError


def default_home() -> Path:
    """The platform's user data folder; for root a folder that Postgres' own user can reach."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/confluence-mcp")
    return platformdirs.user_data_path("confluence-mcp", appauthor=False)


class IndexSettings(BaseSettings):
    """Read from the environment and from `.env` in the current folder; empty means unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    postgres_url: SecretStr | None = Field(
        None, description="Any Postgres 15+ with pgvector 0.8+. Unset: the embedded Postgres."
    )
    postgres_pooler: Literal["transaction"] | None = Field(
        None,
        description="`transaction` where the server's POSTGRES_URL leads to a pooler that lends a "
        "connection for a transaction at a time, such as PgBouncer. Not for ingest.",
    )
    confluence_mcp_home: Path = Field(
        default_factory=default_home, description="Where the embedded Postgres keeps its data."
    )
    openai_api_key: SecretStr | None = Field(
        None, description="Key of OpenAI or of any compatible endpoint."
    )
    openai_base_url: str | None = Field(
        None, description="Base URL of a compatible endpoint, such as http://127.0.0.1:11434/v1."
    )
    embedding_model: str | None = Field(
        None,
        description="`local` (bundled, English), `local-multilingual` (bundled extra) or a model "
        "name at the endpoint. Unset: the model that filled the index; for an empty index "
        "text-embedding-3-small with a key, else local.",
    )

    @classmethod
    def load(cls) -> Self:
        """Reads the settings, or raises ConfigurationError that names every wrong variable."""
        try:
            return cls.model_validate({})
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
                for item in error.errors(include_input=False)
            )
            raise ConfigurationError(f"Wrong settings: {wrong}. See .env.example.") from None
