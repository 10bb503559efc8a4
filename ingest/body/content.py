"""What Confluence's own elements mean: tasks, emoticons, dates, and nodes of the new editor."""

from collections.abc import Mapping

from ingest.body.blocks import Block
from ingest.body.elements import add_list, add_quote, drop, paragraph, span
from ingest.body.names import AC, AT, Element, raw_text
from ingest.body.text import SEAM, prose
from ingest.body.walk import Flow, Handler, Walk

_TASK_PARTS = frozenset(AC + name for name in ("task-id", "task-uuid", "task-status", "task-body"))
_EMOTICONS = {
    "smile": "🙂",
    "sad": "🙁",
    "cheeky": "😛",
    "laugh": "😀",
    "wink": "😉",
    "thumbs-up": "👍",
    "thumbs-down": "👎",
    "information": "ℹ️",
    "tick": "✅",
    "cross": "❌",
    "warning": "⚠️",
    "plus": "➕",
    "minus": "➖",
    "question": "❓",
    "light-on": "💡",
    "light-off": "🔦",
    "yellow-star": "⭐",
    "heart": "❤️",
    "broken-heart": "💔",
}


def task_list(walk: Walk, element: Element, flow: Flow) -> None:
    """Tasks with their state."""
    flow.flush()
    walk.rest(element, flow, (AC + "task",))
    flow.flush()
    items: list[tuple[str, list[Block]]] = []
    for task in element.iterchildren(AC + "task"):
        is_done = raw_text_of(task, AC + "task-status") == "complete"
        body = task.find(AC + "task-body")
        blocks = [] if body is None else walk.blocks(body)
        strays = walk.flow()
        walk.rest(task, strays, _TASK_PARTS)
        strays.flush()
        blocks += strays.blocks
        items.append(("- [x] " if is_done else "- [ ] ", blocks))
    add_list(flow, items, indent=2)


def raw_text_of(element: Element, name: str) -> str:
    """The text of the first child of that name, or nothing."""
    child = element.find(name)
    return "" if child is None else raw_text(child).strip()


def emoticon(walk: Walk, element: Element, flow: Flow) -> None:
    """An emoji as a character where there is one, else by its name."""
    name = element.get(AC + "name", "")
    shown = element.get(AC + "emoji-fallback") or _EMOTICONS.get(name)
    named = element.get(AC + "emoji-shortname") or (f":{name}:" if name else "")
    flow.inline.append(prose(shown or named))


def date(walk: Walk, element: Element, flow: Flow) -> None:
    """A date, as its text or as year-month-day."""
    shown = element.get("datetime") or raw_text(element)
    flow.inline.append(SEAM + prose(shown) + SEAM)


def adf_extension(walk: Walk, element: Element, flow: Flow) -> None:
    """A node of the new editor, or what older editors show in its place; never both."""
    start = len(flow.blocks), len(flow.inline)
    for child in element:
        if child.tag != AC + "adf-fallback":
            walk.child(child, flow)
    written = "".join(flow.inline[start[1] :]).strip() or len(flow.blocks) > start[0]
    fallback = element.find(AC + "adf-fallback")
    if not written and fallback is not None:
        paragraph(walk, fallback, flow)


def adf_node(walk: Walk, element: Element, flow: Flow) -> None:
    """A panel, a list of decisions, an expandable part, or whatever else is inside a node."""
    kind = element.get("type", "")
    if kind == "panel":
        name = _attribute(element, "panel-type")
        flow.flush()
        add_quote(flow, walk.blocks(element), panel_mark("panel" if name == "custom" else name))
    elif kind == "decision-list":
        flow.flush()
        nodes = list(element.iterchildren(AC + "adf-node"))
        add_list(flow, [(_decision_mark(node), walk.blocks(node)) for node in nodes], indent=2)
    elif kind in ("expand", "nested-expand"):
        add_titled(walk, flow, prose(_attribute(element, "title")), element)
    elif kind in ("mention", "emoji", "date", "status", "inline-card"):
        flow.inline.append(SEAM + prose(_attribute(element, "text")) + SEAM)
        span(walk, element, flow)
    else:
        paragraph(walk, element, flow)


def _decision_mark(node: Element) -> str:
    return f"- [{_attribute(node, 'state').lower() or 'decided'}] "


def _attribute(node: Element, key: str) -> str:
    for attribute in node.iterchildren(AC + "adf-attribute"):
        if attribute.get("key", "").lower() == key:
            return raw_text(attribute).strip()
    return ""


def panel_mark(kind: str, title: str = "") -> str:
    """The first line of a panel: its kind, which may be a warning, and its title."""
    return f"[!{(kind or 'panel').upper()}] {title}".rstrip()


def add_titled(walk: Walk, flow: Flow, title: str, *bodies: Element) -> None:
    """A part that opens on demand: its title in bold, then its content."""
    flow.flush()
    if title:
        flow.add(Block("text", f"**{title.strip()}**"))
    for body in bodies:
        paragraph(walk, body, flow)


HANDLERS: Mapping[str, Handler] = {
    AC + "task-list": task_list,
    AC + "emoticon": emoticon,
    "time": date,
    AC + "adf-extension": adf_extension,
    AC + "adf-node": adf_node,
    AC + "inline-comment-marker": span,
    **dict.fromkeys(
        (
            *(AC + name for name in ("layout", "layout-section", "layout-cell")),
            *(AC + name for name in ("adf-content", "adf-fallback", "rich-text-body")),
            *(AC + name for name in ("link-body", "caption")),
        ),
        span,
    ),
    **dict.fromkeys((AC + "layout", AC + "layout-section", AC + "layout-cell"), paragraph),
    **dict.fromkeys(
        (
            *(AC + name for name in ("placeholder", "parameter", "default-parameter")),
            *(AC + name for name in ("adf-attribute", "task-id", "task-uuid", "task-status")),
            *(AT + name for name in ("declarations", "var", "string", "list", "textarea")),
        ),
        drop,
    ),
}
