"""The documentation as a site: `uv run --group docs sphinx-build docs dist/site`."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
# Pages stay plain Markdown, readable where they lie: what is Sphinx' own is told here.
CONTENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Begin": ("quick-start", "install", "clients", "chat", "faq"),
        "Run it": (
            *("permissions", "security", "deploying", "proxies", "operating"),
            *("observing", "upgrading", "scaling", "load"),
        ),
        "Understand it": ("tuning", "how-it-works", "comparison"),
        "Look up": ("reference/variables", "reference/commands", "reference/tools"),
        "Take part": ("contributing", "changes"),
    }
)
# Files of the repository that are pages of the site, too.
ROOT_PAGES = MappingProxyType(
    {"security": "SECURITY.md", "contributing": "CONTRIBUTING.md", "changes": "CHANGELOG.md"}
)

project = "confluence-mcp"
author = "the authors of confluence-mcp"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
myst_links_external_new_tab = False
# Examples are cut with "…".
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "confluence-mcp"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b52cc", "color-brand-content": "#0b52cc"},
    "dark_css_variables": {"color-brand-primary": "#8ab4ff", "color-brand-content": "#8ab4ff"},
}


def setup(app: Sphinx) -> None:
    """Puts our reading of the pages before Sphinx' own."""
    app.connect("source-read", _as_page)


def _as_page(_: Sphinx, name: str, source: list[str]) -> None:
    if file := ROOT_PAGES.get(name):
        text = (ROOT / file).read_text(encoding="utf-8")
        source[0] = re.sub(r"\]\((?:docs/)?(?=[\w./-]+\.md)", "](", text)
    # The site fetches nothing from elsewhere: of badges, one below the other, the links stay.
    badge = re.compile(r"^\[!(\[[^]]*\])\(https?://[^)]*\)\]", re.MULTILINE)
    source[0] = badge.sub(r"- \1", source[0])
    for page, file in ROOT_PAGES.items():
        source[0] = re.sub(rf"\]\((?:\.\./)*{re.escape(file)}", f"](/{page}.md", source[0])
    if name == "index":
        source[0] += "".join(
            f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{chr(10).join(names)}\n```\n"
            for caption, names in CONTENTS.items()
        )
