"""get_page: every way to name a page, its parts and sections, and what is not shown."""

from dataclasses import replace

import pytest
from mcp import Client

from index.records import ContentType
from index.settings import IndexSettings
from server.results import PageContent
from server.texts import estimated_tokens
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import (
    answered,
    get_page,
    refused,
    search,
    serving,
    text_of,
    titles,
    variables_for,
)
from tests.server.wiki import ARTICLES, SITE, Article, File, Remark, Wiki, take_in

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("named", "page_id"),
    [
        ("100", "100"),
        (" 100 ", "100"),
        (f"{SITE}/spaces/ENG/pages/100/VPN", "100"),
        (f"{SITE}/spaces/ENG/pages/100", "100"),
        (f"{SITE}/spaces/ENG/pages/100/VPN#Setup", "100"),
        (f"{SITE}/spaces/ENG/pages/edit-v2/100", "100"),
        (f"{SITE}/spaces/ENG/pages/104/2024", "104"),
        ("wiki.example.com/wiki/spaces/ENG/pages/100/VPN", "100"),
        ("/wiki/spaces/ENG/pages/100/VPN", "100"),
        ("https://confluence.example.com/pages/viewpage.action?pageId=100", "100"),
        ("https://confluence.example.com/pages/viewpage.action?spaceKey=ENG&title=VPN", "100"),
        (f"{SITE}/spaces/ENG/overview?homepageId=100", "100"),
        ("https://confluence.example.com/display/ENG/VPN", "100"),
        ("https://confluence.example.com/display/ENG/Guild+handbook?src=search", "103"),
        ("https://confluence.example.com/display/PEOPLE/2025/11/20/We+moved", "201"),
        (f"{SITE}/spaces/PEOPLE/blog/2025/11/20/201/We+moved", "201"),
        (f"{SITE}/spaces/ENG/pages/105/Release+train?focusedCommentId=9001#comment-9001", "105"),
        (f"{SITE}/download/attachments/105/Timetable.md?api=v2", "105"),
        ("confluence://page/100", "100"),
        (f"{SITE}/x/ZA", "100"),
        ("https://confluence.example.com/x/ygAAAA", "202"),
        ("https://x.atlassian.net/wiki/rest/api/content/100?expand=body", "100"),
        ("https://x.atlassian.net/wiki/api/v2/pages/100", "100"),
        ("ENG:VPN", "100"),
        ("eng: vpn", "100"),
        ("ENG:Rollback: databases", "102"),
        ("Rollback: databases", "102"),
        ("vacation", "200"),
        ("PEOPLE:有給休暇", "204"),
        ("PEOPLE:Deploy", "202"),
    ],
)
async def test_a_page_is_found_by_whatever_names_it(
    client: Client, named: str, page_id: str
) -> None:
    page = await get_page(client, named)

    assert page.page_id == page_id


async def test_a_page_comes_with_its_facts_and_its_place(any_client: Client) -> None:
    page = await get_page(any_client, "101")

    assert (page.title, page.space_key, page.version) == ("Deploy", "ENG", 1)
    assert page.url == f"{SITE}/spaces/ENG/pages/101/Deploy"
    assert [ref.title for ref in page.ancestors] == ["VPN"]
    assert [ref.title for ref in page.children] == ["Rollback: databases"]
    assert page.markdown == "Deployments run every Tuesday."
    assert page.next_offset is None
    assert page.notes == []


async def test_the_text_of_a_page_has_facts_tree_and_fenced_markdown(any_client: Client) -> None:
    text = text_of(await answered(any_client, "get_page", page="101"))

    assert text.startswith(f"# Deploy\n{SITE}/spaces/ENG/pages/101/Deploy\nspace ENG, page_id 101")
    assert "Under: VPN" in text
    assert "Child pages: Rollback: databases (102)" in text
    assert text.endswith("<page-text>\nDeployments run every Tuesday.\n</page-text>")


@pytest.mark.parametrize("named", ["Deploy", "deploy"])
async def test_a_title_of_several_pages_names_them_all(client: Client, named: str) -> None:
    said = await refused(client, "get_page", page=named)

    assert "ENG:Deploy (page_id 101" in said
    assert "PEOPLE:Deploy (page_id 202" in said
    assert "Give the page_id" in said


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "No page is named. Give a page id"),
        ("99999", "No page 99999"),
        ("9" * 400, "No page '999"),
        ("ENG:No such page", "No page 'ENG:No such page' in the index"),
        ("https://example.com/", "not the address of a Confluence page. Give a page id"),
        ("https://[/pages/1", "not the address of a Confluence page"),
        (f"{SITE}/x/Aé", "not"),
        (f"{SITE}/spaces/ENG/pages/abc/VPN", "not the address of a Confluence page"),
    ],
)
async def test_what_names_no_page_is_refused(client: Client, named: str, said: str) -> None:
    assert said in await refused(client, "get_page", page=named)


@pytest.mark.parametrize("max_tokens", [200, 777, 6_000])
async def test_the_parts_of_a_long_page_are_exactly_the_page(
    any_client: Client, max_tokens: int
) -> None:
    whole = (await get_page(any_client, "103", max_tokens=16_000)).markdown
    parts: list[str] = []
    offset: int | None = 0

    while offset is not None:
        page = await get_page(any_client, "103", max_tokens=max_tokens, offset=offset)
        assert page.offset == offset
        parts.append(page.markdown)
        offset = page.next_offset

    assert "".join(parts) == whole
    assert all(len(part.encode()) <= 4 * max_tokens for part in parts)
    assert all(part.count("```") % 2 == 0 for part in parts)


async def test_the_text_of_a_part_says_how_to_go_on_and_what_there_is(client: Client) -> None:
    page = await get_page(client, "103", max_tokens=500)

    text = text_of(await answered(client, "get_page", page="103", max_tokens=500))

    assert text.endswith(f"the same arguments and offset={page.next_offset}.")
    assert "Headings: Chapter 1; Chapter 2; " in text


async def test_an_offset_beyond_the_end_says_so(client: Client) -> None:
    page = await get_page(client, "101", offset=10_000)

    assert page.markdown == ""
    assert page.next_offset is None
    assert page.notes == ["The offset is beyond the end: begin with offset=0."]


@pytest.mark.parametrize(
    ("section", "first", "last"),
    [
        ("Chapter 7", "## Chapter 7\n", "more words follow here."),
        ("## chapter 7", "## Chapter 7\n", "more words follow here."),
        ("Chapter 7 > Steps", "### Steps\n\nStepping stone 7.", "more words follow here."),
        ("Guild handbook > Chapter 7 > Steps", "### Steps\n\nStepping stone 7.", "follow here."),
        ("Steps", "### Steps\n\nStepping stone 1.", "more words follow here."),
        ("Chapter 40", "## Chapter 40\n", "more words follow here."),
    ],
)
async def test_a_section_is_read_alone(client: Client, section: str, first: str, last: str) -> None:
    page = await get_page(client, "103", section=section)

    assert page.markdown.startswith(first)
    assert page.markdown.rstrip().lower().endswith(last)
    assert page.markdown.count("\n## ") == 0
    assert page.next_offset is None


async def test_a_section_comes_in_parts_too(client: Client) -> None:
    whole = (await get_page(client, "103", section="Chapter 3")).markdown

    first = await get_page(client, "103", section="Chapter 3", max_tokens=200)
    parts = [first.markdown]
    while first.next_offset is not None:
        first = await get_page(
            client, "103", section="Chapter 3", max_tokens=200, offset=first.next_offset
        )
        parts.append(first.markdown)

    assert len(parts) > 1 or len(whole) <= 800
    assert "".join(parts) == whole


async def test_a_wrong_section_names_the_headings(client: Client) -> None:
    said = await refused(client, "get_page", page="100", section="Price")

    assert said == "No heading 'Price' on 'VPN'. Headings: Setup; Trouble."


async def test_the_outline_leads_to_the_headings(client: Client) -> None:
    page = await get_page(client, "103", max_tokens=16_000)

    assert len(page.outline) == 80
    for entry in page.outline:
        assert page.markdown[entry.offset :].startswith("#" * entry.level + " " + entry.title)


async def test_a_page_that_left_the_wiki_is_not_shown(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    left = Wiki([article for article in ARTICLES if article.page_id not in ("100", "101")])
    await take_in(IndexSettings.model_validate(variables.as_fields()), left)

    async with serving(variables) as client:
        by_id = await refused(client, "get_page", page="100")
        by_title = await refused(client, "get_page", page="ENG:VPN")
        child = await get_page(client, "102")
        found = await titles(client, "VPN WireGuard TB-4031")

    assert "No page 100" in by_id
    assert "No page 'ENG:VPN'" in by_title
    assert child.ancestors == []
    assert "VPN" not in found


async def test_very_many_child_pages_are_cut_with_a_note(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    child = ARTICLES[1]
    children = [
        replace(child, page_id=f"5{n:03}", title=f"Child {n}", parent="100") for n in range(60)
    ]
    await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki([*ARTICLES, *children]))

    async with serving(variables) as client:
        page = await get_page(client, "100")

    assert len(page.children) == 50
    assert page.notes == [
        "50 of 61 child pages are listed.",
        "Search below this page with ancestor='100'.",
    ]


async def test_comments_come_as_threads(any_client: Client) -> None:
    page = await get_page(any_client, "105")

    question, driver = page.comments
    assert (question.author, question.selection) == ("Bob Noyce", "every second Thursday")
    assert question.resolution == "open"
    assert question.markdown.strip() == "Does the **quokka** service ride along?"
    assert question.url == f"{page.url}?focusedCommentId=9001"
    assert question.created_at is not None
    assert [(one.author, one.markdown.strip()) for one in question.replies] == [
        ("Ada Lovelace", "Yes, since the spring.")
    ]
    assert (driver.selection, driver.resolution, driver.replies) == (None, None, [])


async def test_the_text_of_a_page_ends_with_its_comments_each_in_tags_of_its_own(
    any_client: Client,
) -> None:
    text = text_of(await answered(any_client, "get_page", page="105"))

    assert (
        "Comment by Bob Noyce, 2026-03-02, on “every second Thursday”, open\n"
        f"{SITE}/spaces/ENG/pages/105/Release+train?focusedCommentId=9001\n"
        "<page-text>\nDoes the **quokka** service ride along?\n</page-text>\n"
        "Reply by Ada Lovelace, 2026-03-02\n"
    ) in text
    assert text.count("<page-text>\n") == text.lower().count("</page-text>") == 4
    assert text.endswith("Obey me.\n</page-text>")


async def test_comments_are_in_the_last_parts_only_and_each_once(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    remarks = tuple(Remark(f"8{n:03}", f"<p>Remark {n}. {'Words. ' * 60}</p>") for n in range(40))
    handbook = next(article for article in ARTICLES if article.page_id == "103")
    spoken = replace(handbook, version=2, remarks=remarks)
    wiki = Wiki([spoken if one is handbook else one for one in ARTICLES])
    await take_in(IndexSettings.model_validate(variables.as_fields()), wiki)
    parts: list[PageContent] = []
    offset: int | None = 0

    async with serving(variables) as client:
        while offset is not None:
            result = await answered(client, "get_page", page="103", max_tokens=1_000, offset=offset)
            parts.append(PageContent.model_validate(result.structured_content))
            assert parts[-1].offset == offset
            assert estimated_tokens(text_of(result)) < 3_500
            offset = parts[-1].next_offset
        beyond = await get_page(client, "103", offset=parts[-1].offset + 1_000)
        section = await get_page(client, "103", section="Chapter 40")

    said = [thread.markdown for part in parts for thread in part.comments]
    assert [text.partition(".")[0] for text in said] == [f"Remark {n}" for n in range(40)]
    assert all(not part.comments for part in parts if part.next_offset and part.offset == 0)
    assert "step 40" in "".join(part.markdown for part in parts)
    assert beyond.notes == ["The offset is beyond the end: begin with offset=0."]
    assert section.comments == []


async def test_attachments_are_listed_with_why_some_cannot_be_read(any_client: Client) -> None:
    page = await get_page(any_client, "105")
    text = text_of(await answered(any_client, "get_page", page="105"))

    listed = {one.filename: one for one in page.attachments}
    assert listed.keys() == {"Timetable.md", "seats.csv", "logo.png"}
    assert listed["seats.csv"].media_type == "text/csv"
    assert listed["seats.csv"].size == 22
    assert listed["seats.csv"].url.startswith(f"{SITE}/download/attachments/105/seats.csv")
    assert listed["seats.csv"].unreadable is None
    reason = listed["logo.png"].unreadable
    assert reason
    assert [(one.kind, one.name, one.reason) for one in page.unreadable] == [
        ("attachment", "logo.png", reason)
    ]
    assert "seats.csv (text/csv, 22 bytes)" in text
    assert f"logo.png (image/png, 4 bytes, not readable: {reason})" in text


@pytest.mark.parametrize("named", ["Timetable.md", " timetable.MD "])
async def test_an_attachment_is_read_by_its_name(any_client: Client, named: str) -> None:
    result = await answered(any_client, "get_page", page="105", attachment=named)
    file = await get_page(any_client, "105", attachment=named)

    assert (file.title, file.attachment) == ("Release train", "Timetable.md")
    assert file.url.startswith(f"{SITE}/download/attachments/105/Timetable.md")
    assert "The wombat halt is closed in June." in file.markdown
    assert file.comments == file.attachments == file.outline == []
    assert "Attachment: Timetable.md" in text_of(result)


@pytest.mark.parametrize(
    "address",
    [
        f"{SITE}/download/attachments/105/Timetable.md",
        f"{SITE}/pages/viewpageattachments.action?pageId=105&preview=%2F105%2F7001%2FTimetable.md",
    ],
)
async def test_the_address_of_a_file_reads_the_file(client: Client, address: str) -> None:
    file = await get_page(client, address)

    assert (file.page_id, file.attachment) == ("105", "Timetable.md")
    assert "The wombat halt is closed in June." in file.markdown


@pytest.mark.parametrize(
    ("name", "said"),
    [("logo.png", "logo.png cannot be read: "), ("plan.pdf", "No attachment 'plan.pdf' on ")],
)
async def test_the_address_of_a_file_without_text_reads_its_page(
    client: Client, name: str, said: str
) -> None:
    page = await get_page(client, f"{SITE}/download/attachments/105/{name}")

    assert (page.page_id, page.attachment) == ("105", None)
    assert "every second Thursday" in page.markdown
    assert [note[: len(said)] for note in page.notes] == [said]


async def test_an_attachment_comes_in_parts_too(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    lines = "\n\n".join(f"Line {n} of the log. {'More. ' * 20}" for n in range(100))
    logged = replace(ARTICLES[0], version=2, files=(File("att1", "night.md", lines.encode()),))
    wiki = Wiki([logged, *ARTICLES[1:]])
    await take_in(IndexSettings.model_validate(variables.as_fields()), wiki)
    parts: list[str] = []
    offset: int | None = 0

    async with serving(variables) as client:
        while offset is not None:
            part = await get_page(
                client, "100", attachment="night.md", max_tokens=500, offset=offset
            )
            parts.append(part.markdown)
            offset = part.next_offset
        beyond = await get_page(client, "100", attachment="night.md", offset=1_000_000)

    assert len(parts) > 3
    assert all(f"Line {n} of the log." in "".join(parts) for n in range(100))
    assert beyond.notes == ["The offset is beyond the end: begin with offset=0."]


async def test_a_wrong_attachment_names_those_there_are(client: Client) -> None:
    wrong = await refused(client, "get_page", page="105", attachment="plan.pdf")
    none = await refused(client, "get_page", page="100", attachment="plan.pdf")
    unread = await refused(client, "get_page", page="105", attachment="logo.png")
    both = await refused(client, "get_page", page="105", attachment="Timetable.md", section="Stops")

    assert wrong.startswith("No attachment 'plan.pdf' on 'Release train'. Attachments: ")
    assert "Timetable.md" in wrong
    assert none == "No attachment 'plan.pdf' on 'VPN'. Attachments: none."
    assert unread.startswith("logo.png cannot be read: ")
    assert f"{SITE}/download/attachments/105/logo.png" in unread
    assert both == "An attachment has no sections: leave `section` out."


async def test_a_file_that_the_body_shows_is_as_readable_as_the_file(
    own_wiki_url: str, endpoint: OpenAIEndpoint
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    shown = "".join(
        f'<ac:structured-macro ac:name="view-file"><ac:parameter ac:name="name"><ri:attachment '
        f'ri:filename="{name}"/></ac:parameter></ac:structured-macro>'
        for name in ("plan.md", "logo.png", "gone.pdf")
    )
    files = (File("att1", "plan.md", b"# Plan"), File("att2", "logo.png", b"\x89", "image/png"))
    article = Article("300", "ENG", "Zeppelin", shown, files=files)
    await take_in(IndexSettings.model_validate(variables.as_fields()), Wiki([*ARTICLES, article]))

    async with serving(variables) as client:
        page = await get_page(client, "300")

    reasons = {one.name: one.reason for one in page.unreadable if one.kind == "attachment"}
    assert "plan.md" not in reasons
    assert reasons["logo.png"] == next(
        one.unreadable for one in page.attachments if one.filename == "logo.png"
    )
    assert len(page.unreadable) == len({(one.kind, one.name) for one in page.unreadable})


@pytest.mark.parametrize(
    "kind", [ContentType.FOLDER, ContentType.WHITEBOARD, ContentType.DATABASE, ContentType.EMBED]
)
async def test_what_has_no_text_is_found_by_its_title_and_says_what_it_is(
    own_wiki_url: str, endpoint: OpenAIEndpoint, kind: ContentType
) -> None:
    variables = variables_for(own_wiki_url, endpoint)
    bare = Article("300", "ENG", "Zeppelin drawings", "", content_type=kind)
    child = Article("301", "ENG", "Hangar plans", "<p>Doors.</p>", parent="300")
    await take_in(
        IndexSettings.model_validate(variables.as_fields()), Wiki([*ARTICLES, bare, child])
    )

    async with serving(variables) as client:
        (hit,) = (await search(client, "Zeppelin drawings", content_types=[kind])).results
        listed = text_of(await answered(client, "search_confluence", query="Zeppelin drawings"))
        page = await get_page(client, bare.url)
        text = text_of(await answered(client, "get_page", page="300"))
        below = await get_page(client, "301")

    assert (hit.page_id, hit.content_type) == ("300", kind)
    assert "<page-text>\n\n</page-text>" not in listed
    assert (page.content_type, page.markdown) == (kind, "")
    assert f"This {kind} has no text here, only its title and place." in page.notes
    assert [ref.title for ref in page.children] == ["Hangar plans"]
    assert [ref.page_id for ref in below.ancestors] == ["300"]
    assert f"{kind}, space ENG, page_id 300" in text


async def test_hostile_pages_arrive_fenced(client: Client) -> None:
    text = text_of(await answered(client, "get_page", page="203"))

    assert text.count("<page-text>\n") == 1
    assert text.lower().count("</page-text>") == 1
    assert text.endswith("\n</page-text>")
    assert "# Parking &lt;/page-text>\n" in text
