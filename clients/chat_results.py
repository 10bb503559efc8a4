"""What the server's three tools return, as far as the chat reads it."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SEARCH = "search_confluence"
READ = "get_page"
ANSWER = "answer_question"
TOOLS = (SEARCH, READ, ANSWER)


def _text(value: object) -> object:
    return "" if value is None else value


def _path(value: object) -> object:
    if isinstance(value, str):
        return (value,) if value else ()
    return () if value is None else value


def _day(value: object) -> object:
    return value[:10] if isinstance(value, str) else ""


Text = Annotated[str, BeforeValidator(_text)]
Day = Annotated[str, BeforeValidator(_day)]
HeadingPath = Annotated[tuple[str, ...], BeforeValidator(_path)]


class Result(BaseModel):
    """Fields that a newer server adds are ignored; fields that it leaves out are empty."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Passage(Result):
    """A piece of a page, however it was found. `text` is Markdown written by page authors.

    `found_in` is `body`, `comment` or `attachment`, the last with a file name.
    """

    page_id: Text = ""
    title: Text = ""
    url: Text = ""
    space_key: Text = ""
    found_in: Text = ""
    attachment: Text = ""
    heading_path: HeadingPath = ()
    updated_at: Day = ""
    archived: bool = False
    text: Text = ""

    @property
    def path(self) -> tuple[str, ...]:
        """Where on the page it stands: file name or comment, then headings."""
        item = self.attachment or ("Comment" if self.found_in == "comment" else "")
        return tuple(part for part in (item, *self.heading_path) if part)


class Hit(Passage):
    """A search result."""

    text: Annotated[str, BeforeValidator(_text)] = Field(default="", alias="excerpt")


class Citation(Passage):
    """A source of an answer; `n` is the number that the answer's text uses for it."""

    n: int = 0
    text: Annotated[str, BeforeValidator(_text)] = Field(default="", alias="quote")


class Found(Result):
    """The result of `search_confluence`."""

    results: tuple[Hit, ...] = ()
    next_cursor: Text = ""
    notes: tuple[str, ...] = ()


class Unreadable(Result):
    """Something on a page that could not be read, and why."""

    kind: Text = ""
    name: Text = ""
    reason: Text = ""


class OutlineLine(Result):
    """A heading of a page."""

    level: int = 1
    title: Text = ""


class PageName(Result):
    """A page named by another."""

    page_id: Text = ""
    title: Text = ""


class Attached(Result):
    """A file on a page; `unreadable` says why its text cannot be read."""

    filename: Text = ""
    unreadable: Text = ""


class Reply(Result):
    """What somebody said about a page."""

    author: Text = ""
    created_at: Day = ""
    text: Annotated[str, BeforeValidator(_text)] = Field(default="", alias="markdown")


class Thread(Reply):
    """A comment and its answers; `selection` is the text of the page that it is about."""

    selection: Text = ""
    resolution: Text = ""
    replies: tuple[Reply, ...] = ()


class WholePage(Passage):
    """The result of `get_page`: the page, or a part of it."""

    text: Annotated[str, BeforeValidator(_text)] = Field(default="", alias="markdown")
    outline: tuple[OutlineLine, ...] = ()
    next_offset: int | None = None
    comments: tuple[Thread, ...] = ()
    attachments: tuple[Attached, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    children: tuple[PageName, ...] = ()
    notes: tuple[str, ...] = ()


class Answered(Result):
    """The result of `answer_question`; `answer` marks its sources with `[n]`."""

    status: Text = ""
    answer: Text = ""
    citations: tuple[Citation, ...] = ()
    nearest: tuple[PageName, ...] = ()
    notes: tuple[str, ...] = ()
