"""Small exports with permissions, and who may read them."""

from dataclasses import dataclass
from pathlib import Path

from index.principals import Principal
from index.records import ContentType
from ingest.sources.directory import Directory
from ingest.sources.export import ExportSource
from ingest.sources.refusals import UnexpectedAnswer
from tests.ingest.exports import SITE, space, space_permission, swept, user, write_folder

OPS = space("7", "OPS", "Operations")
STAFF = space_permission("100", group="staff")
ADA = user("key-ada", name="Ada", lowerName="ada", email="ada@example.com")
BOB = user("key-bob", name="bob", lowerName="bob")
PEOPLE = ADA + BOB
CLOSED = None


@dataclass(frozen=True, slots=True)
class Told:
    """What an export gives; a restriction is CLOSED where it cannot be read."""

    site: frozenset[Principal]
    space: frozenset[Principal]
    restrictions: dict[str, frozenset[Principal] | None]


async def told(tmp_path: Path, *objects: str, directory: Directory | None = None) -> Told:
    """Who may read the space OPS of these objects, and each of its pages, asked for both ways."""
    path = write_folder(tmp_path / "export", *objects)
    async with ExportSource(path, SITE, directory=directory) as source:
        (ops,) = await source.spaces()
        page_ids = [summary.page_id for summary in await swept(source, ops)]
        listed = {page_id: who async for page_id, who in source.access.restrictions(ops)}
        asked = {page_id: await asked_for(source, page_id) for page_id in page_ids}
        assert asked == dict.fromkeys(page_ids) | listed
        site, space_readers = source.access.site_readers, source.access.space_readers
        return Told(await site(), await space_readers(ops), asked)


async def asked_for(source: ExportSource, page_id: str) -> frozenset[Principal] | None:
    """Who alone may view a page."""
    try:
        return await source.access.restriction(page_id, ContentType.PAGE)
    except UnexpectedAnswer:
        return CLOSED
