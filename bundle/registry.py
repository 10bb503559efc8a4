"""The entry of the server in the MCP registry, `server.json`.

The format: https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
"""

from bundle.project import TITLE, Project
from bundle.variables import Variable, serving

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
# Whoever publishes the entry proves to be this account of GitHub.
NAMESPACE = "io.github.confluence-mcp"


def registry_name(project: Project) -> str:
    """The server's name there."""
    return f"{NAMESPACE}/{project.name}"


def owner_mark(project: Project) -> str:
    """The line of the README by which the registry sees that the package on PyPI is the same's."""
    return f"<!-- mcp-name: {registry_name(project)} -->"


def registry_entry(project: Project) -> dict[str, object]:
    """The content of `server.json`: the package on PyPI, started by uvx over stdio."""
    told: dict[str, object] = {
        "$schema": SCHEMA,
        "name": registry_name(project),
        "title": TITLE,
        "description": project.description,
        "version": project.version,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": project.name,
                "version": project.version,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "serve"}],
                "environmentVariables": [_variable(each) for each in serving()],
            }
        ],
    }
    if project.repository:
        told["repository"] = {"url": project.repository, "source": "github"}
    return told


def _variable(variable: Variable) -> dict[str, object]:
    return {
        "name": variable.name,
        "description": variable.description,
        "isRequired": variable.is_needed,
        "isSecret": variable.is_secret,
        "format": "string",
    }
