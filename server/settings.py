"""Settings of the reading side; it knows no Confluence credentials."""

from pydantic import Field, SecretStr

from index.settings import IndexSettings

# Answers well, follows a JSON format, and is served by OpenAI and Azure alike.
DEFAULT_CHAT_MODEL = "gpt-4.1"


class ServerSettings(IndexSettings):
    """What the MCP server reads from the environment."""

    chat_model: str | None = Field(
        None,
        description="Model for answer_question and the chat. Unset: "
        f"{DEFAULT_CHAT_MODEL} with a key, else no model: passages instead of answers.",
    )
    confluence_webhook_secret: SecretStr | None = Field(
        None,
        min_length=16,
        max_length=255,
        description="Opens POST /webhooks/confluence over HTTP. Data Center signs with it (the "
        "webhook's secret); a Cloud automation rule sends it as `Authorization: Bearer <secret>` "
        'with a body such as {"page": {"id": "123"}}. Unset: no such address.',
    )

    def model_for_answers(self) -> str | None:
        """The chat model to ask; None when there is none."""
        return self.chat_model or (DEFAULT_CHAT_MODEL if self.openai_api_key else None)
