"""The parts of Confluence Cloud's JSON that a search with CQL gives, in the shapes of REST v1."""

from pydantic import Field

from ingest.sources.cloud_access_json import RestrictionsJson
from ingest.sources.cloud_json import NUMERIC_ID, LabelJson, VersionJson, WebLinks
from ingest.sources.http import ListingLinks, WireModel


class RelativeJson(WireModel):
    """Another content that a found one lies below or hangs on."""

    id: str
    type: str


class FoundSpaceJson(WireModel):
    """The space of a found content."""

    key: str


class ExtensionsJson(WireModel):
    """The place among the siblings, a number or a word for none."""

    position: int | str | None = None


class FoundLabelsJson(WireModel):
    """The first labels of a content; there are more where `size` reaches `limit`."""

    results: list[LabelJson]
    size: int
    limit: int | None = None


class MetadataJson(WireModel):
    """What was asked for about a content."""

    labels: FoundLabelsJson | None = None


class FoundJson(WireModel):
    """A content that was found, with what `expand` asked for; `ancestors` end with the parent."""

    id: str = Field(pattern=NUMERIC_ID)
    type: str
    status: str
    title: str = ""
    space: FoundSpaceJson | None = None
    version: VersionJson | None = None
    ancestors: list[RelativeJson] | None = None
    container: RelativeJson | None = None
    metadata: MetadataJson | None = None
    restrictions: RestrictionsJson | None = None
    extensions: ExtensionsJson | None = None
    links: WebLinks = Field(WebLinks(), alias="_links")

    @property
    def position(self) -> int | None:
        """The place among the siblings."""
        position = self.extensions and self.extensions.position
        return position if isinstance(position, int) else None


class SearchJson(WireModel):
    """A part of what was found."""

    results: list[FoundJson]
    links: ListingLinks = Field(ListingLinks(), alias="_links")
