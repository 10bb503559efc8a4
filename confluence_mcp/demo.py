"""The demo: a sample wiki through the real ingest, and questions through the real MCP server."""

import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcp import Client, MCPError, StdioServerParameters
from mcp.types import TextContent

from index.database import Database
from index.errors import ConfluenceMcpError
from index.settings import IndexSettings
from index.store import other_sites
from ingest.report import Report
from ingest.run import ingest_once
from ingest.settings import SAMPLE_SITE, SAMPLE_SPACE
from ingest.sources.export import ExportSource
from ingest.sync import Plan
from server.client_configs import CLAUDE_DESKTOP, CURSOR, VSCODE, Launch
from server.results import AnswerCitation, AnswerResult
from server.settings import ServerSettings

QUESTIONS = (
    "I clicked a phishing link and typed my password. What now?",
    "What does error TB-4031 mean, and what should the customer do?",
    "How long can I work from abroad?",
)
LOCAL = "local"
SHOWN = 2  # passages for a question, where no chat model answers it
WIDTH = 92  # characters
QUOTE_LINES = 6


async def run_demo() -> int:
    """Fills the embedded index with the sample space, asks, and tells how to go on."""
    started = time.monotonic()
    print("Harbourlight is an invented company; its wiki comes with this program.\n", flush=True)
    settings = await _settings()
    report = await _take_in(settings)
    print(f"  {_taken_in(report)}\n", flush=True)
    all_answered = await _ask(settings)
    print(f"All of it took {time.monotonic() - started:.0f} s.\n")
    print(how_to_go_on(Launch.of_this_program(settings.confluence_mcp_home)))
    return 0 if report.succeeded and all_answered else 1


async def _settings() -> ServerSettings:
    """The person's settings, but always the embedded Postgres and the bundled model.

    An index that already holds a real wiki is left alone: the demo then has a home of its own.
    """
    settings = ServerSettings.load()
    settings.postgres_url = None
    settings.embedding_model = LOCAL
    async with Database.open(settings, application_name="confluence-mcp demo") as database:
        is_in_use = await other_sites(database, SAMPLE_SITE)
    if is_in_use:
        settings.confluence_mcp_home = settings.confluence_mcp_home / "demo"
    return settings


async def _take_in(settings: IndexSettings) -> Report:
    print(f"Taking it into the index in {settings.confluence_mcp_home}", flush=True)
    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE, is_public=True) as source:
        return await ingest_once(settings, source, Plan(), progress=_progress())


def _progress() -> Callable[[Report], None]:
    """Prints a line whenever pages were stored."""
    started, shown = time.monotonic(), 0

    def progress(report: Report) -> None:
        nonlocal shown
        if report.stored > shown:
            shown = report.stored
            seconds = time.monotonic() - started
            print(
                f"  {shown:3} of {report.pages} pages, {report.embedded:4} passages embedded, "
                f"{seconds:3.0f} s",
                flush=True,
            )

    return progress


def _taken_in(report: Report) -> str:
    held = f"{report.pages} pages in {report.spaces} spaces"
    if not report.stored:
        return f"{held} are there already: nothing to embed, {report.seconds:.1f} s."
    return f"{held}: {report.embedded} passages embedded, {report.seconds:.1f} s."


async def _ask(settings: ServerSettings) -> bool:
    """Asks over MCP and prints what comes back; gives whether each question got something."""
    print("Asking its MCP server (tool answer_question)\n", flush=True)
    try:
        async with Client(_own_server(settings)) as client:
            answered = [await _ask_one(client, question) for question in QUESTIONS]
    except (MCPError, ExceptionGroup) as error:
        if isinstance(error, ExceptionGroup) and error.split(MCPError)[1] is not None:
            raise
        raise ConfluenceMcpError(
            "The MCP server of the demo ended early; above is what it said.\n"
            "Mend that, then run the demo again."
        ) from error
    if settings.model_for_answers() is None:
        print("With a chat model (OPENAI_API_KEY) these passages become cited answers.")
    return all(answered)


async def _ask_one(client: Client, question: str) -> bool:
    print(f"? {question}\n")
    started = time.monotonic()
    result = await client.call_tool("answer_question", {"question": question})
    if result.is_error:
        print(*(item.text for item in result.content if isinstance(item, TextContent)), "\n")
        return False
    answer = AnswerResult.model_validate(result.structured_content)
    print(f"{shown(answer)}\n\n  ({time.monotonic() - started:.1f} s)\n", flush=True)
    return bool(answer.citations)


def shown(answer: AnswerResult) -> str:
    """An answer with its sources for a terminal; without one, the best passages."""
    if answer.status == "not_found":
        return "\n".join(["  The wiki does not answer this.", *_wrapped(*answer.notes)])
    citations = answer.citations if answer.answer else answer.citations[:SHOWN]
    head = "\n".join(_wrapped(*answer.answer.splitlines()))
    return "\n\n".join([*([head] if head else []), *map(_source, citations)])


def _source(citation: AnswerCitation) -> str:
    path = " > ".join((citation.title, *citation.heading_path))
    facts = f"{citation.space_key}, {citation.updated_at.date().isoformat()}"
    quote = list(_quote_lines(citation.quote))
    if len(quote) > QUOTE_LINES:
        quote[QUOTE_LINES - 1 :] = ["…"]
    lines = [f"  [{citation.n}] {path} ({facts})", f"      {citation.url}"]
    return "\n".join([*lines, *(f"      | {line}" for line in quote)])


def _quote_lines(quote: str) -> Iterator[str]:
    """Markdown as short plain lines: a table row is one line, marks and link targets go."""
    for line in quote.splitlines():
        if re.fullmatch(r"[\s|:>`~-]*", line):
            continue
        # The link at the end of a cut line may lack its end.
        text = re.sub(r"!?\[([^\]]*)\]\((?:[^)]*\)|[^)]*$)", r"\1", line)
        text = re.sub(r"^>\s*(\[!\w+\])?\s*|\*\*|`", "", text)
        if text.startswith("|"):
            cells = (cell.strip().replace("<br>", ", ") for cell in text.strip("| ").split("|"))
            text = " · ".join(cell for cell in cells if cell)
        yield from textwrap.wrap(text, WIDTH - 8)


def _wrapped(*lines: str) -> list[str]:
    return [f"  {part}" for line in lines for part in textwrap.wrap(line, WIDTH - 2) or [""]]


def _own_server(settings: ServerSettings) -> StdioServerParameters:
    environment = {
        "CONFLUENCE_MCP_HOME": str(settings.confluence_mcp_home),
        "EMBEDDING_MODEL": LOCAL,
        "CHAT_MODEL": settings.chat_model or "",
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        "OPENAI_API_KEY": settings.openai_api_key.get_secret_value()
        if settings.openai_api_key
        else "",
    }
    # In its own folder, so that no `.env` brings back a database that is not the demo's.
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "confluence_mcp", "serve"],
        env=environment,
        cwd=Path(settings.confluence_mcp_home),
    )


def how_to_go_on(launch: Launch) -> str:
    """How to plug the server into clients, how to open the chat, how to read a real wiki."""
    return f"""\
Plug this index into your assistant

{_client_entries(launch)}

Chat with it in the browser:
  {launch.chat}

Your own Confluence instead; this asks for it, checks each answer, and plugs it in:
  {launch.shell("setup")}"""


def _client_entries(launch: Launch) -> str:
    """The entries of all clients; those that read the same one share it."""
    places: dict[str, list[str]] = {}
    for place, entry in (
        ("Claude Desktop (Settings > Developer > Edit Config)", CLAUDE_DESKTOP.file(launch)),
        ("Cursor (.cursor/mcp.json)", CURSOR.file(launch)),
        ("VS Code (.vscode/mcp.json)", VSCODE.file(launch)),
    ):
        places.setdefault(entry, []).append(place)
    return "\n\n".join(f"{', '.join(names)}:\n{entry}" for entry, names in places.items())
