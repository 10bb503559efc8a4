"""Writes small space exports, the way Confluence writes them, and reads what they give."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from index.errors import SourceError
from index.records import Space
from ingest.sources.export import ExportSource
from ingest.sources.source import ItemSummary, PageSummary, SourceComment, SourcePage

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


def collection(name: str, class_name: str, *entity_ids: str) -> str:
    """A property that refers to several objects."""
    members = "".join(
        f'<element class="{class_name}"><id name="id">{entity_id}</id></element>'
        for entity_id in entity_ids
    )
    return f'<collection name="{name}" class="java.util.Collection">{members}</collection>'


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


def comment(
    comment_id: str,
    page_id: str,
    storage: str = "<p>Why?</p>",
    *references: str,
    properties: Mapping[str, str] | None = None,
    container: str = "Page",
    **values: str,
) -> str:
    """A comment with its body and properties; further values override the usual ones."""
    usual = {
        "version": "1",
        "contentStatus": "current",
        "creationDate": "2024-03-03 12:00:00.000",
        "lastModificationDate": "2024-03-03 12:00:00.000",
    }
    owner = reference("containerContent", container, page_id)
    return (
        body(comment_id, storage, class_name="Comment")
        + entity("Comment", comment_id, usual | values, owner, *references)
        + content_properties(comment_id, "Comment", properties or {})
    )


def inline(marker: str, selection: str, **properties: str) -> dict[str, str]:
    """The properties of an inline comment."""
    usual = {"inline-comment": "true", "inline-marker-ref": marker}
    return usual | {"inline-original-selection": selection} | properties


def attachment(
    attachment_id: str,
    page_id: str,
    filename: str,
    *references: str,
    media_type: str = "text/plain",
    size: int = 4,
    **values: str,
) -> str:
    """An attachment with its properties; further values override the usual ones."""
    usual = {"title": filename, "version": "1", "contentStatus": "current"}
    owner = reference("containerContent", "Page", page_id)
    properties = {"MEDIA_TYPE": media_type, "FILESIZE": str(size), "MINOR_EDIT": "true"}
    return entity(
        "Attachment", attachment_id, usual | values, owner, *references
    ) + content_properties(attachment_id, "Attachment", properties)


def content_properties(owner_id: str, class_name: str, properties: Mapping[str, str]) -> str:
    """What is said of a comment or attachment besides its own fields."""
    return "".join(
        entity(
            "ContentProperty",
            f"8{owner_id}{number}",
            {"name": name, ("longValue" if name == "FILESIZE" else "stringValue"): value},
            reference("content", class_name, owner_id),
        )
        for number, (name, value) in enumerate(properties.items())
    )


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


def space_permission(
    permission_id: str, *references: str, space_id: str = "7", type: str = "VIEWSPACE", **named: str
) -> str:
    """A permission in a space; `named` is who has it, by `group`, `userName` and the like."""
    return entity(
        "SpacePermission",
        permission_id,
        {"type": type, "creationDate": "2024-03-01 09:00:00.000"} | named,
        reference("space", "Space", space_id),
        reference("creator", "ConfluenceUserImpl", "creator-key", key="key"),
        *references,
    )


def user_subject(key: str) -> str:
    """Who has a permission, by user key."""
    return reference("userSubject", "ConfluenceUserImpl", key, key="key")


def restriction(
    set_id: str, page_id: str | None, *parts: str, type: str = "View", listed: Sequence[str] = ()
) -> str:
    """A restriction of a page, followed by its parts; it lists the ids that are given."""
    references = [collection("contentPermissions", "ContentPermission", *listed)] if listed else []
    if page_id is not None:
        references.append(reference("owningContent", "Page", page_id))
    return entity("ContentPermissionSet", set_id, {"type": type}, *references) + "".join(parts)


def allowed(
    permission_id: str, set_id: str | None, *references: str, type: str = "View", **named: str
) -> str:
    """A user or group that a restriction names, by `groupName` or `userName` or a reference."""
    owner = [reference("owningSet", "ContentPermissionSet", set_id)] if set_id is not None else []
    return entity("ContentPermission", permission_id, {"type": type} | named, *owner, *references)


def write_folder(
    folder: Path, *objects: str, files: Mapping[str, bytes] | None = None, **descriptor: str | None
) -> Path:
    """An unpacked export; `files` are those of attachments by page id, id and version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entities.xml").write_text(HEAD + "".join(objects) + TAIL, encoding="utf-8")
    (folder / "exportDescriptor.properties").write_text(_descriptor(descriptor))
    for name, content in (files or {}).items():
        path = folder / "attachments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(
    path: Path,
    *objects: str,
    inside: str = "",
    files: Mapping[str, bytes] | None = None,
    **descriptor: str | None,
) -> Path:
    """A zipped export, its files below `inside`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{inside}exportDescriptor.properties", _descriptor(descriptor))
        archive.writestr(f"{inside}entities.xml", HEAD + "".join(objects) + TAIL)
        for name, content in (files or {}).items():
            archive.writestr(f"{inside}attachments/{name}", content)
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


def _descriptor(values: Mapping[str, str | None]) -> str:
    names = {"time_zone": "timezoneId"}
    lines = ["#Tue Mar 05 08:00:00 UTC 2024", "exportType=space", "spaceKey=OPS"]
    lines += [f"{names.get(key, key)}={value}" for key, value in values.items() if value]
    return "\n".join(lines) + "\n"


async def swept(source: ExportSource, space: Space | None = None) -> list[PageSummary]:
    """All summaries of a space, the first one unless it is given."""
    space = space or (await source.spaces())[0]
    return [summary async for summary in source.sweep(space)]


async def fetched(source: ExportSource) -> dict[str, SourcePage | SourceError]:
    """All pages of the first space by id, or why they could not be read."""
    answers: dict[str, SourcePage | SourceError] = {}
    for summary in await swept(source):
        try:
            answers[summary.page_id] = await source.page(summary)
        except SourceError as error:
            answers[summary.page_id] = error
    return answers


async def only_page(path: Path) -> SourcePage:
    """The one page of an export."""
    async with ExportSource(path, SITE) as source:
        (answer,) = (await fetched(source)).values()
    assert isinstance(answer, SourcePage), answer
    return answer


async def commented(source: ExportSource, page_id: str = "11") -> Sequence[SourceComment]:
    """The comments of a page of the first space."""
    (summary,) = [summary for summary in await swept(source) if summary.page_id == page_id]
    return await source.comments(summary)


async def listed(source: ExportSource) -> dict[str, ItemSummary]:
    """The comments and attachments of all spaces by id."""
    items = [item async for item in source.items(await source.spaces())]
    by_id = {item.item_id: item for item in items}
    assert len(by_id) == len(items)
    return by_id


async def downloaded(source: ExportSource, item: ItemSummary, limit: int = 1 << 20) -> bytes:
    """The bytes of an attachment."""
    file = io.BytesIO()
    await source.download(item, file, limit)
    return file.getvalue()
