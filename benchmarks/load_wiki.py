"""A simulated wiki that changes all the time, and what of it people may be told at a moment.

Each page has a word that no other page has, and each of its versions has one, so that whatever is
shown tells where it comes from. The rules of who may see what are those of the simulator, which
uses nothing of the product.
"""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.confluence.content import Content, User
from tests.confluence.permissions import Grant
from tests.confluence.site import Site

PEOPLE = ("ada", "bob", "cem", "dee", "eve")
ANYBODY = ""  # to whom a page is never closed
STAFF, LEGAL = ("ada", "bob", "dee"), ("ada", "cem")
CHILDREN = 6
SPACES = ("OPEN", "ENG", "LAW")
PRIVATE = 11  # each such page is for Ada alone, with all below it
MARK = "zq"  # how the words begin that are on one page only

_FILLER = re.findall(
    r"\w+",
    "the crane of the north quay is booked a week ahead and whoever needs it on short notice asks "
    "the harbour office which keeps a list of the hours that nobody took before noon of each day",
)


@dataclass(frozen=True, slots=True)
class Known:
    """A page as clients know it: its number, its id, and its word."""

    number: int
    page_id: str
    word: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """What somebody may see of a page, since a change that began and had ended at these times."""

    began: float
    ended: float
    version: int | None


@dataclass(slots=True)
class Wiki:
    """A site with people, and for each of them and each page which version was open to them."""

    pages: int
    site: Site = field(default_factory=Site)
    dice: random.Random = field(default_factory=lambda: random.Random(8))
    people: dict[str, User] = field(default_factory=dict[str, User])
    ids: list[str] = field(default_factory=list[str])
    changes: int = 0
    _history: dict[tuple[str, str], list[_Entry]] = field(
        default_factory=dict[tuple[str, str], list[_Entry]]
    )

    def __post_init__(self) -> None:
        """Builds the site; each space has a tree of pages."""
        site, permissions = self.site, self.site.permissions
        for name in PEOPLE:
            self.people[name] = site.add_user(name.title(), email=f"{name}@example.com")
        groups = {
            "ENG": permissions.add_group("staff", *(self.people[name] for name in STAFF)),
            "LAW": permissions.add_group("legal", *(self.people[name] for name in LEGAL)),
        }
        for key in SPACES:
            space = site.add_space(key)
            if key in groups:
                permissions.revoke(space, ("group", permissions.users_group.id))
                permissions.grant(space, ("group", groups[key].id), self._crawler)
        for number in range(self.pages):
            self._add(number)
        self._note(time.monotonic())

    @property
    def known(self) -> Sequence[Known]:
        """All pages that ever are."""
        return [Known(number, page_id, word_of(number)) for number, page_id in enumerate(self.ids)]

    def number_of(self, page_id: str) -> int | None:
        """The number of a page."""
        return self.ids.index(page_id) if page_id in self.ids else None

    def change(self) -> None:
        """Lets somebody change something, and notes what is open to whom since."""
        began = time.monotonic()
        ways = (
            self._edit,
            self._edit,
            self._edit,
            self._close,
            self._trash,
            self._move,
            self._join,
        )
        self.dice.choice(ways)()
        self.changes += 1
        self._note(began)

    def open_between(self, person: str, page_id: str, first: float, last: float) -> set[int | None]:
        """Versions of a page that were open to somebody at any time between; None: closed."""
        entries = self._history[person, page_id]
        ends = [entry.ended for entry in entries[1:]] + [float("inf")]
        return {
            entry.version
            for entry, end in zip(entries, ends, strict=True)
            if entry.began <= last and end >= first
        }

    @property
    def _crawler(self) -> Grant:
        return "user", self.site.crawler.account_id

    def _add(self, number: int) -> None:
        key, place = SPACES[number % len(SPACES)], number // len(SPACES)
        parent = None
        if place:
            parent = self.ids[(place - 1) // CHILDREN * len(SPACES) + number % len(SPACES)]
        body = storage_of(number, 1)
        page = self.site.add_page(key, f"Plan {number}", body, parent=parent)
        if number % PRIVATE == PRIVATE - 1:
            self._restrict(page, "ada")
        self.ids.append(page.id)

    def _restrict(self, page: Content, *names: str) -> None:
        grants: list[Grant] = [("user", self.people[name].account_id) for name in names]
        self.site.permissions.restrict(page, *grants, *([self._crawler] if grants else []))

    def _any(self, is_fit: Callable[[Content], bool]) -> Content:
        contents = map(self.site.content, self.dice.sample(self.ids, len(self.ids)))
        return next(filter(is_fit, contents))

    def _edit(self) -> None:
        page = self._any(_is_current)
        version = page.version.number + 1
        self.site.edit(page.id, storage_of(self.ids.index(page.id), version))

    def _close(self) -> None:
        """Shuts people out of a page, or lets all in again."""
        page = self._any(_is_current)
        is_open = not self.site.permissions.restrictions.get(page.id)
        self._restrict(page, *(self.dice.sample(PEOPLE, 2) if is_open else ()))

    def _trash(self) -> None:
        """Takes a page away, or brings one back."""
        gone = [page_id for page_id in self.ids if not _is_current(self.site.content(page_id))]
        if gone and self.dice.random() < len(gone) / 8:
            self.site.restore(self.dice.choice(gone))
        else:
            self.site.trash(self._any(self._is_leaf).id)

    def _move(self) -> None:
        page = self._any(self._is_leaf)
        parent = self._any(lambda other: _is_current(other) and other.space_id == page.space_id)
        if parent.id != page.id:
            self.site.move(page.id, parent=parent.id)

    def _join(self) -> None:
        """Dee comes and goes."""
        permissions, dee = self.site.permissions, self.people["dee"]
        group = next(one for one in permissions.groups.values() if one.name == "legal")
        is_in = dee.account_id in group.members
        (permissions.leave if is_in else permissions.join)(group, dee)

    def _is_leaf(self, page: Content) -> bool:
        return _is_current(page) and not self.site.children(page.id)

    def _note(self, began: float) -> None:
        ended = time.monotonic()
        for page_id in self.ids:
            page = self.site.content(page_id)
            is_open = {
                name: _is_current(page) and self.site.is_allowed(user, page)
                for name, user in self.people.items()
            }
            for name, version_is_open in (is_open | {ANYBODY: True}).items():
                version = page.version.number if version_is_open else None
                entries = self._history.setdefault((name, page_id), [])
                if not entries or entries[-1].version != version:
                    entries.append(_Entry(began, ended, version))


def _is_current(page: Content) -> bool:
    return page.status == "current"


def word_of(number: int, version: int = 0) -> str:
    """The word of a page, or of one of its versions."""
    dice = random.Random(f"{number}.{version}")
    return MARK + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=10))


def markdown_of(number: int, version: int) -> str:
    """What a version of a page says."""
    return "\n\n".join(_blocks(number, version))


def storage_of(number: int, version: int) -> str:
    """The same as Confluence stores it."""
    head, title, *rest = _blocks(number, version)
    texts = "".join(f"<p>{text}</p>" for text in rest)
    return f"<p>{head}</p><h2>{title.removeprefix('## ')}</h2>{texts}"


def _blocks(number: int, version: int) -> list[str]:
    text = partial(_sentence, random.Random(number))
    return [
        f"The plan {word_of(number)} was last agreed on as {word_of(number, version)}.",
        "## Steps",
        *(" ".join((text(), text(), text())) for _ in range(6)),
    ]


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(_FILLER, k=dice.randrange(8, 16))).capitalize() + "."
