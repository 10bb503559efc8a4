"""Writes the entry of this server into the files of clients, or shows what belongs there."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluence_mcp.setup_file import difference, read_text, without_secrets, write
from confluence_mcp.setup_json import UnsafeEdit, with_server
from confluence_mcp.setup_terminal import Terminal, agrees, until_right
from index.errors import ConfigurationError
from server.client_configs import (
    CLAUDE_CODE,
    CLAUDE_DESKTOP,
    CLIENTS,
    CURSOR,
    JETBRAINS,
    NAME,
    VSCODE,
    ZED,
    Client,
    Launch,
    Remote,
    add_to_claude_code,
    client_named,
)

IN_PROJECT = {
    CLAUDE_CODE.key: ".mcp.json",
    VSCODE.key: ".vscode/mcp.json",
    CURSOR.key: ".cursor/mcp.json",
    JETBRAINS.key: ".junie/mcp/mcp.json",
    ZED.key: ".zed/settings.json",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where programs keep their files: which system (as `sys.platform`), home and environment."""

    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def configuration(self) -> Path:
        """The folder in which programs keep their configuration."""
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        if self.system == "win32":
            return self._named("APPDATA", "AppData/Roaming")
        return self._named("XDG_CONFIG_HOME", ".config")

    def file_of(self, client: Client) -> Path | None:
        """The file in which a client keeps the servers of its user; None where a command does."""
        match client.key:
            case CLAUDE_DESKTOP.key:
                return self._claude_desktop() / "claude_desktop_config.json"
            case VSCODE.key:
                return self.configuration / "Code" / "User" / "mcp.json"
            case CURSOR.key:
                return self.home / ".cursor" / "mcp.json"
            case JETBRAINS.key:
                return self.home / ".junie" / "mcp" / "mcp.json"
            case ZED.key:
                return self._zed() / "settings.json"
            case _:
                return None

    def has(self, client: Client) -> bool:
        """Whether there is a sign of the client."""
        file = self.file_of(client)
        if client is JETBRAINS:
            return (self.home / ".junie").is_dir() or (self.configuration / "JetBrains").is_dir()
        return (self.home / ".claude").is_dir() if file is None else file.parent.is_dir()

    def _claude_desktop(self) -> Path:
        """On Windows, what came as a package keeps its files within that."""
        if self.system == "win32":
            packages = self._named("LOCALAPPDATA", "AppData/Local") / "Packages"
            for found in sorted(packages.glob("Claude_*/LocalCache/Roaming/Claude")):
                return found
        return self.configuration / "Claude"

    def _zed(self) -> Path:
        if self.system == "darwin":
            return self.home / ".config" / "zed"
        return self.configuration / ("Zed" if self.system == "win32" else "zed")

    def _named(self, variable: str, default: str) -> Path:
        named = self.environment.get(variable, "")
        return Path(named) if Path(named).is_absolute() else self.home / default


@dataclass(frozen=True, slots=True)
class Wish:
    """Which server is entered where: in files of a person, or of a `project`; or `only_shown`."""

    server: Launch | Remote
    project: Path | None = None
    only_shown: bool = False


def ask_clients(terminal: Terminal, machine: Machine) -> list[Client]:
    """Which clients are to know the server: numbers or names of a list, all or none."""

    def asked() -> list[Client]:
        answer = terminal.ask("Assistants: numbers or names, all, or none", default)
        return chosen_clients(answer.replace(",", " ").split())

    terminal.say("Which assistants are to use it?")
    for number, client in enumerate(CLIENTS, start=1):
        terminal.say(f"  {number}  {client.name}{' (found here)' if machine.has(client) else ''}")
    default = ", ".join(client.key for client in CLIENTS if machine.has(client)) or "none"
    return until_right(terminal, asked)


def chosen_clients(words: Sequence[str]) -> list[Client]:
    """The clients of these numbers and names; raises ConfigurationError."""
    chosen: list[Client] = []
    for word in (word.lower() for word in words):
        if word == "all":
            chosen += CLIENTS
        elif word.isdecimal() and 0 < int(word) <= len(CLIENTS):
            chosen.append(CLIENTS[int(word) - 1])
        elif word in IN_PROJECT or word == CLAUDE_DESKTOP.key:
            chosen.append(client_named(word))
        elif word != "none":
            known = ", ".join(client.key for client in CLIENTS)
            raise ConfigurationError(f"{word} is no client that is known: {known}, or all.")
    return list(dict.fromkeys(chosen))


def enter(terminal: Terminal, machine: Machine, client: Client, wish: Wish) -> None:
    """Puts the server into the file of a client, once the person has seen what changes."""
    file = _file(machine, client, wish.project)
    if file is None or wish.only_shown:
        _show(terminal, client, wish.server, file)
        return
    try:
        old = read_text(file)
        new = with_server(old, client.section, NAME, client.entry(wish.server))
    except (UnsafeEdit, ConfigurationError) as error:
        terminal.say(f"{client.name}: {file} is left as it is, for {error}. Put this there:")
        _show(terminal, client, wish.server, file)
        return
    if new == old:
        terminal.say(f"{client.name}: {file} has the entry already.\n")
        return
    terminal.say(f"{client.name}:\n{without_secrets(difference(old, new, str(file)))}")
    if not agrees(terminal, f"Write {file}?"):
        terminal.say("  left as it is\n")
        return
    backup = write(file, new)
    kept = f"; the old one is {backup.name}" if backup else ""
    terminal.say(f"  written{kept}. {_afterwards(client)}\n")


def _file(machine: Machine, client: Client, project: Path | None) -> Path | None:
    if project is None:
        return machine.file_of(client)
    return project / IN_PROJECT[client.key] if client.key in IN_PROJECT else None


def _show(terminal: Terminal, client: Client, server: Launch | Remote, file: Path | None) -> None:
    if client is CLAUDE_CODE and file is None:
        terminal.say(f"{client.name}: run\n\n{_hidden(add_to_claude_code(server), server)}\n")
        return
    terminal.say(
        f"{client.name} ({file or client.place}):\n\n{_hidden(client.file(server), server)}\n"
    )


def _hidden(text: str, server: Launch | Remote) -> str:
    """The text without the key, which is the person's to put there."""
    token = server.token if isinstance(server, Remote) else None
    return text.replace(token, "YOUR-KEY") if token else text


def _afterwards(client: Client) -> str:
    if client is CLAUDE_DESKTOP:
        return "Quit Claude Desktop and start it again."
    if client is JETBRAINS:
        return "Junie reads it; AI Assistant takes it in its settings (docs/clients.md)."
    return f"Restart {client.name} or its MCP servers."
