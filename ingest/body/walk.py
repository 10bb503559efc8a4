"""Walks a body's tree once and collects blocks; what each element means is told by handlers."""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager

from index.records import Unreadable
from ingest.body.anchors import fragment
from ingest.body.blocks import Block, LinkContext
from ingest.body.cells import flat
from ingest.body.names import Element
from ingest.body.text import guarded, one_line, paragraphs, prose

# Far above what people nest, and far below what Python's stack holds.
_DEEPEST = 80


def bare_line(element: Element) -> str | None:
    """The words of an element that holds one paragraph of bare text, as most do; else None."""
    children = len(element)
    if children:
        outer, element = element, element[0]
        if children > 1 or element.tag != "p" or len(element) or element.get("style"):
            return None
        if _has_text(outer.text) or _has_text(element.tail):
            return None
    text = element.text
    return " ".join(prose(text).split()) if text else ""


def _has_text(text: str | None) -> bool:
    return text is not None and not text.isspace()


class Flow:
    """Blocks being collected, and the inline Markdown that has not become a block yet.

    In `inline`, a newline is a line break, and SEAM a place where words must not touch.
    """

    __slots__ = ("_in_cell", "blocks", "inline")

    def __init__(self, *, in_cell: bool = False) -> None:
        self.blocks: list[Block] = []
        self.inline: list[str] = []
        self._in_cell = in_cell

    def flush(self) -> None:
        """Ends the current paragraph."""
        if self.inline:
            text = "".join(self.inline)
            self.inline.clear()
            if "\n" not in text:
                if line := one_line(text):
                    self.blocks.append(Block("text", line if self._in_cell else guarded(line)))
                return
            for paragraph in paragraphs(text, in_cell=self._in_cell):
                self.blocks.append(Block("text", paragraph))

    def add(self, block: Block) -> None:
        """Ends the current paragraph and puts a block after it."""
        self.flush()
        self.blocks.append(flat(block) if self._in_cell else block)

    def cut(self, start: int) -> str:
        """Takes back the inline Markdown written since `start`."""
        text = "".join(self.inline[start:])
        del self.inline[start:]
        return text


class Walk:
    """One conversion: where links lead, what was lost, which anchors are taken."""

    def __init__(
        self,
        context: LinkContext,
        handlers: "Mapping[str, Handler]",
        hidden: Collection[str],
    ) -> None:
        self.context = context
        self.emphasis: set[str] = set()
        self.in_cell = False
        self._handlers = handlers
        self._hidden = hidden
        self._lost: dict[Unreadable, None] = {}
        self._anchors: dict[str, int] = {}
        self.depth = 0

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What could not be read, each kind once, in reading order."""
        return tuple(self._lost)

    def report(self, kind: str, name: str, reason: str) -> None:
        """Remembers something that could not be read."""
        self._lost[Unreadable(kind, name, reason)] = None

    def children(self, element: Element, flow: Flow) -> None:
        """Reads everything inside an element, as if the element itself were not there."""
        if self.depth >= _DEEPEST:
            self._flatten(element, flow)
            return
        self.depth += 1
        inline, handlers = flow.inline, self._handlers
        if text := element.text:
            inline.append(prose(text))
        for child in element:
            handler = handlers.get(child.tag)
            if handler is None:
                self.children(child, flow)
            else:
                handler(self, child, flow)
            text = child.tail
            if text and (inline or not text.isspace()):
                inline.append(prose(text))
        self.depth -= 1

    def child(self, element: Element, flow: Flow) -> None:
        """Reads one element and the text after it."""
        handler = self._handlers.get(element.tag)
        if handler is None or self.depth >= _DEEPEST:
            self.children(element, flow)
        else:
            self.depth += 1
            handler(self, element, flow)
            self.depth -= 1
        if element.tail:
            flow.inline.append(prose(element.tail))

    def rest(self, element: Element, flow: Flow, known: Collection[str]) -> None:
        """What stands inside an element beside the children that it is meant to have."""
        self.stray(element.text, flow)
        for child in element:
            if child.tag in known:
                self.stray(child.tail, flow)
            else:
                self.child(child, flow)

    def stray(self, text: str | None, flow: Flow) -> None:
        """Reads text where an element is meant to have none."""
        if text and not text.isspace():
            flow.inline.append(prose(text))

    def blocks(self, element: Element) -> list[Block]:
        """Everything inside an element as blocks of their own."""
        line = bare_line(element)
        if line is not None:
            return [Block("text", line if self.in_cell else guarded(line))] if line else []
        flow = self.flow()
        self.children(element, flow)
        flow.flush()
        return flow.blocks

    def flow(self) -> Flow:
        """A place for blocks of their own."""
        return Flow(in_cell=self.in_cell)

    @contextmanager
    def without_bold(self) -> Generator[None]:
        """Where everything is bold anyway, bold text is plain."""
        before = self.emphasis
        self.emphasis = before | {"**"}
        yield
        self.emphasis = before

    def line(self, element: Element, *, bold: bool = True) -> str:
        """Everything inside an element as inline Markdown on one line."""
        flow = self.flow()
        if bold:
            self.children(element, flow)
        else:
            with self.without_bold():
                self.children(element, flow)
        if not flow.blocks:
            return one_line("".join(flow.inline))
        flow.flush()
        return one_line(" ".join(block.markdown for block in flow.blocks))

    def anchor(self, title: str) -> str:
        """The fragment of a heading; one met before gets a number, as in Confluence."""
        anchor = fragment(title, self.context)
        seen = self._anchors.get(anchor, 0)
        self._anchors[anchor] = seen + 1
        return f"{anchor}.{seen}" if seen else anchor

    def _flatten(self, element: Element, flow: Flow) -> None:
        """Keeps the words of what is nested too deeply to be understood, without recursion."""
        self.report("body", "nesting", f"nested over {_DEEPEST} levels deep, kept as plain text")
        pending: list[Element | str] = [] if element.tag in self._hidden else [element]
        while pending:
            node = pending.pop()
            if isinstance(node, str):
                flow.inline.append(prose(node))
                continue
            flow.inline.append(" " + prose(node.text or ""))
            for child in reversed(node):
                pending.append(" " + (child.tail or ""))
                if child.tag not in self._hidden:
                    pending.append(child)


Handler = Callable[[Walk, Element, Flow], None]
