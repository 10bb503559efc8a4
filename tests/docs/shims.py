"""Stands in for the programs that pages name: `python -m tests.docs.shims NAME WORDS...`.

Ours are run, against the Postgres, Confluence and models of the environment. What would install,
deploy or open something is not: there the words have to name what exists here, or it fails.
"""

import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from confluence_mcp.command_line import command_parser
from tests.docs.deploying import DEPLOYING
from tests.docs.our_words import strange, strange_to_chat
from tests.docs.there import Words, Wrong, check_exists, check_file, run

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = set(PROJECT["project"]["optional-dependencies"])
GROUPS = set(PROJECT["dependency-groups"])
# What is run by a test of its own: the demo and the sample's questions take a minute.
ELSEWHERE = ("demo",)
# What several pages say to type in the same words is run for the first of them.
SAME_AGAIN = ("setup", "doctor", "status", "search", "ask", "ingest")
WORKS = re.compile(r"MCP at |next run|next look|postgresql://|finished|done", re.IGNORECASE)


def confluence_mcp(words: Words) -> None:
    """The real program; one that runs until it is stopped is stopped once it works."""
    options = vars(command_parser().parse_args(words))
    name = options["command"].__name__
    asks_sample = name == "evaluate" and options["path"] is None
    again = Path(sys.argv[1]).with_name(f"done {' '.join(words).replace('/', '|')}"[:200])
    if name in ELSEWHERE or asks_sample or again.exists():
        return
    words = [*words, "--yes"] if name == "setup" else words
    runs_on = options.get("every") or options.get("cron") or options.get("transport") == "http"
    if runs_on or name in ("worker", "lend_database"):
        _until_it_works(_on_free_port(words))
    else:
        run([str(Path(sys.executable).with_name("confluence-mcp")), *words])
    if name in SAME_AGAIN:
        again.touch()


def _on_free_port(words: Words) -> list[str]:
    port = [n for n, word in enumerate(words) if word == "--port"]
    kept = [word for n, word in enumerate(words) if not port or n not in (port[0], port[0] + 1)]
    return [*kept, "--port", "0"] if "http" in kept else kept


def _until_it_works(words: Words) -> None:
    """Fails unless the program says that it works, and ends as told."""
    program = Path(sys.executable).with_name("confluence-mcp")
    with subprocess.Popen(
        [program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = list[str]()
        for line in process.stdout:
            said.append(line.decode())
            if WORKS.search(said[-1]):
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=60)
    if process.returncode or not said:
        raise Wrong(f"confluence-mcp {' '.join(words)} ended with {process.returncode}: {said}")


def chat(words: Words) -> None:
    """The chat page needs a person."""
    if unknown := strange_to_chat(words):
        raise Wrong(f"confluence-mcp-chat knows no {', '.join(unknown)}")


def uv(words: Words) -> None:
    """Extras, groups and folders have to exist; what it would run is run."""
    verb, *rest = words
    if verb == "tool":
        return _installed(rest, ("install", "upgrade", "uninstall"))
    if verb == "pip":
        return pip(rest)
    if verb not in ("run", "sync", "build"):
        raise Wrong(f"uv {verb} is not what a page should need")
    left = list(_without_uv_options(rest))
    if verb == "run":
        _typed(left)
    elif left:
        raise Wrong(f"uv {verb} takes no {left[0]}")
    return None


def _without_uv_options(words: Words) -> Iterator[str]:
    known: Mapping[str, Callable[[str], bool]] = {
        "--extra": EXTRAS.__contains__,
        "--group": GROUPS.__contains__,
        "--project": lambda folder: (ROOT / folder / "pyproject.toml").is_file(),
        "--directory": lambda folder: (ROOT / folder).is_dir(),
        "--python": lambda version: version in ("3.11", "3.12", "3.13", "3.14"),
    }
    given = iter(words)
    for word in given:
        if word in known:
            if not known[word](value := next(given)):
                raise Wrong(f"there is no {value} for {word}")
        elif word.startswith("-"):
            if word not in ("--no-sync", "--frozen", "--all-extras"):
                raise Wrong(f"uv has no option {word} that a page should need")
        else:
            yield word
            yield from given


def uvx(words: Words) -> None:
    """It fetches our package and runs its command."""
    left = list(words)
    while left and left[0] in ("--from", "--constraints", "-c", "--python", "--with"):
        option, value, *left = left
        if option in ("--constraints", "-c"):
            check_file(value)
        elif option in ("--from", "--with"):
            _package(value)
    if not left or re.sub(r"[@=].*", "", left[0]) != "confluence-mcp":
        raise Wrong(f"uvx {' '.join(words)} does not run confluence-mcp")
    confluence_mcp(left[1:])


def _installed(words: Words, verbs: Words) -> None:
    verb, *rest = words
    if verb not in verbs:
        raise Wrong(f"{verb} is none of {', '.join(verbs)}")
    given = iter(rest)
    for word in given:
        if word in ("-c", "--constraint", "--constraints"):
            check_file(next(given))
        elif not word.startswith("-"):
            _package(word)


def _package(name: str) -> None:
    found = re.fullmatch(r"confluence-mcp(?:\[([\w,]+)\])?(?:[=@~<>!].*)?", name)
    if found is None and name != "uv" and not Path(name).match("dist/*.whl"):
        raise Wrong(f"{name} is not our package")
    extras = found[1].split(",") if found and found[1] else []
    if unknown := set(extras) - EXTRAS:
        raise Wrong(f"{name} has no extra {', '.join(unknown)}")


def pip(words: Words) -> None:
    """It installs our package, in tested versions or not."""
    _installed(words, ("install", "uninstall"))


def pipx(words: Words) -> None:
    """It installs our package, or uv."""
    _installed(words, ("install", "upgrade", "uninstall"))


def python(words: Words) -> None:
    """An environment is made of stand-ins; modules of ours have to exist."""
    match words:
        case ["-m", "venv", folder]:
            programs = Path(folder) / "bin"
            programs.mkdir(parents=True)
            shims = Path(sys.argv[1]).parent
            for name in ("pip", "python", "confluence-mcp"):
                (programs / name).symlink_to(shims / name)
        case ["-m", module, *_]:
            if not any(
                (ROOT / module.replace(".", "/")).with_suffix(ending).exists()
                for ending in ("", ".py")
            ):
                raise Wrong(f"there is no module {module}")
        case _:
            raise Wrong(f"python {' '.join(words)} is not what a page should need")


def checks(words: Words) -> None:
    """Tests, linters and the like: the files that they are given have to exist."""
    for word in words:
        if "/" in word and not word.startswith("-"):
            check_exists(word.partition("::")[0])


def site(words: Words) -> None:
    """The documentation is built by a test of its own."""
    check_exists(f"{words[0]}/conf.py")


def bash(words: Words) -> None:
    """A script of the repository, which is not run from within its own tests."""
    check_file(words[0])


def sudo(words: Words) -> None:
    """The same without the rights."""
    left = list(words)
    while left and left[0].startswith("-"):
        left = left[2:] if left[0] in ("-u", "--user") else left[1:]
    _typed(left)


def claude(words: Words) -> None:
    """What it would start has to be a command of ours."""
    if words[:2] != ["mcp", "add"] and tuple(words[:2]) != ("mcp", "add"):
        raise Wrong(f"claude {' '.join(words)} adds nothing")
    if "--" in words:
        started = words[list(words).index("--") + 1 :]
        ours = [n for n, word in enumerate(started) if word == "confluence-mcp"]
        if not ours or strange(started[ours[-1] :]):
            raise Wrong(f"{' '.join(started)} is no command of ours")
    elif not any(urlsplit(word).path == "/mcp" for word in words):
        raise Wrong(f"claude {' '.join(words)} names neither a command nor an address of ours")


def _typed(words: Words) -> None:
    """Runs what the folder of stand-ins has under this name."""
    run([str(Path(sys.argv[1]).parent / words[0]), *words[1:]])


PROGRAMS: Mapping[str, Callable[[Words], None]] = MappingProxyType(
    {
        "confluence-mcp": confluence_mcp,
        "confluence-mcp-chat": chat,
        "uv": uv,
        "uvx": uvx,
        "pip": pip,
        "pipx": pipx,
        "python": python,
        "python3": python,
        "pytest": checks,
        "ruff": checks,
        "sphinx-build": site,
        "bash": bash,
        "sudo": sudo,
        "claude": claude,
        **DEPLOYING,
    }
)


def main() -> int:
    """Holds the words to what is here; says what is wrong on standard error."""
    try:
        PROGRAMS[Path(sys.argv[1]).name](sys.argv[2:])
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
