"""Stands in for programs that deploy: what they are to deploy has to be in the repository."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from tests.docs.our_words import strange
from tests.docs.there import ROOT, Words, Wrong, check_exists, check_file

DEPLOY = ROOT / "deploy"
WITH_VALUE = {
    *("-f", "--file", "-k", "--kustomize", "--filename", "--profile", "-n", "--namespace", "-t"),
    *("--tag", "-p", "--publish", "-v", "--volume", "-e", "--env", "--env-file", "--name", "-u"),
    *("--tail", "--since", "--replicas", "--scale", "--user", "--output", "-o", "--image", "-l"),
    *(
        "-w",
        "--write-out",
        "--timeout",
        "--unit",
        "--lines",
        "--request",
        "-X",
        "-H",
        "--header",
        "-d",
        "--data",
    ),
}
# Not ours, but what ours stand beside.
OTHER_UNITS = ("nginx", "haproxy", "postgresql", "cron")
VERBS = ("apply", "create", "delete", "diff", "get", "logs", "rollout", "exec", "wait", "scale")
ROUTES = ("/mcp", "/healthz", "/readyz", "/metrics", "/webhooks/confluence", "/")


def docker(words: Words) -> None:
    """Files, services and commands of ours have to exist."""
    options, left = _sorted(words)
    for name in ("-f", "--file", "--env-file"):
        for file in options.get(name, ()):
            check_file(file)
    match left:
        case ["compose", verb, *rest]:
            _compose(options, verb, rest)
        case ["build", folder]:
            check_exists(folder)
            check_file(
                next(iter(options.get("--file", options.get("-f", ()))), f"{folder}/Dockerfile")
            )
        case ["run", _, *rest]:
            _ours(rest)
        case _:
            raise Wrong(f"docker {' '.join(words)} is not what a page should need")


def _compose(options: Mapping[str, Words], verb: str, rest: Words) -> None:
    text = Path(
        next(iter(options.get("--file", options.get("-f", ()))), "compose.yaml")
    ).read_text()
    services = set(re.findall(r"^  ([\w-]+):$", text.partition("services:")[2], re.MULTILINE))
    for profile in options.get("--profile", ()):
        if profile not in text.partition("profiles:")[2]:
            raise Wrong(f"compose.yaml has no profile {profile}")
    named = rest[:1] if verb in ("run", "exec") else rest
    if unknown := [name for name in named if name not in services]:
        raise Wrong(f"compose.yaml has no service {', '.join(unknown)}")
    if verb in ("run", "exec") and len(rest) > 1:
        _ours(rest[1:])


def _ours(words: Words) -> None:
    """Words after an image, whose entry is the program, or its name once more."""
    own = words if words[:1] in (["confluence-mcp"], ["confluence-mcp-chat"]) else None
    if own is None and words and words[0] in ("psql", "pg_dump", "sh"):
        return
    if words and (unknown := strange(own or ["confluence-mcp", *words])):
        raise Wrong(f"{' '.join(words)}: no {', '.join(unknown)}")


def kubectl(words: Words) -> None:
    """Files and folders have to exist, and objects be named in the manifests."""
    options, left = _sorted(words)
    if not left or left[0] not in VERBS:
        raise Wrong(f"kubectl {' '.join(words)} is not what a page should need")
    for name in ("-f", "--filename", "-k", "--kustomize"):
        for path in options.get(name, ()):
            check_exists(path)
    manifests = "\n".join(file.read_text() for file in (DEPLOY / "kubernetes").glob("*.yaml"))
    for word in left[1:]:
        kind, is_named, name = word.partition("/")
        if is_named and not re.search(rf"name: {re.escape(name)}\b", manifests):
            raise Wrong(f"no manifest has {kind} {name}")


def systemctl(words: Words) -> None:
    """Units have to be among ours."""
    _, left = _sorted(words)
    for unit in left[1:]:
        _unit(unit)


def journalctl(words: Words) -> None:
    """The same."""
    options, _ = _sorted(words)
    for unit in (*options.get("-u", ()), *options.get("--unit", ())):
        _unit(unit)


def _unit(name: str) -> None:
    template = re.sub(r"@[^.]*", "@", name)
    files = [DEPLOY / "systemd" / f"{template}{ending}" for ending in ("", ".service", ".timer")]
    if name not in OTHER_UNITS and not any(file.is_file() for file in files):
        raise Wrong(f"deploy/systemd has no unit {name}")


def curl(words: Words) -> None:
    """An address has to be one that the server answers."""
    _, left = _sorted(words)
    for url in left:
        if urlsplit(url).path not in ROUTES:
            raise Wrong(f"the server has no {url}")


def system(words: Words) -> None:
    """Users, packages and checks of servers are the system's own: files have to exist."""
    for word in words:
        if word.startswith("deploy/"):
            check_exists(word)


def _sorted(words: Words) -> tuple[dict[str, list[str]], list[str]]:
    """Options with their values, and the rest; what follows an image or service is the rest."""
    options: dict[str, list[str]] = {}
    left: list[str] = []
    given: Iterator[str] = iter(words)
    for word in given:
        name, is_set, value = word.partition("=")
        if not word.startswith("-") or _starts(left):
            left.append(word)
        elif name in WITH_VALUE:
            options.setdefault(name, []).append(value if is_set else next(given))
    return options, left


def _starts(left: Words) -> bool:
    """Whether what comes next belongs to a program that is started."""
    ahead = 1 if left[:1] == ["compose"] else 0
    return len(left) > ahead + 1 and left[ahead] in ("run", "exec")


DEPLOYING: Mapping[str, Callable[[Words], None]] = MappingProxyType(
    {
        "docker": docker,
        "kubectl": kubectl,
        "systemctl": systemctl,
        "journalctl": journalctl,
        "curl": curl,
        **dict.fromkeys(
            (
                "useradd",
                "adduser",
                "apt-get",
                "nginx",
                "haproxy",
                "chown",
                "install",
                "systemd-creds",
            ),
            system,
        ),
    }
)
