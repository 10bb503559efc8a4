"""Links and buttons that have a client add the server, each asking its person first.

The formats, as their makers tell them: https://code.visualstudio.com/api/extension-guides/ai/mcp,
https://cursor.com/docs/mcp/install-links, https://lmstudio.ai/docs/app/mcp/deeplink, and the
installers of goose's own documentation.
"""

import json
from base64 import b64encode
from urllib.parse import quote

from bundle.project import TITLE
from server.client_configs import INSTALLED, NAME, Launch

BEGIN, END = "<!-- buttons -->", "<!-- end of buttons -->"
_BADGE = "https://img.shields.io/badge"


def vscode_link(launch: Launch, scheme: str = "vscode") -> str:
    """A link for VS Code, or for its Insiders with `vscode-insiders`."""
    return f"{scheme}:mcp/install?{_quoted(_json({'name': NAME, **launch.entry()}))}"


def vscode_page(launch: Launch, scheme: str = "vscode") -> str:
    """The same as a web page, for where only such links work."""
    return f"https://insiders.vscode.dev/redirect?url={_quoted(vscode_link(launch, scheme))}"


def cursor_link(launch: Launch) -> str:
    """A link for Cursor."""
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{_named_entry(launch)}"


def cursor_page(launch: Launch) -> str:
    """The same as a web page."""
    return f"https://cursor.com/en/install-mcp?{_named_entry(launch)}"


def lm_studio_link(launch: Launch) -> str:
    """A link for LM Studio."""
    return f"lmstudio://add_mcp?{_named_entry(launch)}"


def lm_studio_page(launch: Launch) -> str:
    """The same as a web page."""
    return f"https://lmstudio.ai/install-mcp?{_named_entry(launch)}"


def goose_link(launch: Launch, description: str) -> str:
    """A link for goose, which has no web page of this kind and takes no variables."""
    words = [("cmd", launch.command), *(("arg", word) for word in (*launch.arguments, "serve"))]
    words += [("id", NAME), ("name", TITLE), ("description", description)]
    return "goose://extension?" + "&".join(f"{name}={_quoted(value)}" for name, value in words)


def buttons(launch: Launch = INSTALLED) -> str:
    """The buttons as Markdown that GitHub and PyPI show, between their marks."""
    shown = (
        _button("VS Code", "0098FF", vscode_page(launch)),
        _button("VS Code Insiders", "24bfa5", vscode_page(launch, "vscode-insiders")),
        _button("Cursor", "000000", cursor_page(launch)),
        _button("LM Studio", "4338ca", lm_studio_page(launch)),
    )
    return "\n".join((BEGIN, *shown, END))


def with_buttons(page: str) -> str:
    """A page with the buttons of today where it has buttons."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{buttons()}{after}" if begin and end else page


def _button(client: str, colour: str, link: str) -> str:
    return f"[![Add to {client}]({_BADGE}/Add_to-{_quoted(client)}-{colour})]({link})"


def _named_entry(launch: Launch) -> str:
    config = b64encode(_json(launch.entry()).encode()).decode()
    return f"name={NAME}&config={_quoted(config)}"


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _quoted(text: str) -> str:
    return quote(text, safe="")
