"""What the program may never do, whatever its input: read from the source of all its modules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import LiteralString, get_type_hints

import pytest

from index.connection_pool import Statement
from tests.command import ROOT

ROOMS = ("index", "ingest", "server", "evals", "confluence_mcp")
MODULES = sorted(
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.py"),
        *(path for room in ROOMS for path in (ROOT / room).rglob("*.py")),
    )
)

# They run what they are given, or read what can make them run something.
RUNNING = {"eval", "exec", "compile", "__import__"}
UNPICKLING = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml"}
# lxml is told what not to do; these cannot be told enough, or unpack wherever an archive says.
CARELESS = {"xml", "tarfile", "telnetlib", "ftplib", "urllib.request", "requests", "aiohttp"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
GUESSABLE = {"tempfile.mktemp", "random.choice", "random.randint", "random.choices"}
UNCHECKED = (".extractall", "._create_unverified_context")
# Where a process is started: a Postgres of our own, its tools, and the reader of attachments.
STARTERS = {
    "index/backup.py",
    "index/embedded_postgres.py",
    "index/postgres_cluster.py",
    "index/postgres_files.py",
    "index/postgres_keeper.py",
    "ingest/attachments/process.py",
}
# Where a connection to the world begins: the site, the models, and the keys of the issuer.
CALLERS = {
    "index/embedding_endpoint.py": {"openai.AsyncOpenAI"},
    "index/reranking_endpoint.py": {"httpx.AsyncClient"},
    "ingest/sources/cloud.py": {"httpx.AsyncClient"},
    "ingest/sources/connection.py": {"httpx.AsyncClient"},
    "ingest/sources/datacenter.py": {"httpx.AsyncClient"},
    "server/jwks.py": {"httpx.AsyncClient"},
    "server/llm.py": {"AsyncOpenAI"},
}
CLIENTS = {
    *("AsyncOpenAI", "openai.AsyncOpenAI", "OpenAI", "openai.OpenAI"),
    *("httpx.AsyncClient", "httpx.Client", "httpx.get", "httpx.post", "httpx.request"),
    *("httpx.stream", "httpx2.AsyncClient", "httpx2.Client"),
    *("socket.create_connection", "asyncio.open_connection"),
}
# Statements that are not written where they are run, but in files that come with the program.
BROUGHT = {
    "migration.sql.encode()",
    "schema.read_bytes()",
    "steps[name]",
}
# Records of a statement that was written down, by the type of their field.
WRITTEN_DOWN = {
    "index/connection_pool.py": {"one.query", "statement.query"},
    "index/search_statement.py": {"self.text"},
}
RUNS_SQL = {"execute", "executemany", "executescript", "copy"}


@cache
def tree(module: Path) -> ast.Module:
    """The module as it is written."""
    return ast.parse((ROOT / module).read_text(), str(module))


def calls(module: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name of what is called, such as `os.system`."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def options_of(call: ast.Call) -> dict[str, str]:
    """What is given to a call by name, as it is written."""
    return {option.arg: ast.unparse(option.value) for option in call.keywords if option.arg}


def imported(module: Path) -> Iterator[str]:
    """The names of all modules that a module imports, wherever it does."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_nothing_is_run_that_was_read() -> None:
    for module in MODULES:
        called = {name for name, _ in calls(module)}

        assert not called & (RUNNING | SHELLS | GUESSABLE), module
        assert not [name for name in called if name.endswith(UNCHECKED)], module


def test_no_careless_reader_is_used() -> None:
    for module in MODULES:
        names = set(imported(module))

        assert not names & CARELESS, module
        assert not {name.partition(".")[0] for name in names} & (UNPICKLING | CARELESS), module


def test_processes_are_started_in_few_places_and_never_through_a_shell() -> None:
    starting = {str(module) for module in MODULES if "subprocess" in set(imported(module))}
    every_call = [call for module in MODULES for call in calls(module)]

    assert starting == STARTERS
    assert not [name for name, _ in every_call if name.startswith(("os.exec", "os.spawn"))]
    assert not [name for name, call in every_call if "shell" in options_of(call)]


def test_only_the_site_the_models_and_the_issuer_are_ever_called() -> None:
    made = {
        str(module): found
        for module in MODULES
        if (found := {name for name, _ in calls(module) if name in CLIENTS})
    }

    assert made == CALLERS


def test_certificates_are_checked_and_no_redirect_is_followed_blindly() -> None:
    for module in MODULES:
        for _, call in calls(module):
            options = options_of(call)

            assert options.get("follow_redirects", "False") == "False", module
            assert options.get("verify") != "False", module
            assert options.get("check_hostname") != "False", module


def test_no_parser_of_xml_follows_what_a_document_points_to() -> None:
    for module in MODULES:
        for name, call in calls(module):
            options = options_of(call)
            if name in ("etree.XMLParser", "etree.XMLPullParser", "etree.iterparse"):
                assert options.get("resolve_entities") == "False", module
            if name.startswith("etree.") and name.endswith(("Parser", "iterparse")):
                assert options.get("no_network", "True") == "True", module
                assert "load_dtd" not in options, module
            if name in ("etree.fromstring", "etree.parse", "etree.XML"):
                assert len(call.args) > 1 or "parser" in options, module


def test_no_statement_is_made_of_its_values() -> None:
    assert get_type_hints(Statement)["query"] is LiteralString
    for module in MODULES:
        for statement in statements(module):
            place = f"{module}:{statement.lineno}: {ast.unparse(statement)}"
            assert is_fixed(statement, module), place


def statements(module: Path) -> Iterator[ast.expr]:
    """What is handed to a database as a statement, or to psycopg as a part of one."""
    for name, call in calls(module):
        method = name.rpartition(".")[2]
        if call.args and (name in ("sql.SQL", "SQL") or method in RUNS_SQL):
            yield call.args[0]


def is_fixed(statement: ast.expr, module: Path) -> bool:
    """Whether a statement is written down in the source, its values apart."""
    match statement:
        case ast.Constant(value=str() | bytes()):
            return True
        case ast.Call(func=ast.Attribute(value=made, attr="format")):
            return is_composed(made, module)
        case ast.Call(func=ast.Attribute(value=made, attr="as_bytes")):
            return is_fixed(made, module)
        case ast.Call(func=ast.Name(id=name)):
            given = returned(name, module)
            return bool(given) and all(is_fixed(one, module) for one in given)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="sql"), attr="SQL")):
            return True  # looked at by itself
        case ast.Attribute(value=ast.Name(id="self")) if found := assigned(
            ast.unparse(statement), module
        ):
            return all(is_fixed(one, module) for one in found)
        case ast.Name(id=name):
            return all(is_fixed(one, module) for one in assigned(name, module)) and (
                bool(assigned(name, module)) or is_literal_parameter(name, module)
            )
        case _:
            name = ast.unparse(statement)
            return name in BROUGHT or name in WRITTEN_DOWN.get(module.as_posix(), ())


def is_composed(made: ast.expr, module: Path) -> bool:
    """Whether psycopg puts the parts together, which quotes them."""
    match made:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="sql"), attr="SQL")):
            return True
        case ast.Name(id=name):
            found = assigned(name, module)
            return bool(found) and all(is_composed(one, module) for one in found)
        case _:
            return False


def assigned(name: str, module: Path) -> list[ast.expr]:
    """All that a name stands for in a module, whether assigned there or imported from our own."""
    found: list[ast.expr] = []
    for node in ast.walk(tree(module)):
        match node:
            case ast.Assign(targets=targets, value=value) if name in map(ast.unparse, targets):
                found.append(value)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                found += [value] if target == name else []
            case ast.AugAssign(target=ast.Name(id=target)):
                assert target != name, f"{module} adds to the statement {name}"
            case ast.For(target=ast.Tuple(elts=targets), iter=ast.Tuple(elts=rows)):
                places = [at for at, one in enumerate(targets) if ast.unparse(one) == name]
                found += [
                    row.elts[at] for at in places for row in rows if isinstance(row, ast.Tuple)
                ]
            case ast.ImportFrom(module=str(source), names=names):
                path = Path(source.replace(".", "/") + ".py")
                if path in MODULES and any(alias.name == name for alias in names):
                    found += assigned(name, path)
            case _:
                pass
    return found


def returned(name: str, module: Path) -> list[ast.expr]:
    """All that a function of a module may give."""
    return [
        node.value
        for function in ast.walk(tree(module))
        if isinstance(function, ast.FunctionDef) and function.name == name
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    ]


def is_literal_parameter(name: str, module: Path) -> bool:
    """Whether a name is a parameter for which the type checker takes nothing but literals."""
    annotations = [
        ast.unparse(argument.annotation)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.arg == name and argument.annotation is not None
    ]
    return bool(annotations) and all("LiteralString" in one for one in annotations)


@pytest.mark.parametrize(
    "written",
    [
        'execute(f"SELECT {name}")',
        'execute("SELECT %s" % name)',
        'execute("SELECT {}".format(name))',
        'execute("SELECT " + name)',
        "execute(name.encode())",
        "execute(name)",
        'execute(sql.SQL(f"SELECT {name}"))',
        'execute(sql.SQL("SELECT {}".format(name)))',
        "Q = f'SELECT {name}'\nexecute(Q)",
        "Q = 'SELECT {}'\nexecute(Q.format(name))",
        "def run(name: str):\n    execute(name)",
    ],
)
def test_a_statement_made_of_its_values_would_be_noticed(written: str, tmp_path: Path) -> None:
    module = tmp_path / "careless.py"
    module.write_text(written.replace("execute", "connection.execute"))

    assert not all(is_fixed(statement, module) for statement in statements(module))
