"""The records of a simulated Confluence site: spaces, content, versions, labels and people."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal, Self

SpaceStatus = Literal["current", "archived"]
ContentKind = Literal["page", "blogpost", "folder", "whiteboard", "database", "embed"]
ContentStatus = Literal["current", "archived", "trashed", "draft", "historical"]
Resolution = Literal["open", "reopened", "resolved", "dangling"]
AccountStatus = Literal["active", "inactive", "closed", "unknown"]
AccountType = Literal["atlassian", "app", "customer", "unknown"]

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """The time of a site: stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def advance(self, by: timedelta) -> datetime:
        """Move the time on and give the new one."""
        self.now += by
        return self.now

    def tick(self) -> datetime:
        """Move one second on, so that two changes never bear the same time."""
        return self.advance(timedelta(seconds=1))


class Ids:
    """Ids that nothing else on the site has: strings of digits, rising."""

    def __init__(self, first: int, step: int) -> None:
        self._numbers = count(first, step)

    def take(self) -> str:
        """The next one."""
        return str(next(self._numbers))


@dataclass(frozen=True, slots=True)
class User:
    """An account; `email` is empty where the person keeps it private."""

    account_id: str
    name: str
    email: str
    status: AccountStatus = "active"
    account_type: AccountType = "atlassian"

    @property
    def user_key(self) -> str:
        """The account's id on Server and Data Center: 32 hexadecimal digits."""
        return hashlib.sha256(self.account_id.encode()).hexdigest()[:32]

    @property
    def username(self) -> str:
        """With what the person logs in to Server and Data Center: from the e-mail or the name."""
        return self.email.partition("@")[0] or self.name.casefold().replace(" ", ".")


@dataclass(frozen=True, slots=True)
class Token:
    """An API token of an account; `scopes` is None for a classic one, which may do everything."""

    account_id: str
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Space:
    """A space; pages know it by id, people by key."""

    id: str
    key: str
    name: str
    kind: str
    status: SpaceStatus
    author_id: str
    homepage_id: str | None
    created_at: datetime
    description: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A label, the same one wherever it is used."""

    id: str
    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a title and a body in storage format."""

    number: int
    created_at: datetime
    author_id: str
    title: str
    body: str
    message: str = ""
    minor_edit: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A page, a blog post or a node of the page tree without a body, such as a folder."""

    id: str
    kind: ContentKind
    status: ContentStatus
    space_id: str
    parent_id: str | None
    position: int | None
    author_id: str
    created_at: datetime
    versions: tuple[Version, ...]
    labels: tuple[Label, ...] = ()

    @property
    def version(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    @property
    def title(self) -> str:
        """The title of the newest version."""
        return self.version.title

    @property
    def body(self) -> str:
        """The body of the newest version, in storage format."""
        return self.version.body

    def at_version(self, number: int) -> Self | None:
        """The content as it was at a version, or None where there was no such version."""
        if not 1 <= number <= len(self.versions):
            return None
        return replace(self, versions=self.versions[:number])


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a page or blog post: inline where it has a selection, else in the footer.

    A reply names its parent. `resolution` is None where nobody can resolve it.
    """

    id: str
    container_id: str
    parent_id: str | None
    selection: str | None
    resolution: Resolution | None
    status: Literal["current", "deleted"]
    author_id: str
    created_at: datetime
    versions: tuple[Version, ...]

    @property
    def version(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    @property
    def body(self) -> str:
        """The body of the newest version, in storage format."""
        return self.version.body


@dataclass(frozen=True, slots=True)
class AttachmentVersion:
    """One state of a file."""

    number: int
    created_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a page or blog post."""

    id: str
    container_id: str
    filename: str
    media_type: str
    status: ContentStatus
    author_id: str
    versions: tuple[AttachmentVersion, ...]
    comment: str = ""

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.versions[-1].number

    @property
    def created_at(self) -> datetime:
        """When the newest version was uploaded."""
        return self.versions[-1].created_at

    @property
    def data(self) -> bytes:
        """The bytes of the newest version."""
        return self.versions[-1].data

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)
