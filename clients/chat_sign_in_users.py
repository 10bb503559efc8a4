"""The file of those who sign in with a password, each with a key of the MCP server."""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat_errors import ChatFailure

# One of the choices that OWASP's cheat sheet on storing passwords gives.
COST, BLOCK, LANES = 15, 8, 3
MEMORY = 128 * 1024 * 1024
SHORTEST_PASSWORD = 8
LONGEST = 1_024
TRIES_AT_ONCE = 2


class UsersError(ChatFailure):
    """The file of users cannot be used."""


class SignInUser(BaseModel):
    """Somebody who may sign in. `password` is a hash; `key` is shown to the MCP server only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    password: str = Field(repr=False)
    key: str = Field(repr=False)


class _File(BaseModel):
    users: tuple[SignInUser, ...] = ()


class Users:
    """The file, read anew when it has changed: who is removed is out at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, SignInUser] = {}
        self._trying = asyncio.Semaphore(TRIES_AT_ONCE)

    def named(self, name: str) -> SignInUser | None:
        """The user of that name; raises UsersError."""
        return self._current().get(name)

    def all(self) -> Sequence[SignInUser]:
        """All of them, in their order; raises UsersError."""
        return list(self._current().values())

    async def signed_in(self, name: str, password: str) -> SignInUser | None:
        """The user, if the password is theirs. An unknown name takes as long as a known one."""
        user = self._current().get(name)
        expected = user.password if user is not None else NOBODY
        async with self._trying:
            fits = await asyncio.to_thread(is_password, password[:LONGEST], expected)
        return user if fits else None

    def add(self, name: str, password: str, key: str) -> None:
        """Adds a user, or replaces the one of that name; raises UsersError."""
        if not name.strip() or name != name.strip() or len(name) > LONGEST:
            raise UsersError("A user name has no spaces around it and is not empty.")
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST:
            raise UsersError(f"A password has at least {SHORTEST_PASSWORD} characters.")
        if not key.isascii() or not key.isprintable() or not key or " " in key:
            raise UsersError("That is no key. `confluence-mcp token create` prints one.")
        user = SignInUser(name=name, password=hashed(password), key=key)
        self._write(self._current() | {name: user})

    def remove(self, name: str) -> None:
        """Removes a user; raises UsersError."""
        users = dict(self._current())
        if users.pop(name, None) is None:
            raise UsersError(f"There is no user {name}.")
        self._write(users)

    def _current(self) -> dict[str, SignInUser]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._known = None, {}
            return self._known
        except OSError as error:
            raise UsersError(f"The file of users cannot be read: {error}") from error
        if (stamp := (found.st_mtime_ns, found.st_ino)) != self._stamp:
            if os.name == "posix" and found.st_mode & 0o077:
                raise UsersError(
                    f"Others can read {self.path}, which has keys. Run `chmod 600 {self.path}`."
                )
            self._known = {user.name: user for user in self._read().users}
            self._stamp = stamp
        return self._known

    def _read(self) -> _File:
        try:
            return _File.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError) as error:
            # What pydantic says would repeat what it read.
            raise UsersError(
                f"The file of users {self.path} cannot be read ({type(error).__name__}). Mend it, "
                "or remove it and add the users again."
            ) from None

    def _write(self, users: dict[str, SignInUser]) -> None:
        content = _File(users=tuple(users.values())).model_dump_json(indent=2)
        try:
            write_privately(self.path, content)
        except OSError as error:
            raise UsersError(f"The file of users cannot be written: {error}") from error


def write_privately(path: Path, content: str) -> None:
    """Replaces a file by one that only its owner reads."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    Path(name).replace(path)


def hashed(password: str) -> str:
    """A password so that it can be checked but not read."""
    salt = secrets.token_bytes(16)
    return _join(COST, BLOCK, LANES, salt, _scrypt(password, salt, COST, BLOCK, LANES))


def is_password(password: str, expected: str) -> bool:
    """Whether a password is that of a hash, told in the same time for both."""
    try:
        kind, cost, block, lanes, salt, found = expected.split(":")
        if kind != "scrypt":
            return False
        made = _scrypt(password, base64.b64decode(salt), int(cost), int(block), int(lanes))
        return hmac.compare_digest(made, base64.b64decode(found))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    # Half a character, which a form can send, has no bytes of its own.
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=2**cost, r=block, p=lanes, maxmem=MEMORY, dklen=32)


def _join(cost: int, block: int, lanes: int, salt: bytes, made: bytes) -> str:
    ends = (base64.b64encode(part).decode() for part in (salt, made))
    return ":".join(("scrypt", str(cost), str(block), str(lanes), *ends))


NOBODY = _join(COST, BLOCK, LANES, bytes(16), bytes(32))
