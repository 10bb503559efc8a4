"""The server as a client's child process, over standard input and output."""

import json
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.server.asking import Variables, ask, get_page, search
from tests.server.processes import SERVE, ended, environment, serving_process

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
UNREACHABLE = "postgresql://nobody:secret-word@127.0.0.1:1/none"


def call(request_id: int, tool: str, **arguments: object) -> dict[str, object]:
    """A call of a tool."""
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def lines(messages: Iterable[Mapping[str, object]]) -> bytes:
    """Messages as they go over the wire."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_searches_reads_and_asks(
    variables: Variables, tmp_path: Path, mode: str
) -> None:
    parameters = StdioServerParameters(
        command=SERVE[0],
        args=SERVE[1:],
        env=environment(replace(variables, chat_model="", openai_api_key="").as_environment()),
        cwd=tmp_path,
    )
    log = tmp_path / "stderr.log"

    with log.open("w") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
            found = await search(client, "TB-4031")
            page = await get_page(client, "ENG:VPN")
            answer = await ask(client, "How many days of vacation per year?")

    assert found.results[0].title == "VPN"
    assert page.page_id == "100"
    assert answer.status == "passages_only"
    assert "Traceback" not in log.read_text()


def test_nothing_but_messages_is_on_standard_output(variables: Variables, tmp_path: Path) -> None:
    sent = [
        INITIALIZE,
        INITIALIZED,
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        call(3, "search_confluence", query="vpn"),
        call(4, "get_page", page="nowhere"),
        call(5, "get_page", page=7),
        call(6, "no_such_tool"),
        {"jsonrpc": "2.0", "id": 7, "method": "no/such/method"},
    ]

    with serving_process(variables.as_environment(), tmp_path, "--transport", "stdio") as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines(sent[:2]) + b"not json\n\n" + lines(sent[2:]))
        process.stdin.flush()
        answers: list[dict[str, object]] = []
        while len({answer.get("id") for answer in answers} - {None}) < 7:
            answers.append(json.loads(process.stdout.readline()))
        code, rest, errors = ended(process)

    assert code == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    assert "Traceback" not in errors
    assert "vpn" not in errors


def test_the_audit_trail_stays_off_standard_output(variables: Variables, tmp_path: Path) -> None:
    sent = [INITIALIZE, INITIALIZED, call(2, "get_page", page="100")]
    settings = variables.as_environment() | {"AUDIT_LOG": "stderr"}

    with serving_process(settings, tmp_path) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines(sent))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        _, rest, errors = ended(process)

    assert [answer["id"] for answer in answers] == [1, 2]
    assert rest == ""
    (line,) = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert (line["asker"], line["call"], line["page_ids"]) == ("crawler", "get_page", ["100"])


def test_no_trail_is_left_unless_it_is_asked_for(variables: Variables, tmp_path: Path) -> None:
    with serving_process(variables.as_environment(), tmp_path) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines([INITIALIZE, INITIALIZED, call(2, "get_page", page="100")]))
        process.stdin.flush()
        for _ in range(2):
            process.stdout.readline()
        _, _, errors = ended(process)

    assert "get_page" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["/dev/stdout", "missing/folder/audit.jsonl"])
def test_a_trail_that_cannot_be_written_ends_it_with_a_reason(
    variables: Variables, tmp_path: Path, target: str
) -> None:
    settings = variables.as_environment() | {"AUDIT_LOG": target}

    with serving_process(settings, tmp_path) as process:
        code, output, errors = ended(process)

    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 2
    assert errors.startswith("The audit trail cannot be written: ")


def test_the_end_of_input_ends_it(variables: Variables, tmp_path: Path) -> None:
    with serving_process(variables.as_environment(), tmp_path) as process:
        code, output, errors = ended(process)

    assert (code, output) == (0, "")
    assert "Traceback" not in errors


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_it_waits_for_input(
    variables: Variables, tmp_path: Path, sign: signal.Signals
) -> None:
    with serving_process(variables.as_environment(), tmp_path) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines([INITIALIZE]))
        process.stdin.flush()
        assert process.stdout.readline()

        process.send_signal(sign)
        code = process.wait(timeout=60)
        assert process.stderr is not None
        errors = process.stderr.read().decode()

    assert code == -sign
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"POSTGRES_URL": UNREACHABLE}, 1, "No Postgres listens at 127.0.0.1:1."),
        ({"POSTGRES_URL": "postgresql://a:b@c@d/e"}, 1, "not a valid connection URL"),
    ],
)
def test_a_database_that_cannot_be_used_ends_it_with_a_reason(
    variables: Variables, tmp_path: Path, changed: dict[str, str], code: int, said: str
) -> None:
    settings = variables.as_environment() | changed

    with serving_process(settings, tmp_path) as process:
        assert process.wait(timeout=60) == code
        assert process.stdout is not None and process.stderr is not None
        output, errors = process.stdout.read().decode(), process.stderr.read().decode()

    assert output == ""
    assert said in errors
    assert len(errors.splitlines()) == 2
    assert "POSTGRES_URL" in errors
    assert "secret-word" not in errors


def test_it_runs_without_a_terminal_or_a_home(variables: Variables, tmp_path: Path) -> None:
    bare = variables.as_environment() | {"PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        SERVE, cwd=tmp_path, env=bare, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, b"")
