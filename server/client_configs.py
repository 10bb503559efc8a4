"""Entries that plug the server into clients, for however this program was started."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from index.settings import default_home

NAME = "confluence"
CHAT = ("uv", "run", "--project", "clients", "confluence-mcp-chat")
# Where uvx keeps what it installed for a moment: a path that may be gone tomorrow.
_UV_CACHE = "archive-v0"

Entry = dict[str, object]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the program from anywhere.

    `command` is absolute where clients need it so, `environment` holds what differs from the
    defaults, `root` is the checkout when there is one.
    """

    command: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    root: Path | None

    @classmethod
    def of_this_program(cls, home: Path) -> Self:
        """From a checkout through uv, in its folder because of `.env`; else the command itself."""
        environment = {} if home == default_home() else {"CONFLUENCE_MCP_HOME": str(home)}
        root = Path(__file__).parent.parent
        uv = shutil.which("uv")
        if uv and (root / "pyproject.toml").is_file():
            return cls(uv, ("run", "--directory", str(root), "confluence-mcp"), environment, root)
        uvx = shutil.which("uvx")
        if uvx and _UV_CACHE in Path(sys.prefix).parts:
            return cls(uvx, ("confluence-mcp",), environment, None)
        started = Path(sys.argv[0]).resolve()
        if started.name == "__main__.py":
            return cls(sys.executable, ("-m", "confluence_mcp"), environment, None)
        return cls(shutil.which(str(started)) or str(started), (), environment, None)

    def in_folder(self, folder: Path) -> Self:
        """The same with the settings of a folder, in its `.env`."""
        if folder == self.root:
            return self
        return replace(self, arguments=(*self.arguments, "--directory", str(folder)))

    def shell(self, command: str) -> str:
        """A command of this program to type into a shell."""
        return self._typed(self.command, *self.arguments, command)

    @property
    def chat(self) -> str:
        """The chat page's command to type into a shell; it comes with a checkout."""
        folder = f"cd {shlex.quote(str(self.root))} && " if self.root else ""
        return folder + self._typed(*CHAT)

    def _typed(self, *words: str) -> str:
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*settings, shlex.join(words)])

    def entry(self) -> Entry:
        """The server as Claude Desktop and Cursor write it down."""
        started: Entry = {"command": self.command, "args": [*self.arguments, "serve"]}
        return started | ({"env": self.environment} if self.environment else {})


# Installed as a tool, with nothing but defaults.
INSTALLED = Launch("uvx", ("confluence-mcp",), {}, None)


@dataclass(frozen=True, slots=True)
class Remote:
    """A server over HTTP, and the key or token that it wants; without one, clients sign in."""

    url: str
    token: str | None = None

    @property
    def headers(self) -> Entry:
        """What goes with each request."""
        return {"headers": {"Authorization": f"Bearer {self.token}"}} if self.token else {}


@dataclass(frozen=True, slots=True)
class Client:
    """A program that speaks MCP: what it is called, and how it writes a server down.

    Its file holds servers by name in the object `section`. `place` is where a person finds that.
    """

    key: str
    name: str
    section: str
    place: str
    _local: Callable[[Launch], Entry]
    _remote: Callable[[Remote], Entry]

    def entry(self, server: Launch | Remote) -> Entry:
        """The server as this client writes it down."""
        return self._local(server) if isinstance(server, Launch) else self._remote(server)

    def file(self, server: Launch | Remote) -> str:
        """The whole of its file, where there is nothing else in it."""
        return json.dumps({self.section: {NAME: self.entry(server)}}, indent=2)


def _plain(launch: Launch) -> Entry:
    return launch.entry()


def _typed(launch: Launch) -> Entry:
    return {"type": "stdio"} | launch.entry()


def _url(remote: Remote) -> Entry:
    return {"url": remote.url} | remote.headers


def _typed_url(remote: Remote) -> Entry:
    return {"type": "http", "url": remote.url} | remote.headers


def _through_bridge(remote: Remote) -> Entry:
    """Claude Desktop connects to no address in its file; mcp-remote speaks stdio in its place."""
    bridge: list[str] = ["-y", "mcp-remote", remote.url]
    if remote.token is None:
        return {"command": "npx", "args": bridge}
    # No blank after the colon: on Windows the argument would be taken apart there.
    header = ["--header", "Authorization:${AUTHORIZATION}"]
    environment = {"AUTHORIZATION": f"Bearer {remote.token}"}
    return {"command": "npx", "args": [*bridge, *header], "env": environment}


CLAUDE_DESKTOP = Client(
    "claude-desktop",
    "Claude Desktop",
    "mcpServers",
    "Settings > Developer > Edit Config",
    _plain,
    _through_bridge,
)
CLAUDE_CODE = Client(
    "claude-code", "Claude Code", "mcpServers", ".mcp.json of a project", _typed, _typed_url
)
VSCODE = Client(
    "vscode",
    "VS Code",
    "servers",
    ".vscode/mcp.json of a workspace, or MCP: Open User Configuration",
    _typed,
    _typed_url,
)
CURSOR = Client("cursor", "Cursor", "mcpServers", ".cursor/mcp.json", _plain, _url)
JETBRAINS = Client(
    "jetbrains",
    "JetBrains",
    "mcpServers",
    "Settings > Tools > AI Assistant > Model Context Protocol (MCP), or .junie/mcp/mcp.json",
    _plain,
    _url,
)
ZED = Client("zed", "Zed", "context_servers", "zed: open settings file", _plain, _url)

CLIENTS = (CLAUDE_DESKTOP, CLAUDE_CODE, VSCODE, CURSOR, JETBRAINS, ZED)


def client_named(key: str) -> Client:
    """The client of CLIENTS with a key, such as `zed`; KeyError."""
    return {client.key: client for client in CLIENTS}[key]


def add_to_claude_code(server: Launch | Remote) -> str:
    """The command that puts a server into Claude Code, for all projects of a person."""
    entry = json.dumps(CLAUDE_CODE.entry(server))
    return shlex.join(("claude", "mcp", "add-json", "--scope", "user", NAME, entry))


# As they lie under clients/: for an installed program, and for a server over HTTP with a key.
EXAMPLE_REMOTE = Remote("https://wiki-search.example.com/mcp", "YOUR-KEY")


def example_files() -> dict[str, str]:
    """The files that come with a checkout, by name."""
    local = {f"{client.key}.json": client.file(INSTALLED) for client in CLIENTS}
    remote = {f"{client.key}-http.json": client.file(EXAMPLE_REMOTE) for client in CLIENTS}
    return local | remote
