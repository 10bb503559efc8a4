"""Who may read what of space exports, as far as they tell; all that is unclear is closed."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from index.principals import (
    ANONYMOUS,
    AUTHENTICATED,
    LICENSED,
    Account,
    Principal,
    class_of_people,
    group,
    user,
)
from index.records import ContentType, Space
from ingest.sources import staged_access
from ingest.sources.directory import Directory
from ingest.sources.export_people import People
from ingest.sources.refusals import NotVisible
from ingest.sources.staged_access import Subject
from ingest.sources.staging_access import SubjectKind

BATCH = 500
# Of whom nobody is: a restriction that names people whom nobody knows is none for all.
NOBODY = class_of_people("nobody")

_CLASSES = {one.name: one for one in (ANONYMOUS, AUTHENTICATED, LICENSED)}

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Ask(Protocol):
    """Asks the staging database of the exports."""

    async def __call__(
        self,
        question: Callable[Concatenate[sqlite3.Connection, Parameters], Answer],
        *args: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Answer:
        """What the question reads there."""
        ...


class ExportAccess:
    """The permissions in exports, together with a directory of accounts and groups.

    An export has no members of groups, so that without a directory groups let nobody in and only
    what users may view by themselves is theirs. Groups go by their names in lower case.
    """

    def __init__(self, ask: Ask, directory: Directory | None = None) -> None:
        self._ask = ask
        self._directory = directory
        self._known: People | None = None

    @property
    def is_snapshot(self) -> bool:
        """An export never changes."""
        return True

    async def site_readers(self) -> frozenset[Principal]:
        """All that are known to be active; each of them is named, so that none is forgotten."""
        accounts = (await self._people()).accounts.values()
        active = {user(account.account_id) for account in accounts if account.is_active}
        return frozenset({AUTHENTICATED} | active)

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space; NotVisible when the export tells nothing of that."""
        subjects = await self._ask(staged_access.space_subjects, space.key)
        return _principals(subjects, await self._people())

    async def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Who alone may view each page and blog post, but where that cannot be read."""
        people = await self._people()
        after = ""
        while batch := await self._ask(staged_access.restrictions_after, space.key, after, BATCH):
            for page_id, subjects in batch:
                if subjects is not None:
                    yield page_id, _limited_to(subjects, people)
            after = batch[-1][0]

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view one page; UnexpectedAnswer where that cannot be read."""
        subjects = await self._ask(staged_access.restriction, node_id)
        return _limited_to(subjects, await self._people())

    async def members(self, group_id: str) -> frozenset[str]:
        """The members that the directory lists; NotVisible for other groups."""
        members = self._directory.groups.get(group_id) if self._directory else None
        if members is None:
            raise NotVisible(
                "An export tells no members of groups. List them in the file of "
                "CONFLUENCE_DIRECTORY, or state with --public that all may read the export."
            )
        return members

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """Those that the directory lists; without one, the users that the export tells of."""
        accounts = (await self._people()).accounts
        return [accounts[one] for one in account_ids if one in accounts]

    async def _people(self) -> People:
        if self._known is None:
            users = await self._ask(staged_access.users)
            inactive = await self._ask(staged_access.inactive_names)
            self._known = People(users, inactive, self._directory)
        return self._known


def _limited_to(subjects: Sequence[Subject], people: People) -> frozenset[Principal]:
    """Whom a restriction names, never nobody: that would be no restriction."""
    principals = _principals(subjects, people)
    return principals or frozenset({NOBODY}) if subjects else frozenset()


def _principals(subjects: Iterable[Subject], people: People) -> frozenset[Principal]:
    found = (_principal(subject, people) for subject in subjects)
    return frozenset(principal for principal in found if principal is not None)


def _principal(subject: Subject, people: People) -> Principal | None:
    """Who is meant; None where nobody is known by that name."""
    match subject.kind:
        case SubjectKind.USER_KEY:
            return _user(people.of_key(subject.name))
        case SubjectKind.USER_NAME:
            return _user(people.of_name(subject.name))
        case SubjectKind.GROUP:
            return group(subject.name.lower())
        case SubjectKind.CLASS:
            return _CLASSES.get(subject.name)
        case SubjectKind.UNREADABLE:
            return None


def _user(account_id: str | None) -> Principal | None:
    return None if account_id is None else user(account_id)
