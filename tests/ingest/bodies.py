"""Random page bodies whose words are numbered in reading order."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st

WORD = re.compile(r"w\d+x")
HIDDEN = ' <span style="display: none">secret</span> '


@dataclass(slots=True)
class Pen:
    """Writes the next words."""

    _numbers: "count[int]" = field(default_factory=count)

    def words(self, many: int) -> str:
        return "".join(f" w{next(self._numbers)}x " for _ in range(many))


Writer = Callable[[Pen], str]


def _text(many: int) -> Writer:
    return lambda pen: pen.words(many)


def _literal(markup: str) -> Writer:
    return lambda pen: markup


def _all(parts: list[Writer]) -> Writer:
    return lambda pen: "".join(part(pen) for part in parts)


def _around(opening: str, closing: str) -> Callable[[Writer], Writer]:
    def wrap(inner: Writer) -> Writer:
        return lambda pen: opening + inner(pen) + closing

    return wrap


def _element(name: str, attributes: str = "") -> Callable[[Writer], Writer]:
    return _around(f"<{name}{attributes}>", f"</{name}>")


def _macro(name: str) -> Callable[[Writer], Writer]:
    def wrap(inner: Writer) -> Writer:
        def write(pen: Pen) -> str:
            title = f'<ac:parameter ac:name="title">{pen.words(1)}</ac:parameter>'
            body = f"<ac:rich-text-body>{inner(pen)}</ac:rich-text-body>"
            return f'<ac:structured-macro ac:name="{name}">{title}{body}</ac:structured-macro>'

        return write

    return wrap


def _code(many: int) -> Writer:
    return lambda pen: (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">py</ac:parameter>'
        f"<ac:plain-text-body><![CDATA[{pen.words(many)}]]></ac:plain-text-body>"
        "</ac:structured-macro>"
    )


def _status(pen: Pen) -> str:
    title = f'<ac:parameter ac:name="title">{pen.words(1).strip()}</ac:parameter>'
    return f' <ac:structured-macro ac:name="status">{title}</ac:structured-macro> '


def _image(pen: Pen) -> str:
    alt = pen.words(1).strip()
    return f' <ac:image ac:alt="{alt}"><ri:attachment ri:filename="a b.png"/></ac:image> '


def _page_link(inner: Writer) -> Writer:
    return lambda pen: (
        ' <ac:link><ri:page ri:content-title="Nowhere"/><ac:link-body>'
        f"{inner(pen)}</ac:link-body></ac:link> "
    )


def _task(is_done: bool, inner: Writer) -> Writer:
    status = "complete" if is_done else "incomplete"
    return lambda pen: (
        f"<ac:task><ac:task-id>7</ac:task-id><ac:task-status>{status}</ac:task-status>"
        f"<ac:task-body>{inner(pen)}</ac:task-body></ac:task>"
    )


def _table(rows: list[list[Writer]]) -> Writer:
    def write(pen: Pen) -> str:
        lines: list[str] = []
        for index, row in enumerate(rows):
            name = "td" if index else "th"
            cells = "".join(f"<{name}>{cell(pen)}</{name}>" for cell in row)
            lines.append(f"<tr>{cells}</tr>")
        return f"<table><tbody>{''.join(lines)}</tbody></table>"

    return write


def _macro_without_title(name: str) -> Callable[[Writer], Writer]:
    return _around(
        f'<ac:structured-macro ac:name="{name}"><ac:parameter ac:name="id">secret</ac:parameter>'
        "<ac:rich-text-body>",
        "</ac:rich-text-body></ac:structured-macro>",
    )


_plain = st.integers(1, 4).map(_text)
_inline: st.SearchStrategy[Writer] = st.recursive(
    st.one_of(
        _plain,
        st.just(_status),
        st.just(_image),
        st.just(_literal("<br/>")),
        st.just(_literal(HIDDEN)),
    ),
    lambda inner: st.one_of(
        *(
            st.lists(inner, max_size=3).map(_all).map(wrap)
            for wrap in (
                _element("strong"),
                _element("em"),
                _element("s"),
                _element("span", ' style="color: red"'),
                _element("sub"),
                _element("a", ' href="https://example.org/"'),
                _element("ac:inline-comment-marker", ' ac:ref="r"'),
                _page_link,
            )
        ),
        _plain.map(_element("code")),
    ),
    max_leaves=6,
)
_line = st.lists(_inline, min_size=1, max_size=4).map(_all)
_leaf: st.SearchStrategy[Writer] = st.one_of(
    _line.map(_element("p")),
    _line,
    st.integers(1, 5).map(_code),
    st.integers(1, 6).flatmap(lambda level: _plain.map(_element(f"h{level}"))),
    _plain.map(_element("pre")),
    st.just(_literal("<hr/>")),
)


def _containers(inner: st.SearchStrategy[Writer]) -> st.SearchStrategy[Writer]:
    content = st.lists(inner, max_size=3).map(_all)
    items = st.lists(content.map(_element("li")), min_size=1, max_size=3).map(_all)
    tasks = st.lists(st.builds(_task, st.booleans(), content), max_size=3).map(_all)
    row = st.lists(content, min_size=1, max_size=3)
    definitions = st.lists(
        st.tuples(_line.map(_element("dt")), content.map(_element("dd"))).map(list).map(_all),
        max_size=3,
    ).map(_all)
    return st.one_of(
        items.map(_element("ul")),
        items.map(_element("ol")),
        tasks.map(_element("ac:task-list")),
        st.lists(row, min_size=1, max_size=3).map(_table),
        definitions.map(_element("dl")),
        *(content.map(_element(name)) for name in ("div", "blockquote", "ac:layout-cell")),
        *(content.map(_macro(name)) for name in ("info", "panel", "warning", "expand")),
        *(content.map(_macro_without_title(name)) for name in ("excerpt", "column", "acme")),
    )


bodies: st.SearchStrategy[str] = (
    st.lists(st.recursive(_leaf, _containers, max_leaves=12), max_size=5)
    .map(_all)
    .map(lambda writer: writer(Pen()))
)
