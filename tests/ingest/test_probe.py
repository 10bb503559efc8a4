"""What pages are made of, construct by construct: what must come out, and what must not."""

from dataclasses import dataclass

import pytest

from ingest.storage_format import convert
from tests.ingest.linked_site import CONTEXT


@dataclass(frozen=True, slots=True)
class Probe:
    """A construct in storage format, with texts that its Markdown has, each once, and has not."""

    construct: str
    storage: str
    kept: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def _macro(name: str, content: str = "", /, **parameters: str) -> str:
    settings = "".join(
        f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items()
    )
    return (
        f'<ac:structured-macro ac:name="{name}" ac:schema-version="1" ac:macro-id="m-7f">'
        f"{settings}{content}</ac:structured-macro>"
    )


def _rich(body: str) -> str:
    return f"<ac:rich-text-body>{body}</ac:rich-text-body>"


def _plain(body: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{body}]]></ac:plain-text-body>"


def _table(*rows: str) -> str:
    return f"<table><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


_SCRIPT = 'while read -r line; do\n\t[ "$line" ">" 4 ] && echo "<$line>"\ndone'
_PROBES = (
    Probe(
        "code-macro",
        "<p>Run</p>" + _macro("code", _plain(_SCRIPT)) + "<p>daily.</p>",
        (f"Run\n\n```\n{_SCRIPT}\n```\n\ndaily.",),
    ),
    Probe(
        "code-fenced-with-language",
        _macro("code", _plain("SELECT 1"), language="sql", linenumbers="true", title="Ping"),
        ('```sql title="Ping"\nSELECT 1\n```',),
        ("true", "linenumbers"),
    ),
    Probe("code-newlines", _macro("code", _plain("a:\n  - b\n\n\nc")), ("a:\n  - b\n\n\nc",)),
    Probe("noformat", _macro("noformat", _plain("  raw  <text>\n*")), ("  raw  <text>\n*",)),
    Probe("panel-body", _macro("info", _rich("<p>Ask first.</p>")), ("> [!INFO]\n> Ask first.",)),
    Probe(
        "panel-title",
        _macro("panel", _rich("<p>Body</p>"), title="House rules", bgColor="#fafafa"),
        ("House rules", "> Body"),
        ("fafafa", "bgColor"),
    ),
    Probe(
        "panel-kind",
        _macro("warning", _rich("<p>Never delete it.</p>")),
        ("> [!WARNING]\n> Never delete it.",),
    ),
    Probe(
        "expand-title-and-body",
        _macro("expand", _rich("<p>It is the queue.</p>"), title="Why so slow?"),
        ("**Why so slow?**\n\nIt is the queue.",),
    ),
    Probe(
        "status-lozenge",
        f"<p>State:{_macro('status', title='IN REVIEW', colour='Yellow')}since May</p>",
        ("State: [IN REVIEW] since May",),
        ("Yellow",),
    ),
    Probe(
        "page-link-with-text",
        '<p>See <ac:link><ri:page ri:content-title="Release Process"/><ac:plain-text-link-body>'
        "<![CDATA[how we ship]]></ac:plain-text-link-body></ac:link>.</p>",
        ("See [how we ship](https://wiki.example.org/release).",),
    ),
    Probe(
        "page-link-without-text",
        '<p>Detail is in <ac:link><ri:page ri:content-title="Release Process"/></ac:link>.</p>',
        ("Detail is in [Release Process](https://wiki.example.org/release).",),
    ),
    Probe(
        "attachment-link",
        '<p>Form: <ac:link><ri:attachment ri:filename="leave.pdf"/></ac:link></p>',
        ("[leave.pdf](https://wiki.example.org/files/leave.pdf)",),
    ),
    Probe(
        "smart-link",
        '<p><a href="https://x.atlassian.net/wiki/spaces/ENG/pages/12/On+call+rota" '
        'data-card-appearance="inline">https://x.atlassian.net/wiki/spaces/ENG/pages/12/'
        "On+call+rota</a></p>",
        ("[On call rota](https://x.atlassian.net/wiki/spaces/ENG/pages/12/On+call+rota)",),
    ),
    Probe(
        "external-link",
        '<p>From <a href="https://example.org/a?b=1&amp;c=2">the vendor</a>.</p>',
        ("From [the vendor](https://example.org/a?b=1&c=2).",),
    ),
    Probe(
        "mention",
        '<p>Ask <ac:link><ri:user ri:account-id="ann-1"/></ac:link>, not me</p>',
        ("Ask @Ann Lee, not me",),
        ("ann-1",),
    ),
    Probe(
        "task-states",
        "<ac:task-list><ac:task><ac:task-id>41</ac:task-id><ac:task-status>complete"
        "</ac:task-status><ac:task-body>order</ac:task-body></ac:task><ac:task><ac:task-id>42"
        "</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>pay</ac:task-body>"
        "</ac:task></ac:task-list>",
        ("- [x] order\n- [ ] pay",),
        ("41", "42", "complete"),
    ),
    Probe(
        "task-text-assignee-and-date",
        "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete"
        "</ac:task-status><ac:task-body><span class='placeholder-inline-tasks'>Renew it, "
        "<ac:link><ri:user ri:account-id='ann-1'/></ac:link> until <time datetime='2026-03-01'/>"
        "</span></ac:task-body></ac:task></ac:task-list>",
        ("- [ ] Renew it, @Ann Lee until 2026-03-01",),
    ),
    Probe("date", '<p>Due<time datetime="2026-04-30"/>at noon</p>', ("Due 2026-04-30 at noon",)),
    Probe(
        "emoji",
        '<p>Done <ac:emoticon ac:name="tick"/> and <ac:emoticon ac:name="blue-star" '
        'ac:emoji-shortname=":rocket:" ac:emoji-fallback="🚀"/></p>',
        ("Done ✅ and 🚀",),
        ("blue-star", ":rocket:"),
    ),
    Probe(
        "image-alt",
        '<ac:image ac:alt="Traffic by hour" ac:width="760"><ri:attachment ri:filename="t.png"/>'
        "</ac:image>",
        ("![Traffic by hour](https://wiki.example.org/files/t.png)",),
        ("760",),
    ),
    Probe(
        "image-caption",
        '<ac:image><ri:attachment ri:filename="t.png"/><ac:caption><p>Peak at <em>nine</em></p>'
        "</ac:caption></ac:image>",
        ("Peak at *nine*",),
    ),
    Probe(
        "image-filename",
        '<p><ac:image><ri:attachment ri:filename="queue lengths.png"/></ac:image></p>',
        ("![queue lengths.png](",),
    ),
    Probe(
        "layout-cells",
        '<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell><p>left</p>'
        "</ac:layout-cell><ac:layout-cell><p>right</p></ac:layout-cell></ac:layout-section>"
        "</ac:layout>",
        ("left\n\nright",),
    ),
    Probe("excerpt", _macro("excerpt", _rich("<p>In short: no.</p>")), ("In short: no.",)),
    Probe(
        "excerpt-include",
        _macro(
            "excerpt-include",
            **{"": '<ac:link><ri:page ri:content-title="Release Process"/></ac:link>'},
        ),
        ("Excerpt of [Release Process](https://wiki.example.org/release)",),
    ),
    Probe(
        "include",
        _macro(
            "include",
            **{
                "": '<ac:link><ri:page ri:space-key="OPS" ri:content-title="On call &amp; rota"/>'
                "</ac:link>"
            },
        ),
        ("Content of [On call & rota](https://wiki.example.org/rota)",),
    ),
    Probe(
        "jira-key",
        f"<p>Fixed by {_macro('jira', server='System JIRA', serverId='s-1', key='ENG-12')}</p>",
        ("Fixed by [ENG-12](https://jira.example.org/browse/ENG-12)",),
        ("System", "s-1"),
    ),
    Probe(
        "jira-jql",
        _macro("jira", server="System JIRA", columns="key,summary", jqlQuery="project = ENG"),
        ("`project = ENG`",),
        ("summary", "System"),
    ),
    Probe(
        "page-properties",
        _macro(
            "details",
            _rich(_table("<th>Owner</th><td>Ann</td>", "<th>Tier</th><td>1</td>")),
            id="facts",
        ),
        ("Owner: Ann", "Tier: 1"),
        ("facts",),
    ),
    Probe(
        "drawio",
        _macro("drawio", diagramName="network plan", revision="4", width="731"),
        ("network plan",),
        ("731",),
    ),
    Probe(
        "diagram-source",
        _macro("mermaid", _plain("graph TD\n  A-->B")) + _macro("plantuml", _plain("a -> b : go")),
        ("```mermaid\ngraph TD\n  A-->B\n```", "```plantuml\na -> b : go\n```"),
    ),
    Probe(
        "markdown-macro",
        _macro("markdown", _plain("# Title\n\n- **a**\n- b")),
        ("# Title\n\n- **a**\n- b",),
    ),
    Probe(
        "view-file",
        _macro("view-file", name='<ri:attachment ri:filename="offer.docx"/>', height="250"),
        ("[offer.docx](https://wiki.example.org/files/offer.docx)",),
        ("250",),
    ),
    Probe(
        "table-row-on-one-line",
        _table("<th>a</th><th>b</th>", "<td><p>1</p><p>2</p></td><td><p>3</p></td>"),
        ("| 1<br>2 | 3 |",),
    ),
    Probe(
        "table-header",
        _table("<th><p>Host</p></th><th><p>Port</p></th>", "<td>api</td><td>80</td>"),
        ("| Host | Port |\n| --- | --- |\n| api | 80 |",),
    ),
    Probe(
        "rowspan",
        _table(
            "<th>Team</th><th>Duty</th>",
            '<td rowspan="2">Ops</td><td>day</td>',
            "<td>night</td>",
        ),
        ("| Ops | day |", "| Ops | night |"),
    ),
    Probe(
        "list-in-cell",
        _table("<th>Step</th>", "<td><ul><li>stop</li><li>wait</li></ul></td>", "<td>go</td>"),
        ("| - stop<br>- wait |",),
    ),
    Probe(
        "panel-in-cell",
        _table(
            "<th>Note</th><th>n</th>",
            f"<td>{_macro('note', _rich('<p>mind it</p>'))}</td><td>1</td>",
        ),
        ("| [!NOTE]<br>mind it | 1 |",),
    ),
    Probe(
        "nested-list-once",
        "<ul><li><p>one</p><ul><li><p>two</p></li></ul></li><li><p>three</p></li></ul>",
        ("- one\n  - two\n- three",),
    ),
    Probe(
        "table-cell-once",
        _table("<th><p>x</p></th><th>y</th>", "<td><div><p>alone</p></div></td><td>0</td>"),
        ("| alone | 0 |",),
    ),
    Probe(
        "decision-list",
        '<ac:adf-extension><ac:adf-node type="decision-list"><ac:adf-node type="decision-item">'
        '<ac:adf-attribute key="state">DECIDED</ac:adf-attribute><ac:adf-content>Use Postgres'
        "</ac:adf-content></ac:adf-node></ac:adf-node><ac:adf-fallback><ul><li>Use Postgres</li>"
        "</ul></ac:adf-fallback></ac:adf-extension>",
        ("- [decided] Use Postgres",),
        ("DECIDED",),
    ),
    Probe(
        "custom-panel",
        '<ac:adf-extension><ac:adf-node type="panel"><ac:adf-attribute key="panel-type">custom'
        '</ac:adf-attribute><ac:adf-attribute key="panel-icon">:brain:</ac:adf-attribute>'
        "<ac:adf-content><p>Think twice.</p></ac:adf-content></ac:adf-node><ac:adf-fallback>"
        "<div><p>Think twice.</p></div></ac:adf-fallback></ac:adf-extension>",
        ("> [!PANEL]\n> Think twice.",),
        ("brain", "custom"),
    ),
    Probe(
        "placeholder",
        "<p>Goal: <ac:placeholder>Type your goal here</ac:placeholder></p>",
        ("Goal:",),
        ("Type",),
    ),
    Probe(
        "inline-comment-marker",
        '<p>The <ac:inline-comment-marker ac:ref="9-f">old name</ac:inline-comment-marker> '
        "stays</p>",
        ("The old name stays",),
        ("9-f",),
    ),
    Probe(
        "macro-parameters",
        _macro("toc", maxLevel="3", style="square")
        + _macro("children", sort="creation", depth="2")
        + _macro("contentbylabel", cql='label = "runbook"', showLabels="false")
        + "<p>end</p>",
        ("end",),
        ("square", "creation", "runbook", "false"),
    ),
    Probe("heading-level", "<h1>A</h1><h3>B</h3>", ("# A\n\n### B",)),
    Probe(
        "entities", "<p>we&rsquo;re&nbsp;at 5&nbsp;&deg;C &mdash; ok</p>", ("we’re at 5 °C — ok",)
    ),
    Probe(
        "bare-text", "<div>first line<p>second</p>third</div>", ("first line\n\nsecond\n\nthird",)
    ),
    Probe(
        "unclosed-and-legacy-span",
        '<p>before <span style="color: rgb(51,51,51);">within<p>after</p>',
        ("before within", "after"),
        ("51",),
    ),
    Probe(
        "definition-list",
        "<dl><dt>SLO</dt><dd>what we aim at</dd></dl>",
        ("- **SLO**: what we aim at",),
    ),
    Probe(
        "unknown-macro-body",
        _macro("acme-tabs", _rich("<p>Tab one</p>"), theme="dusk"),
        ("Tab one",),
        ("dusk",),
    ),
    Probe(
        "unknown-macro-plain-body",
        _macro("acme-chart", _plain("x;1\ny;2"), theme="dusk"),
        ("x;1\ny;2",),
        ("dusk",),
    ),
)


@pytest.mark.parametrize("probe", _PROBES, ids=lambda probe: probe.construct)
def test_a_construct_is_kept_cleanly(probe: Probe) -> None:
    markdown = convert(probe.storage, CONTEXT).markdown

    assert {text: markdown.count(text) for text in probe.kept} == dict.fromkeys(probe.kept, 1)
    assert [text for text in probe.left_out if text in markdown] == []
    assert "ac:" not in markdown
    assert "m-7f" not in markdown


def test_each_construct_is_probed_once() -> None:
    assert len({probe.construct for probe in _PROBES}) == len(_PROBES) == 52
