"""What the files for containers, clusters and service managers say, taken apart."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.command import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILES = {"server": ROOT / "Dockerfile", "chat": ROOT / "clients" / "Dockerfile"}
MANIFESTS = DEPLOY / "kubernetes"
UNITS = DEPLOY / "systemd"
SERVER_PROGRAM, CHAT_PROGRAM = "confluence-mcp", "confluence-mcp-chat"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Image:
    """The last stage of a Dockerfile."""

    instructions: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, name: str) -> "Image":
        """That of the server or of the chat."""
        text = DOCKERFILES[name].read_text(encoding="utf-8")
        lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        last = lines.replace("\\\n", " ").split("FROM ")[-1]
        words = (line.split(maxsplit=1) for line in last.splitlines()[1:] if line.strip())
        return cls([(word, rest) for word, rest in words])

    def told(self, instruction: str) -> str:
        """What one of its instructions says."""
        (found,) = (rest for word, rest in self.instructions if word == instruction)
        return found

    def words(self, instruction: str) -> list[str]:
        """The words of an instruction that is written as a list."""
        return json.loads(self.told(instruction))

    @property
    def health(self) -> list[str]:
        """The words of its health check."""
        _, _, words = self.told("HEALTHCHECK").partition("CMD")
        return json.loads(words)


def compose() -> Json:
    """The services of compose.yaml and what they share."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def kustomization() -> Json:
    """The list of manifests and settings."""
    return yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))


def manifests() -> list[Json]:
    """Every object of every file, those besides that have to be asked for."""
    paths = sorted(MANIFESTS.glob("*.yaml"))
    return [
        found
        for path in paths
        if path.name != "kustomization.yaml"
        for found in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def pods() -> dict[str, Json]:
    """The pods of the deployments, by component."""
    found = (each for each in manifests() if each["kind"] == "Deployment")
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["template"]["spec"]
        for each in found
    }


def settings(name: str) -> dict[str, str]:
    """The variables of one component in the cluster."""
    (literals,) = (
        each["literals"]
        for each in kustomization()["configMapGenerator"]
        if each["name"] == f"confluence-mcp-{name}"
    )
    return dict(literal.split("=", 1) for literal in literals)


def unit(path: Path) -> dict[str, list[str]]:
    """The settings of a unit of systemd, by name."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def cron_command() -> str:
    """The command of the line of cron, for a shell."""
    lines = (DEPLOY / "cron" / "confluence-mcp").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if not line.startswith("#"))
    return line.split(maxsplit=6)[6]


def server_commands() -> Iterator[tuple[str, list[str]]]:
    """Where each command of ours stands, and its arguments."""
    image = Image.of("server")
    yield "Dockerfile", image.words("CMD")
    for name, service in compose()["services"].items():
        if str(service["image"]).startswith(f"{SERVER_PROGRAM}:"):
            yield f"compose.yaml {name}", service["command"]
    for name, pod in pods().items():
        for container in pod["containers"]:
            if container["image"] == SERVER_PROGRAM:
                yield f"kubernetes {name}", container["args"]
    for path in sorted(UNITS.glob("*.service")):
        (line,) = unit(path)["ExecStart"]
        program, *arguments = shlex.split(line.replace("%i", "8080"))
        assert Path(program).name == SERVER_PROGRAM
        yield path.name, arguments
    program, *arguments = shlex.split(cron_command().partition(" 2>&1")[0])
    assert Path(program).name == SERVER_PROGRAM
    yield "cron", arguments
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for words in re.findall(r"docker compose run --rm worker (.+)", text):
        yield "compose.yaml, its first lines", shlex.split(words)


def chat_commands() -> Iterator[tuple[str, list[str]]]:
    """The same for the chat."""
    yield "Dockerfile", Image.of("chat").words("CMD")
    yield "compose.yaml", compose()["services"]["chat"]["command"]
    (container,) = pods()["chat"]["containers"]
    yield "kubernetes", container["args"]


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """What compose sets for a service, where nobody sets anything else."""
    told: Mapping[str, str] = service.get("environment", {})
    return {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in told.items()}
