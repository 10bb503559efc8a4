"""What macros mean: those that hold text, refer to it, or make up lists when a page is shown."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest.body.blocks import Block
from ingest.body.content import add_titled, panel_mark
from ingest.body.elements import add_quote
from ingest.body.links import Target, first_reference, mention, target_of
from ingest.body.names import AC, RI, Element, raw_text
from ingest.body.text import SEAM, code_fence, code_span, is_safe, link, plain, prose
from ingest.body.walk import Flow, Walk

_PANELS = frozenset(("panel", "info", "note", "tip", "warning", "success", "error", "important"))
_ADDRESS = re.compile(r"(?:src|href)\s*=\s*[\"']?(https?://[^\s\"'<>]+)", re.IGNORECASE)

# Parameters that hold what people read, by the names that most apps give them; and what such a
# parameter may hold in place of a text.
_SAID = frozenset(
    (
        *("title", "heading", "header", "subtitle", "label"),
        *("caption", "text", "description", "summary", "message"),
    )
)
_SETTING = re.compile(r"true|false|none|[-\d.]+(?:px|%|em|rem)?|#[0-9a-f]{3,8}", re.IGNORECASE)
_ISSUE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro taken apart. `plain` is its body where that is not markup, byte for byte."""

    name: str
    parameters: Mapping[str, Element]
    rich: Sequence[Element]
    plain: str | None

    def get(self, *names: str) -> str:
        """The text of the first of these parameters that has any."""
        found = (raw_text(self.parameters[name]).strip() for name in names if self._has(name))
        return next((text for text in found if text), "")

    def reference(self, *names: str) -> Element | None:
        """The first resource identifier in these parameters (in any, without names)."""
        for name in names or self.parameters:
            if self._has(name):
                reference = first_reference(self.parameters[name])
                if reference is not None:
                    return reference
        return None

    def is_set(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return self.get(name).lower() == "true"

    def _has(self, name: str) -> bool:
        return name in self.parameters


MACRO_PARTS = frozenset(
    AC + name for name in ("parameter", "default-parameter", "plain-text-body", "rich-text-body")
)
MacroHandler = Callable[[Walk, Macro, Flow], None]


def macro_of(element: Element) -> Macro:
    """A macro's name, parameters and body, in its present or its legacy form."""
    parameters: dict[str, Element] = {}
    rich: list[Element] = []
    plain: str | None = None
    for child in element:
        if child.tag == AC + "parameter":
            parameters.setdefault(child.get(AC + "name", ""), child)
        elif child.tag == AC + "default-parameter":
            parameters.setdefault("", child)
        elif child.tag == AC + "plain-text-body":
            plain = (plain or "") + raw_text(child)
        elif child.tag == AC + "rich-text-body":
            rich.append(child)
    return Macro(element.get(AC + "name", "").lower().strip(), parameters, rich, plain)


def content(walk: Walk, macro: Macro, flow: Flow) -> None:
    """The body, as if the macro were not there."""
    for body in macro.rich:
        flow.inline.append(SEAM)
        walk.children(body, flow)
        flow.inline.append(SEAM)
    if macro.plain:
        flow.add(Block("code", code_fence(macro.plain)))


def apart(walk: Walk, macro: Macro, flow: Flow) -> None:
    """The body, set apart from what is before and after it."""
    flow.flush()
    content(walk, macro, flow)
    flow.flush()


def nothing(walk: Walk, macro: Macro, flow: Flow) -> None:
    """Nothing: the macro has no text of its own."""


def dynamic(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A list made up whenever the page is shown: not part of the page, but for its title."""
    title = macro.get("title")
    flow.inline.append(SEAM + prose(title) + SEAM if title else "")
    walk.report("macro", macro.name, "made up when the page is shown, not part of its text")


def unknown(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A macro that nobody told us about: parameters that carry text, and its body."""
    has_body = bool(macro.rich) or bool(macro.plain)
    is_said = _say(macro, flow)
    kept = " and ".join(["body"] * has_body + ["texts"] * is_said)
    reason = f"unknown macro, {kept} kept" if kept else "unknown macro without a body"
    walk.report("macro", macro.name or "unnamed", reason)
    content(walk, macro, flow)


def _say(macro: Macro, flow: Flow) -> bool:
    """Writes what a macro's parameters say, linked where one is an address; whether any does."""
    texts = [raw_text(macro.parameters[name]).strip() for name in macro.parameters if name in _SAID]
    said = ": ".join(prose(text) for text in texts if text and not _SETTING.fullmatch(text))
    url = macro.get("url", "href", "link")
    url = url if is_safe(url) else ""
    if said or url:
        flow.inline.append(SEAM + (link(said, url) if url else said) + SEAM)
    return bool(said or url)


def code(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A code block with its language and title."""
    body = macro.plain if macro.plain is not None else "".join(map(raw_text, macro.rich))
    if not body.strip():
        return
    language = re.sub(r"[\s`~]+", "-", macro.get("language", "lang", "")).lower()
    if language == "none" or macro.name == "noformat":
        language = ""
    title = " ".join(macro.get("title").split()).replace('"', "'")
    titled = f'{language or "text"} title="{title}"' if title else language
    flow.add(Block("code", code_fence(body, titled)))


def panel(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A box that says what kind it is."""
    flow.flush()
    blocks = [block for body in macro.rich for block in walk.blocks(body)]
    if macro.plain:
        blocks.append(Block("code", code_fence(macro.plain)))
    title = prose(macro.get("title"))
    if blocks or title:
        add_quote(flow, blocks, panel_mark(macro.name, title))


def expand(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A part that opens on demand."""
    add_titled(walk, flow, prose(macro.get("title", "")), *macro.rich)


def status(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A coloured word in capitals."""
    title = prose(macro.get("title"))
    if title:
        flow.inline.append(f"{SEAM}[{title}]{SEAM}")


def excerpt(walk: Walk, macro: Macro, flow: Flow) -> None:
    """Text that other pages may show; hidden, it is shown there alone."""
    if not macro.is_set("hidden"):
        content(walk, macro, flow)


def include(walk: Walk, macro: Macro, flow: Flow) -> None:
    """The name of the page whose text is shown here: its readers may be fewer than this one's."""
    what = "Excerpt of" if macro.name.startswith("excerpt") else "Content of"
    source = _source(walk, macro)
    if source.name:
        flow.flush()
        flow.inline.append(f"{what} {link(source.name, source.url)}")
        flow.flush()
    name = plain(source.name) or "not named"
    reason = f"text of another page ({name}), linked and not repeated here"
    walk.report("macro", macro.name, reason)


def _source(walk: Walk, macro: Macro) -> Target:
    reference = macro.reference("", "page", "pageTitle", "default-parameter")
    target = target_of(walk, reference) if reference is not None else None
    if target:
        return target
    space_key, separator, title = macro.get("", "page", "pageTitle").rpartition(":")
    if not separator:
        space_key = macro.get("spaceKey") or walk.context.space_key
    return Target(prose(title), walk.context.page_url(space_key, title) if title else None)


def jira(walk: Walk, macro: Macro, flow: Flow) -> None:
    """The key of an issue, linked where Jira is known, or the query of a list of issues."""
    key = macro.get("key", "issueKey")
    query = macro.get("jqlQuery", "jql", "jqlquery")
    if key:
        flow.inline.append(SEAM + link(prose(key), _issue_url(walk, key)) + SEAM)
    elif query:
        flow.inline.append(f"{SEAM}Jira: {code_span(' '.join(query.split()))}{SEAM}")
        walk.report("macro", macro.name, "a list of Jira issues; only its query is kept")
    else:
        address = macro.get("url", "")
        flow.inline.append(SEAM + link("", address) + SEAM)
        walk.report("macro", macro.name, "a list of Jira issues, made up when the page is shown")


def _issue_url(walk: Walk, key: str) -> str | None:
    base = walk.context.jira_url
    return f"{base.rstrip('/')}/{key}" if base and _ISSUE_KEY.fullmatch(key) else None


def file(walk: Walk, macro: Macro, flow: Flow) -> None:
    """A file shown in the page: its name, linked."""
    reference = macro.reference()
    target = target_of(walk, reference) if reference is not None else None
    filename = macro.get("name", "file", "filename", "")
    if target is None or not target.name:
        url = walk.context.attachment_url(filename) if filename else None
        target = Target(prose(filename), url)
    if target.name:
        flow.inline.append(SEAM + link(target.name, target.url) + SEAM)
    # A file of this page is an attachment, and read as one.
    if not filename and (reference is None or first_reference(reference) is not None):
        name = plain(target.name) or macro.name
        walk.report("attachment", name, "a file of another page, linked only")
    content(walk, macro, flow)


def address(walk: Walk, macro: Macro, flow: Flow) -> None:
    """Something shown from elsewhere: where it is."""
    reference = macro.reference()
    target = target_of(walk, reference) if reference is not None else None
    urls = [target.url] if target and target.url else []
    if not urls:
        text = macro.get("url", "src", "location", "") or macro.plain or ""
        urls = list(dict.fromkeys(_ADDRESS.findall(text))) or re.findall(r"^https?://\S+$", text)
    for url in urls:
        flow.inline.append(f"{SEAM}{link('', url)} ")
    walk.report("macro", macro.name, "shown from elsewhere; only its address is kept")


def person(walk: Walk, macro: Macro, flow: Flow) -> None:
    """The name of a person."""
    reference = macro.reference()
    if reference is not None and reference.tag == RI + "user":
        flow.inline.append(SEAM + mention(walk, reference) + SEAM)


PANELS: Mapping[str, MacroHandler] = dict.fromkeys(_PANELS, panel)
MACROS: Mapping[str, MacroHandler] = {
    **PANELS,
    **dict.fromkeys(("code", "noformat", "code-block", "codeblock", "code-pro"), code),
    **dict.fromkeys(("expand", "ui-expand", "nested-expand"), expand),
    **dict.fromkeys(("status", "status-handy"), status),
    **dict.fromkeys(("excerpt", "multiexcerpt", "multiexcerpt-macro"), excerpt),
    **dict.fromkeys(
        (
            *("include", "excerpt-include", "excerpt-include-macro", "include-page"),
            *("multiexcerpt-include", "multiexcerpt-include-macro"),
        ),
        include,
    ),
    **dict.fromkeys(("jira", "jiraissues", "jira-issue"), jira),
    **dict.fromkeys(
        (
            *("view-file", "viewfile", "viewpdf", "viewdoc", "viewxls", "viewppt", "multimedia"),
            *("office", "office-word", "office-excel", "office-powerpoint", "pdf"),
        ),
        file,
    ),
    **dict.fromkeys(("html", "html-include", "html-bobswift", "iframe", "widget"), address),
    **dict.fromkeys(("profile", "profile-picture", "mention"), person),
    **dict.fromkeys(
        (
            *("section", "column", "toc-zone", "numberedheadings", "div", "align", "chart"),
            *("scroll-landscape", "scroll-portrait", "center", "alert", "card", "deck"),
        ),
        apart,
    ),
    **dict.fromkeys(
        (
            *("span", "scroll-ignore", "scroll-only", "scroll-pagebreak", "scroll-title"),
            *("footnote", "tooltip"),
        ),
        content,
    ),
    **dict.fromkeys(
        (
            *("toc", "anchor", "livesearch", "pagetreesearch", "create-from-template", "search"),
            *("scroll-bookmark", "style", "loremipsum", "easyheading-macro"),
        ),
        nothing,
    ),
    **dict.fromkeys(
        (
            *("children", "pagetree", "content-tree", "contentbylabel", "recently-updated"),
            *("blog-posts", "labels-list", "listlabels", "popular-labels", "related-labels"),
            *("contributors", "contributors-summary", "attachments", "space-attachments"),
            *("gallery", "tasks-report-macro", "detailssummary", "content-report-table", "navmap"),
            *("recently-updated-dashboard", "favpages", "index", "spaces-list", "space-details"),
            *("change-history", "pageindex", "network", "calendar", "jirachart", "jiraroadmap"),
            *(
                "userlister",
                "roadmap",
                "rss",
                "activity-stream",
                "excerpt-list",
                "page-properties-report",
            ),
        ),
        dynamic,
    ),
}
