"""The reference pages, written from the code.

uv run --group dev python -m tests.docs.reference
"""

import argparse
import asyncio
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mcp.types import Prompt, PromptArgument, ResourceTemplate, Tool
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from confluence_mcp.command_line import command_parser
from index.settings import IndexSettings
from ingest.settings import IngestSettings
from server.app import create_server
from server.settings import ServerSettings
from tests.docs.arguments import actions_of, commands_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
REWRITE = "uv run --group dev python -m tests.docs.reference"
NOTE = f"<!-- Written by `{REWRITE}`. Change the code, not this page. -->"

ELSEWHERE = """\
## Read from the environment alone

`HTTPS_PROXY`, `NO_PROXY`: the way out to Confluence and to model endpoints. `SSL_CERT_FILE`: a
file (PEM) of certificate authorities that the system does not know. `CHAINLIT_AUTH_SECRET`,
`CHAINLIT_URL`, `OAUTH_*`: see [the chat page](../chat.md).
"""


def pages() -> Mapping[str, str]:
    """The text of each page by its file name."""
    return {
        "variables.md": variables_page(),
        "commands.md": commands_page(),
        "tools.md": asyncio.run(tools_page()),
    }


def chat_settings() -> tuple[type[BaseSettings], ...]:
    """The settings classes of the chat, which is a project of its own."""
    if (clients := str(ROOT / "clients")) not in sys.path:
        sys.path.insert(0, clients)
    from chat_brand import Brand
    from chat_settings import ChatSettings

    return ChatSettings, Brand


def variables_page() -> str:
    """Every variable that some settings class reads, with its default and meaning."""
    shared = IndexSettings.model_fields
    server, ingest = ServerSettings.model_fields, IngestSettings.model_fields
    chat = {name: info for one in chat_settings() for name, info in one.model_fields.items()}
    return "\n".join(
        (
            "# Variables",
            f"\n{NOTE}\n",
            "From the environment or from `.env` in the current folder; the environment wins, and "
            "an empty\nvalue means unset. `.env.example` lists them all. Secret ones are never "
            "shown or logged.\n",
            "## Index and models: ingest, server and the other commands\n",
            _variables(shared),
            "\n## Ingest: which Confluence is read, and as whom\n",
            _variables(_without(ingest, shared)),
            "\n## Server: who may ask, and what stands behind the tools\n",
            _variables(_without(server, shared)),
            "\n## Chat page\n",
            "It reads `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `CHAT_MODEL`, too.\n",
            _variables(_without(chat, server)),
            f"\n{ELSEWHERE}",
        )
    )


def _without(
    fields: Mapping[str, FieldInfo], others: Mapping[str, FieldInfo]
) -> dict[str, FieldInfo]:
    return {name: info for name, info in fields.items() if name not in others}


def _variables(fields: Mapping[str, FieldInfo]) -> str:
    rows = (
        (f"`{name.upper()}`", _told(info.description or "") + _default(info) + _secret(info))
        for name, info in fields.items()
    )
    return _table(("variable", "meaning"), rows)


def _default(info: FieldInfo) -> str:
    value: object = info.default
    if value is None or value is PydanticUndefined or value == "":
        return ""
    return f" Default: `{str(value).lower() if isinstance(value, bool) else value}`."


def _secret(info: FieldInfo) -> str:
    return " Secret." if "SecretStr" in str(info.annotation) else ""


def commands_page() -> str:
    """Every command with its arguments, as the parser has them."""
    parser = command_parser()
    text = [
        "# Commands",
        f"\n{NOTE}\n",
        f"{parser.description}\n",
        "Exit codes: 0 done, 1 failed or stopped before the end, 2 wrong usage or configuration.\n",
        _arguments(parser),
    ]
    for name, about, command in commands_of(parser):
        text += [f"\n## {parser.prog} {name}\n", _sentence(about), *_told_of(command)]
        for action, said, deeper in commands_of(command):
            text += [f"\n### {parser.prog} {name} {action}\n", _sentence(said), *_told_of(deeper)]
    return "\n".join(text) + "\n"


def _told_of(command: argparse.ArgumentParser) -> Sequence[str]:
    arguments = _arguments(command)
    return ("", arguments) if arguments else ()


def _arguments(parser: argparse.ArgumentParser) -> str:
    rows = [
        (_written(action), _told(action.help or ""))
        for action in actions_of(parser)
        if action.dest != "help" and not isinstance(action.choices, Mapping)
    ]
    return _table(("argument", "does"), rows) if rows else ""


def _written(action: argparse.Action) -> str:
    """An argument as it is typed: `--space KEY`."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    value = metavar or "\\|".join(map(str, action.choices or ())) or action.dest.upper()
    words = (*action.option_strings[-1:], *(() if action.nargs == 0 else (value,)))
    return f"`{' '.join(words)}`"


async def tools_page() -> str:
    """The tools, prompts and resources that a client is listed."""
    server = create_server(lambda: nullcontext(_nothing()))
    text = [
        "# Tools",
        f"\n{NOTE}\n",
        "What an MCP client is listed. All of it is read-only, and page text in a result is data, "
        "never\ninstructions. What models are told of each tool stands here word for word.",
    ]
    for tool in await server.list_tools():
        text += _tool(tool)
    text.append("\n## Prompts")
    for prompt in await server.list_prompts():
        text += _prompt(prompt)
    text.append("\n## Resources\n")
    text.append(_resources(await server.list_resource_templates()))
    return "\n".join(text) + "\n"


def _nothing() -> Any:
    """What the tools would work with: they are only listed here."""


def _tool(tool: Tool) -> Sequence[str]:
    gives = tool.output_schema or {}
    return (
        f"\n## {tool.name}\n",
        inspect.cleandoc(tool.description or ""),
        "",
        _table(("argument", "kind", "meaning"), _properties(tool.input_schema)),
        "\nIt gives:\n",
        _table(("field", "kind", "meaning"), _properties(gives)),
        *(
            line
            for name, schema in gives.get("$defs", {}).items()
            for line in (
                f"\nEach `{name}`:\n",
                _table(("field", "kind", "meaning"), _properties(schema)),
            )
        ),
    )


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, part in schema["properties"].items():
        meaning = _told(part.get("description", ""))
        default = part.get("default")
        more = "" if default is None else f" Default: {default}."
        yield f"`{name}`" + ("" if name in required else " (optional)"), _type(part), meaning + more


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "$ref" in part:
        return f"`{part['$ref'].rpartition('/')[2]}`"
    if part.get("type") == "array":
        return f"list of {_type(part.get('items', {}))}"
    kinds = part.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    bounds = [str(part[name]) for name in ("minimum", "maximum") if name in part]
    span = f" {' to '.join(bounds)}" if len(bounds) == 2 else ""
    return " or ".join([part.get("format", name) for name in names]) + span


def _prompt(prompt: Prompt) -> Sequence[str]:
    arguments: Sequence[PromptArgument] = prompt.arguments or ()
    rows = (
        (f"`{one.name}`" + ("" if one.required else " (optional)"), _told(one.description or ""))
        for one in arguments
    )
    about = _sentence(prompt.description or "")
    return f"\n### {prompt.name}\n", about, "", _table(("argument", "meaning"), rows)


def _resources(templates: Iterable[ResourceTemplate]) -> str:
    rows = ((f"`{one.uri_template}`", _told(one.description or "")) for one in templates)
    return _table(("address", "gives"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _told(text: str) -> str:
    """One line for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("%%", "%")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, page in pages().items():
        (FOLDER / file).write_text(page, encoding="utf-8", newline="\n")
