"""What is missing before a chat can answer, and the command that mends it, for its first page."""

from chat_overview import Overview

NO_MODEL = (
    "No chat model is set, so questions find **passages** instead of written answers. Set "
    "`OPENAI_API_KEY` (or `OPENAI_BASE_URL` and `CHAT_MODEL` for another endpoint) and start the "
    "chat again."
)
EMPTY_INDEX = (
    "## There is nothing to read yet\n\n"
    "The MCP server answers, but lists no space that this chat may read.\n\n"
    "- Fill the index: `confluence-mcp ingest`\n"
    "- See what is indexed and who may read it: `confluence-mcp doctor`"
)


def server_missing(reason: str) -> str:
    """The page of a chat whose server cannot be used; `reason` tells what to do about it."""
    return (
        "## The wiki cannot be reached\n\n"
        f"{reason}\n\n"
        "Once that is mended, just ask: no reload is needed. `confluence-mcp doctor` tells what "
        "works and what does not."
    )


def index_missing(overview: Overview) -> str | None:
    """The page of a chat that has nothing to read, or None."""
    return EMPTY_INDEX if overview.is_empty else None
