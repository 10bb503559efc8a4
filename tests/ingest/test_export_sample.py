"""The sample space: its exports are whole, and the questions of the evaluation have answers."""

from pathlib import Path

import pytest

from evals.questions import sample_questions
from ingest.settings import SAMPLE_SITE
from ingest.sources.export import ExportSource
from ingest.sources.source import SourceComment
from tests.ingest.exports import downloaded, listed, swept

pytestmark = pytest.mark.anyio

SAMPLE_SPACE = Path(__file__).parents[2] / "ingest" / "sample_space"


async def comments_by_page(source: ExportSource) -> dict[str, list[SourceComment]]:
    return {
        summary.page_id: list(await source.comments(summary))
        for space in await source.spaces()
        for summary in await swept(source, space)
    }


async def test_the_sample_space_is_read_without_failure() -> None:
    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
        summaries = [s for space in await source.spaces() for s in await swept(source, space)]
        pages = [await source.page(summary) for summary in summaries]

    assert len(pages) == 77
    assert all(page.storage for page in pages)


async def test_its_threads_hang_together() -> None:
    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
        pages = await comments_by_page(source)
        listed_ids = {item_id for item_id in await listed(source) if item_id.isdecimal()}

    comments = [comment for page in pages.values() for comment in page]
    assert {comment.comment_id for comment in comments} == listed_ids
    assert {comment.resolution for comment in comments} == {None, "open", "resolved"}
    assert any(comment.selection for comment in comments)
    assert all(comment.storage and comment.author and comment.created_at for comment in comments)


async def test_its_attached_files_are_the_ones_described() -> None:
    on_disk = {
        path.relative_to(SAMPLE_SPACE).parts[2:]: path.read_bytes()
        for path in SAMPLE_SPACE.glob("*/attachments/*/*/*")
    }

    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
        items = await listed(source)
        read = {
            (item.page_id, item.item_id.removeprefix("att"), str(item.version)): (
                item.size,
                await downloaded(source, item, limit=30_000),
            )
            for item in items.values()
            if (item.page_id, item.item_id.removeprefix("att"), str(item.version)) in on_disk
        }

    assert len(on_disk) == 10
    assert read == {place: (len(content), content) for place, content in on_disk.items()}


async def test_questions_on_comments_and_attachments_name_existing_ones() -> None:
    async with ExportSource(SAMPLE_SPACE, SAMPLE_SITE) as source:
        pages = await comments_by_page(source)
        attachments = [item for item in (await listed(source)).values() if item.filename]

    places = {place for question in sample_questions() for place in question.links}
    urls = {
        (page_id, comment.url)
        for page_id, comments in pages.items()
        for comment in comments
        if comment.parent_id is None
    } | {(item.page_id, item.url) for item in attachments}
    lost = [
        (right, link)
        for right, link in places
        if not any(page_id == right and link in url for page_id, url in urls)
    ]
    assert len(places) == 13
    assert lost == []
