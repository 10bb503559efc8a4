"""Reads the file in which an operator names accounts and groups; what is unclear is refused."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.errors import ConfigurationError
from ingest.sources.directory import Directory, DirectoryAccount

_BLANK = re.compile(r"[ \t\r\n]*")

Placed = tuple[int, object]


def read_directory(path: Path) -> Directory:
    """The directory of a JSON file, or ConfigurationError with the line that is wrong."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _refusal(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _refusal(path, "is not text in UTF-8") from error
    try:
        return _Contents(text).directory()
    except _Wrong as error:
        raise _refusal(path, f"is wrong in line {_line(text, error.position)}: {error}") from error


def _refusal(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"The file {path} of CONFLUENCE_DIRECTORY {problem}. It is JSON such as "
        '{"accounts": [{"id": "…", "username": "…", "email": "…", "active": true}], '
        '"groups": {"name": ["id, user name or e-mail of an account"]}}.'
    )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class _Wrong(Exception):
    """What is wrong at a position. The person's own words are not repeated: they may be e-mails."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position


class _AccountJson(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    id: str = Field(min_length=1)
    username: str | None = None
    email: str | None = None
    active: bool


class _Contents:
    """What the file says, taken in from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._accounts: dict[str, DirectoryAccount] = {}
        self._named: dict[str, tuple[str, int]] = {}  # account id and place, by id and user name
        self._with_email: dict[str, set[str]] = {}
        self._groups: dict[str, Sequence[Placed]] = {}

    def directory(self) -> Directory:
        """The whole of it; _Wrong where something is missing, unknown, twice or unclear."""
        json_text = _JsonText(self._text)
        given: set[str] = set()
        for position, key in json_text.members():
            if key in given:
                raise _Wrong(position, f"{key} is there twice")
            given.add(key)
            self._take_in(json_text, position, key)
        json_text.end()
        if "accounts" not in given:
            raise _Wrong(0, "accounts are missing")
        groups = {name: self._members(name, members) for name, members in self._groups.items()}
        return Directory(self._accounts.values(), groups)

    def _take_in(self, json_text: "_JsonText", position: int, key: str) -> None:
        match key:
            case "accounts":
                for place, value in json_text.elements():
                    self._add_account(place, value)
            case "groups":
                for place, name in json_text.members():
                    self._add_group(place, name, list(json_text.elements()))
            case _:
                raise _Wrong(position, f"{key} is neither accounts nor groups")

    def _add_account(self, position: int, value: object) -> None:
        try:
            told = _AccountJson.model_validate(value)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = " ".join(["the account", *map(str, problem["loc"])])
            raise _Wrong(position, f"{where}: {problem['msg']}") from None
        for name in filter(None, {told.id.lower(), (told.username or "").lower()}):
            if name in self._named:
                first = _line(self._text, self._named[name][1])
                raise _Wrong(position, f"the account in line {first} has this id or user name too")
            self._named[name] = (told.id, position)
        if told.email:
            self._with_email.setdefault(told.email.lower(), set()).add(told.id)
        self._accounts[told.id] = DirectoryAccount(
            told.id, told.username or None, told.email or None, told.active
        )

    def _add_group(self, position: int, name: str, members: Sequence[Placed]) -> None:
        name = name.strip().lower()
        if not name or name in self._groups:
            problem = f"the group {name} is there twice" if name else "a group has no name"
            raise _Wrong(position, problem)
        self._groups[name] = members

    def _members(self, group: str, members: Sequence[Placed]) -> frozenset[str]:
        found: set[str] = set()
        for number, (position, member) in enumerate(members, 1):
            which = f"member {number} of the group {group}"
            account_ids = self._meant(member)
            if len(account_ids) != 1:
                problem = "several accounts have" if account_ids else "no account has"
                raise _Wrong(position, f"{which}: {problem} this id, user name or e-mail")
            if account_ids <= found:
                raise _Wrong(position, f"{which} is there twice")
            found |= account_ids
        return frozenset(found)

    def _meant(self, member: object) -> set[str]:
        if not isinstance(member, str):
            return set()
        name = member.strip().lower()
        named = {self._named[name][0]} if name in self._named else set[str]()
        return named | self._with_email.get(name, set())


class _JsonText:
    """A JSON text that is read piece by piece, so that each piece has its position."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decoder = json.JSONDecoder(object_pairs_hook=_without_doubles)
        self._at = 0

    def members(self) -> Iterator[tuple[int, str]]:
        """The names in the object that begins here, each value being next to be read."""
        for position in self._items("{", "}"):
            name = self._value()
            if not isinstance(name, str):
                raise _Wrong(position, "a name is not in quotation marks")
            self._expect(":")
            yield position, name

    def elements(self) -> Iterator[Placed]:
        """The values in the list that begins here."""
        for position in self._items("[", "]"):
            yield position, self._value()

    def end(self) -> None:
        """Makes sure that nothing follows."""
        if self._next():
            raise _Wrong(self._at, "something follows after the end")

    def _items(self, opening: str, closing: str) -> Iterator[int]:
        self._expect(opening)
        if self._next() == closing:
            self._at += 1
            return
        while True:
            self._next()
            yield self._at
            if self._next() != ",":
                break
            self._at += 1
        self._expect(closing)

    def _next(self) -> str:
        """The character that is next, after blanks."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise _Wrong(self._at, f"{character} is expected")
        self._at += 1

    def _value(self) -> object:
        self._next()
        try:
            value, self._at = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            raise _Wrong(error.pos, error.msg) from None
        except (RecursionError, _Double) as error:
            raise _Wrong(self._at, str(error)) from None
        return value


class _Double(Exception):
    """A name is twice in one object."""


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Double("a name is there twice")
    return found
