"""A page is cut along its headings into chunks that fit, and that say where they are from."""

import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.records import Chunk, passage_text
from ingest.body.blocks import BlockKind
from ingest.chunking import split
from ingest.storage_format import Block, convert
from tests.ingest.bodies import WORD, bodies
from tests.ingest.linked_site import CONTEXT

_KINDS: tuple[BlockKind, ...] = ("text", "list", "table", "code", "quote")
_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")
_thorough = settings(
    max_examples=2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def count_tokens(text: str) -> int:
    """Pieces of words and single marks, and two tokens around every text."""
    return 2 + len(_TOKEN.findall(text))


def _split(storage: str, limit: int, title: str = "Page") -> tuple[Chunk, ...]:
    return split(title, convert(storage, CONTEXT).blocks, limit=limit, count_tokens=count_tokens)


def _words(many: int, name: str = "w") -> str:
    return " ".join(f"{name}{index}." for index in range(many))


def _assert_fit(chunks: tuple[Chunk, ...], limit: int, title: str = "Page") -> None:
    for chunk in chunks:
        assert count_tokens(passage_text(title, chunk.heading_path, chunk.body)) <= limit


def _assert_fences_balance(chunks: tuple[Chunk, ...]) -> None:
    for chunk in chunks:
        fence = ""
        for line in chunk.body.split("\n"):
            match = re.match(r"(?:\s|>|[-*] (?:\[.\] )?|\d+\. )*(`{3,})", line)
            found = match.group(1) if match else ""
            fence = found if not fence else "" if found == fence else fence
        assert not fence, chunk.body


def test_headings_begin_chunks_and_become_their_path() -> None:
    storage = (
        f"<p>{_words(40, 'intro')}</p><h1>Setup</h1><p>{_words(40, 'setup')}</p>"
        f"<h2>Linux</h2><p>{_words(40, 'linux')}</p><h2>Mac</h2><p>{_words(40, 'mac')}</p>"
        f"<h1>Use</h1><p>{_words(40, 'use')}</p>"
    )

    chunks = _split(storage, limit=256)

    assert [(chunk.position, chunk.heading_path, chunk.anchor) for chunk in chunks] == [
        (0, (), ""),
        (1, ("Setup",), "Setup"),
        (2, ("Setup", "Linux"), "Linux"),
        (3, ("Setup", "Mac"), "Mac"),
        (4, ("Use",), "Use"),
    ]
    assert "linux0." in chunks[2].body
    assert "#" not in "".join(chunk.body for chunk in chunks)


def test_levels_that_are_skipped_make_no_gap_in_the_path() -> None:
    storage = f"<h3>C</h3><p>{_words(40)}</p><h1>A</h1><h4>D</h4><p>{_words(40)}</p>"

    chunks = _split(storage, limit=128)

    assert [chunk.heading_path for chunk in chunks] == [("C",), ("A", "D")]


def test_tiny_neighbours_share_a_chunk_under_the_path_they_have_in_common() -> None:
    storage = (
        f"<h1>Glossary</h1><h2>API</h2><p>An interface.</p><h2>CLI</h2><p>A command line.</p>"
        f"<h1>Long</h1><p>{_words(60)}</p>"
    )

    chunks = _split(storage, limit=256)

    assert [(chunk.heading_path, chunk.anchor) for chunk in chunks] == [
        (("Glossary",), "API"),
        (("Long",), "Long"),
    ]
    assert chunks[0].body == "## API\n\nAn interface.\n\n## CLI\n\nA command line."


def test_sections_of_different_parents_never_share_a_chunk() -> None:
    storage = (
        f"<h1>A</h1><p>{_words(60)}</p><h2>A1</h2><p>one</p>"
        f"<h1>B</h1><p>{_words(60)}</p><h2>B1</h2><p>two</p>"
    )

    chunks = _split(storage, limit=128)

    assert [chunk.heading_path for chunk in chunks] == [("A",), ("A", "A1"), ("B",), ("B", "B1")]


def test_a_page_without_text_is_one_chunk() -> None:
    assert split("Title", (), limit=64, count_tokens=count_tokens) == (Chunk(0, (), "", ""),)


def test_a_heading_without_text_can_be_found() -> None:
    chunks = _split(f"<h1>Kept</h1><p>{_words(60)}</p><h1>Empty one</h1>", limit=128)

    assert [(chunk.heading_path, chunk.body) for chunk in chunks][-1] == (("Empty one",), "")


def test_a_long_table_is_cut_between_rows_under_its_header() -> None:
    rows = "".join(f"<tr><td>r{index}</td><td>{_words(3)}</td></tr>" for index in range(60))

    chunks = _split(f"<table><tr><th>Key</th><th>Value</th></tr>{rows}</table>", limit=64)

    lines = [chunk.body.split("\n") for chunk in chunks]
    assert len(chunks) > 5
    assert all(part[:2] == ["| Key | Value |", "| --- | --- |"] for part in lines)
    keys = [re.findall(r"r\d+", row) for part in lines for row in part[2:]]
    assert keys == [[f"r{index}"] for index in range(60)]
    _assert_fit(chunks, 64)


def test_a_row_too_long_for_any_table_names_its_columns() -> None:
    storage = (
        "<table><tr><th>Key</th><th>Value</th></tr><tr><td>a</td><td>short</td></tr>"
        f"<tr><td>b</td><td>{_words(100)}</td></tr><tr><td>c</td><td>short</td></tr></table>"
    )

    chunks = _split(storage, limit=64)

    text = "\n".join(chunk.body for chunk in chunks)
    assert "Key: b" in text
    assert "Value: w0." in text
    assert text.index("| a |") < text.index("Key: b") < text.index("| c |")
    _assert_fit(chunks, 64)


def test_a_long_code_block_is_cut_between_lines_and_fenced_again() -> None:
    lines = [f"    call({index})  # `tick`" for index in range(60)]
    macro = (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">python</ac:parameter>'
        f"<ac:plain-text-body><![CDATA[{chr(10).join(lines)}]]></ac:plain-text-body>"
        "</ac:structured-macro>"
    )

    chunks = _split(macro, limit=64)

    parts = [chunk.body.split("\n") for chunk in chunks]
    assert all(part[0] == "```python" and part[-1] == "```" for part in parts)
    assert [line for part in parts for line in part[1:-1]] == lines
    _assert_fit(chunks, 64)


def test_a_list_is_cut_between_items() -> None:
    items = "".join(f"<li>item {index}<ul><li>below</li></ul></li>" for index in range(40))

    chunks = _split(f"<ol>{items}</ol>", limit=64)

    assert all(re.match(r"\d+\. item", chunk.body) for chunk in chunks)
    assert all(chunk.body.endswith(" - below") for chunk in chunks)
    _assert_fit(chunks, 64)


def test_an_item_too_long_keeps_its_code_whole() -> None:
    macro = (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">sh</ac:parameter>'
        "<ac:plain-text-body><![CDATA[one\n  two\n\nthree]]></ac:plain-text-body>"
        "</ac:structured-macro>"
    )

    chunks = _split(f"<ul><li><p>{_words(60)}</p>{macro}</li><li>next</li></ul>", limit=64)

    assert "```sh\none\n  two\n\nthree\n```" in "\n".join(chunk.body for chunk in chunks)
    assert chunks[0].body.startswith("- w0.")
    assert "- next" in chunks[-1].body
    _assert_fit(chunks, 64)
    _assert_fences_balance(chunks)


def test_every_part_of_a_panel_says_what_panel_it_is() -> None:
    panel = (
        '<ac:structured-macro ac:name="warning"><ac:parameter ac:name="title">Danger</ac:parameter>'
        f"<ac:rich-text-body><p>{_words(80)}</p><p>{_words(20, 'v')}</p></ac:rich-text-body>"
        "</ac:structured-macro>"
    )

    chunks = _split(panel, limit=64)

    assert len(chunks) > 2
    assert all(chunk.body.startswith("> [!WARNING] Danger\n> ") for chunk in chunks)
    _assert_fit(chunks, 64)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("First sentence here. " * 40, 32),
        ("東京は日本の首都です。人口が多い！" * 60, 64),
        ("word " * 400, 32),
        ("a" * 10_000, 64),
        ("<br/>".join(["line of words"] * 80), 32),
    ],
    ids=["sentences", "no-spaces", "words", "one-word", "lines"],
)
def test_long_text_is_cut_where_it_hurts_least(text: str, limit: int) -> None:
    chunks = _split(f"<p>{text}</p>", limit)

    whole = "".join("".join(chunk.body.split()) for chunk in chunks)
    assert whole == "".join(text.replace("<br/>", "").split())
    if "." in text or "。" in text:
        assert all(chunk.body[-1] in ".。！" for chunk in chunks)
    _assert_fit(chunks, limit)


def test_a_title_longer_than_the_limit_still_leaves_room_for_text() -> None:
    title = _words(100, "title")

    chunks = _split(f"<p>{_words(50)}</p>", limit=64, title=title)

    assert re.findall(r"w\d+\.", " ".join(chunk.body for chunk in chunks)) == _words(50).split()
    assert all(count_tokens(chunk.body) <= 8 + 2 for chunk in chunks)


def test_tokens_are_counted_a_few_times_per_block() -> None:
    calls = 0

    def counting(text: str) -> int:
        nonlocal calls
        calls += 1
        return count_tokens(text)

    blocks = [Block("text", f"Paragraph {index} {_words(20)}") for index in range(500)]

    chunks = split("Page", blocks, limit=128, count_tokens=counting)

    assert calls < 2 * (len(blocks) + len(chunks))


def test_a_rule_across_the_page_is_no_text() -> None:
    chunks = _split("<p>above</p><hr/><p>below</p>", limit=64)

    assert [chunk.body for chunk in chunks] == ["above\n\nbelow"]


@_thorough
@given(bodies, st.integers(60, 250), st.booleans())
def test_chunks_hold_every_word_and_fit(body: str, limit: int, counts_characters: bool) -> None:
    counter = len if counts_characters else count_tokens
    blocks = convert(body, CONTEXT).blocks

    chunks = split("Page", blocks, limit=limit, count_tokens=counter)

    for chunk in chunks:
        room = limit - counter(passage_text("Page", chunk.heading_path, ""))
        if room >= max(1, limit // 8):
            assert counter(passage_text("Page", chunk.heading_path, chunk.body)) <= limit
    if not counts_characters and "<table" not in body:
        texts = [block.markdown for block in blocks if block.kind != "heading"]
        expected = WORD.findall("\n".join(texts))
        found = iter(WORD.findall("\n".join(chunk.body for chunk in chunks)))
        assert all(word in found for word in expected)
        titles = {title for chunk in chunks for title in chunk.heading_path}
        text = "\n".join((*titles, *(chunk.body for chunk in chunks)))
        assert {word for block in blocks for word in WORD.findall(block.markdown)} <= set(
            WORD.findall(text)
        )
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    _assert_fences_balance(chunks)


@_thorough
@given(st.text(), st.sampled_from(_KINDS), st.integers(1, 60))
def test_any_block_is_cut(markdown: str, kind: BlockKind, limit: int) -> None:
    chunks = split("", [Block(kind, markdown)], limit=limit, count_tokens=count_tokens)

    assert chunks
