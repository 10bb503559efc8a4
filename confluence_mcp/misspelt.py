"""Variables that look like ours but are none, as a slip of the pen leaves them."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

# All that .env.example lists. Written out, for the classes that read them are slow to load.
KNOWN = frozenset(
    {
        "ACCESS_MAX_AGE_HOURS", "ANSWER_RATE_LIMIT", "AUDIT_LOG", "AUDIT_QUESTIONS",
        "AUTH_ACCOUNT_CLAIM", "AUTH_API_KEYS", "AUTH_AUDIENCE", "AUTH_ISSUER", "AUTH_JWKS_URL",
        "AUTH_SCOPES", "CHAT_ACCENT", "CHAT_DATABASE_URL", "CHAT_HOME", "CHAT_KEEP_DAYS",
        "CHAT_LOGO", "CHAT_MODEL", "CHAT_NAME", "CHAT_PROXY_ADDRESSES",
        "CHAT_PROXY_TOKEN_HEADER", "CHAT_PROXY_USER_HEADER", "CHAT_SIGN_IN", "CHAT_WELCOME",
        "CONFLUENCE_API_TOKEN", "CONFLUENCE_ATTACHMENTS", "CONFLUENCE_ATTACHMENT_MB",
        "CONFLUENCE_BEARER_TOKEN", "CONFLUENCE_CLIENT_CERT", "CONFLUENCE_CLIENT_KEY",
        "CONFLUENCE_CLIENT_KEY_PASSWORD", "CONFLUENCE_COMMENTS", "CONFLUENCE_DEPLOYMENT",
        "CONFLUENCE_DIRECTORY", "CONFLUENCE_HEADERS", "CONFLUENCE_MCP_COMMAND",
        "CONFLUENCE_MCP_HOME", "CONFLUENCE_MCP_HOSTS", "CONFLUENCE_MCP_PUBLIC_URL",
        "CONFLUENCE_MCP_TOKEN", "CONFLUENCE_MCP_URL", "CONFLUENCE_MCP_USER",
        "CONFLUENCE_PERMISSIONS", "CONFLUENCE_PERSONAL_TOKEN", "CONFLUENCE_SITE_GROUPS",
        "CONFLUENCE_SPACES", "CONFLUENCE_URL", "CONFLUENCE_USERNAME",
        "CONFLUENCE_WEBHOOK_SECRET", "EMBEDDING_MODEL", "HTTP_SESSIONS", "LOG_FORMAT",
        "LOG_LEVEL", "MAX_ANSWERS", "MAX_CALLS", "METRICS_HOST", "METRICS_PORT",
        "METRICS_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "POSTGRES_POOL",
        "POSTGRES_POOLER", "POSTGRES_REPLICA_MAX_LAG", "POSTGRES_REPLICA_URL", "POSTGRES_URL",
        "RATE_LIMIT", "RERANKER", "RERANKER_API_KEY", "RERANKER_MODEL", "SHUTDOWN_DELAY",
        "TRUSTED_PROXIES",
    }
)  # fmt: skip
OURS = "CONFLUENCE_"
# Others have variables such as POSTGRES_USER, so less is forgiven where a name is not ours alone.
ALIKE, NEARLY_THE_SAME = 0.8, 0.9


def misspelt_here() -> list[str]:
    """A sentence for each that is set in the environment or in `.env` of the current folder."""
    return misspelt({*os.environ, *dotenv_values(Path(".env"), interpolate=False)})


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each of the names that was probably meant to be another."""
    meant = {name: _meant(name.upper()) for name in sorted(names) if name.upper() not in KNOWN}
    return [
        f"{name} is set, but nothing reads it: did you mean {' or '.join(known)}?"
        for name, known in meant.items()
        if known
    ]


def _meant(name: str) -> list[str]:
    cutoff = ALIKE if name.startswith(OURS) else NEARLY_THE_SAME
    return get_close_matches(name, KNOWN, n=2, cutoff=cutoff)
