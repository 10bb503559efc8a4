"""What a person can set: the chat model, and the MCP server that the chat asks."""

import shlex
import sys
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_MODEL = "gpt-4.1"
OPENAI_URL = "https://api.openai.com/v1"
PROJECT = Path(__file__).resolve().parent.parent


class ChatSettings(BaseSettings):
    """Read from the environment and from `.env` in the current folder; empty means unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    openai_api_key: SecretStr | None = Field(
        default=None, description="Key of OpenAI or of any compatible endpoint."
    )
    openai_base_url: str | None = Field(
        default=None,
        description="Base URL of a compatible endpoint, such as http://127.0.0.1:11434/v1.",
    )
    chat_model: str | None = Field(
        default=None,
        description=f"Model that writes the answers. Unset: {DEFAULT_MODEL} with a key.",
    )
    confluence_mcp_url: str | None = Field(
        default=None,
        description="A running server, such as http://127.0.0.1:8080/mcp. Unset: our own.",
    )
    confluence_mcp_token: SecretStr | None = Field(
        default=None, description="Bearer token for CONFLUENCE_MCP_URL, if that server wants one."
    )
    confluence_mcp_command: str | None = Field(
        default=None,
        description="Command of the server that the chat starts. Unset: confluence-mcp serve.",
    )

    chat_sign_in: str | None = Field(
        default=None,
        description="How people sign in: password, oauth or proxy. Unset: nobody is asked.",
    )
    chat_home: Path | None = Field(
        default=None,
        description="Folder of the users with a password, and of the secret that signs cookies. "
        "Unset: the platform's user data folder.",
    )
    chat_proxy_addresses: str = Field(
        default="127.0.0.1,::1",
        description="Addresses of the proxy that signs people in, with commas between them.",
    )
    chat_proxy_user_header: str = Field(
        default="X-Forwarded-Email", description="Header in which the proxy names who asks."
    )
    chat_proxy_token_header: str = Field(
        default="X-Forwarded-Access-Token",
        description="Header in which the proxy gives the access token of who asks.",
    )
    chat_database_url: SecretStr | None = Field(
        default=None,
        description="A Postgres that keeps conversations and thumbs, or `embedded` for that of "
        "the index. Unset: nothing is kept.",
    )
    chat_keep_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="After how many days without a question a conversation is deleted. "
        "Unset: never.",
    )

    @property
    def model(self) -> str | None:
        """Name of the chat model, or None when no endpoint is configured."""
        if self.openai_api_key is not None:
            return self.chat_model or DEFAULT_MODEL
        return self.chat_model if self.openai_base_url is not None else None

    @property
    def server_command(self) -> list[str]:
        """The command that serves MCP over stdio, program first."""
        if self.confluence_mcp_command is not None:
            return shlex.split(self.confluence_mcp_command, posix=sys.platform != "win32")
        if (PROJECT / "confluence_mcp").is_dir():
            return ["uv", "run", "--project", str(PROJECT), "confluence-mcp", "serve"]
        return ["confluence-mcp", "serve"]
