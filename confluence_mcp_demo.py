"""The demo: a sample wiki through the real ingest, and questions through the real MCP server."""

import importlib.resources
import sys
import time
from pathlib import Path

from mcp import Client, StdioServerParameters

from index.database import Database
from index.settings import IndexSettings
from index.store import other_sites
from ingest.report import Report
from ingest.run import SAMPLE_SITE, ingest_once
from ingest.settings import SpaceFilter
from ingest.sources.export import ExportSource
from server.client_configs import Launch, claude_desktop, cursor, vscode
from server.rendering import answer_for_person
from server.results import AnswerResult
from server.settings import ServerSettings

QUESTIONS = (
    "How do I fail over the production database?",
    "How many vacation days can I carry over into next year?",
    "What does error TB-4031 mean and what should I do about it?",
)
LOCAL = "local"


async def run_demo() -> int:
    """Fills the embedded index with the sample space, asks, and tells how to go on."""
    settings = await _settings()
    started = time.monotonic()
    print("Harbourlight is an invented company; its wiki comes with this program.\n")
    report = await _take_in(settings)
    print(f"\nTaken in: {report.summary()}\n", flush=True)
    await _ask(settings)
    print(f"All of it took {time.monotonic() - started:.0f} s.\n")
    print(how_to_go_on(Launch.of_this_program(settings.confluence_mcp_home)))
    return 0 if report.succeeded else 1


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
    everything = SpaceFilter(frozenset(), frozenset())
    shown: list[int] = []

    def progress(report: Report) -> None:
        if report.stored and report.stored not in shown:
            shown.append(report.stored)
            print(f"  {report.stored} of {report.pages} pages stored", flush=True)

    sample = importlib.resources.files("ingest") / "sample_space"
    with importlib.resources.as_file(sample) as path:
        async with ExportSource(path, SAMPLE_SITE) as source:
            return await ingest_once(settings, source, space_filter=everything, progress=progress)


async def _ask(settings: ServerSettings) -> None:
    async with Client(_own_server(settings)) as client:
        for question in QUESTIONS:
            print(f"? {question}\n")
            result = await client.call_tool("answer_question", {"question": question})
            if result.is_error:
                print(f"{result.content}\n")
                continue
            answer = AnswerResult.model_validate(result.structured_content)
            print(answer_for_person(answer), end="\n\n", flush=True)


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
Plug this index into your assistant:

Claude Desktop (Settings > Developer > Edit Config, claude_desktop_config.json):
{claude_desktop(launch)}

VS Code (.vscode/mcp.json):
{vscode(launch)}

Cursor (.cursor/mcp.json):
{cursor(launch)}

Chat with it in the browser:
  {launch.chat}

Your own Confluence instead: fill in .env (see .env.example), then
  {launch.shell("ingest")}"""
