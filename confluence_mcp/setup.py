"""Setup: a short dialogue that checks each answer, and ends with an assistant that can ask."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from confluence_mcp.setup_clients import Machine, Wish, ask_clients, chosen_clients, enter
from confluence_mcp.setup_cost import Survey
from confluence_mcp.setup_draft import ASKED, Draft
from confluence_mcp.setup_file import read_text, variables_difference, with_variables, write
from confluence_mcp.setup_models import ask_chat, ask_database, ask_embedding
from confluence_mcp.setup_questions import ask_account, ask_site, ask_spaces
from confluence_mcp.setup_site import survey
from confluence_mcp.setup_terminal import Console, Script, Terminal, agrees
from index.errors import ConfluenceMcpError, SourceError
from index.event_loop import run
from ingest.progress import shown_progress
from ingest.run import ingest_once
from ingest.settings import IngestSettings, source_from
from ingest.sync import Plan
from server.client_configs import CLIENTS, Client, Launch, Remote
from server.settings import ServerSettings

FILE = ".env"
TOKEN = "CONFLUENCE_MCP_TOKEN"
WELCOME = """\
This asks for your Confluence, checks each answer, and writes {file}
once you have seen what changes. Ctrl-C ends it before that, with nothing written.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; with `clients`, nothing but their entries is written."""

    yes: bool = False
    no_ingest: bool = False
    clients: Sequence[str] = ()
    project: Path | None = None
    only_shown: bool = False
    url: str | None = None


def run_setup(options: Options, terminal: Terminal | None = None) -> int:
    """The whole dialogue, or the entries of some clients; 1 when the person left it early."""
    if terminal is None:
        is_asked = not (options.yes or options.only_shown)
        terminal = Console() if is_asked else Script()
    machine = Machine()
    try:
        if options.clients or options.only_shown or options.url:
            for client in _clients(terminal, options, machine):
                enter(terminal, machine, client, _wish(options))
            return 0
        return _whole(terminal, options, machine)
    except (KeyboardInterrupt, EOFError):
        terminal.say("\nStopped.")
        return 1


def _clients(terminal: Terminal, options: Options, machine: Machine) -> Sequence[Client]:
    if options.clients:
        return chosen_clients(options.clients)
    return CLIENTS if options.only_shown else ask_clients(terminal, machine)


def _whole(terminal: Terminal, options: Options, machine: Machine) -> int:
    file = Path.cwd() / FILE
    terminal.say(WELCOME.format(file=file))
    draft = Draft.of_settings()
    _ask_all(terminal, draft)
    if not _write(terminal, file, draft):
        return 1
    code = 0 if options.no_ingest else _first_ingest(terminal)
    for client in ask_clients(terminal, machine) if terminal.is_person else ():
        enter(terminal, machine, client, _wish(options))
    terminal.say("Ask your assistant about your wiki. `confluence-mcp doctor` tells what is wrong.")
    return code


def _ask_all(terminal: Terminal, draft: Draft) -> None:
    site = ask_site(terminal, draft)
    sight = ask_account(terminal, draft, site)
    ask_spaces(terminal, draft, sight.spaces)
    terminal.say("  counting pages ...")
    _ask_index(terminal, draft, _counted(terminal, draft))


def _counted(terminal: Terminal, draft: Draft) -> Survey:
    try:
        surveyed = run(survey(draft.ingest()))
    except SourceError as error:
        terminal.say(f"  ! they could not be counted: {error}\n")
        return Survey(0, False, 0, ())
    terminal.say(f"  {surveyed.summary()}\n")
    return surveyed


def _ask_index(terminal: Terminal, draft: Draft, surveyed: Survey) -> None:
    index = ask_database(terminal, draft)
    ask_embedding(terminal, draft, surveyed, index)
    ask_chat(terminal, draft)


def _write(terminal: Terminal, file: Path, draft: Draft) -> bool:
    """Writes the settings, once the person has seen what changes; whether they are written."""
    old = read_text(file)
    new = with_variables(old, {name: draft[name] for name in ASKED})
    if new == old:
        terminal.say(f"{file} says so already.\n")
        return True
    terminal.say(variables_difference(old, new, FILE))
    if not agrees(terminal, f"Write {file}?"):
        terminal.say("Nothing was written.")
        return False
    backup = write(file, new, private=True)
    kept = f"; the old one is {backup.name}" if backup else ""
    terminal.say(f"  written, for you alone to read{kept}\n")
    _warn_of_environment(terminal, draft)
    return True


def _warn_of_environment(terminal: Terminal, draft: Draft) -> None:
    other = [name for name in ASKED if os.environ.get(name, draft[name]) != draft[name]]
    if other:
        names = ", ".join(other)
        terminal.say(f"  ! {names} in the environment is something else, and wins over .env\n")


def _first_ingest(terminal: Terminal) -> int:
    if not agrees(terminal, "Take the pages in now? It may be interrupted and goes on later."):
        terminal.say("  later: confluence-mcp ingest\n")
        return 0
    try:
        return run(_ingest(terminal))
    except ConfluenceMcpError as error:
        terminal.say(f"  ! {error}\n  Mend that, then: confluence-mcp ingest\n")
        return 1


async def _ingest(terminal: Terminal) -> int:
    settings = IngestSettings.load()
    async with source_from(settings) as source:
        with shown_progress() as progress:
            report = await ingest_once(settings, source, Plan.of(settings), progress=progress)
    terminal.say(f"  {report.summary()}\n")
    for problem in [*report.warnings, *report.problems]:
        print(problem, file=sys.stderr)
    return 0 if report.succeeded else 1


def _wish(options: Options) -> Wish:
    if options.url:
        server = Remote(options.url, os.environ.get(TOKEN) or None)
        return Wish(server, options.project, options.only_shown)
    home = ServerSettings.load().confluence_mcp_home
    launch = Launch.of_this_program(home).in_folder(Path.cwd())
    return Wish(launch, options.project, options.only_shown)
