"""The parts of JSON that are read from Confluence Server and Data Center."""

from pydantic import AwareDatetime, Field

from ingest.sources.http import Item, Listing, WireModel

NUMERIC_ID = r"^[0-9]+$"


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


class AncestorJson(WireModel):
    """A page above another."""

    id: str = Field(pattern=NUMERIC_ID)


class ExtensionsJson(WireModel):
    """What depends on the type of content; the text `none` is the position of unordered pages."""

    position: int | str | None = None


class ContentJson(WireModel):
    """A page or blog post of a listing; ancestors run from the root down to the parent."""

    id: str = Field(pattern=NUMERIC_ID)
    type: str
    status: str
    title: str = ""
    version: VersionJson
    ancestors: list[AncestorJson] = Field(default_factory=list[AncestorJson])
    position: int | None = None
    extensions: ExtensionsJson = ExtensionsJson()
    links: LinksJson = Field(LinksJson(), alias="_links")

    @property
    def place(self) -> int | None:
        """The place among siblings in its own order; versions tell it in two fields."""
        places = (self.position, self.extensions.position)
        return next((place for place in places if isinstance(place, int) and place >= 0), None)


class LabelJson(WireModel):
    """A label; `prefix` is `global` for those that everybody sees."""

    name: str
    prefix: str = "global"


class LabelsJson(WireModel):
    """The first labels of a page."""

    results: list[LabelJson]
    size: int = 0
    limit: int = 0
    links: LinksJson = Field(LinksJson(), alias="_links")

    @property
    def is_whole(self) -> bool:
        """Whether there are no more."""
        return self.links.next is None and (self.size < self.limit or not self.results)


class MetadataJson(WireModel):
    """What is said about a page."""

    labels: LabelsJson | None = None


class HistoryJson(WireModel):
    """How a page began."""

    created_by: PersonJson | None = None
    created_date: AwareDatetime | None = None


class StorageJson(WireModel):
    """A body in storage format."""

    value: str


class BodyJson(WireModel):
    """The body of a page, in the formats that were asked for."""

    storage: StorageJson


class SingleContentJson(ContentJson):
    """A page or blog post with its body."""

    space: SpaceKeyJson
    body: BodyJson
    metadata: MetadataJson = MetadataJson()
    history: HistoryJson = HistoryJson()
