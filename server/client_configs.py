"""Entries that plug the server into clients, for however this program was started."""

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from index.settings import default_home

NAME = "confluence"
CHAT = ("uv", "run", "--project", "clients", "confluence-mcp-chat")


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
        return cls(str(Path(sys.argv[0]).resolve()), (), environment, None)

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

    def entry(self) -> dict[str, object]:
        """The server as Claude Desktop and Cursor write it down."""
        started: dict[str, object] = {
            "command": self.command,
            "args": [*self.arguments, "serve"],
        }
        return started | ({"env": self.environment} if self.environment else {})


def claude_desktop(launch: Launch) -> str:
    """The file that Claude Desktop opens under Settings, Developer, Edit Config."""
    return _json({"mcpServers": {NAME: launch.entry()}})


def vscode(launch: Launch) -> str:
    """`.vscode/mcp.json` of a workspace, or the file that `MCP: Open User Configuration` opens."""
    return _json({"servers": {NAME: {"type": "stdio"} | launch.entry()}})


def cursor(launch: Launch) -> str:
    """`.cursor/mcp.json` of a project, or `~/.cursor/mcp.json`."""
    return _json({"mcpServers": {NAME: launch.entry()}})


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2)
