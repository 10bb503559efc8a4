"""Space exports: what is read from them."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.errors import ConfigurationError
from index.records import ContentType, Space, State
from ingest.sources.export import ExportSource, exported_site_url
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import Deployment, PageSummary, SourcePage
from tests.ingest.exports import (
    SITE,
    body,
    collection,
    comment,
    content,
    entity,
    fetched,
    label,
    only_page,
    page,
    reference,
    space,
    swept,
    user,
    write_folder,
    write_large,
    write_zip,
)

pytestmark = pytest.mark.anyio

OPS = space("7", "OPS", "Operations")
SAMPLE_SPACE = Path(__file__).parents[2] / "ingest" / "sample_space"


@pytest.mark.parametrize("inside", ["", "Confluence-export/"])
async def test_a_zip_is_read_like_the_folder_it_would_unpack_to(
    tmp_path: Path, inside: str
) -> None:
    objects = (OPS, page("11", "Runbook", "<p>Restart it.</p>", position="3", version="4"))
    folder = write_folder(tmp_path / "unpacked", *objects, source="cloud")
    archive = write_zip(tmp_path / "export.zip", *objects, inside=inside, source="cloud")

    from_folder, from_zip = await only_page(folder), await only_page(archive)

    assert from_folder == from_zip
    assert from_zip == SourcePage(
        summary=PageSummary(
            page_id="11",
            content_type=ContentType.PAGE,
            space_key="OPS",
            title="Runbook",
            url=f"{SITE}/spaces/OPS/pages/11/Runbook",
            version=4,
            state=State.LIVE,
            parent_id=None,
            position=3,
            labels=(),
        ),
        storage="<p>Restart it.</p>",
        labels=(),
        author=None,
        created_at=datetime(2024, 3, 1, 9, 30, tzinfo=UTC),
        updated_at=datetime(2024, 3, 2, 10, 45, tzinfo=UTC),
    )


async def test_a_folder_of_several_exports_gives_all_their_spaces(tmp_path: Path) -> None:
    write_folder(tmp_path / "ops", OPS, page("11", "Runbook"))
    write_zip(tmp_path / "hr.zip", space("7", "HR", "People"), page("21", "Leave"))
    (tmp_path / "notes").mkdir()

    async with ExportSource(tmp_path, SITE + "/") as source:
        spaces = await source.spaces()
        titles = {item.key: [s.title for s in await swept(source, item)] for item in spaces}

    assert spaces == [
        Space("HR", "People", f"{SITE}/spaces/HR/overview"),
        Space("OPS", "Operations", f"{SITE}/spaces/OPS/overview"),
    ]
    assert titles == {"HR": ["Leave"], "OPS": ["Runbook"]}


async def test_only_current_and_archived_content_is_listed(tmp_path: Path) -> None:
    old = reference("originalVersion", "Page", "11")
    path = write_folder(
        tmp_path,
        OPS,
        page("11", "Runbook"),
        content("12", "Runbook", old) + body("12", "<p>old</p>"),
        page("13", "Idea", contentStatus="draft"),
        page("14", "Mistake", contentStatus="deleted"),
        page("15", "Former plan", contentStatus="archived"),
    )

    async with ExportSource(path, SITE) as source:
        summaries = await swept(source)

    assert {(s.page_id, s.state) for s in summaries} == {
        ("11", State.LIVE),
        ("15", State.ARCHIVED),
    }


async def test_pages_come_with_parent_labels_and_author(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        label("31", "on-call", "12"),
        label("32", "alpha", "12"),
        label("33", "favourite", "12", namespace="my"),
        label("34", "red", "12", namespace="team"),
        content(
            "12",
            "Night shift",
            reference("parent", "Page", "11"),
            reference("creator", "ConfluenceUserImpl", "ab12", key="key"),
        ),
        page("11", "Runbook"),
        body("12", ""),
        user("ab12", name="ada", lowerName="ada", fullName="Ada Byron"),
        OPS,
    )

    async with ExportSource(path, SITE) as source:
        answer = (await fetched(source))["12"]

    assert isinstance(answer, SourcePage)
    assert answer.summary.parent_id == "11"
    assert answer.labels == answer.summary.labels == ("alpha", "on-call")
    assert answer.author == "ab12"
    assert answer.storage == ""


async def test_blog_posts_have_the_address_of_their_day(tmp_path: Path) -> None:
    post = content("41", "We moved: what now?", class_name="BlogPost")
    path = write_folder(tmp_path, OPS, post, body("41", "<p>Hi</p>", class_name="BlogPost"))

    answer = await only_page(path)

    assert answer.summary.content_type is ContentType.BLOGPOST
    assert answer.summary.url == (f"{SITE}/spaces/OPS/blog/2024/03/01/41/We+moved%3A+what+now%3F")


async def test_times_are_in_the_time_zone_of_the_descriptor(tmp_path: Path) -> None:
    path = write_folder(tmp_path, OPS, page("11", "Runbook"), time_zone="Europe/Berlin")

    answer = await only_page(path)

    assert answer.updated_at == datetime(2024, 3, 2, 9, 45, tzinfo=UTC)


async def test_an_unknown_time_zone_is_read_as_utc(tmp_path: Path) -> None:
    path = write_folder(tmp_path, OPS, page("11", "Runbook"), time_zone="GMT\\+25\\:99")

    answer = await only_page(path)

    assert answer.updated_at == datetime(2024, 3, 2, 10, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "storage",
    [
        "<ac:plain-text-body><![CDATA[print(1)]]></ac:plain-text-body>",
        "<ac:plain-text-body><![CDATA[a[b[0]] > c]]></ac:plain-text-body>",
        "<ac:plain-text-body><![CDATA[x ]]]]><![CDATA[> y]]></ac:plain-text-body>",
        "<x><![CDATA[one]]> and </x><y><![CDATA[two]]> tail</y>",
    ],
)
async def test_code_inside_a_body_is_restored(tmp_path: Path, storage: str) -> None:
    path = write_folder(tmp_path, OPS, page("11", "Code", storage))

    answer = await only_page(path)

    assert answer.storage == storage


async def test_plain_values_and_forbidden_characters_are_read(tmp_path: Path) -> None:
    plain = (
        '<object class="Page"><id name="id">11</id>'
        '<property name="title">A &amp; B&#x1b;&#0;&#55357;\u2028again&#33;\x08</property>'
        '<property name="version">2</property><property name="parent"/>'
        '<property name="creationDate">2024-03-01 09:30:00</property>'
        f"{reference('space', 'Space', '7')}</object>"
    )
    path = write_folder(tmp_path, OPS, plain, body("11", "<p>a\x0bb\u2029c</p>"))

    answer = await only_page(path)

    assert answer.summary.title == "A & B again!"
    assert answer.summary.parent_id is None
    assert answer.storage == "<p>ab\u2029c</p>"
    assert answer.updated_at == datetime(2024, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body_type", "reason"), [("0", "old wiki markup"), (None, "old wiki markup"), ("1", "type 1")]
)
async def test_a_body_in_another_format_is_a_failure_of_its_page_only(
    tmp_path: Path, body_type: str | None, reason: str
) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        content("11", "Old") + body("11", "h1. Old", body_type=body_type),
        page("12", "New"),
    )

    async with ExportSource(path, SITE) as source:
        answers = await fetched(source)

    assert isinstance(answers["12"], SourcePage)
    failure = answers["11"]
    assert isinstance(failure, UnexpectedAnswer)
    assert reason in str(failure)


async def test_storage_format_is_taken_where_there_are_several_bodies(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path, OPS, body("11", "{}", body_type="6"), page("11", "Two", "<p>this</p>")
    )

    assert (await only_page(path)).storage == "<p>this</p>"


async def test_a_page_without_body_is_a_failure(tmp_path: Path) -> None:
    path = write_folder(tmp_path, OPS, content("11", "Hollow"))

    async with ExportSource(path, SITE) as source:
        answer = (await fetched(source))["11"]

    assert isinstance(answer, UnexpectedAnswer)
    assert "no body" in str(answer)


async def test_users_are_known_by_key_name_and_account_id(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        user("ab12", name="Ada", lowerName="ada", fullName="Ada Byron", atlassianAccountId="5:x"),
        user("cd34", lowerName="grace"),
        user("712020:77", name="712020:77"),
    )
    asked = ["ab12", "Ada", "ada", "5:x", "grace", "712020:77", "nobody"]

    async with ExportSource(path, SITE) as source:
        names = await source.user_names(asked)

    assert names == {
        "ab12": "Ada Byron",
        "Ada": "Ada Byron",
        "ada": "Ada Byron",
        "5:x": "Ada Byron",
        "grace": "grace",
    }


async def test_large_spaces_are_listed_completely_and_once(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "e.zip", OPS, *(content(str(n), f"P{n}") for n in range(1, 1203)))

    async with ExportSource(path, SITE) as source:
        ids = [summary.page_id for summary in await swept(source)]

    assert len(ids) == 1202
    assert set(ids) == {str(n) for n in range(1, 1203)}


async def test_a_page_that_is_not_in_the_export_is_gone(tmp_path: Path) -> None:
    async with ExportSource(write_folder(tmp_path, OPS, page("11", "Runbook")), SITE) as source:
        (known,) = await swept(source)
        for unknown in (replace(known, space_key="HR"), replace(known, page_id="12")):
            with pytest.raises(NotVisible, match="not in the exported space"):
                await source.page(unknown)
            with pytest.raises(NotVisible, match="not in the exported space"):
                await source.comments(unknown)

        shown = await source.still_shown(["11", "12", "13"])

    assert shown == {"11": "OPS"}


async def test_an_export_tells_of_no_changes(tmp_path: Path) -> None:
    async with ExportSource(write_folder(tmp_path, OPS, page("11", "Runbook")), SITE) as source:
        since = datetime(2000, 1, 1, tzinfo=UTC)
        (ops,) = await source.spaces()

        assert [page async for page in source.changed_pages(since)] == []
        assert [item async for item in source.changed_items(since)] == []
        assert [labels async for labels in source.labels(ops)] == []


async def test_bodies_are_found_however_versions_link_them(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        content("11", "Eight") + body("11", "<p>8</p>", class_name="ContentEntityObject"),
        content("12", "Five", collection("bodyContents", "BodyContent", "912")),
        entity("BodyContent", "912", {"body": "<p>5</p>", "bodyType": "2"}),
        content("13", "Empty") + body("13", "", body_type=None),
        body("12", "{}", class_name="CustomContentEntityObject"),
    )

    async with ExportSource(path, SITE) as source:
        answers = await fetched(source)

    assert {
        page_id: answer.storage if isinstance(answer, SourcePage) else answer
        for page_id, answer in answers.items()
    } == {"11": "<p>8</p>", "12": "<p>5</p>", "13": ""}


@pytest.mark.parametrize(
    ("told", "site_url", "expected"),
    [
        ("cloud", "https://wiki.example.com", Deployment.CLOUD),
        ("server", SITE, Deployment.DATACENTER),
        (None, SITE, Deployment.CLOUD),
        (None, "https://wiki.example.com", Deployment.DATACENTER),
        ("moon", "https://wiki.example.com", Deployment.DATACENTER),
    ],
)
async def test_the_kind_of_confluence_is_told_by_the_descriptor_else_by_the_url(
    tmp_path: Path, told: str | None, site_url: str, expected: Deployment
) -> None:
    path = write_zip(tmp_path / "e.zip", OPS, source=told)

    async with ExportSource(path, site_url) as source:
        before = source.deployment
        await source.spaces()

        assert before is source.deployment is expected


async def test_links_to_a_data_center_are_of_its_own_kind(tmp_path: Path) -> None:
    site = "https://wiki.example.com/confluence"
    post = content("41", "News", class_name="BlogPost") + body("41", "", class_name="BlogPost")
    path = write_folder(tmp_path, OPS, page("11", "Runbook"), post, source="server")

    async with ExportSource(path, site) as source:
        (ops,) = await source.spaces()
        urls = [summary.url for summary in await swept(source)]

    assert ops.url == f"{site}/display/OPS"
    assert urls == [f"{site}/pages/viewpage.action?pageId={page_id}" for page_id in ("11", "41")]


async def test_an_attachment_opens_at_its_page(tmp_path: Path) -> None:
    source = ExportSource(tmp_path, SITE)

    assert source.attachment_url("11", "a b/ü.pdf") == (
        f"{SITE}/download/attachments/11/a%20b%2F%C3%BC.pdf"
    )


@pytest.mark.parametrize(
    ("given", "site_url"),
    [
        ("example.atlassian.net", "https://example.atlassian.net/wiki"),
        ("https://example.atlassian.net/wiki/", "https://example.atlassian.net/wiki"),
        ("http://wiki.example.com/confluence", "http://wiki.example.com/confluence"),
    ],
)
async def test_links_may_go_to_any_site(given: str, site_url: str) -> None:
    assert exported_site_url(given) == site_url


async def test_links_need_a_web_address() -> None:
    with pytest.raises(ConfigurationError, match="CONFLUENCE_URL"):
        exported_site_url("ftp://example.com")


MEASURE = """
import asyncio, resource, sys
from pathlib import Path
from ingest.sources.export import ExportSource

async def main():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with ExportSource(Path(sys.argv[1]), "https://example.com") as source:
        pages = characters = 0
        for space in await source.spaces():
            async for summary in source.sweep(space):
                page = await source.page(summary)
                (comment,) = await source.comments(summary)
                pages, characters = pages + 1, characters + len(page.storage + comment.storage)
    print(pages, characters, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in KiB on Linux")
def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    text = "<p>" + "Steady as she goes. " * 1000 + "</p>"

    def objects() -> Iterator[str]:
        yield OPS
        for number in range(2000):
            yield page(str(number), f"Page {number}", text)
            yield comment(f"7{number:05}", str(number), text)

    path = write_large(tmp_path / "large.zip", objects())
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    pages, characters, grown_kib = map(int, run.stdout.split())

    assert (pages, characters) == (2000, 4000 * len(text))
    assert grown_kib < 30_000 < characters / 1024
