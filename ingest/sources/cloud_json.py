"""The parts of Confluence Cloud's JSON that are read: spaces, the tree and its pages, people."""

from pydantic import AwareDatetime, Field

from ingest.sources.http import WireModel

NUMERIC_ID = r"^[0-9]+$"


class WebLinks(WireModel):
    """Where a person opens something, relative to the site."""

    webui: str = ""


class SpaceJson(WireModel):
    """A space of a listing."""

    id: str = Field(pattern=NUMERIC_ID)
    key: str
    name: str | None = None
    links: WebLinks = Field(WebLinks(), alias="_links")


class VersionJson(WireModel):
    """The newest version of something."""

    number: int
    created_at: AwareDatetime | None = None
    author_id: str | None = None


class ContentJson(WireModel):
    """A page, blog post or other node of the tree; `parent_type` is the kind of its parent."""

    id: str = Field(pattern=NUMERIC_ID)
    status: str
    title: str = ""
    space_id: str | None = None
    parent_id: str | None = None
    parent_type: str | None = None
    position: int | None = None
    author_id: str | None = None
    created_at: AwareDatetime | None = None
    version: VersionJson | None = None
    links: WebLinks = Field(WebLinks(), alias="_links")


class StorageJson(WireModel):
    """A body in storage format."""

    value: str


class BodyJson(WireModel):
    """The body of a page, in the formats that were asked for."""

    storage: StorageJson


class LabelJson(WireModel):
    """A label; `prefix` is `global` for those that everybody sees."""

    name: str
    prefix: str = "global"


class MoreJson(WireModel):
    """Whether an included list was cut off."""

    has_more: bool = False


class IncludedLabelsJson(WireModel):
    """The first labels of a page."""

    results: list[LabelJson]
    meta: MoreJson = MoreJson()


class SingleContentJson(ContentJson):
    """A page or blog post with its body."""

    body: BodyJson
    labels: IncludedLabelsJson | None = None


class CurrentUserJson(WireModel):
    """Who the credentials belong to; `type` is `anonymous` when they were passed over."""

    type: str
    account_id: str | None = None


class UserJson(WireModel):
    """The names of an account; what its owner keeps private is null or empty."""

    account_id: str
    display_name: str | None = None
    public_name: str | None = None


class UsersJson(WireModel):
    """The accounts that were found."""

    results: list[UserJson]


class TypesJson(WireModel):
    """Kinds of content by id; null for what is gone or hidden."""

    results: dict[str, str | None]


class TenantJson(WireModel):
    """The site's id at the API gateway."""

    cloud_id: str = Field(pattern=r"^[0-9A-Za-z-]+$")
