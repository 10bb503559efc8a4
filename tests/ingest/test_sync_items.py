"""Comments, attachments, labels and hints follow the site, whatever becomes of their pages."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from index.database import Database
from index.settings import IndexSettings
from ingest.fetch import AttachmentRules
from ingest.report import Report
from ingest.sources.source import Deployment
from ingest.sync import Plan
from tests.confluence.faults import before, failing, rewritten
from tests.confluence.samples import filled_site
from tests.ingest.model_wiki import ModelWiki, model_wiki
from tests.ingest.wiki import FAILURES, RETRY_NOW

pytestmark = pytest.mark.anyio

QUICK = Plan(quick=True)
COMMENTS = "SELECT comment_id, resolution, markdown FROM comment ORDER BY comment_id"
ATTACHMENTS = "SELECT filename, version, unreadable, markdown FROM attachment ORDER BY filename"
CHUNKS = "SELECT kind, heading_path, body FROM chunk WHERE kind <> 'body' ORDER BY kind, body"
VERSIONS = "SELECT version FROM page WHERE page_id = %(id)s"
AGED = (
    "UPDATE page SET hidden_at = now() - interval '8 days' WHERE state = 'tombstoned' RETURNING 1"
)
DOWNLOADS = "*/download*"


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture(params=Deployment, ids=str)
async def wiki(
    request: pytest.FixtureRequest, index_settings: IndexSettings, database: Database
) -> AsyncGenerator[ModelWiki]:
    """Two spaces of four and three pages."""
    site = filled_site({"ENG": 4, "HR": 3})
    async with model_wiki(site, request.param, index_settings, database) as wiki:
        yield wiki


def later(wiki: ModelWiki) -> None:
    """A time at which comments, attachments and labels are listed as a whole again."""
    wiki.site.clock.advance(timedelta(hours=6))


async def is_right(wiki: ModelWiki) -> None:
    """Asserts that the index is what the site is."""
    assert await wiki.held() == wiki.expected()
    assert await wiki.flaws() == []
    assert not await wiki.miscounted_terms()


def embedded(wiki: ModelWiki) -> list[str]:
    """The passages that were embedded since the last call."""
    texts = [text for request in wiki.endpoint.requests for text in request.body["input"]]
    wiki.endpoint.requests.clear()
    return [text for text in texts if text != "dimension"]


async def first(wiki: ModelWiki) -> Report:
    """The first run, whose passages are not counted."""
    report = await wiki.run()
    embedded(wiki)
    return report


async def test_a_thread_is_followed_from_its_first_comment_to_its_end(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Ask two weeks ahead.</p>")
    await first(wiki)

    root = wiki.site.comment(page.id, "<p>Why so early?</p>", selection="two weeks")
    await wiki.run()
    new = embedded(wiki)
    wiki.site.comment(page.id, "<p>Because of the roster.</p>", parent=root.id)
    await wiki.run()
    answered = embedded(wiki)
    wiki.site.edit_comment(root.id, "<p>Why that early?</p>")
    await wiki.run()
    edited = embedded(wiki)
    await is_right(wiki)
    wiki.site.resolve_comment(root.id)
    later(wiki)
    await wiki.run()
    resolved = embedded(wiki)
    await is_right(wiki)
    wiki.site.delete_comment(root.id)
    later(wiki)
    gone = await wiki.run()

    assert [len(texts) for texts in (new, answered, edited, resolved)] == [1, 1, 1, 1]
    assert "Because of the roster." in answered[0]
    assert "Resolved comment on “two weeks”" in resolved[0]
    assert (gone.stored, gone.embedded) == (1, 0)
    assert await wiki.rows(COMMENTS) == []
    assert await wiki.rows(VERSIONS, id=page.id) == [(1,)]
    await is_right(wiki)


async def test_a_file_is_followed_from_its_upload_to_its_end(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>See the list.</p>")
    await first(wiki)

    file = wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    await wiki.run()
    new = embedded(wiki)
    wiki.site.replace_attachment(file.id, b"Whit Monday")
    await wiki.run()
    changed = embedded(wiki)
    await is_right(wiki)
    wiki.site.delete_attachment(file.id)
    later(wiki)
    gone = await wiki.run()

    assert [len(texts) for texts in (new, changed)] == [1, 1]
    assert "Whit Monday" in changed[0]
    assert gone.embedded == 0
    assert await wiki.rows(ATTACHMENTS) == []
    assert await wiki.rows(CHUNKS) == []
    await is_right(wiki)


async def test_a_quick_run_sees_what_is_new_at_a_constant_number_of_requests(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)
    wiki.site.request_log.clear()
    await wiki.run(QUICK)
    asked = len(wiki.site.request_log.entries)

    wiki.site.edit(page.id, "<p>Other words.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    new = wiki.site.add_page("ENG", "New", "<p>News.</p>")
    wiki.site.request_log.clear()
    report = await wiki.run(QUICK)

    assert report.stored == 2
    assert new.id in await wiki.shown()
    await is_right(wiki)
    # Two bodies and who may read them, the comments of both kinds, the replies, the file and who
    # wrote them.
    assert len(wiki.site.request_log.entries) <= asked + 10
    assert wiki.site.request_log.count("*/spaces/*/pages") == 0


async def test_a_quick_run_hides_nothing_and_a_late_one_is_a_sweep(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)

    wiki.site.trash(page.id)
    early = await wiki.run(QUICK)
    wiki.site.clock.advance(timedelta(minutes=15))
    late = await wiki.run(QUICK)

    assert (early.hidden, late.hidden) == (0, 1)


async def test_changes_of_labels_alone_are_seen_with_all_items(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.label(page.id, "old")
    await first(wiki)

    wiki.site.unlabel(page.id, "old")
    wiki.site.label(page.id, "new")
    later(wiki)
    report = await wiki.run()

    assert (report.stored, report.moved, embedded(wiki)) == (0, 1, [])
    await is_right(wiki)


async def test_a_new_title_is_in_all_texts_of_its_page(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    await first(wiki)

    wiki.site.rename(page.id, "Holidays")
    await wiki.run()

    assert (
        sorted(text.split(" > ")[0].split("\n")[0] for text in embedded(wiki)) == ["Holidays"] * 3
    )
    await is_right(wiki)


async def test_a_title_that_changes_in_mid_run_is_in_all_texts_of_its_page(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    await first(wiki)

    wiki.site.edit(page.id, "<p>Other words.</p>")
    rename = before(lambda: wiki.site.rename(page.id, "Holidays"))
    wiki.faults.add(rename, f"*/{page.id}", query="*expand=*body*")
    wiki.faults.add(rename, f"*/pages/{page.id}")
    await wiki.run()

    assert await wiki.flaws() == []
    await is_right(wiki)
    assert (await wiki.run()).stored == 0


async def test_comments_that_fail_while_their_page_is_renamed_are_not_forgotten(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    await first(wiki)

    wiki.site.rename(page.id, "Holidays")
    for path in (f"*/pages/{page.id}/*-comments", f"*/{page.id}/child/comment"):
        wiki.faults.add(failing(503), path, times=None)
    failed = await wiki.run()
    ((_, _, error, _),) = await wiki.rows(FAILURES)
    wiki.faults.clear()
    await wiki.rows(RETRY_NOW)
    await wiki.run()

    assert (failed.stored, failed.failed) == (1, 1)
    assert "Its comments cannot be read." in error
    assert await wiki.rows(FAILURES) == []
    await is_right(wiki)


async def test_comments_that_are_switched_off_leave_and_come_back(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    await first(wiki)

    off = Plan(has_comments=False)
    await wiki.run(off)
    without = await wiki.rows(COMMENTS)
    wiki.site.rename(page.id, "Holidays")
    wiki.site.request_log.clear()
    await wiki.run(off)
    asked = sum(wiki.site.request_log.count(path) for path in ("*comments*", "*/child/comment"))
    wiki.site.clock.advance(timedelta(hours=1))
    await wiki.run()

    assert without == []
    assert asked == 0
    await is_right(wiki)


async def test_a_file_that_is_gone_is_named_and_costs_itself_only(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    wiki.faults.add(failing(404), DOWNLOADS, times=None)

    report = await wiki.run()

    ((filename, _, unreadable, markdown),) = await wiki.rows(ATTACHMENTS)
    assert (report.succeeded, report.failed, report.unreadable) == (True, 1, 1)
    assert (filename, markdown) == ("days.txt", "")
    assert "it could not be fetched" in unreadable
    assert (await wiki.run()).stored == 0

    wiki.faults.clear()
    await wiki.rows(RETRY_NOW)
    await wiki.run()

    assert await wiki.rows(FAILURES) == []
    await is_right(wiki)


async def test_a_file_that_cannot_be_had_now_is_tried_again_less_and_less(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    wiki.faults.add(failing(503), DOWNLOADS, times=None)

    reports = [await wiki.run()]
    for _ in range(2):
        await wiki.rows(RETRY_NOW)
        reports.append(await wiki.run())
    ((_, _, error, attempts),) = await wiki.rows(FAILURES)
    shown = page.id in await wiki.shown()
    wiki.faults.clear()
    await wiki.rows(RETRY_NOW)
    await wiki.run()

    assert [report.failed for report in reports] == [1, 1, 1]
    assert attempts == 3
    assert "Its attachment days.txt cannot be fetched." in error
    assert shown
    assert await wiki.rows(FAILURES) == []
    await is_right(wiki)


async def test_files_that_the_rules_leave_out_are_read_once_the_rules_admit_them(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.attach(page.id, "a.txt", media_type="text/plain", data=b"Easter Monday")
    wiki.site.attach(page.id, "b.csv", media_type="text/csv", data=b"Whit Monday")
    strict = Plan(rules=AttachmentRules(kinds=frozenset({"txt"}), largest=5))

    await wiki.run(strict)
    reasons = [row[2] for row in await wiki.rows(ATTACHMENTS)]
    again = await wiki.run(strict)
    await wiki.run()

    assert "allows" in reasons[0]
    assert reasons[1] == "CONFLUENCE_ATTACHMENTS leaves out csv"
    assert again.stored == 0
    assert [row[2] for row in await wiki.rows(ATTACHMENTS)] == [None, None]


@pytest.mark.parametrize(
    "rules",
    [AttachmentRules(kinds=frozenset()), AttachmentRules(largest=5)],
    ids=["no kinds", "small files"],
)
async def test_text_that_the_rules_no_longer_admit_leaves(
    wiki: ModelWiki, rules: AttachmentRules
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.attach(page.id, "a.txt", media_type="text/plain", data=b"Easter Monday")
    await wiki.run()

    await wiki.run(Plan(rules=rules))
    ((_, _, reason, text),) = await wiki.rows(ATTACHMENTS)
    again = await wiki.run(Plan(rules=rules))
    await wiki.run()

    assert text == ""
    assert "CONFLUENCE_ATTACHMENT" in reason
    assert again.stored == 0
    await is_right(wiki)


async def test_what_hangs_on_a_page_that_came_into_sight_is_listed_by_the_next_run(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "a.txt", media_type="text/plain", data=b"Easter Monday")
    wiki.site.hide(page.id)
    wiki.site.clock.advance(timedelta(hours=1))
    await wiki.run()
    wiki.site.clock.advance(timedelta(hours=1))

    wiki.site.reveal(page.id)
    await wiki.run()
    await wiki.run()
    await is_right(wiki)
    wiki.site.request_log.clear()
    await wiki.run()

    # A complete listing is not asked for again and again.
    assert wiki.site.request_log.count("*sort=created-date*") == 0


async def test_an_archived_space_leaves(wiki: ModelWiki) -> None:
    await wiki.run()

    wiki.site.archive_space("HR")
    report = await wiki.run()

    assert (report.problems, report.hidden) == ([], 3)
    await is_right(wiki)


async def test_many_files_that_are_missing_at_once_are_kept(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    files = [
        wiki.site.attach(page.id, f"{n}.txt", media_type="text/plain", data=b"Text")
        for n in range(30)
    ]
    await first(wiki)

    for file in files[5:]:
        wiki.site.delete_attachment(file.id)
    later(wiki)
    doubtful = await wiki.run()
    kept = len(await wiki.rows(ATTACHMENTS))
    believed = await wiki.run(Plan(full=True))

    assert "25 of 30 comments and attachments" in doubtful.problems[0]
    assert (kept, believed.succeeded) == (30, True)
    await is_right(wiki)


@pytest.mark.parametrize("wiki", [Deployment.CLOUD], indirect=True)
async def test_folders_and_whiteboards_are_ancestors_and_found_by_title(wiki: ModelWiki) -> None:
    folder = wiki.site.add_node("folder", "HR", "Handbook")
    board = wiki.site.add_node("whiteboard", "HR", "Sketches", parent=folder.id)
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>", parent=board.id)
    await first(wiki)
    await is_right(wiki)

    wiki.site.rename(folder.id, "Rules")
    wiki.site.move(page.id, parent=folder.id)
    await wiki.run()

    assert [text.split("\n")[0] for text in embedded(wiki)] == ["Rules"]
    await is_right(wiki)


async def test_what_hints_name_is_looked_at_without_a_sweep_of_all(wiki: ModelWiki) -> None:
    pages = wiki.site.add_tree("HR", {"Top": {"Moved": {"Below": {}}}, "Other": {}})
    gone = wiki.site.add_page("HR", "Gone", "<p>Text.</p>")
    left = wiki.site.add_page("HR", "Left", "<p>Text.</p>")
    await first(wiki)

    wiki.site.move(pages["Moved"].id, parent=pages["Other"].id)
    moved = await wiki.run(Plan(quick=True, hinted=frozenset({pages["Moved"].id})))
    await is_right(wiki)
    wiki.site.trash(gone.id)
    trashed = await wiki.run(Plan(quick=True, hinted=frozenset({gone.id, "404404"})))
    await is_right(wiki)
    wiki.site.move(left.id, space_key="ENG")
    across = await wiki.run(Plan(quick=True, hinted=frozenset({left.id})))
    await is_right(wiki)
    wiki.site.restore(gone.id)
    restored = await wiki.run(Plan(quick=True, hinted=frozenset({gone.id})))

    assert all(report.succeeded for report in (moved, trashed, across, restored))
    assert (trashed.hidden, across.hidden) == (1, 0)
    assert embedded(wiki) == []
    await is_right(wiki)


async def test_a_hint_about_a_page_of_a_space_that_is_left_out_changes_nothing(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)
    wiki.site.archive_space("HR")

    report = await wiki.run(Plan(quick=True, hinted=frozenset({page.id})))

    assert report.succeeded
    assert report.hidden == 0


async def test_a_hint_does_not_wait_for_the_end_of_a_back_off(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    rule = wiki.faults.add(failing(404), f"*/{page.id}", times=None)
    await wiki.run()
    assert rule.hits
    wiki.faults.clear()

    report = await wiki.run(Plan(quick=True, hinted=frozenset({page.id})))

    assert report.stored == 1
    await is_right(wiki)


async def test_a_page_that_comes_back_late_has_its_comments_and_files(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")
    await first(wiki)

    wiki.site.trash(page.id)
    await wiki.run()
    later(wiki)
    await wiki.run()
    wiki.site.clock.advance(timedelta(hours=1))
    wiki.site.restore(page.id)
    await wiki.run()

    assert embedded(wiki) == []
    await is_right(wiki)


async def test_what_was_hidden_long_ago_is_purged_with_all_that_hung_on_it(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    back = wiki.site.add_page("HR", "Back", "<p>Text.</p>")
    await first(wiki)
    for content_id in (page.id, back.id):
        wiki.site.trash(content_id)
    await wiki.run()

    wiki.site.restore(back.id)
    await wiki.rows(AGED)
    later(wiki)
    report = await wiki.run()
    later(wiki)
    await wiki.run()

    assert (report.purged, report.moved, embedded(wiki)) == (1, 1, [])
    assert await wiki.rows("SELECT 1 FROM node WHERE parent_id = %(id)s", id=page.id) == []
    assert await wiki.rows(VERSIONS, id=page.id) == []
    await is_right(wiki)


async def test_another_account_hides_no_space(wiki: ModelWiki) -> None:
    await first(wiki)
    await wiki.rows("UPDATE site SET account_id = 'somebody else' RETURNING id")
    shown = await wiki.shown()

    wiki.site.hide(wiki.site.space("HR").id)
    doubtful = await wiki.run()
    quick = await wiki.run(QUICK)
    kept = await wiki.shown()
    believed = await wiki.run(Plan(full=True))

    assert "was last read as account somebody else" in doubtful.problems[0]
    assert quick.problems
    assert kept == shown
    assert believed.succeeded
    await is_right(wiki)


async def test_pages_whose_space_goes_after_they_left_it_are_never_hidden(
    wiki: ModelWiki,
) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)

    wiki.site.move(page.id, space_key="ENG")
    wiki.site.hide(wiki.site.space("HR").id)
    for path in (f"*/pages/{page.id}", f"*/content/{page.id}"):
        wiki.faults.add(failing(500), path, times=None)
    failing_run = await wiki.run()
    shown = page.id in await wiki.shown()
    wiki.faults.clear()
    await wiki.rows(RETRY_NOW)
    await wiki.run()

    assert failing_run.failed == 1
    assert shown
    await is_right(wiki)


async def test_items_of_pages_that_a_broken_sweep_did_not_see_are_not_missed(
    wiki: ModelWiki,
) -> None:
    await first(wiki)
    wiki.site.clock.advance(timedelta(hours=1))
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.attach(page.id, "days.txt", media_type="text/plain", data=b"Easter Monday")

    for path in ("*/spaces/*/pages", "*/content/scan"):
        wiki.faults.add(failing(500), path, times=None)
    broken = await wiki.run()
    wiki.faults.clear()
    wiki.site.clock.advance(timedelta(hours=1))
    await wiki.run()

    assert broken.problems
    await is_right(wiki)


async def test_a_feed_that_repeats_itself_is_taken_in(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)
    for _ in range(3):
        wiki.site.comment(page.id, "<p>Why?</p>")
    wiki.site.edit(page.id, "<p>Other words.</p>")

    def doubled(answer: dict[str, object]) -> dict[str, object]:
        results = answer.get("results")
        return {**answer, "results": results * 2} if isinstance(results, list) else answer

    for path in ("*/api/v2/pages", "*/footer-comments", "*/content/search"):
        wiki.faults.add(rewritten(doubled), path, times=None)
    report = await wiki.run(QUICK)

    wiki.faults.clear()
    assert report.stored == 1
    await is_right(wiki)


async def test_an_archived_page_is_kept_where_it_can_be_read(wiki: ModelWiki) -> None:
    page = wiki.site.add_page("HR", "Leave", "<p>Text.</p>")
    await first(wiki)

    wiki.site.archive(page.id)
    await wiki.run()
    await is_right(wiki)
    wiki.site.restore(page.id)
    await wiki.run()

    assert embedded(wiki) == []
    await is_right(wiki)
