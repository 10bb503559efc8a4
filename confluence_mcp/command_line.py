"""The command line: one door to both sides, each loaded only when it is asked for."""

import argparse
import asyncio
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from confluence_mcp.logs import log_to_stderr, tell
from confluence_mcp.misspelt import misspelt_here
from index.errors import BadRequest, ConfigurationError, ConfluenceMcpError
from index.event_loop import run
from index.trace_export import exported

if TYPE_CHECKING:
    from index.database import Database
    from ingest.schedule import Schedule

logger = logging.getLogger("confluence_mcp")

DONE, FAILED, MISUSED = 0, 1, 2
MOST_HITS = 100
MOST_JOBS = 16
MOST_DAYS = 3_650


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 when done, 1 when it failed, 2 for wrong usage or settings."""
    _print_whatever_comes()
    options = command_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    if options.directory is not None:
        os.chdir(options.directory)
    log_to_stderr(options.log_level, verbose=options.verbose)
    for sentence in misspelt_here():
        tell(sentence)
    try:
        with exported():
            code = command(options)
        sys.stdout.flush()
        return code
    except ConfluenceMcpError as error:
        tell(str(error), logging.ERROR)
        return MISUSED if isinstance(error, ConfigurationError | BadRequest) else FAILED
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:  # whoever read our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _print_whatever_comes() -> None:
    """A terminal that knows few letters shows `?` for the others."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def command_parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    parser = argparse.ArgumentParser(
        prog="confluence-mcp",
        description="Find, read and cite what a company knows in Confluence. "
        "Without a command: serve MCP over stdio.",
        epilog="Settings come from the environment or from .env in the current folder; "
        ".env.example lists them, docs/reference/variables.md tells them.",
    )
    parser.add_argument("--version", action="version", version=version("confluence-mcp"))
    parser.add_argument("--verbose", action="store_true", help="log details to standard error")
    parser.add_argument(
        "--directory", type=_folder, metavar="DIR", help="run in this folder, with its .env"
    )
    parser.set_defaults(command=serve, transport="stdio", log_level=logging.INFO)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands.add_parser("demo", help="see it work on a sample wiki"))
    _add_setup(commands.add_parser("setup", help="set it up by questions, and plug it in"))
    _add_ingest(commands.add_parser("ingest", help="take Confluence into the index"))
    _add_worker(commands.add_parser("worker", help="share one ingest with other workers"))
    _add_serve(commands.add_parser("serve", help="serve MCP over stdio or HTTP"))
    _add_search(commands.add_parser("search", help="search the index"))
    _add_ask(commands.add_parser("ask", help="answer a question from the index"))
    _add_reindex(commands.add_parser("reindex", help="mend the index or change its model"))
    _add_status(commands.add_parser("status", help="show what the index holds"))
    _add_eval(commands.add_parser("eval", help="measure how well search finds what answers"))
    _add_doctor(commands.add_parser("doctor", help="tell what is wrong, and who is shown what"))
    _add_token(commands.add_parser("token", help="make and revoke keys for the HTTP server"))
    _add_database(commands.add_parser("database", help="lend the embedded Postgres to a program"))
    _add_backup(commands.add_parser("backup", help="write the index to a file"))
    _add_restore(commands.add_parser("restore", help="put a backup into an empty database"))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=demo, log_level=logging.WARNING)


def demo(_: argparse.Namespace) -> int:
    """Takes the sample space in and asks it three questions over MCP."""
    from confluence_mcp.demo import run_demo

    return _run(run_demo)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return Path(text).absolute()


def _add_setup(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--yes", action="store_true", help="ask nothing: take what .env and the environment say")
    add("--no-ingest", action="store_true", help="leave the first ingest for later")
    add(
        "--client",
        action="append",
        metavar="NAME",
        help="only write the entry of claude-desktop, claude-code, vscode, cursor, jetbrains, zed "
        "or all; may be repeated",
    )
    add("--project", type=_folder, metavar="DIR", help="write it into the files of this project")
    add("--print", action="store_true", help="show entries, write none")
    add(
        "--url",
        metavar="URL",
        help="enter the server over HTTP at this address; its key is that of CONFLUENCE_MCP_TOKEN",
    )
    parser.set_defaults(command=setup, log_level=logging.WARNING)


def setup(options: argparse.Namespace) -> int:
    """Asks for the settings, checks and writes them, and enters the server into clients."""
    from confluence_mcp.setup import Options, run_setup

    asked = Options(
        yes=options.yes,
        no_ingest=options.no_ingest,
        clients=options.client or (),
        project=options.project,
        only_shown=options.print,
        url=options.url,
    )
    return run_setup(asked)


def _add_ingest(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--space", action="append", metavar="KEY", help="only this space; may be repeated")
    add("--full", action="store_true", help="fetch and store every page anew")
    add("--export", type=Path, metavar="PATH", help="a space export: zip or unpacked folder")
    add("--public", action="store_true", help="let everybody read what is in the export")
    add("--json", action="store_true", help="print the report as JSON")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every", metavar="15m", help="keep running, at this distance")
    when.add_argument("--cron", metavar='"0 2 * * *"', help="keep running, at these times")
    parser.set_defaults(command=ingest)


def ingest(options: argparse.Namespace) -> int:
    """Brings the index up to date with Confluence or with an export, once or on a schedule."""
    from ingest.schedule import Cron, Every

    if options.every is not None:
        return _run(lambda: _ingest_when_due(options, Every(options.every)), stopped=DONE)
    if options.cron is not None:
        return _run(lambda: _ingest_when_due(options, Cron(options.cron)), stopped=DONE)
    return _run(lambda: _ingest_once(options))


async def _ingest_when_due(options: argparse.Namespace, schedule: "Schedule") -> int:
    from index.database import Database
    from index.hints import waiting
    from index.metrics_listener import metrics_listener
    from ingest.schedule import keep_running
    from ingest.settings import IngestSettings, source_from

    # Wrong settings are told now, not at two in the morning.
    settings = IngestSettings.load_for(options.export)
    async with source_from(settings, options.export, public=options.public):
        pass
    async with (
        Database.open(settings, application_name="confluence-mcp ingest") as database,
        metrics_listener(settings, database),
        waiting(database) as wait,
    ):
        await keep_running(
            lambda: _ingest_once(options, may_be_quick=True),
            schedule,
            run_hinted=lambda: _ingest_hinted(options, database),
            wait=wait,
        )
    return DONE


async def _ingest_hinted(options: argparse.Namespace, database: "Database") -> int:
    from index.hints import forget, noted

    page_ids, until = await noted(database)
    try:
        return await _ingest_once(options, may_be_quick=True, hinted=page_ids)
    finally:  # what this run could not do is left to the next one that is due
        await forget(database, until)


async def _ingest_once(
    options: argparse.Namespace,
    *,
    may_be_quick: bool = False,
    hinted: frozenset[str] = frozenset(),
) -> int:
    from ingest.progress import shown_progress
    from ingest.run import ingest_once
    from ingest.settings import IngestSettings, source_from
    from ingest.sync import Plan

    settings = IngestSettings.load_for(options.export)
    plan = Plan.of(
        settings,
        only=frozenset(options.space or ()),
        full=options.full,
        quick=may_be_quick,
        hinted=hinted,
    )
    async with source_from(settings, options.export, public=options.public) as source:
        with shown_progress() as progress:
            report = await ingest_once(settings, source, plan, progress=progress)
    print(json.dumps(report.to_json()) if options.json else report.summary(), flush=True)
    for problem in [*report.warnings, *report.problems]:
        tell(problem)
    return DONE if report.succeeded else FAILED


def _add_worker(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--every", default="5m", metavar="5m", help="look at the site so often (default: 5m)"
    )
    when.add_argument("--cron", metavar='"0 2 * * *"', help="look at the site at these times")
    add(
        "--concurrency", type=_concurrency, default=2, metavar="N", help="jobs at once (default: 2)"
    )
    parser.set_defaults(command=worker)


def _concurrency(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_JOBS}")
    return int(text)


def worker(options: argparse.Namespace) -> int:
    """Keeps the index up to date together with all other workers on it, until stopped."""
    from ingest.jobs_schedule import CronTicks, EveryTicks
    from ingest.schedule import Cron, Every
    from ingest.settings import IngestSettings
    from ingest.worker import work

    cron, every = options.cron, options.every
    ticks = EveryTicks(Every(every)) if cron is None else CronTicks(Cron(cron))
    settings = IngestSettings.load_for(None)
    return _run(lambda: work(settings, ticks, concurrency=options.concurrency), stopped=DONE)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--transport", choices=["stdio", "http"], default="stdio", help="default: stdio")
    add(
        "--host",
        default="127.0.0.1",
        help="HTTP: address to listen on (default: 127.0.0.1; any other needs AUTH_ISSUER or "
        "AUTH_API_KEYS)",
    )
    add("--port", type=_port, default=8080, help="HTTP: port to listen on (default: 8080)")
    parser.set_defaults(command=serve)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def serve(options: argparse.Namespace) -> int:
    """Serves MCP until the client goes (stdio) or until stopped (HTTP)."""
    from server.app import serve_http, serve_stdio
    from server.auth_settings import check_http
    from server.settings import ServerSettings

    if options.transport == "stdio":
        serve_stdio(ServerSettings.load())
    else:
        settings = ServerSettings.load(lambda settings: check_http(settings, options.host))
        serve_http(settings, options.host, options.port)
    return DONE


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="+", help="a question or keywords")
    parser.add_argument("--limit", type=_limit, default=5, help="how many pages (default: 5)")
    parser.set_defaults(command=search, log_level=logging.WARNING)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_HITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_HITS}")
    return int(text)


def search(options: argparse.Namespace) -> int:
    """Prints the pages that fit best."""
    return _run(lambda: _search(" ".join(options.text), options.limit))


async def _search(text: str, limit: int) -> int:
    from index.records import ChunkKind
    from server.app import open_deps
    from server.calls import one_call
    from server.settings import ServerSettings
    from server.texts import excerpt, one_line

    async with open_deps(ServerSettings.load()) as deps, one_call(deps, "search", text) as call:
        result = await deps.searcher.search(call.asker, text, limit=limit)
    for number, hit in enumerate(result.hits, start=1):
        passage = hit.passages[0]
        path = one_line(" > ".join((hit.page.title, *passage.heading_path)))
        found_in = "" if passage.kind is ChunkKind.BODY else f", {passage.kind}"
        facts = f"{hit.page.space_key}, {hit.page.updated_at:%Y-%m-%d}{found_in}"
        print(f"{number}. {path} ({facts})")
        print(f"   {passage.url}")
        print(_indented(excerpt(passage.body, text, 300)), end="\n\n")
    for note in (*result.notes, *call.notes):
        print(note, file=sys.stderr)
    return DONE if result.hits else FAILED


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())


def _add_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="+", help="a question")
    parser.set_defaults(command=ask)


def ask(options: argparse.Namespace) -> int:
    """Prints an answer with its citations, or the passages that fit best."""
    return _run(lambda: _ask(" ".join(options.text)))


async def _ask(question: str) -> int:
    from server.app import open_deps
    from server.calls import one_call
    from server.rendering import answer_for_person
    from server.settings import ServerSettings
    from server.wire import answer_result

    async def progress(_: float, message: str) -> None:
        logger.info(message)

    async with open_deps(ServerSettings.load()) as deps, one_call(deps, "ask", question) as call:
        answer = await deps.answerer.answer(call.asker, question, progress=progress)
    print(answer_for_person(answer_result(answer)))
    for note in call.notes:
        print(note, file=sys.stderr)
    return DONE


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=status, log_level=logging.WARNING)


def status(options: argparse.Namespace) -> int:
    """Prints what the index holds and how fresh it is."""
    return _run(lambda: _status(as_json=options.json))


async def _status(*, as_json: bool) -> int:
    from index.database import Database
    from index.replica import read_lag
    from index.status import read_status
    from server.settings import ServerSettings

    settings = ServerSettings.load()
    replica = settings.replica()
    async with Database.open(
        settings, application_name="confluence-mcp status", read_only=True, may_be_pooled=True
    ) as database:
        found = await read_status(database)
        lag = await read_lag(database.conninfo, replica) if replica else None
    if as_json:
        print(json.dumps(found.to_json() | ({"replica": lag.to_json()} if lag else {})))
    else:
        print("\n\n".join([found.summary(), *([lag.summary()] if lag else [])]))
    return DONE


def _add_reindex(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--embedding-model", metavar="MODEL", help="change the model, while questions are answered"
    )
    what.add_argument("--abandon", action="store_true", help="drop a model that is half built")
    what.add_argument("--all", action="store_true", help="rebuild every index, bloated or not")
    add("--dry-run", action="store_true", help="only tell what would be mended")
    add("--rate", type=_rate, metavar="N", help="embed at most so many texts a second")
    add(
        "--concurrency",
        type=_concurrency,
        default=2,
        metavar="N",
        help="batches of texts at once (default: 2)",
    )
    add("--memory", metavar="4GB", help="build indexes in at most so much memory of the server")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=reindex)


def _rate(text: str) -> float:
    rate = float(text) if text.replace(".", "", 1).isdecimal() else 0.0
    if rate <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return rate


def reindex(options: argparse.Namespace) -> int:
    """Rebuilds what is bloated, or has another embedding model fill the index."""
    from confluence_mcp.reindex import run_reindex

    return _run(lambda: run_reindex(options))


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=doctor, log_level=logging.ERROR)


def doctor(options: argparse.Namespace) -> int:
    """Prints what works and what does not; 1 when anything is wrong."""
    from confluence_mcp.doctor import run_doctor

    return _run(lambda: run_doctor(as_json=options.json))


def _add_eval(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "path",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="a collection (corpus.jsonl, queries.jsonl, qrels.tsv), which is put into an index of "
        "its own, or only questions on your wiki (default: the sample space with its questions)",
    )
    add("--user", type=_account, metavar="ACCOUNT", help="ask your wiki as this account")
    add("--model", metavar="NAME", help="embed a collection by this model (as EMBEDDING_MODEL)")
    add("--keep", type=Path, metavar="HOME", help="keep a collection's index here to ask it again")
    add("--reranked", action="store_true", help="measure the search with RERANKER, too")
    add("--json", metavar="FILE", help="write the run to a file, or with - to standard output")
    add("--against", type=Path, metavar="FILE", help="compare with a run that --json wrote")
    add("--fail-on-loss", action="store_true", help="exit with 1 when the search has become worse")
    add("--margin", type=float, default=0.01, help="a smaller loss is none (default: .01)")
    add("--feedback", type=Path, metavar="FILE", help="measure by thumbs that the chat exported")
    add("--answers", action="store_true", help="measure answers and citations, not the search")
    add("--judge", metavar="MODEL", help="let a chat model look for the facts in answers, too")
    add("--price-in", type=float, metavar="PRICE", help="of a million tokens that the model reads")
    add("--price-out", type=float, metavar="PRICE", help="of a million tokens that it writes")
    parser.set_defaults(command=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Prints how well search finds the pages that answer questions, or how good answers are."""
    from confluence_mcp.eval import Options, run_eval

    asked = Options(
        path=options.path,
        user=options.user,
        model=options.model,
        keep=options.keep,
        reranked=options.reranked,
        json_to=options.json,
        against=options.against,
        fail_on_loss=options.fail_on_loss,
        margin=options.margin,
        feedback=options.feedback,
        answers=options.answers,
        judge=options.judge,
        price_in=options.price_in,
        price_out=options.price_out,
    )
    return _run(lambda: run_eval(asked))


def _add_token(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print it, this once")
    create.add_argument("name", metavar="NAME", help="what to call it")
    whose = create.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--user",
        type=_account,
        metavar="ACCOUNT",
        help="reads what this account may: its id, user name or e-mail address",
    )
    whose.add_argument("--service", action="store_true", help="reads all that is indexed")
    create.add_argument(
        "--days", type=_days, metavar="N", help="how many days it holds (default: for ever)"
    )
    create.set_defaults(command=create_token)
    listing = actions.add_parser("list", help="show whose keys there are, and how long they hold")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=list_tokens)
    revoke = actions.add_parser("revoke", help="end a key with the next call")
    revoke.add_argument("name", metavar="NAME", help="what it is called")
    revoke.set_defaults(command=revoke_token)
    parser.set_defaults(log_level=logging.WARNING)


def _account(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it names no account")
    return text.strip()


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_DAYS}")
    return int(text)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=lend_database, log_level=logging.WARNING)


def lend_database(_: argparse.Namespace) -> int:
    """Prints how to connect to the embedded Postgres, which runs until standard input ends."""
    from index.lent_postgres import lend

    async def lent() -> int:
        await lend()
        return DONE

    return _run(lent, stopped=DONE)


def _add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="where to; replaced when all is in")
    parser.set_defaults(command=backup, log_level=logging.WARNING)


def backup(options: argparse.Namespace) -> int:
    """Writes the database of the index to a file, while everything goes on."""
    from index.backup import write_backup
    from index.settings import IndexSettings

    async def written() -> int:
        await write_backup(IndexSettings.load(), options.file)
        return DONE

    return _run(written)


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a backup")
    parser.set_defaults(command=restore, log_level=logging.WARNING)


def restore(options: argparse.Namespace) -> int:
    """Puts a backup into an empty database, and brings it up to date."""
    from index.backup import restore_backup
    from index.settings import IndexSettings

    async def restored() -> int:
        await restore_backup(IndexSettings.load(), options.file)
        return DONE

    return _run(restored)


def create_token(options: argparse.Namespace) -> int:
    """Prints a new key, with which a program calls the HTTP server."""
    from confluence_mcp.token import create

    account: str | None = options.user
    return _run(lambda: create(options.name, account, days=options.days))


def list_tokens(options: argparse.Namespace) -> int:
    """Prints all keys, but not what they are."""
    from confluence_mcp.token import show_all

    return _run(lambda: show_all(as_json=options.json))


def revoke_token(options: argparse.Namespace) -> int:
    """Ends a key."""
    from confluence_mcp.token import revoke

    return _run(lambda: revoke(options.name))


def _run(work: Callable[[], Awaitable[int]], *, stopped: int = FAILED) -> int:
    """Runs to the end, or until SIGTERM or Ctrl-C; what runs then tidies up before it is left."""
    return run(_until_told_to_stop(work, stopped))


async def _until_told_to_stop(work: Callable[[], Awaitable[int]], stopped: int) -> int:
    running = asyncio.ensure_future(work())
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        return await running
    except asyncio.CancelledError:
        if not running.cancelled():
            raise
        tell("Stopped.", logging.INFO)
        return stopped
