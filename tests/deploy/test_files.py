"""The files for containers, clusters and service managers: well formed, safe, and true."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from confluence_mcp.command_line import command_parser
from confluence_mcp.misspelt import KNOWN
from ingest.settings import IngestSettings
from ingest.worker import GRACE as WORKER_GRACE
from server.app import GRACE
from server.settings import ServerSettings
from tests.command import ROOT
from tests.deploy.files import (
    DEPLOY,
    DOCKERFILES,
    MANIFESTS,
    SERVER_PROGRAM,
    UNITS,
    Image,
    Json,
    chat_commands,
    compose,
    environment_of,
    kustomization,
    manifests,
    pods,
    server_commands,
    settings,
    unit,
)
from tests.deploy.proxies import nginx, program, write_certificate

PROGRAMS = Path(sys.executable).parent
CHAT_PYTHON = ROOT / "clients" / ".venv" / "bin" / "python"
YAMLLINT = (
    "{extends: default, rules: {line-length: {max: 110}, document-start: disable, "
    "braces: {max-spaces-inside: 0}}}"
)
# Those of Chainlit's that the chat passes on, and those of providers.
OF_CHAINLIT = re.compile(r"CHAINLIT_(AUTH_SECRET|URL)|OAUTH_\w+")
KUBERNETES = "1.34"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def lint(*words: str | Path) -> str:
    """What a tool says that finds nothing wrong."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", DOCKERFILES.values(), ids=DOCKERFILES)
def test_hadolint_finds_nothing(path: Path) -> None:
    assert lint(PROGRAMS / "hadolint", path) == ""


def test_yaml_is_tidy() -> None:
    assert lint(PROGRAMS / "yamllint", "-d", YAMLLINT, "compose.yaml", "deploy") == ""


def test_compose_keeps_to_its_schema() -> None:
    lint(
        PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"
    )  # fmt: skip


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_a_number_from_a_named_base(name: str) -> None:
    text = DOCKERFILES[name].read_text(encoding="utf-8")
    ignored = DOCKERFILES[name].with_name(".dockerignore").read_text(encoding="utf-8")
    patterns = [line for line in ignored.splitlines() if not line.startswith("#")]

    assert Image.of(name).told("USER") == "10001:10001"
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}"] * 2
    assert "SOURCE_DATE_EPOCH" in text
    assert "--constraint constraints.txt" in text
    assert (patterns[0], patterns[-1]) == ("*", "**/.env*")


def test_an_image_has_all_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = DOCKERFILES["server"].read_text(encoding="utf-8")

    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]:
        assert f"COPY {package} {package}\n" in text


@pytest.mark.parametrize(
    ("arguments"), [pytest.param(words, id=where) for where, words in server_commands()]
)
def test_every_command_is_one(arguments: list[str]) -> None:
    options = command_parser().parse_args(
        [word.replace("/etc/confluence-mcp", "/") for word in arguments]
    )

    assert callable(options.command)


@pytest.mark.skipif(not CHAT_PYTHON.exists(), reason="the chat has no environment")
def test_every_command_of_the_chat_is_one() -> None:
    parse = "import sys; sys.path.insert(0, 'clients'); import chat; chat._arguments()"

    for arguments in {tuple(words) for _, words in chat_commands()}:
        lint(CHAT_PYTHON, "-c", parse, *arguments)


def services() -> Iterator[tuple[str, Json]]:
    """Those of compose.yaml."""
    yield from compose()["services"].items()


@pytest.mark.parametrize("service", [pytest.param(each, id=name) for name, each in services()])
def test_a_service_may_do_little(service: Json) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert set(environment_of(service)) - {"POSTGRES_PASSWORD_FILE"} <= KNOWN | {
        name for name in environment_of(service) if OF_CHAINLIT.fullmatch(name)
    }


def test_postgres_is_for_the_programs_alone() -> None:
    told = compose()

    reached = [name for name, each in services() if "database" in each.get("networks", ())]
    assert told["networks"]["database"] == {"internal": True}
    assert told["services"]["postgres"]["networks"] == ["database"]
    assert reached == ["postgres", "schema", "server", "worker"]


def test_the_server_gets_no_credentials_of_confluence() -> None:
    secret = {
        name.upper()
        for name, field in IngestSettings.model_fields.items()
        if name not in ServerSettings.model_fields and field.annotation == SecretStr | None
    }

    told = environment_of(compose()["services"]["server"])

    assert secret
    assert {name for name, value in told.items() if value == ""} == {*secret, "POSTGRES_URL"}


def test_images_have_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = project["project"]["version"]

    ours = {each["image"] for _, each in services() if each["image"].startswith(SERVER_PROGRAM)}
    assert ours == {f"{SERVER_PROGRAM}:{version}", f"{SERVER_PROGRAM}-chat:{version}"}
    assert {image["newTag"] for image in kustomization()["images"]} == {version}


def seconds(text: str) -> int:
    """Those of a time such as 140s."""
    return int(text.removesuffix("s"))


def test_whoever_stops_a_program_waits_until_it_has_ended() -> None:
    services = compose()["services"]
    delay = int(settings("server")["SHUTDOWN_DELAY"])
    server, worker = (unit(UNITS / name) for name in
                      ("confluence-mcp@.service", "confluence-mcp-worker.service"))  # fmt: skip

    assert seconds(services["server"]["stop_grace_period"]) > GRACE
    assert seconds(services["worker"]["stop_grace_period"]) > WORKER_GRACE
    assert pods()["server"]["terminationGracePeriodSeconds"] > GRACE + delay
    assert pods()["worker"]["terminationGracePeriodSeconds"] > WORKER_GRACE
    assert int(server["TimeoutStopSec"][0]) > GRACE
    assert int(worker["TimeoutStopSec"][0]) > WORKER_GRACE


def test_kubernetes_knows_every_field_of_the_manifests() -> None:
    # The operator of Prometheus brings its own, and so does kustomize.
    files = [
        path for path in sorted(MANIFESTS.glob("*.yaml"))
        if path.name not in {"kustomization.yaml", "monitoring.yaml"}
    ]  # fmt: skip

    said = lint(PROGRAMS / "kubernetes-validate", "--strict", "-k", KUBERNETES, *files)

    assert said.count(" passed for resource ") == len(manifests()) - 1


@pytest.mark.parametrize("name", ["server", "worker", "chat"])
def test_a_pod_may_do_little(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == set(container["resources"])
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_manifests_fit_together() -> None:
    found = manifests()
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in found
        if each["kind"] == "Deployment"
    ]
    chosen = [
        each["spec"].get("podSelector", each["spec"].get("selector"))
        for each in found
        if each["kind"] in {"Service", "NetworkPolicy", "PodDisruptionBudget"}
    ]
    wanted = [each.get("matchLabels", each) for each in chosen]

    listed = kustomization()["resources"]
    assert all((MANIFESTS / name).is_file() for name in listed)
    assert {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml", *listed} == {
        "autoscaling.yaml", "monitoring.yaml",
    }  # fmt: skip
    assert all(any(each.items() <= one.items() for one in labels) for each in wanted)


@pytest.mark.parametrize("name", ["server", "worker", "chat"])
def test_settings_in_the_cluster_are_read(name: str) -> None:
    kind = {"server": ServerSettings, "worker": IngestSettings}.get(name)
    known = {field.upper() for field in kind.model_fields} if kind else KNOWN

    told = {each for each in settings(name) if not OF_CHAINLIT.fullmatch(each)}

    assert told <= known


@needs_systemd
def test_units_are_sound(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        text = path.read_text(encoding="utf-8").replace("/opt/confluence-mcp/bin", str(PROGRAMS))
        (tmp_path / path.name.replace("@", "@8080")).write_text(text, encoding="utf-8")
    made = sorted(tmp_path.iterdir())

    lint("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *made)
    for path in made:
        if path.suffix == ".service":
            lint("systemd-analyze", "security", "--offline=true", "--threshold=20", path)


def test_units_are_equally_strict() -> None:
    parts = [
        path.read_text(encoding="utf-8").partition("DynamicUser=yes\n")[2].partition("\n[")[0]
        for path in sorted(UNITS.glob("*.service"))
    ]

    assert len(parts) == 3
    assert {part.strip() for part in parts} == {parts[0].strip()}


@pytest.mark.skipif(program("nginx") is None, reason="nginx is not installed")
def test_nginx_can_read_the_site_of_the_chat(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    write_certificate(pem)
    files = {f"/etc/nginx/tls/wiki-chat.{ending}": str(pem) for ending in ("pem", "key")}

    lint(*nginx(tmp_path, files, "confluence-mcp-chat.conf"), "-t")


def test_shells_can_read_the_scripts() -> None:
    for path in sorted((DEPLOY / "compose").iterdir()):
        lint("sh", "-n", path)
