"""Storage format becomes Markdown, construct by construct."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from index.records import Heading, Unreadable
from ingest.sources.source import Deployment
from ingest.storage_format import Conversion, convert, user_ids
from tests.ingest.linked_site import CONTEXT

DATACENTER = replace(CONTEXT, deployment=Deployment.DATACENTER)
_CONSTRUCTS = sorted((Path(__file__).parent / "constructs").glob("*.xml"))


def _transcript(conversion: Conversion) -> str:
    """Markdown, then what could not be read: the form of the expected files."""
    lost = [f"{lost.kind} | {lost.name} | {lost.reason}\n" for lost in conversion.unreadable]
    return conversion.markdown + "\n" + "".join(["\n=== unreadable ===\n", *lost] if lost else [])


@pytest.mark.parametrize("storage", _CONSTRUCTS, ids=lambda path: path.stem)
def test_a_construct_reads_as_expected(storage: Path) -> None:
    conversion = convert(storage.read_text(), CONTEXT)

    assert _transcript(conversion) == storage.with_suffix(".md").read_text()


def test_an_empty_body_has_no_blocks() -> None:
    conversion = convert("", CONTEXT)

    assert conversion == Conversion((), ())
    assert conversion.markdown == ""
    assert conversion.outline == ()


def test_the_outline_points_at_heading_lines() -> None:
    conversion = convert(
        "<p>intro</p><h1>One</h1><p>text</p><h3>Two <em>b</em></h3><ul><li>x</li></ul>"
        "<ac:layout><ac:layout-cell><h2>One</h2></ac:layout-cell></ac:layout>",
        CONTEXT,
    )

    lines = [conversion.markdown[heading.offset :].split("\n")[0] for heading in conversion.outline]

    assert lines == ["# One", "### Two *b*", "## One"]
    assert conversion.outline[1] == Heading(3, "Two b", "Two-b", conversion.markdown.index("###"))


def test_anchors_follow_the_rules_of_confluence_cloud() -> None:
    body = "<h1>Set up</h1><h2>Set up</h2><h2>Größe &amp; “50%”</h2><h2>Set up</h2>"

    anchors = [heading.anchor for heading in convert(body, CONTEXT).outline]

    assert anchors == [
        "Set-up",
        "Set-up.1",
        "Gr%C3%B6%C3%9Fe-&-%E2%80%9C50%25%E2%80%9D",
        "Set-up.2",
    ]


def test_anchors_follow_the_rules_of_data_center() -> None:
    body = (
        "<h1>Set up</h1><h2>Setup</h2><h2>Größe &amp; “50%”</h2><h2>Exactly-once: why?</h2>"
        "<h2>5.2 Read/write (old)</h2>"
    )

    anchors = [heading.anchor for heading in convert(body, DATACENTER).outline]

    assert anchors == [
        "Setupofapi2-Setup",
        "Setupofapi2-Setup.1",
        "Setupofapi2-Gr%C3%B6%C3%9Fe&%E2%80%9C50%25%E2%80%9D",
        "Setupofapi2-Exactly-once:why?",
        "Setupofapi2-5.2Read/write(old)",
    ]


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("KIP-98 - Exactly once", "KIP98Exactlyonce-Status"),
        ("2026 plan", "id-2026plan-Status"),
        ("(draft) plan", "id-(draft)plan-Status"),
        ("计划", "id-%E8%AE%A1%E5%88%92-Status"),
        ("", "id--Status"),
    ],
)
def test_an_anchor_of_data_center_begins_with_the_title_of_its_page(
    title: str, anchor: str
) -> None:
    outline = convert("<h2>Status</h2>", replace(DATACENTER, page_title=title)).outline

    assert [heading.anchor for heading in outline] == [anchor]


def test_links_to_anchors_are_spelled_as_the_deployment_spells_them() -> None:
    body = (
        '<p><ac:link ac:anchor="First steps"><ac:link-body>here</ac:link-body></ac:link> '
        '<ac:link ac:anchor="First steps"><ri:page ri:content-title="Release Process"/>'
        "<ac:link-body>there</ac:link-body></ac:link></p>"
    )

    assert convert(body, CONTEXT).markdown == (
        "[here](#First-steps) [there](https://wiki.example.org/release#First-steps)"
    )
    assert convert(body, DATACENTER).markdown == (
        "[here](#Setupofapi2-Firststeps) "
        "[there](https://wiki.example.org/release#ReleaseProcess-Firststeps)"
    )


@pytest.mark.parametrize(
    ("jira_url", "key", "markdown"),
    [
        (
            "https://jira.example.org/browse/",
            "ENG-1",
            "[ENG-1](https://jira.example.org/browse/ENG-1)",
        ),
        (None, "ENG-1", "ENG-1"),
        ("https://jira.example.org/browse", "../x", "../x"),
    ],
)
def test_an_issue_is_linked_where_jira_is_known(
    jira_url: str | None, key: str, markdown: str
) -> None:
    macro = (
        f'<ac:structured-macro ac:name="jira"><ac:parameter ac:name="key">{key}</ac:parameter>'
        "</ac:structured-macro>"
    )

    assert convert(macro, replace(CONTEXT, jira_url=jira_url)).markdown == markdown


def test_a_heading_within_a_panel_counts_for_anchors_but_not_for_the_outline() -> None:
    panel = (
        '<ac:structured-macro ac:name="info"><ac:rich-text-body><h2>Twice</h2></ac:rich-text-body>'
        "</ac:structured-macro>"
    )

    outline = convert(f"{panel}<h2>Twice</h2>", CONTEXT).outline

    assert [heading.anchor for heading in outline] == ["Twice.1"]


def test_the_title_of_a_heading_is_plain_text() -> None:
    body = (
        "<h2>Use <code>a*b</code> *now* or 5*3, <em>see</em> "
        '<a href="https://example.org/">docs</a> x<sub>1</sub></h2>'
    )

    conversion = convert(body, CONTEXT)

    assert conversion.outline[0].title == "Use a*b *now* or 5*3, see docs x1"


@pytest.mark.parametrize("depth", [100, 1_500, 5_000])
@pytest.mark.parametrize(
    "tag",
    ["div", "b", "ul><li", "blockquote", "table><tr><td", "span", "ac:layout-cell", "x", "dl><dd"],
)
def test_deep_nesting_keeps_the_words_and_is_reported(tag: str, depth: int) -> None:
    opening = f"<{tag}>"
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><")))
    body = opening * depth + "innermost" + closing * depth + "<p>outside</p>"

    conversion = convert(body, CONTEXT)

    assert "innermost" in conversion.markdown
    assert "outside" in conversion.markdown
    assert {lost.kind for lost in conversion.unreadable} == {"body"}


def test_deeply_nested_macros_keep_their_words_and_hide_their_settings() -> None:
    opening = (
        '<ac:structured-macro ac:name="panel"><ac:parameter ac:name="bgColor">secret'
        "</ac:parameter><ac:rich-text-body><p>word</p>"
    )
    body = opening * 400 + "</ac:rich-text-body></ac:structured-macro>" * 400

    markdown = convert(body, CONTEXT).markdown

    assert markdown.count("word") == 400
    assert "secret" not in markdown


def test_bodies_are_converted_in_several_threads_at_once() -> None:
    bodies = [path.read_text() for path in _CONSTRUCTS] * 4 + ["<p>broken", "<p>&#0;a\x00</p>"] * 20
    expected = [convert(body, CONTEXT) for body in bodies]

    with ThreadPoolExecutor(4) as threads:
        converted = list(threads.map(partial(convert, context=CONTEXT), bodies))

    assert converted == expected


def test_a_broken_body_is_read_and_reported() -> None:
    body = "<p>one<p>two</b> & three <ac:link><ri:page ri:content-title='Release Process'></p> four"

    conversion = convert(body, CONTEXT)

    assert [word for word in ("one", "two", "three", "four") if word in conversion.markdown] == [
        "one",
        "two",
        "three",
        "four",
    ]
    assert conversion.unreadable[0].kind == "body"
    assert conversion.unreadable[0].name == "storage format"
    assert conversion.unreadable[0].reason.startswith("not well-formed XML, read leniently")


def test_code_in_a_broken_body_stays_byte_for_byte() -> None:
    code = "if (a < b && c) {\n\treturn List<String>();  \n}"
    macro = (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">java</ac:parameter>'
        f"<ac:plain-text-body><![CDATA[{code}]]></ac:plain-text-body></ac:structured-macro>"
    )

    conversion = convert(f"<p>broken{macro}<p>after", CONTEXT)

    assert f"```java\n{code}\n```" in conversion.markdown
    assert conversion.unreadable


def test_an_unclosed_code_body_or_comment_loses_nothing() -> None:
    unclosed_code = convert("<p>before</p><pre><![CDATA[a < b", CONTEXT)
    unclosed_comment = convert("<p>before</p><!-- then <p>after</p>", CONTEXT)

    assert "a < b" in unclosed_code.markdown
    assert "after" in unclosed_comment.markdown


def test_outside_entities_are_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    document = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><p>a &e; b</p>'

    markdown = convert(document, CONTEXT).markdown

    assert "secret" not in markdown.replace(secret.as_uri(), "")


def test_entities_that_name_each_other_do_not_grow() -> None:
    document = (
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]><p>&c;</p>'
    )

    assert convert(document, CONTEXT).markdown.count("ha") < 3


def test_a_span_far_beyond_the_table_is_bounded() -> None:
    body = (
        '<table><tr><th colspan="99999" rowspan="99999">wide</th></tr><tr><td>x</td></tr></table>'
    )

    assert len(convert(body, CONTEXT).markdown) < 3_000


def test_repetition_in_a_table_is_bounded() -> None:
    spanning = '<td rowspan="9999">' + "long text " * 25 + "</td>"
    body = f"<table><tr>{spanning * 20}</tr>{'<tr><td>x</td></tr>' * 2_000}</table>"

    assert len(convert(body, CONTEXT).markdown) < 6 * len(body)


def test_a_wide_row_does_not_widen_all_others() -> None:
    rows = f"<tr>{'<td>x</td>' * 3_000}</tr>" + "<tr><td>y</td></tr>" * 3_000

    markdown = convert(f"<table>{rows}</table>", CONTEXT).markdown

    assert len(markdown) < len(rows)
    assert markdown.count("x") == markdown.count("y") == 3_000


def test_a_wide_table_without_headers_has_its_values_only() -> None:
    row = "".join(f"<td>{number}</td>" for number in range(21))

    markdown = convert(f"<table><tr>{row}</tr><tr>{row}</tr></table>", CONTEXT).markdown

    assert markdown == "\n".join(["- " + "; ".join(map(str, range(21)))] * 2)


def test_a_long_text_is_not_repeated_in_every_cell_it_spans() -> None:
    text = "long " * 200
    body = f'<table><tr><td rowspan="3">{text}</td><td>1</td></tr><tr><td>2</td></tr></table>'

    assert convert(body, CONTEXT).markdown.count("long") == 200


@pytest.mark.parametrize(
    "url",
    ["javascript:x()", " JaVa\tScript:x()", "data:text/html,x", "vbscript:x", "\x01javascript:x"],
)
def test_a_link_that_would_run_something_is_only_text(url: str) -> None:
    conversion = convert(f'<p><a href="{url}">label</a></p>', CONTEXT)

    assert conversion.markdown == "label"


def test_control_characters_and_half_characters_are_dropped() -> None:
    conversion = convert("<p>a\x00b\x1fc\ud800d\ufffee&#0;&#x1F;f</p>", CONTEXT)

    assert conversion == convert("<p>abcdef</p>", CONTEXT)


def test_the_same_loss_is_reported_once() -> None:
    macro = '<ac:structured-macro ac:name="acme"/>'

    conversion = convert(macro * 3, CONTEXT)

    assert conversion.unreadable == (Unreadable("macro", "acme", "unknown macro without a body"),)


def test_people_are_found_in_mentions_and_macros() -> None:
    body = (
        "<ac:link><ri:user ri:account-id=\"a-1\"/></ac:link><ri:user  ri:userkey = 'k-2'>"
        '<ac:structured-macro ac:name="profile"><ac:parameter ac:name="user">'
        '<ri:user ri:username="carol &amp; co"/></ac:parameter></ac:structured-macro>'
        '<ac:plain-text-body><![CDATA[<ri:user ri:account-id="not-me"/>]]></ac:plain-text-body>'
        '<ri:user ri:account-id=""/>'
    )

    assert user_ids(body) == {"a-1", "k-2", "carol & co"}


def test_people_are_found_in_a_broken_body() -> None:
    assert user_ids('<p><ri:user ri:account-id="a-1"><b></i> & <![CDATA[ open') == {"a-1"}
    assert user_ids("") == frozenset()


def test_a_body_that_cannot_be_converted_keeps_its_words() -> None:
    def fail(*_: str) -> str:
        raise LookupError("no such thing")

    body = '<p>one <ac:link><ri:page ri:content-title="T" /></ac:link></p><p>*two* &amp; three</p>'

    conversion = convert(body, replace(CONTEXT, page_url=fail))

    assert conversion.markdown == "one\n\n\\*two\\* & three"
    assert "LookupError" in conversion.unreadable[0].reason
