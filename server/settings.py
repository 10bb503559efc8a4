"""Settings of the reading side; it knows no Confluence credentials."""

from pydantic import Field, SecretStr, field_validator

from index.replica import Replica
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
    reranker: str | None = Field(
        None,
        description="Orders the first 30 results anew: the http(s) address of a /rerank endpoint "
        "(Cohere, Jina, vLLM, llama.cpp, Text Embeddings Inference), or a folder with a "
        "cross-encoder as model.onnx and tokenizer.json. Unset: no re-ranking.",
    )
    reranker_model: str | None = Field(
        None, description="Model name at that endpoint, where it needs one."
    )
    reranker_api_key: SecretStr | None = Field(None, description="Key of that endpoint.")
    confluence_webhook_secret: SecretStr | None = Field(
        None,
        description="Opens POST /webhooks/confluence over HTTP. Data Center signs with it (the "
        "webhook's secret); a Cloud automation rule sends it as `Authorization: Bearer <secret>` "
        'with a body such as {"page": {"id": "123"}}. Unset: no such address.',
    )

    auth_issuer: str | None = Field(
        None,
        description="Issuer of the access tokens (OAuth 2.1, OpenID Connect) that callers over "
        "HTTP have, exactly as in their `iss`. With it every call of /mcp needs a token.",
    )
    auth_audience: str | None = Field(
        None, description="What tokens for this server have as `aud`. Needed with AUTH_ISSUER."
    )
    auth_jwks_url: str | None = Field(
        None, description="Where the issuer's keys are. Unset: where its metadata say."
    )
    auth_scopes: str | None = Field(
        None, description="Comma list of the scopes that a token must have. Unset: none."
    )
    auth_account_claim: str = Field(
        "email",
        description="What of a token tells whose Confluence account it is: `email`, if "
        "`email_verified` is true; any other claim has the account id, user key or user name.",
    )
    auth_api_keys: bool = Field(
        False,
        description="Whether callers over HTTP may have keys of `confluence-mcp token create`. "
        "With it every call of /mcp needs a key or a token.",
    )
    confluence_mcp_public_url: str | None = Field(
        None,
        description="Address under which clients reach the server, such as "
        "https://wiki-search.example.com/mcp. Unset: AUTH_AUDIENCE where that is an address.",
    )
    confluence_mcp_hosts: str | None = Field(
        None,
        description="Comma list of further names under which programs reach the server, such as "
        "that of a service in a cluster. Unset: none but that of CONFLUENCE_MCP_PUBLIC_URL.",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Comma list of the addresses and networks of proxies whose X-Forwarded-For "
        "tells who calls. Unset: none; the address that connects is noted.",
    )
    shutdown_delay: float = Field(
        0,
        ge=0,
        le=600,
        description="Seconds for which the server goes on taking calls after SIGTERM, while "
        "/readyz says 503, so that balancers turn away.",
    )
    http_sessions: bool = Field(
        False,
        description="Whether clients of MCP 2025-11-25 and before get a session over HTTP: with it "
        "they can subscribe to pages, be asked which page is meant, and set a log level. Needed "
        "for nothing else; behind a balancer, requests of one Mcp-Session-Id then have to reach "
        "the same server.",
    )
    confluence_mcp_user: str | None = Field(
        None,
        description="Account id, user name or e-mail of the Confluence account whose view the "
        "server takes, where callers are not told apart by tokens. Unset: all that is indexed.",
    )
    access_max_age_hours: float = Field(
        72,
        gt=0,
        description="For how long permissions are believed that were not read anew: after that "
        "nobody but the crawler is shown the pages. Those of an export are believed for ever.",
    )
    audit_log: str | None = Field(
        None,
        description="Where each call leaves a line of JSON: a file, `stderr` or `off`. Unset: "
        "stderr where callers are told apart by tokens, else off.",
    )
    audit_questions: bool = Field(
        False, description="Whether those lines have the text of questions, too."
    )
    rate_limit: int = Field(
        120,
        ge=0,
        description="Calls a minute of one caller, where callers are told apart; 0: no limit.",
    )
    answer_rate_limit: int = Field(
        20, ge=0, description="Of these, calls of answer_question; 0: no limit of their own."
    )

    max_calls: int = Field(
        64,
        ge=1,
        description="Calls under way at once, of all callers; beyond that they are told to try "
        "again in a few seconds.",
    )
    max_answers: int = Field(
        16, ge=1, description="The same for answer_question, which is not counted among these."
    )

    postgres_pool: int = Field(
        8, ge=1, description="Connections to Postgres with which a server searches and reads."
    )
    postgres_replica_url: SecretStr | None = Field(
        None,
        description="A streaming standby of POSTGRES_URL, which a server then searches and reads "
        "while it keeps up.",
    )
    postgres_replica_max_lag: float = Field(
        60,
        gt=0,
        description="Seconds by which it may lag; beyond that the primary is asked. What was "
        "closed in Confluence is shown for so much longer.",
    )

    @field_validator("confluence_webhook_secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 16 <= len(secret.get_secret_value()) <= 255:
            raise ValueError("16 to 255 characters are needed")
        return secret

    def replica(self) -> Replica | None:
        """The standby to read; None when there is none."""
        if self.postgres_replica_url is None:
            return None
        return Replica(self.postgres_replica_url.get_secret_value(), self.postgres_replica_max_lag)

    def model_for_answers(self) -> str | None:
        """The chat model to ask; None when there is none."""
        return self.chat_model or (DEFAULT_CHAT_MODEL if self.openai_api_key else None)
