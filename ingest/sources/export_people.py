"""Who is who in an export, whose permissions name people by key or by user name."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from index.principals import ANONYMOUS, AUTHENTICATED, Account
from ingest.sources.directory import Directory
from ingest.sources.staged_access import StagedUser

CLASSES = frozenset({ANONYMOUS.name, AUTHENTICATED.name})


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the exports. `ids` are its key and, on Cloud, its account id, which is preferred.

    `names` are its user names in lower case.
    """

    account_id: str
    ids: frozenset[str]
    names: frozenset[str]
    username: str | None
    email: str | None


class People:
    """The accounts that keys and names in an export stand for; none where that is not clear.

    With a directory they are those that it lists. Without one they are the users of the export,
    all of them active but for those with names that are `inactive`.
    """

    def __init__(
        self,
        users: Iterable[StagedUser],
        inactive: Collection[str] = (),
        directory: Directory | None = None,
    ) -> None:
        persons = _persons(users)
        if directory is None:
            known = [(person.account_id, person) for person in persons]
            self.accounts = _taken_for_active(persons, inactive)
        else:
            known = _listed(persons, directory)
            self.accounts = _of_directory(directory, known)
        self._directory = directory
        self._by_key = _clear((key, place) for place, person in known for key in person.ids)
        self._by_name = _clear((name, place) for place, person in known for name in person.names)

    def of_key(self, key: str) -> str | None:
        """The account id of whom a user key, or an account id, stands for."""
        if self._directory is None or key in self._by_key:
            return self._by_key.get(key)
        account = self._directory.of_id(key)
        return account.account_id if account else None

    def of_name(self, name: str) -> str | None:
        """The account id of whoever had a user name when the export was made."""
        name = name.lower()
        if self._directory is None or name in self._by_name:
            return self._by_name.get(name)
        account = self._directory.of_username(name)
        return account.account_id if account else None


def _persons(users: Iterable[StagedUser]) -> list[Person]:
    """The users of all exports, each once; an account id that differs between them is none."""
    by_key: defaultdict[str, list[StagedUser]] = defaultdict(list)
    for user in users:
        by_key[user.key].append(user)
    return [_person(key, same) for key, same in by_key.items()]


def _person(key: str, same: list[StagedUser]) -> Person:
    account_ids = {user.account_id for user in same if user.account_id}
    account_id = account_ids.pop() if len(account_ids) == 1 else key
    names = {name.lower() for user in same for name in (user.name, user.lower_name) if name}
    return Person(
        account_id=account_id,
        ids=frozenset({key, account_id}),
        names=frozenset(names),
        username=next((user.name for user in reversed(same) if user.name), None),
        email=next((user.email for user in reversed(same) if user.email), None),
    )


def _taken_for_active(
    persons: Iterable[Person], inactive: Collection[str]
) -> Mapping[str, Account]:
    accounts: dict[str, Account] = {}
    for person in persons:
        known = accounts.get(person.account_id)
        accounts[person.account_id] = Account(
            account_id=person.account_id,
            username=person.username or (known.username if known else None),
            email=person.email or (known.email if known else None),
            is_active=person.names.isdisjoint(inactive) and (known is None or known.is_active),
            classes=CLASSES,
        )
    return accounts


def _listed(persons: Iterable[Person], directory: Directory) -> list[tuple[str | None, Person]]:
    """The persons with the ids that the directory has for them, by their ids or else by name.

    A name counts only where no id fits, neither person nor account having a second namesake.
    """
    by_id = [(person, {key for key in person.ids if directory.of_id(key)}) for person in persons]
    taken = {account_id for _, found in by_id for account_id in found}
    by_name = {
        person.account_id: _namesakes(person, directory) - taken
        for person, found in by_id
        if not found
    }
    claims = Counter(account_id for found in by_name.values() for account_id in found)
    known: list[tuple[str | None, Person]] = []
    for person, found in by_id:
        found = found or {one for one in by_name[person.account_id] if claims[one] == 1}
        known.append((next(iter(found)) if len(found) == 1 else None, person))
    return known


def _namesakes(person: Person, directory: Directory) -> set[str]:
    accounts = (directory.of_username(name) for name in person.names)
    return {account.account_id for account in accounts if account is not None}


def _of_directory(
    directory: Directory, known: Iterable[tuple[str | None, Person]]
) -> Mapping[str, Account]:
    """All accounts of the directory, with what the export alone tells of them."""
    persons = {account_id: person for account_id, person in known if account_id is not None}
    accounts: dict[str, Account] = {}
    for account_id, listed in directory.accounts.items():
        person = persons.get(account_id)
        accounts[account_id] = Account(
            account_id=account_id,
            username=listed.username or (person.username if person else None),
            email=listed.email or (person.email if person else None),
            is_active=listed.is_active,
            classes=CLASSES,
        )
    return accounts


def _clear(pairs: Iterable[tuple[str, str | None]]) -> Mapping[str, str | None]:
    """What each stands for, None where that is several."""
    places: defaultdict[str, set[str | None]] = defaultdict(set)
    for name, place in pairs:
        places[name].add(place)
    return {name: found.pop() if len(found) == 1 else None for name, found in places.items()}
