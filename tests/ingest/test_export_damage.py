"""Space exports that are broken, cut short or none at all: refused, never read in part."""

import itertools
import re
import zipfile
from pathlib import Path

import pytest

from index.errors import SourceError
from ingest.sources.entities import OBJECT_CHARACTERS
from ingest.sources.export import ExportSource
from tests.ingest.exports import (
    HEAD,
    SITE,
    TAIL,
    page,
    space,
    write_folder,
    write_large,
    write_zip,
)

pytestmark = pytest.mark.anyio

OPS = space("7", "OPS", "Operations")


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.01])
async def test_a_file_that_ends_early_gives_no_pages_at_all(tmp_path: Path, kept: float) -> None:
    folder = write_folder(tmp_path, OPS, *(page(str(n), f"Page {n}") for n in range(50)))
    whole = (folder / "entities.xml").read_bytes()
    (folder / "entities.xml").write_bytes(whole[: int(len(whole) * kept)])

    async with ExportSource(folder, SITE) as source:
        with pytest.raises(SourceError, match=r"cut short|does not begin"):
            await source.spaces()


async def test_a_file_cut_right_after_an_object_is_noticed(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "entities.xml").write_text(HEAD + OPS + page("11", "Runbook"))

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError, match="cut short"):
            await source.spaces()


async def test_a_zip_that_was_not_downloaded_to_its_end_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "export.zip", OPS, page("11", "Runbook"))
    archive.write_bytes(archive.read_bytes()[:-40])

    async with ExportSource(archive, SITE) as source:
        with pytest.raises(SourceError, match="download the export again"):
            await source.spaces()


async def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "export.zip", OPS, *(page(str(n), f"P{n}") for n in range(99)))
    data = bytearray(archive.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20] = bytes(20)
    archive.write_bytes(data)

    async with ExportSource(archive, SITE) as source:
        with pytest.raises(SourceError, match="export"):
            await source.spaces()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>Log in</body></html>",
        "<!---->" * 30_000,
        '<!DOCTYPE x [<!ENTITY a "b">]><hibernate-generic><object/></hibernate-generic>',
        '<!-- <hibernate-generic> --><!DOCTYPE x [<!ENTITY a "b">]><hibernate-generic/>',
    ],
)
async def test_what_does_not_begin_like_an_export_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "entities.xml").write_text(text)

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError, match="does not begin like"):
            await source.spaces()


async def test_an_undeclared_entity_is_an_error_and_no_page_text_is_quoted(
    tmp_path: Path,
) -> None:
    broken = '<object class="Page"><property name="title">Secret plan &evil;</property></object>'
    (tmp_path / "entities.xml").write_text(HEAD + broken + TAIL)

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError) as caught:
            await source.spaces()

    assert "Secret" not in str(caught.value)


async def test_an_object_larger_than_any_page_is_refused(tmp_path: Path) -> None:
    endless = "x" * (OBJECT_CHARACTERS // 100)
    archive = write_large(tmp_path / "export.zip", itertools.repeat(endless, 102))

    async with ExportSource(archive, SITE) as source:
        with pytest.raises(SourceError, match="no page has"):
            await source.spaces()


async def test_paths_that_hold_no_export_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("nothing")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("../entities.xml", HEAD + TAIL)
        archive.writestr("a/b/entities.xml", HEAD + TAIL)

    for name in ("absent", "empty", "notes.txt", "photos.zip"):
        async with ExportSource(tmp_path / name, SITE) as source:
            with pytest.raises(SourceError, match=re.escape(name)):
                await source.spaces()


async def test_a_foreign_zip_among_exports_is_not_passed_over(tmp_path: Path) -> None:
    write_zip(tmp_path / "ops.zip", OPS, page("11", "Runbook"))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.jpg", b"")

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError, match=r"photos\.zip"):
            await source.spaces()


async def test_two_exports_of_one_space_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "january", OPS, page("11", "Runbook"))
    write_folder(tmp_path / "june", OPS, page("12", "Runbook"))

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError, match="space OPS"):
            await source.spaces()


async def test_exports_of_different_sites_whose_ids_clash_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", OPS, page("11", "Runbook"))
    write_folder(tmp_path / "b", space("7", "HR", "People"), page("11", "Leave"))

    async with ExportSource(tmp_path, SITE) as source:
        with pytest.raises(SourceError, match="page id 11"):
            await source.spaces()


async def test_an_export_without_space_is_refused(tmp_path: Path) -> None:
    async with ExportSource(write_folder(tmp_path, page("11", "Runbook")), SITE) as source:
        with pytest.raises(SourceError, match="no space"):
            await source.spaces()
