"""Comments and attachments in space exports."""

import io
import os
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.errors import SourceError
from index.records import ChunkKind, Space
from ingest.sources.export import ExportSource
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.source import ItemSummary, SourceComment
from tests.ingest.exports import (
    SITE,
    attachment,
    body,
    collection,
    comment,
    commented,
    content,
    content_properties,
    downloaded,
    entity,
    inline,
    listed,
    page,
    reference,
    space,
    write_folder,
    write_zip,
)

pytestmark = pytest.mark.anyio

OPS = space("7", "OPS", "Operations")
MARKED = (
    '<p>Wait <ac:inline-comment-marker ac:ref="m1">two &amp; <em>a half</em> '
    "hours</ac:inline-comment-marker>.</p>"
)
RUNBOOK = page("11", "Runbook", MARKED)


async def test_comments_come_with_thread_author_and_link(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        comment(
            "32",
            "11",
            "<p>Because.</p>",
            reference("parent", "Comment", "31"),
            creationDate="2024-03-04 08:00:00.000",
            version="3",
        ),
        comment("31", "11", "<p>Why?</p>", reference("creator", "ConfluenceUserImpl", "ab12")),
        RUNBOOK,
        source="cloud",
    )

    async with ExportSource(path, SITE) as source:
        question, answer = await commented(source)

    assert question == SourceComment(
        comment_id="31",
        parent_id=None,
        selection=None,
        resolution=None,
        author="ab12",
        created_at=datetime(2024, 3, 3, 12, tzinfo=UTC),
        version=1,
        url=f"{SITE}/spaces/OPS/pages/11/Runbook?focusedCommentId=31",
        storage="<p>Why?</p>",
    )
    assert (answer.comment_id, answer.parent_id, answer.version) == ("32", "31", 3)


async def test_a_comment_of_a_data_center_opens_at_its_anchor(tmp_path: Path) -> None:
    path = write_folder(tmp_path, OPS, RUNBOOK, comment("31", "11"), source="server")

    async with ExportSource(path, "https://wiki.example.com") as source:
        (only,) = await commented(source)

    assert only.url == (
        "https://wiki.example.com/pages/viewpage.action?pageId=11&focusedCommentId=31#comment-31"
    )


@pytest.mark.parametrize(
    ("properties", "selection", "resolution"),
    [
        ({}, None, None),
        ({"status": "resolved"}, None, "resolved"),
        ({"status": "odd"}, None, None),
        (inline("m1", "two hours"), "two hours", "open"),
        (inline("m1", "two hours", status="resolved"), "two hours", "resolved"),
        (inline("m1", "two hours", status="Reopened"), "two hours", "reopened"),
        (inline("m1", "two hours", status="dangling"), "two hours", "dangling"),
        (inline("m2", "one hour"), "one hour", "dangling"),
        (inline("m2", "one hour", status="resolved"), "one hour", "resolved"),
        (inline("m1", ""), "two & a half hours", "open"),
        (inline("m2", ""), "", "dangling"),
        (inline("m1", "x" * 255), "two & a half hours", "open"),
        (inline("m2", "x" * 255), "x" * 255, "dangling"),
    ],
)
async def test_inline_comments_tell_their_text_and_whether_they_are_resolved(
    tmp_path: Path, properties: dict[str, str], selection: str | None, resolution: str | None
) -> None:
    path = write_folder(tmp_path, OPS, RUNBOOK, comment("31", "11", properties=properties))

    async with ExportSource(path, SITE) as source:
        (only,) = await commented(source)

    assert (only.selection, only.resolution) == (selection, resolution)


async def test_a_reply_to_an_inline_comment_points_at_nothing_itself(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        RUNBOOK,
        comment("31", "11", properties=inline("m1", "two hours", status="resolved")),
        comment(
            "32",
            "11",
            "<p>Done.</p>",
            reference("parent", "Comment", "31"),
            properties={"inline-comment": "true"},
        ),
    )

    async with ExportSource(path, SITE) as source:
        replies = [item for item in await commented(source) if item.parent_id == "31"]

    assert [(reply.selection, reply.resolution) for reply in replies] == [(None, None)]


async def test_only_current_comments_of_current_pages_are_listed(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        RUNBOOK,
        page("12", "Gone", contentStatus="deleted"),
        comment("31", "11", version="4"),
        comment("32", "11", "<p>old</p>", reference("originalVersion", "Comment", "31")),
        comment("33", "11", "<p>old</p>", originalVersionId="31"),
        comment("34", "11", contentStatus="draft"),
        comment("35", "11", contentStatus="deleted"),
        comment("36", "12"),
        comment("37", "11", "<p>Reply</p>", reference("parent", "Comment", "35")),
    )

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        comments = await commented(source)

    assert items == {
        "31": ItemSummary(ChunkKind.COMMENT, "31", "11", 4),
        "37": ItemSummary(ChunkKind.COMMENT, "37", "11", 1),
    }
    assert [(item.comment_id, item.parent_id) for item in comments] == [("31", None), ("37", None)]


async def test_comments_are_found_however_versions_link_them(tmp_path: Path) -> None:
    plain = {"version": "1", "contentStatus": "current"}
    path = write_folder(
        tmp_path,
        OPS,
        content("11", "Runbook", collection("comments", "Comment", "31")) + body("11", MARKED),
        entity("Comment", "31", plain, collection("contentProperties", "ContentProperty", "81")),
        entity("ContentProperty", "81", {"name": "inline-marker-ref", "stringValue": "m1"}),
        entity("Comment", "32", plain, reference("owner", "Page", "11")),
        comment("33", "11", container="ContentEntityObject"),
        attachment("51", "11", "plan.txt"),
        comment("34", "51", container="Attachment"),
    )

    async with ExportSource(path, SITE) as source:
        comments = {item.comment_id: item for item in await commented(source)}
        items = await listed(source)

    assert set(comments) == {"31", "32", "33", "34"} == set(items) - {"att51"}
    assert comments["31"].selection == "two & a half hours"
    assert items["34"].page_id == "11"


async def test_comments_in_old_markup_keep_their_words(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path,
        OPS,
        RUNBOOK,
        comment("31", "11", "<ac:plain-text-body><![CDATA[a]]></ac:plain-text-body>"),
        entity("Comment", "32", {"version": "1"}, reference("containerContent", "Page", "11")),
        body("32", "*Is* 1 < 2?\n\nYes.", body_type="0", class_name="Comment"),
        entity("Comment", "33", {"version": "1"}, reference("containerContent", "Page", "11")),
    )

    async with ExportSource(path, SITE) as source:
        comments = {item.comment_id: item.storage for item in await commented(source)}

    assert comments == {
        "31": "<ac:plain-text-body><![CDATA[a]]></ac:plain-text-body>",
        "32": "<p>*Is* 1 &lt; 2?</p><p>Yes.</p>",
        "33": "",
    }


async def test_many_items_are_listed_once_and_by_space(tmp_path: Path) -> None:
    write_folder(
        tmp_path / "ops",
        OPS,
        RUNBOOK,
        *(comment(str(number), "11") for number in range(1000, 2203)),
        *(attachment(str(number), "11", f"{number}.txt") for number in range(5000, 6203)),
    )
    write_folder(
        tmp_path / "hr", space("7", "HR", "People"), page("21", "Leave"), comment("31", "21")
    )

    async with ExportSource(tmp_path, SITE) as source:
        everything = await listed(source)
        of_people = [item async for item in source.items([Space("hr", "People", "")])]

    assert len(everything) == 1203 + 1203 + 1
    assert [item.item_id for item in of_people] == ["31"]


async def test_attachments_are_listed_in_their_newest_version(tmp_path: Path) -> None:
    current = reference("originalVersion", "Attachment", "51")
    path = write_folder(
        tmp_path,
        OPS,
        RUNBOOK,
        attachment("50", "11", "plan.pdf", current, version="1"),
        attachment("51", "11", "plan.pdf", media_type="application/pdf", size=77, version="2"),
        attachment("52", "11", "old.txt", contentStatus="deleted"),
        attachment("53", "11", "half.txt", version=""),
        attachment("54", "98", "logo.png"),
        entity(
            "Attachment",
            "55",
            {
                "fileName": "a b/ü.csv",
                "contentType": "text/csv",
                "fileSize": "12",
                "attachmentVersion": "3",
            },
            reference("content", "Page", "11"),
        ),
        entity(
            "Attachment",
            "56",
            {"title": "bare", "version": "1"},
            reference("containerContent", "Page", "11"),
        ),
        content_properties("56", "Attachment", {"FILESIZE": "many"}),
    )

    async with ExportSource(path, SITE) as source:
        items = await listed(source)

    folder = f"{SITE}/download/attachments/11"
    assert items == {
        item.item_id: item
        for item in (
            ItemSummary(
                kind=ChunkKind.ATTACHMENT,
                item_id="att51",
                page_id="11",
                version=2,
                filename="plan.pdf",
                media_type="application/pdf",
                size=77,
                url=f"{folder}/plan.pdf",
            ),
            ItemSummary(
                kind=ChunkKind.ATTACHMENT,
                item_id="att55",
                page_id="11",
                version=3,
                filename="a b/ü.csv",
                media_type="text/csv",
                size=12,
                url=f"{folder}/a%20b%2F%C3%BC.csv",
            ),
            ItemSummary(
                kind=ChunkKind.ATTACHMENT,
                item_id="att56",
                page_id="11",
                version=1,
                filename="bare",
                url=f"{folder}/bare",
            ),
        )
    }


FILES = {"11/51/1": b"first", "11/51/2": b"second", "11/52/1": b"\x00" * 300_000}
ATTACHED = (
    OPS,
    RUNBOOK,
    attachment("51", "11", "plan.txt", version="2"),
    attachment("52", "11", "zeros.bin"),
)


@pytest.mark.parametrize("inside", [None, "", "Confluence-export/"])
async def test_the_newest_file_of_an_attachment_is_read(tmp_path: Path, inside: str | None) -> None:
    if inside is None:
        path = write_folder(tmp_path / "export", *ATTACHED, files=FILES)
    else:
        path = write_zip(tmp_path / "export.zip", *ATTACHED, inside=inside, files=FILES)

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        plan = await downloaded(source, items["att51"])
        zeros = await downloaded(source, items["att52"], limit=300_000)

    assert plan == b"second"
    assert zeros == bytes(300_000)


async def test_each_export_of_a_folder_has_files_of_its_own(tmp_path: Path) -> None:
    write_zip(tmp_path / "b.zip", *ATTACHED, files=FILES)
    people = (space("7", "HR", "People"), page("21", "Leave"), attachment("51", "21", "plan.txt"))
    write_zip(tmp_path / "a.zip", *people, files={"21/51/1": b"of people"})

    async with ExportSource(tmp_path, SITE) as source:
        asked = ItemSummary(ChunkKind.ATTACHMENT, "att51", "21", 1, filename="plan.txt")
        of_people = await downloaded(source, asked)
        of_operations = await downloaded(source, replace(asked, page_id="11"))

    assert (of_people, of_operations) == (b"of people", b"second")


@pytest.mark.parametrize("is_zipped", [True, False])
async def test_more_than_the_limit_is_never_written(tmp_path: Path, is_zipped: bool) -> None:
    write = write_zip if is_zipped else write_folder
    bomb = {"11/52/1": bytes(20 << 20)}
    file = io.BytesIO()

    async with ExportSource(write(tmp_path / "e.zip", *ATTACHED, files=bomb), SITE) as source:
        items = await listed(source)
        with pytest.raises(UnexpectedAnswer, match=r"zeros\.bin of page 11 has more than 100000"):
            await source.download(items["att52"], file, 100_000)

    assert len(file.getvalue()) <= 100_000


@pytest.mark.parametrize("is_zipped", [True, False])
async def test_an_export_without_attachments_says_so(tmp_path: Path, is_zipped: bool) -> None:
    write = write_zip if is_zipped else write_folder
    path = write(tmp_path / "e.zip", *ATTACHED, backupAttachments="false")

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        with pytest.raises(NotVisible, match=r"no file for the attachment plan\.txt of page 11"):
            await downloaded(source, items["att51"])
        unknown = ItemSummary(ChunkKind.ATTACHMENT, "att99", "11", 1, filename="x.txt")
        with pytest.raises(NotVisible, match="not in the export"):
            await downloaded(source, unknown)


@pytest.mark.parametrize("is_zipped", [True, False])
@pytest.mark.parametrize("evil", ["../../secret", "51/../../../secret", "/etc/passwd", "5\n1"])
async def test_ids_that_are_paths_lead_nowhere(tmp_path: Path, evil: str, is_zipped: bool) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    write = write_zip if is_zipped else write_folder
    path = write(
        tmp_path / "export", OPS, RUNBOOK, attachment(evil, "11", "x.txt"), files={"1": b""}
    )
    path = path.rename(path.with_suffix(".zip")) if is_zipped else path

    async with ExportSource(path, SITE) as source:
        (item,) = (await listed(source)).values()
        with pytest.raises(NotVisible):
            await downloaded(source, item)


async def test_links_and_pipes_in_an_unpacked_export_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = write_folder(tmp_path / "export", *ATTACHED, files={"11/51/1": b"", "11/52/2": b""})
    (folder / "attachments/11/51/2").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "attachments/11/52/1")

    async with ExportSource(folder, SITE) as source:
        for item in (await listed(source)).values():
            with pytest.raises(NotVisible):
                await downloaded(source, item)


async def test_a_damaged_file_costs_its_attachment_only(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    write_zip(path, *ATTACHED, files={"11/51/2": os.urandom(5000), "11/52/1": b"whole"})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("attachments/11/51/2").header_offset
    data = bytearray(path.read_bytes())
    data[start + 2000 : start + 2100] = bytes(100)
    path.write_bytes(data)

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        with pytest.raises(UnexpectedAnswer, match=r"plan\.txt of page 11 cannot be read"):
            await downloaded(source, items["att51"])
        whole = await downloaded(source, items["att52"])

    assert whole == b"whole"


async def test_a_compression_that_no_export_uses_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "export.zip", *ATTACHED)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("attachments/11/52/1", bytes(1 << 20), zipfile.ZIP_BZIP2)

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        with pytest.raises(UnexpectedAnswer, match="compressed"):
            await downloaded(source, items["att52"])


async def test_a_file_that_cannot_be_written_is_no_fault_of_the_export(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "export.zip", *ATTACHED, files=FILES)
    closed = io.BytesIO()
    closed.close()

    async with ExportSource(path, SITE) as source:
        items = await listed(source)
        with pytest.raises(ValueError) as caught:
            await source.download(items["att51"], closed, 100)

    assert not isinstance(caught.value, SourceError)
