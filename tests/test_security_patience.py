"""No text that anybody may write keeps the program busy for long: each is read in one sweep.

Every text takes a fraction of a second. One that is looked at again and again would take hours,
and what reads it is ended by the kernel.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.command import ROOT

MANY = 200_000

BODIES: Mapping[str, str] = {
    "a tag that never ends": "<" + "a" * MANY,
    "a broken tag with a long name": "<b>x<" + "a" * MANY + ">",
    "a broken tag with a long attribute": "</b><a " + "a" * MANY + ">",
    "a broken tag of quotes": "<b><a " + "\"'" * (MANY // 2),
    "a comment that never ends": "<!-- <" + "a" * MANY,
    "a number without end": "</b>&#" + "1" * MANY + ";",
    "a number without end in good markup": "<p>&#" + "1" * MANY + ";</p>",
    "a number without end in an attribute": '</b><a href="&#' + "1" * MANY + ';">x</a>',
    "a number without end for a person": '<ri:user ri:account-id="&#' + "1" * MANY + ';"/>',
    "tags that never end": "<a " * (MANY // 3),
    "elements within elements": "<b>" * 20_000,
    "lists within lists": "<ul><li>" * 3_000 + "x" + "</li></ul>" * 3_000,
    "a cell as wide as the world": '<table><tr><td colspan="99999">a</td></tr></table>' * 50,
    "backticks": f"<pre>{'`' * MANY}</pre>",
    "stars": f"<p>{'*' * MANY}</p>",
    "brackets": f"<p>{'[' * MANY}</p>",
    "spaces": f"<p>a{' ' * MANY}a</p>",
    "digits": f"<p>{'1' * MANY}</p>",
    "numbers with dots": f"<p>{'1.' * (MANY // 2)}x</p>",
}
FILES: Mapping[str, tuple[str, str]] = {
    "html": ("html", "<" + "a" * MANY),
    "markdown of backticks": ("md", "`" * MANY),
    "markdown of brackets": ("md", "[" * MANY),
    "markdown of comments": ("md", "<!--" * (MANY // 4)),
    "csv of quotes": ("csv", '"' * MANY),
    "mail of words": ("eml", "Subject: " + "=?utf-8?q?" * (MANY // 10) + "\n\nx"),
    "text of empty lines": ("txt", "\n" * MANY + "x"),
}

ARGUMENTS: Mapping[str, str] = {
    "dots": "a." * (MANY // 2),
    "an address of dots": "https://" + "a." * (MANY // 2) + "/x/",
    "a path without end": "https://wiki.example.com" + "/display/a" * (MANY // 10),
    "a tiny link without end": "/x/" + "A" * MANY,
    "a query without end": "/pages/viewpage.action?" + "title=a&" * (MANY // 8),
    "percent signs": "/display/ENG/" + "%2" * (MANY // 2),
    "a space without end": "KEY:" + " " * MANY,
    "digits": "1" * MANY,
    "tags that begin": "<" * MANY,
    "tags that begin with much between": ("<" + " " * 500) * (MANY // 500),
    "a forged tag with much in it": "<" + "p\u200b" * (MANY // 2),
    "slashes": "</" * (MANY // 2),
    "backticks": "`" * MANY,
    "fences": "```\n" * (MANY // 4),
    "table rows": "| a |\n" * (MANY // 6),
}

BEGIN = """
import json, resource, sys

resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
cases = json.load(sys.stdin)
"""
CONVERT = """
from ingest.body.blocks import LinkContext
from ingest.chunking import split
from ingest.convert_page import page_language
from ingest.storage_format import convert, user_ids
from index.language import searchable

def nothing(*_):
    return None

context = LinkContext("ENG", page_url=nothing, attachment_url=nothing, user_name=nothing)
for name, storage in cases:
    user_ids(storage)
    conversion = convert(storage, context)
    page_language("Title", conversion.markdown)
    searchable(conversion.markdown)
    split("Title", conversion.blocks, limit=256, count_tokens=lambda text: len(text) // 4 + 1)
    print(name, flush=True)
"""
READ = """
from ingest.attachments.readers import pieces_of

for name, kind, text in cases:
    for _ in pieces_of(kind, text.encode(), 2_000_000):
        pass
    print(name, flush=True)
"""
NAME = """
from index.errors import BadRequest
from server.paging import offset_of
from server.references import page_reference
from server.texts import excerpt, fenced, one_line, slice_markdown

for name, text in cases:
    for read in (page_reference, lambda cursor: offset_of(cursor, "search")):
        try:
            read(text)
        except BadRequest:
            pass
    fenced(text)
    one_line(text)
    slice_markdown(text, len(text) // 2, 6_000)
    excerpt(text[:8_000], "what fits", 600)
    print(name, flush=True)
"""


def read_to_the_end(program: str, cases: Sequence[Sequence[str]]) -> list[str]:
    """The names of the texts that a program read before it was ended."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        input=json.dumps(cases),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_no_body_of_a_page_holds_up_the_ingest() -> None:
    assert read_to_the_end(CONVERT, list(BODIES.items())) == list(BODIES)


def test_no_file_holds_up_its_reader() -> None:
    cases = [(name, kind, text) for name, (kind, text) in FILES.items()]

    assert read_to_the_end(READ, cases) == list(FILES)


def test_no_argument_of_a_call_and_no_page_holds_up_the_server() -> None:
    assert read_to_the_end(NAME, list(ARGUMENTS.items())) == list(ARGUMENTS)
