"""A generated index with a tree and with people who see a given share of it.

Spaces and restricted branches follow the topics of their pages, as those of a wiki do, so that all
that is near to a question may be hidden from who asks. Every page lies in a restricted branch of
ten pages, and every fifth branch in a folder that is restricted as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.topical_vectors import Meaning, Numbers
from index.access import CRAWLER, Asker, Askers
from index.database import Database
from index.guards import Guards
from index.nodes import Node, Nodes
from index.principals import AUTHENTICATED, Account, Principal, group, user
from index.records import ContentType, State
from index.work import WorkList
from tests.index.generated_index import CHUNKS_OF_PAGE, VOCABULARY, GeneratedIndex, Question

SITE_ID, RUN = 1, 1
SHARES = (0.5, 0.1, 0.01, 0.001)
SPACES, BRANCH, OUTER, SECTION = 400, 10, 50, 10_000
TEAMS, PEOPLE, TEAMS_OF_PERSON, GROUPS_OF_ASKER = 1_000, 5_000, 20, 200
RUN_OF_BRANCHES = 40  # that somebody may read one after another: a few topics
COMMON, RARE = 0, {1, 2}  # last digits of the numbers of such questions
STAFF, INSIDERS = group("staff"), group("insiders")

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where pages are. `pages` are in the order of their topics, without tombstoned ones.

    All else is by place in that order.
    """

    pages: Numbers
    branch: Numbers
    space: Numbers
    section: Numbers

    def chunks(self, index: GeneratedIndex, places: Flags) -> Flags:
        """The chunks of pages by their places."""
        return np.isin(index.pages, self.pages[places])


@dataclass(frozen=True, slots=True)
class Someone:
    """An asker, with the branches and all chunks that they may see.

    `spaces` are the keys of the spaces that hold just these; none of them where restrictions
    choose.
    """

    name: str
    branches: Flags
    shown: Flags
    spaces: Sequence[str]
    asker: Asker = CRAWLER

    @property
    def groups(self) -> list[str]:
        """Those that the person is in."""
        if self.spaces:
            return [INSIDERS.name, *(f"space {key}" for key in self.spaces)]
        return [
            STAFF.name,
            *{self.group_of(branch) for branch in np.flatnonzero(self.branches).tolist()},
        ]

    def group_of(self, branch: int) -> str:
        """The group by which the person may read a branch."""
        return f"{self.name} {branch % (GROUPS_OF_ASKER - 1)}"


def layout_of(index: GeneratedIndex, topics: Numbers) -> Layout:
    """Spaces of Zipf-distributed sizes, cut from pages in the order of their topics."""
    pages = np.unique(index.pages[index.is_shown])
    weights = np.random.default_rng(2).permutation(1 / np.arange(3, SPACES + 3))
    ends = np.cumsum(weights) / weights.sum() * len(pages)
    places = np.arange(len(pages))
    branch = places // BRANCH
    space = np.searchsorted(ends[:-1], branch * BRANCH, side="right")
    # No folder of branches lies in two sections.
    whole = BRANCH * OUTER
    section = places // min(SECTION, max(1, len(pages) // 4 // whole) * whole)
    return Layout(pages[np.argsort(topics[pages], kind="stable")], branch, space, section)


@dataclass(frozen=True, slots=True)
class Scene:
    """A generated index, how it is laid out, and the people who ask, the crawler first."""

    index: GeneratedIndex
    meaning: Meaning
    layout: Layout
    people: Sequence[Someone]

    def person(self, name: str) -> Someone:
        """Who has that name."""
        return next(one for one in self.people if one.name == name)

    def question(self, about: Flags, seed: int) -> Question:
        """Five words of one of these chunks, and a vector near its own.

        Of ten questions in a row one has the commonest words of the chunk alone, and two have the
        one that no other page has.
        """
        random = np.random.default_rng(seed)
        chunk = int(random.choice(np.flatnonzero(about)))
        known = np.unique(self.index.words.numbers[chunk])
        chosen = random.permutation(known)[:5]
        if seed % 10 == COMMON:
            chosen = known[:5]
        elif seed % 10 in RARE:
            chosen[0] = VOCABULARY + chunk // CHUNKS_OF_PAGE
        numbers: list[int] = chosen.tolist()
        words = " ".join([self.index.words.names[number] for number in numbers])
        return Question(words, self.meaning.near(random, self.index.vectors[chunk]))


def kind_of(seed: int) -> str:
    """What words the question of that number has."""
    return (
        "common words" if seed % 10 == COMMON else "a rare word" if seed % 10 in RARE else "words"
    )


async def guard(database: Database, index: GeneratedIndex, layout: Layout) -> list[Someone]:
    """Records who may read what and brings all pages in line; the people, the crawler first."""
    random = np.random.default_rng(3)
    drafts = [
        *(_reader_of_spaces(index, layout, share, random) for share in SHARES),
        *(_reader_of_branches(index, layout, share, random) for share in (1.0, *SHARES)),
    ]
    guards = Guards(database, SITE_ID)
    spaces = await _make_spaces(database)
    await _make_nodes(Nodes(database, SITE_ID), layout, spaces)
    await _make_guards(guards, layout, spaces, drafts, random)
    await _make_people(guards, drafts, random)
    await _vacuum(database, "ANALYZE")
    await WorkList(database, SITE_ID).place()
    await _vacuum(database, "VACUUM (FULL) page", "VACUUM (ANALYZE)")
    askers = Askers(database)
    everything = np.ones(int(layout.branch[-1]) + 1, np.bool_)
    return [
        Someone("crawler", everything, index.is_shown, ()),
        *[
            Someone(
                one.name,
                one.branches,
                one.shown,
                one.spaces,
                await askers.by_account_id(one.name, one.name),
            )
            for one in drafts
        ],
    ]


def some_spaces(layout: Layout, share: float, random: np.random.Generator) -> list[int]:
    """Spaces that have about that share of the pages together."""
    sizes = np.bincount(layout.space, minlength=SPACES)
    wanted, chosen, size = share * len(layout.pages), list[int](), 0
    for space in random.permutation(SPACES).tolist():
        if 0 < sizes[space] <= 1.02 * wanted - size:
            chosen.append(space)
            size += int(sizes[space])
    return chosen


def _reader_of_spaces(
    index: GeneratedIndex, layout: Layout, share: float, random: np.random.Generator
) -> Someone:
    """Someone who may read whole spaces alone."""
    chosen = some_spaces(layout, share, random)
    places = np.isin(layout.space, chosen)
    shown = layout.chunks(index, places)
    keys = [key_of(space) for space in chosen]
    return Someone(f"spaces {share:.1%}", places[::BRANCH], shown, keys)


def _reader_of_branches(
    index: GeneratedIndex, layout: Layout, share: float, random: np.random.Generator
) -> Someone:
    """Someone who may read all spaces, but restricted branches of a few topics alone."""
    count = int(layout.branch[-1]) + 1
    wanted = max(1, round(share * count))
    length = min(RUN_OF_BRANCHES, wanted)
    of_run = random.permutation(count // length + 1)
    branches = np.zeros(count, np.bool_)
    branches[np.argsort(of_run[np.arange(count) // length], kind="stable")[:wanted]] = True
    shown = layout.chunks(index, branches[layout.branch])
    return Someone(f"branches {share:.1%}", branches, shown, ())


def key_of(space: int) -> str:
    """The key of the space of that number."""
    return f"T{space}"


def space_number(key: str) -> int:
    """The number in the key of a space."""
    return int(key[1:])


async def _make_spaces(database: Database) -> dict[int, int]:
    """Their ids by number."""
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO space (site_id, key, name, url, restrictions_at)"
            " SELECT %s, key, 'Space', 'https://example.com', now() FROM unnest(%s::text[]) AS key",
            [SITE_ID, [key_of(space) for space in range(SPACES)]],
        )
        rows = await connection.execute("SELECT key, id FROM space WHERE key LIKE 'T%'")
        return {space_number(row[0]): row[1] async for row in rows}


async def _make_nodes(nodes: Nodes, layout: Layout, spaces: dict[int, int]) -> None:
    """Sections with branches or folders of some, whose pages have up to three children each."""
    folders = [node("top", None), *(node(f"section {n}", "top") for n in set(layout.section))]
    folders += [node(_outer(branch), _section(layout, branch)) for branch in _outers(layout)]
    await nodes.saw(RUN, spaces[0], folders)
    for space, space_id in spaces.items():
        places = np.flatnonzero(layout.space == space).tolist()
        await nodes.saw(RUN, space_id, [_page_node(layout, place) for place in places])
    await nodes.analyze()


def _page_node(layout: Layout, place: int) -> Node:
    branch, number = divmod(place, BRANCH)
    parent = str(layout.pages[branch * BRANCH + (number - 1) // 3])
    if number == 0:
        parent = _section(layout, branch) if branch % 5 else _outer(branch // OUTER * OUTER)
    return node(str(layout.pages[place]), parent, ContentType.PAGE)


def node(node_id: str, parent: str | None, content_type: ContentType = ContentType.FOLDER) -> Node:
    """A line of a sweep."""
    url = f"https://example.com/{node_id}"
    return Node(node_id, content_type, parent, node_id, url, 1, State.LIVE, None, None)


def _outers(layout: Layout) -> Iterable[int]:
    return range(0, int(layout.branch[-1]) + 1, OUTER)


def _outer(branch: int) -> str:
    return f"outer {branch}"


def _section(layout: Layout, branch: int) -> str:
    return f"section {layout.section[branch * BRANCH]}"


async def _make_guards(
    guards: Guards,
    layout: Layout,
    spaces: dict[int, int],
    drafts: Sequence[Someone],
    random: np.random.Generator,
) -> None:
    await guards.record_site(frozenset({AUTHENTICATED}))
    for key in map(key_of, spaces):
        await guards.record_space(key, frozenset({STAFF, group(f"space {key}")}))
    pages = {str(page): frozenset[Principal]() for page in layout.pages.tolist()}
    folders = {f"section {n}": frozenset[Principal]() for n in set(layout.section)}
    await guards.record_restrictions(RUN, {**pages, **folders, "top": frozenset[Principal]()})
    outers = {_outer(branch): frozenset({STAFF, INSIDERS}) for branch in _outers(layout)}
    heads = {
        str(page): frozenset({*_strangers(random), INSIDERS, *_readers_of(branch, drafts)})
        for branch, page in enumerate(layout.pages[::BRANCH].tolist())
    }
    await guards.record_restrictions(RUN, outers | heads)


def _strangers(random: np.random.Generator) -> set[Principal]:
    teams = random.integers(TEAMS, size=3).tolist()
    return {*(group(f"team {n}") for n in teams), user(f"person {random.integers(PEOPLE)}")}


def _readers_of(branch: int, drafts: Sequence[Someone]) -> set[Principal]:
    return {
        group(one.group_of(branch)) for one in drafts if not one.spaces and one.branches[branch]
    }


def staff(people: Sequence[Someone]) -> set[str]:
    """The accounts of all but those who may read some spaces alone, and the crawler."""
    readers = {one.name for one in people if STAFF.name in one.groups and one.name != "crawler"}
    return readers | {f"person {number}" for number in range(PEOPLE)}


async def _make_people(
    guards: Guards, drafts: Sequence[Someone], random: np.random.Generator
) -> None:
    members: dict[str, list[str]] = {STAFF.name: sorted(staff(drafts))}
    for one in drafts:
        for name in one.groups:
            if name != STAFF.name:
                members.setdefault(name, []).append(one.name)
    for person in range(PEOPLE):
        for team in set(random.integers(TEAMS, size=TEAMS_OF_PERSON).tolist()):
            members.setdefault(f"team {team}", []).append(f"person {person}")
    for name, people in members.items():
        await guards.record_group(name, people)
    names = [*(one.name for one in drafts), *(f"person {n}" for n in range(PEOPLE))]
    known = frozenset({AUTHENTICATED.name})
    await guards.record_accounts([Account(name, None, None, True, known) for name in names])


async def _vacuum(database: Database, *statements: str) -> None:
    async with database.pool.connection() as connection:
        await connection.set_autocommit(True)
        for statement in statements:
            await connection.execute(statement.encode())
        await connection.set_autocommit(False)
