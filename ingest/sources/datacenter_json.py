"""The parts of JSON that are read from Confluence Server and Data Center."""

from typing import Generic

from pydantic import AwareDatetime, Field

from ingest.sources.http import Item, Listing, WireModel

NUMERIC_ID = r"^[0-9]+$"
RESOLUTIONS = ("open", "reopened", "resolved", "dangling")
ITEM_ID = r"^(att)?[0-9]+$"


class ScanJson(Listing[Item]):
    """One part of a listing that goes on at a cursor."""

    next_cursor: str | None = None


class LinksJson(WireModel):
    """Where a person opens something, relative to the site, and where a list goes on."""

    webui: str = ""
    next: str | None = None


class PersonJson(WireModel):
    """A person; `type` is `known`, `unknown` or, with neither key nor name, `anonymous`.

    Old versions give no `user_key`.
    """

    type: str = ""
    user_key: str | None = None
    username: str | None = None
    display_name: str | None = None

    @property
    def user_id(self) -> str | None:
        """The user key, else the user name."""
        return self.user_key or self.username


class ServerJson(WireModel):
    """What runs at the site."""

    version: str


class SpaceKeyJson(WireModel):
    """The space of a page."""

    key: str


class SpaceJson(SpaceKeyJson):
    """A space of a listing."""

    name: str | None = None
    links: LinksJson = Field(LinksJson(), alias="_links")


class VersionJson(WireModel):
    """The newest version of a page."""

    number: int
    when: AwareDatetime | None = None


class IncludedJson(WireModel, Generic[Item]):
    """The first parts of a list that came within something else."""

    results: list[Item]
    limit: int = 0
    links: LinksJson = Field(LinksJson(), alias="_links")

    @property
    def is_whole(self) -> bool:
        """Whether there are no more."""
        return self.links.next is None and (len(self.results) < self.limit or not self.results)


class LabelJson(WireModel):
    """A label; `prefix` is `global` for those that everybody sees."""

    name: str
    prefix: str = "global"


class MetadataJson(WireModel):
    """What is said about something; the media type is that of an attachment."""

    labels: IncludedJson[LabelJson] | None = None
    media_type: str | None = None


class AncestorJson(WireModel):
    """A page above another, or a comment that another answers."""

    id: str = Field(pattern=NUMERIC_ID)
    type: str = ""


class ResolutionJson(WireModel):
    """Whether a thread is closed."""

    status: str | None = None


def known_resolution(told: ResolutionJson | str | None) -> str | None:
    """`open`, `reopened`, `resolved` or `dangling`, where it is one of these."""
    status = told.status if isinstance(told, ResolutionJson) else told
    status = (status or "").lower()
    return status if status in RESOLUTIONS else None


class ExtensionsJson(WireModel):
    """What depends on the type of content; the text `none` is the position of unordered pages."""

    position: int | str | None = None
    media_type: str | None = None
    file_size: int | None = None
    resolution: ResolutionJson | str | None = None


class ContainerJson(WireModel):
    """What a comment or an attachment hangs on."""

    id: str | int = ""
    type: str = ""


class ItemJson(WireModel):
    """A comment or an attachment of a listing; the title of an attachment is its file's name."""

    id: str = Field(pattern=ITEM_ID)
    type: str
    status: str = "current"
    title: str = ""
    version: VersionJson
    extensions: ExtensionsJson = ExtensionsJson()
    metadata: MetadataJson = MetadataJson()
    container: ContainerJson | None = None
    links: LinksJson = Field(LinksJson(), alias="_links")


class ChildrenJson(WireModel):
    """What hangs directly on a page."""

    attachment: IncludedJson[ItemJson] | None = None


class DescendantsJson(WireModel):
    """What hangs on a page, and what hangs on that."""

    comment: IncludedJson[ItemJson] | None = None


class GroupJson(WireModel):
    """A group of people, which has no other id."""

    name: str | None = None


class SubjectsJson(IncludedJson[Item]):
    """Some of those whom a restriction names; `size` counts these."""

    size: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it is certain that there are no more."""
        return self.is_whole and self.size in (None, len(self.results))


class RestrictedJson(WireModel):
    """Whom alone a restriction lets pass: the users and the groups, where these were told."""

    user: SubjectsJson[PersonJson] | None = None
    group: SubjectsJson[GroupJson] | None = None


class RestrictionJson(WireModel):
    """A restriction of one operation on one page."""

    restrictions: RestrictedJson = RestrictedJson()


class RestrictionsJson(WireModel):
    """The restrictions of a page."""

    read: RestrictionJson | None = None


class ContentJson(WireModel):
    """A page or blog post of a listing; ancestors run from the root down to the parent."""

    id: str = Field(pattern=NUMERIC_ID)
    type: str
    status: str
    title: str = ""
    version: VersionJson
    space: SpaceKeyJson | None = None
    ancestors: list[AncestorJson] = Field(default_factory=list[AncestorJson])
    position: int | None = None
    extensions: ExtensionsJson = ExtensionsJson()
    metadata: MetadataJson = MetadataJson()
    children: ChildrenJson = ChildrenJson()
    descendants: DescendantsJson = DescendantsJson()
    restrictions: RestrictionsJson | None = None
    links: LinksJson = Field(LinksJson(), alias="_links")

    @property
    def place(self) -> int | None:
        """The place among siblings in its own order; versions tell it in two fields."""
        places = (self.position, self.extensions.position)
        return next((place for place in places if isinstance(place, int) and place >= 0), None)


class PlaceJson(WireModel):
    """In which space something is."""

    status: str
    space: SpaceKeyJson


class HistoryJson(WireModel):
    """How something began."""

    created_by: PersonJson | None = None
    created_date: AwareDatetime | None = None

    @property
    def author(self) -> str | None:
        """Who created it, by user key or else user name."""
        return self.created_by.user_id if self.created_by else None


class StorageJson(WireModel):
    """A body in storage format."""

    value: str


class BodyJson(WireModel):
    """The body of something, in the formats that were asked for."""

    storage: StorageJson


class SingleContentJson(ContentJson):
    """A page or blog post with its body."""

    body: BodyJson
    history: HistoryJson = HistoryJson()


class InlinePropertiesJson(WireModel):
    """Where on its page a comment points."""

    original_selection: str | None = None


class CommentExtensionsJson(WireModel):
    """What only comments have."""

    inline_properties: InlinePropertiesJson | None = None
    resolution: ResolutionJson | str | None = None


class CommentJson(WireModel):
    """A comment with its body; ancestors run from the first of its thread down to its parent."""

    id: str = Field(pattern=NUMERIC_ID)
    status: str = "current"
    version: VersionJson
    body: BodyJson
    ancestors: list[AncestorJson] = Field(default_factory=list[AncestorJson])
    history: HistoryJson = HistoryJson()
    extensions: CommentExtensionsJson = CommentExtensionsJson()
    links: LinksJson = Field(LinksJson(), alias="_links")
