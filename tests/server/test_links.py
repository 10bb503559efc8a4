"""What a model writes that a client might fetch or follow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.links import unlinked, unlinked_quote

KNOWN = "Ask at https://hr.example/ask first, or ask@hr.example; see hr.yaml. Not https://h."


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("See [the page](https://evil.example/a?b=c) [1]", "See the page [1]"),
        ("A [2](https://evil.example/).", "A [2]."),
        ("A [2][1].", "A [2][1]."),
        ("![pixel](https://evil.example/?q=secret) A [1]", "pixel A [1]"),
        ("[a](https://evil.example/(b)) A", "a A"),
        ("[a](/relative) A", "a A"),
        ("[a [b] c](/relative) A", "[a [b] c] (/relative) A"),
        ("[a](<javascript:alert(1)>) A", "a A"),
        ("[x\\](https://evil.example) A", "x A"),
        ("Go to https://evil.example/login [1]", "Go to … [1]"),
        ("Go to HTTPS://EVIL.EXAMPLE. [1]", "Go to …. [1]"),
        ("Go to //evil.example/x [1]", "Go to … [1]"),
        ("Go to \\\\evil.example\\share [1]", "Go to … [1]"),
        ("Go to evil.example [1]", "Go to … [1]"),
        ("Go to evil.example:8080/x?q=1 [1]", "Go to … [1]"),
        ("Go to www.evil.example [1]", "Go to … [1]"),
        ("Go to xn--80ak6aa92e.com [1]", "Go to … [1]"),
        ("Write to eve@evil.example [1]", "Write to … [1]"),
        ("<https://evil.example> A [1]", "… A [1]"),
        ("<mailto:eve@evil.example> A [1]", "… A [1]"),
        ("<img src='https://evil.example/x'> A [1]", " A [1]"),
        ('<img src="&#47;&#47;evil.example/x"> A [1]', " A [1]"),
        ("&lt;img src=x onerror=alert(1)&gt; A [1]", " A [1]"),
        ("<script>alert(1)</script> A [1]", "alert(1) A [1]"),
        ("<a\nhref=x>A</a> [1]", "A [1]"),
        ("<!-- https://evil.example --> A [1]", " A [1]"),
        ("[x]: //evil.example/x\n\n![y][x] A [1]", "[x] …\n\ny A [1]"),
        ("[1]: https://evil.example\n\nA [1]", "[1] …\n\nA [1]"),
        ("> [1]: <https://evil.example>\n\nA [1]", "> [1] …\n\nA [1]"),
        ("javascript:alert(1) A [1]", "… A [1]"),
        ("data:text/html;base64,PHN2Zz4= A [1]", "… A [1]"),
        ("file:///etc/passwd A [1]", "… A [1]"),
        ("h\u200bttps://evil.example A [1]", "… A [1]"),
        ("https:\\/\\/evil.example A [1]", "… A [1]"),
        ("https&#58;&sol;&sol;evil.example A [1]", "… A [1]"),
        ("ht<!-- -->tps://evil.example A [1]", "… A [1]"),
        ("evil\\.example A [1]", "… A [1]"),
        ("`curl https://evil.example/x` [1]", "`curl …` [1]"),
        ("\\` ![x](https://evil.example) \\` [1]", "\\` x \\` [1]"),
    ],
)
def test_links_are_taken_out(written: str, left: str) -> None:
    assert unlinked(written, KNOWN) == left


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Ask at https://hr.example/ask. [1]", "Ask at `hr.example/ask`. [1]"),
        ("Ask at [there](https://hr.example/ask). [1]", "Ask at there. [1]"),
        ("Ask at https://hr.example/ask?q=secret [1]", "Ask at … [1]"),
        ("Ask ask@hr.example, see hr.yaml.", "Ask `ask@hr.example`, see `hr.yaml`."),
        ("`curl https://hr.example/ask`", "`curl hr.example/ask`"),
        ("```\ncurl https://hr.example/ask\n```", "```\ncurl hr.example/ask\n```"),
    ],
)
def test_addresses_that_the_passages_write_stay_as_code_without_a_scheme(
    written: str, left: str
) -> None:
    assert unlinked(written, KNOWN) == left


@pytest.mark.parametrize(
    "written",
    [
        "Put <host> in [1]", "Data: the pages, e.g. these [1].", "3.5 GB of 1,200 at 10:30 [1]",
        "a/b and/or c // d", "`x[1](y)` is code [1]", "TB-4031, v2.4.1 and #12 [1]",
        "若し。その後。",
        "👩\u200d💻 works", "a < b > c", "- [x] done [1]", "Ratio 3:1 [1]", "C:\\Users",
    ],
)  # fmt: skip
def test_what_is_no_link_stays(written: str) -> None:
    assert unlinked(written, KNOWN) == written


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("Ask at https://hr.example/ask first", "Ask at … first"),
        ("or ask@hr.example; see hr.yaml", "or `ask@hr.example`; see `hr.yaml`"),
        ("see the [table](https://w.example/table)", "see the table"),
        ("![x](https://evil.example/?q=1) free", "x free"),
        ("javascript:alert(1) free", "… free"),
        ("it is `https://hr.example` here", "it is `…` here"),
    ],
)
def test_a_quote_has_no_link_either(quote: str, shown: str) -> None:
    assert unlinked_quote(quote) == shown


# A host that is part of a path is none that a client would open.
LINK = re.compile(
    r"(?i)//\w|(?<![\w-])javascript:\w|\]\(|<a\s[^<>]*>|<img[^<>]*>|(?<![\w/\\.-])evil\.example"
)
PARTS = st.sampled_from(
    ["https:", "//", "evil.example", "[", "]", "(", ")", "!", "<", ">", "a", " ", "\n", "`", "\\",
     "&#47;", "&lt;", "<!--", "-->", "javascript:", "\u200b", "img src=", ":", "/", "```"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=14))
def test_no_mixture_of_its_parts_makes_a_link(parts: list[str]) -> None:
    left = unlinked("".join(parts), "nothing")

    assert not LINK.search(re.sub(r"(?<!`)`[^`\n]+`(?!`)", " ", left)), left


@pytest.mark.parametrize(
    "text",
    ["<" * 50_000, "[" * 50_000, "![" * 25_000, "a." * 25_000, "<a " * 16_000, "x@" * 25_000,
     "](" * 25_000, "`" * 50_000, "<!--" * 12_000, "//" * 25_000, "a:" * 25_000, "-" * 50_000],
)  # fmt: skip
def test_no_text_keeps_it_busy(text: str) -> None:
    assert len(unlinked(text, "")) <= 3 * len(text)
