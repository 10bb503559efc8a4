"""What may happen to a site and to runs over it, for tests that draw it at random."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import psycopg

from index.errors import ConfluenceMcpError
from ingest.sources.source import Deployment
from ingest.sync import Plan
from tests.confluence.content import Comment, Content
from tests.confluence.faults import (
    Fault,
    Json,
    before,
    clamped,
    connection_reset,
    endless,
    expired_cursor,
    failing,
    rate_limited,
    repeated_results,
    rewritten,
    truncated,
)
from tests.confluence.site import Children, Site
from tests.ingest.model_wiki import ModelWiki

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
CHILDREN: Sequence[Children] = ("lift", "orphan", "along")
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'confluence-mcp ingest'
"""

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens; `number` decides to what."""

    name: str
    number: int


def _reversed(answer: Json) -> Json:
    results = answer.get("results")
    return {**answer, "results": results[::-1]} if isinstance(results, list) else answer


FAULTS: dict[str, Callable[[], Fault]] = {
    "429": lambda: rate_limited(retry_after=1),
    "500": lambda: failing(500),
    "503": lambda: failing(503),
    "403": lambda: failing(403),
    "404": lambda: failing(404),
    "reset": connection_reset,
    "truncated": truncated,
    "clamped": lambda: clamped(2),
    "repeated": repeated_results,
    "endless": endless,
    "expired": expired_cursor,
    "reversed": lambda: rewritten(_reversed),
}
# Of these an attachment is not tried again, and these listings are made for Cloud's answers.
NOT_OF_DOWNLOADS = {"403", "404", "clamped", "repeated", "endless", "expired", "reversed"}
NOT_OF_DATACENTER = {"repeated", "endless", "expired", "reversed"}
LISTINGS_ONLY = {"clamped", "repeated", "endless", "expired", "reversed"}
PLACES = {
    Deployment.CLOUD: {
        "identity": "*/user/current",
        "spaces": "*/api/v2/spaces",
        "sweep": "*/spaces/*/pages",
        "posts": "*/spaces/*/blogposts",
        "feed": "*/api/v2/pages",
        "items": "*/api/v2/attachments",
        "threads": "*/api/v2/footer-comments",
        "page": "*/api/v2/pages/[0-9]*[0-9]",
        "comments": "*/pages/*/footer-comments",
        "download": "*/download*",
        "users": "*/users-bulk",
    },
    Deployment.DATACENTER: {
        "identity": "*/user/current",
        "spaces": "*/rest/api/space",
        "sweep": "*/content/scan",
        "posts": "*/rest/api/content",
        "feed": "*/content/search",
        "page": "*/rest/api/content/[0-9]*[0-9]",
        "comments": "*/child/comment",
        "download": "*/download/*",
        "users": "*/rest/api/user",
    },
}
LISTED = {"spaces", "sweep", "posts", "feed", "items", "threads"}


def fault(place: str, kind: str, deployment: Deployment) -> Fault | None:
    """A fault that can strike there; None where it makes no sense."""
    if kind in LISTINGS_ONLY and place not in LISTED:
        return None
    if kind in NOT_OF_DOWNLOADS and place == "download":
        return None
    if kind in NOT_OF_DATACENTER and deployment is Deployment.DATACENTER:
        return None
    return FAULTS[kind]()


class People:
    """They change a site: one change for each method, `number` picks what of."""

    def __init__(self, site: Site, deployment: Deployment) -> None:
        self._site = site
        self._is_cloud = deployment is Deployment.CLOUD
        self._hidden: list[str] = []

    def do(self, step: Step) -> None:
        """Makes the change that a step names, where the site has something to change."""
        getattr(self, step.name)(step.number)

    def add(self, number: int) -> None:
        """A page below another one, or at the top of a space."""
        parent = self._page(number) if number % 3 else None
        key = self._key_of(parent) if parent else self._key(number)
        title = f"Page {number} {len(self._site.contents)}"
        page = self._site.add_page(key, title, _body(number), parent=parent and parent.id)
        if number % 2:
            self._site.comment(page.id, _body(number + 1))

    def post(self, number: int) -> None:
        """A blog post."""
        title = f"Post {number} {len(self._site.contents)}"
        self._site.add_blogpost(self._key(number), title, _body(number))

    def folder(self, number: int) -> None:
        """A folder with a page in it, where there are folders."""
        if self._is_cloud:
            above = self._page(number)
            folder = self._site.add_node("folder", self._key_of(above), f"Folder {number}")
            self._site.add_page(self._key_of(above), f"In {number}", "<p>x</p>", parent=folder.id)

    def edit(self, number: int) -> None:
        """Another body."""
        self._site.edit(self._page(number).id, _body(number + 3))

    def rename(self, number: int) -> None:
        """Another title."""
        page = self._page(number)
        self._site.rename(page.id, f"Renamed {number} {page.version.number}")

    def move(self, number: int) -> None:
        """Below another page of any space."""
        page, parent = self._tree_page(number), self._tree_page(number // 7)
        above = {one.id for one in self._site.ancestors(parent)} | {parent.id}
        if page.id not in above:
            self._site.move(page.id, parent=parent.id)

    def leave(self, number: int) -> None:
        """To the top of the other space."""
        page = self._tree_page(number)
        keys = sorted(space.key for space in self._site.spaces.values())
        other = next(key for key in keys if key != self._key_of(page))
        self._site.move(page.id, space_key=other)

    def archive(self, number: int) -> None:
        """Into the archive."""
        self._site.archive(self._tree_page(number).id, children=CHILDREN[number % 3])

    def trash(self, number: int) -> None:
        """Into the trash."""
        self._site.trash(self._page(number).id, children=CHILDREN[number % 3])

    def restore(self, number: int) -> None:
        """Back from either."""
        out = [c for c in self._site.contents.values() if c.status in ("archived", "trashed")]
        if out:
            self._site.restore(_pick(out, number).id)

    def purge(self, number: int) -> None:
        """Away for good."""
        if len(self._pages()) > 4:
            self._site.purge(self._page(number).id)

    def label(self, number: int) -> None:
        """A label more."""
        self._site.label(self._page(number).id, WORDS[number % len(WORDS)])

    def unlabel(self, number: int) -> None:
        """The labels away."""
        page = self._page(number)
        self._site.unlabel(page.id, *(label.name for label in page.labels))

    def comment(self, number: int) -> None:
        """A comment, or an answer to one."""
        comment = self._comment(number)
        if comment and number % 2:
            parent, page_id = comment.id, comment.container_id
            self._site.comment(page_id, _body(number), parent=parent)
        else:
            selection = "alpha" if number % 3 == 0 else None
            self._site.comment(self._page(number).id, _body(number), selection=selection)

    def edit_comment(self, number: int) -> None:
        """Other words in a comment."""
        if comment := self._comment(number):
            self._site.edit_comment(comment.id, _body(number + 5))

    def resolve(self, number: int) -> None:
        """The end of an inline thread."""
        if (comment := self._comment(number)) and comment.selection:
            self._site.resolve_comment(comment.id)

    def delete_comment(self, number: int) -> None:
        """A thread less."""
        if comment := self._comment(number):
            self._site.delete_comment(comment.id)

    def attach(self, number: int) -> None:
        """A file on a page."""
        name = f"file-{number}-{len(self._site.attachments)}.txt"
        data = " ".join(_words(number)).encode()
        page_id = self._page(number).id
        self._site.attach(page_id, name, media_type="text/plain", data=data)

    def replace(self, number: int) -> None:
        """Another version of a file."""
        files = [one for one in self._site.attachments.values() if one.status == "current"]
        if files:
            data = " ".join(_words(number + 2)).encode()
            self._site.replace_attachment(_pick(files, number).id, data)

    def detach(self, number: int) -> None:
        """A file less."""
        files = [one for one in self._site.attachments.values() if one.status == "current"]
        if files:
            self._site.delete_attachment(_pick(files, number).id)

    def hide(self, number: int) -> None:
        """A page with all below it out of the account's sight."""
        page = self._page(number)
        self._hidden.append(page.id)
        self._site.hide(page.id)

    def reveal(self, number: int) -> None:
        """Back into its sight."""
        if self._hidden:
            self._site.reveal(self._hidden.pop(number % len(self._hidden)))

    def close(self, number: int) -> None:
        """A space out of its sight, unless it is the last one."""
        spaces = list(self._site.spaces.values())
        if not any(space.id in self._hidden for space in spaces):
            space = _pick(spaces, number)
            self._hidden.append(space.id)
            self._site.hide(space.id)

    def wait(self, number: int) -> None:
        """Time passes."""
        self._site.clock.advance(timedelta(minutes=number * 7 % 400))

    def _pages(self) -> list[Content]:
        kinds = ("page", "blogpost")
        contents = self._site.contents.values()
        return [c for c in contents if c.kind in kinds and c.status == "current"]

    def _page(self, number: int) -> Content:
        return _pick(self._pages(), number) if self._pages() else self._fresh()

    def _tree_page(self, number: int) -> Content:
        pages = [content for content in self._pages() if content.kind == "page"]
        return _pick(pages, number) if pages else self._fresh()

    def _fresh(self) -> Content:
        return self._site.add_page(self._key(0), f"Fresh {len(self._site.contents)}")

    def _comment(self, number: int) -> Comment | None:
        current = {page.id for page in self._pages()}
        comments = [
            one
            for one in self._site.comments.values()
            if one.status == "current" and one.container_id in current
        ]
        return _pick(comments, number) if comments else None

    def _key(self, number: int) -> str:
        return _pick(sorted(space.key for space in self._site.spaces.values()), number)

    def _key_of(self, content: Content) -> str:
        return self._site.spaces[content.space_id].key


CHANGES = sorted(name for name in vars(People) if not name.startswith("_") and name != "do")
RUNS = ("complete", "quick", "hinted", "partial", "full")
CRASHES = ("crash", "cut", "meanwhile")


class Runs:
    """Runs over a wiki, some of which end badly."""

    def __init__(self, wiki: ModelWiki, people: People) -> None:
        self._wiki = wiki
        self._people = people

    async def go(self, name: str, number: int, disturbance: str | None, change: Step) -> None:
        """One run; the disturbance comes with one of its requests."""
        task = asyncio.create_task(self._attempt(self._plan(name, number)))
        if disturbance is not None:
            action = self._disturbance(disturbance, task, change)
            self._wiki.faults.add(before(action), after=number)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _attempt(self, plan: Plan) -> None:
        try:
            await self._wiki.run(plan)
        except ConfluenceMcpError:
            return

    def _plan(self, name: str, number: int) -> Plan:
        if name == "partial":
            return Plan(only=frozenset({"eng"}))
        if name == "hinted":
            ids = sorted(self._wiki.site.contents)
            return Plan(quick=True, hinted=frozenset({_pick(ids, number), _pick(ids, number // 3)}))
        return Plan(quick=name == "quick", full=name == "full")

    def _disturbance(
        self, name: str, task: asyncio.Task[None], change: Step
    ) -> Callable[[], object]:
        loop = asyncio.get_running_loop()
        if name == "crash":
            return lambda: loop.call_soon_threadsafe(task.cancel)
        if name == "cut":
            return self._cut_connections
        return lambda: self._people.do(change)

    def _cut_connections(self) -> None:
        assert self._wiki.settings.postgres_url is not None
        url = self._wiki.settings.postgres_url.get_secret_value()
        with psycopg.connect(url) as connection:
            connection.execute(CUT)


def _words(number: int) -> list[str]:
    return [WORDS[(number * step) % len(WORDS)] for step in range(1, 3 + number % 5)]


def _body(number: int) -> str:
    return f"<h1>About {number}</h1><p>{' '.join(_words(number))}</p>"


def _pick(things: Sequence[One], number: int) -> One:
    return things[number % len(things)]
