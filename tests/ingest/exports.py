"""Writes small space exports, the way Confluence writes them, and reads what they give."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from index.records import Space
from ingest.sources.export import ExportSource
from ingest.sources.source import FetchFailure, PageSummary, SourcePage

SITE = "https://example.atlassian.net/wiki"
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<hibernate-generic datetime="2024-03-05 08:00:00">\n'
)
TAIL = "</hibernate-generic>\n"


def reference(name: str, class_name: str, entity_id: str, *, key: str = "id") -> str:
    """A property that refers to another object."""
    return (
        f'<property name="{name}" class="{class_name}"><id name="{key}">{entity_id}</id></property>'
    )


def entity(
    class_name: str,
    entity_id: str,
    values: Mapping[str, str] | None = None,
    *references: str,
    key: str = "id",
) -> str:
    """An object whose values are CDATA, with the end of an inner CDATA written as `]] >`."""
    properties = "".join(
        f'<property name="{name}"><![CDATA[{value.replace("]]>", "]] >")}]]></property>'
        for name, value in (values or {}).items()
    )
    identity = f'<id name="{key}">{entity_id}</id>'
    return f'<object class="{class_name}">{identity}{properties}{"".join(references)}</object>\n'


def space(space_id: str, key: str, name: str) -> str:
    """A space."""
    return entity("Space", space_id, {"key": key, "name": name, "spaceStatus": "CURRENT"})


def content(
    content_id: str,
    title: str,
    *references: str,
    class_name: str = "Page",
    space_id: str = "7",
    **values: str,
) -> str:
    """A page or blog post; further values such as `contentStatus` override the usual ones."""
    usual = {
        "title": title,
        "version": "1",
        "contentStatus": "current",
        "creationDate": "2024-03-01 09:30:00.000",
        "lastModificationDate": "2024-03-02 10:45:00.000",
    }
    owner = reference("space", "Space", space_id)
    return entity(class_name, content_id, usual | values, owner, *references)


def body(
    content_id: str, storage: str, *, body_type: str | None = "2", class_name: str = "Page"
) -> str:
    """The body of a page or blog post."""
    values = {"body": storage} | ({} if body_type is None else {"bodyType": body_type})
    return entity(
        "BodyContent", f"9{content_id}", values, reference("content", class_name, content_id)
    )


def page(content_id: str, title: str, storage: str = "<p>Text.</p>", **values: str) -> str:
    """A page with its body, the body first."""
    return body(content_id, storage) + content(content_id, title, **values)


def label(label_id: str, name: str, page_id: str, namespace: str = "global") -> str:
    """A label on a page."""
    return entity(
        "Labelling",
        f"5{label_id}",
        None,
        reference("label", "Label", label_id),
        reference("content", "Page", page_id),
    ) + entity("Label", label_id, {"name": name, "namespace": namespace})


def user(key: str, **values: str) -> str:
    """A user."""
    return entity("ConfluenceUserImpl", key, values, key="key")


def write_folder(folder: Path, *objects: str, time_zone: str | None = None) -> Path:
    """An unpacked export."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entities.xml").write_text(HEAD + "".join(objects) + TAIL, encoding="utf-8")
    (folder / "exportDescriptor.properties").write_text(_descriptor(time_zone))
    return folder


def write_zip(path: Path, *objects: str, inside: str = "", time_zone: str | None = None) -> Path:
    """A zipped export, its files below `inside`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{inside}exportDescriptor.properties", _descriptor(time_zone))
        archive.writestr(f"{inside}entities.xml", HEAD + "".join(objects) + TAIL)
    return path


def write_large(path: Path, objects: Iterable[str]) -> Path:
    """A zipped export that never is in memory as a whole."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("entities.xml", "w", force_zip64=True) as stream,
    ):
        stream.write(HEAD.encode())
        for item in objects:
            stream.write(item.encode())
        stream.write(TAIL.encode())
    return path


def _descriptor(time_zone: str | None) -> str:
    lines = ["#Tue Mar 05 08:00:00 UTC 2024", "exportType=space", "spaceKey=OPS"]
    if time_zone is not None:
        lines.append(f"timezoneId={time_zone}")
    return "\n".join(lines) + "\n"


async def swept(source: ExportSource, space: Space | None = None) -> list[PageSummary]:
    """All summaries of a space, the first one unless it is given."""
    space = space or (await source.spaces())[0]
    return [summary async for summary in source.sweep(space)]


async def fetched(source: ExportSource) -> dict[str, SourcePage | FetchFailure]:
    """All pages of the first space by id, or why they could not be read."""
    first = (await source.spaces())[0]
    answers: dict[str, SourcePage | FetchFailure] = {}
    async for answer in source.fetch(first, await swept(source, first)):
        is_failure = isinstance(answer, FetchFailure)
        answers[answer.page_id if is_failure else answer.summary.page_id] = answer
    return answers


async def only_page(path: Path) -> SourcePage:
    """The one page of an export."""
    async with ExportSource(path, SITE) as source:
        (answer,) = (await fetched(source)).values()
    assert isinstance(answer, SourcePage), answer
    return answer
