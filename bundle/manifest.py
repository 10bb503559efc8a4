"""The manifest of the bundle for Claude Desktop, version 0.4.

The format: https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md
"""

from typing import Never

from mcp.types import Prompt

from bundle.project import AUTHORS, TITLE, Project
from bundle.variables import Variable, reading
from server.app import create_server

START = "start.py"
ICON = "icon.png"
PYTHON = ">=3.11,<3.14"

LONG = """\
Takes your Confluence into an index on this machine (Markdown, embeddings, Postgres with pgvector)
and keeps it fresh while Claude runs. Search by meaning and by words, read pages, and ask questions
whose every citation is checked. It reads Confluence and never writes. Nothing leaves this machine
unless you give a key for a model. The first start installs what it needs, and the first reading of
a large site takes a while; what has been read is found at once.

On Windows, give the address of a Postgres with pgvector."""


async def manifest(project: Project) -> dict[str, object]:
    """The content of `manifest.json`: what is asked, how the server starts, what it offers."""
    server = create_server(_no_index)
    asked = reading()
    told: dict[str, object] = {
        "manifest_version": "0.4",
        "name": project.name,
        "display_name": TITLE,
        "version": project.version,
        "description": project.description,
        "long_description": LONG,
        "author": {"name": AUTHORS},
        "icon": ICON,
        "server": {
            "type": "uv",
            "entry_point": START,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", START],
                "env": {each.name: f"${{user_config.{each.name.lower()}}}" for each in asked},
            },
        },
        "tools": [
            {"name": tool.name, "description": _first_line(tool.description)}
            for tool in await server.list_tools()
        ],
        "prompts": [_prompt(prompt) for prompt in await server.list_prompts()],
        # Their text comes from the index, when they are used.
        "prompts_generated": True,
        "user_config": {each.name.lower(): _field(each) for each in asked},
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": PYTHON},
        },
        "keywords": list(project.keywords),
        "license": project.license,
    }
    if project.repository:
        told["repository"] = {"type": "git", "url": project.repository}
    return told


def _no_index() -> Never:
    raise AssertionError("only asked for its tools and prompts")


def _prompt(prompt: Prompt) -> dict[str, object]:
    names = [argument.name for argument in prompt.arguments or ()]
    given = "\n".join(f"{name}: ${{arguments.{name}}}" for name in names)
    about = _first_line(prompt.description)
    return {
        "name": prompt.name,
        "description": about,
        "arguments": names,
        "text": f"{about}\n{given}",
    }


def _field(variable: Variable) -> dict[str, object]:
    field: dict[str, object] = {
        "type": "string",
        "title": variable.title,
        "description": variable.description,
        "required": variable.is_needed,
        "sensitive": variable.is_secret,
    }
    # Without a default, a host hands over the placeholder of a field that was left empty.
    return field if variable.is_needed else field | {"default": ""}


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
