"""Settings that both sides need: where the index lives and which model fills and reads it."""

import ipaddress
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.configuration import read_settings
from index.errors import ConfigurationError


def default_home() -> Path:
    """The platform's user data folder; for root a folder that Postgres' own user can reach."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/confluence-mcp")
    return platformdirs.user_data_path("confluence-mcp", appauthor=False)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class LogSettings(BaseSettings):
    """Read from the environment and from `.env` in the current folder; empty means unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    log_format: Literal["text", "json"] = Field(
        "text",
        description="Form of the log on standard error: `text`, or one `json` object a line.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = Field(
        None,
        description="Least level that is logged. Unset: INFO for what keeps running, WARNING for "
        "what a person waits for.",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @classmethod
    def load(cls, *checks: Callable[[Self], object]) -> Self:
        """Reads the settings, or raises ConfigurationError that names every wrong variable.

        Each of `checks` raises it for what contradicts itself; that is told together.
        """
        return read_settings(cls, checks)


class IndexSettings(LogSettings):
    """What both sides read."""

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

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port at which Prometheus finds the /metrics of `serve --transport http`, "
        "`worker`, `ingest --every` and `ingest --cron`. Unset: none.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="Address of that port; any beyond this machine needs METRICS_TOKEN.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="What Prometheus has to send as bearer token, 16 characters or more."
    )

    @field_validator("metrics_token")
    @classmethod
    def _cannot_be_guessed(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("16 or more characters are needed")
        return token

    @classmethod
    def load(cls, *checks: Callable[[Self], object]) -> Self:
        """The same, with the port of the metrics guarded."""
        return super().load(check_metrics, *checks)


def check_metrics(settings: IndexSettings) -> None:
    """Raises ConfigurationError where others could read the metrics without a token."""
    host = settings.metrics_host
    if settings.metrics_port and settings.metrics_token is None and not is_loopback(host):
        raise ConfigurationError(
            f"METRICS_HOST is {host}, where others can reach it, but METRICS_TOKEN is not set.\n"
            "Set METRICS_TOKEN to what Prometheus sends as bearer token, or unset METRICS_HOST."
        )
