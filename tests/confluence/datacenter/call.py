"""One request: who asks, and what exactly is asked for."""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import Request

from tests.confluence.content import Content, Space, User
from tests.confluence.datacenter.answers import Refusal, bad_request, not_found, unauthorized
from tests.confluence.datacenter.edition import Edition
from tests.confluence.site import Site

ANONYMOUS = User("", "Anonymous", "")


@dataclass(frozen=True, slots=True)
class Call:
    """A request by an account or by nobody in particular; parameters are checked as read."""

    site: Site
    edition: Edition
    caller: User
    request: Request

    @property
    def base(self) -> str:
        """The address of the wiki, for `_links.base`."""
        return f"{self.request.base_url.scheme}://{self.request.base_url.netloc}{self.context}"

    @property
    def context(self) -> str:
        """The path of the wiki at its host."""
        return self.edition.context

    @property
    def path(self) -> str:
        """The path below the wiki, as links to other parts have it."""
        return self.request.url.path.removeprefix(self.context)

    def text(self, name: str) -> str | None:
        """A parameter as it is, or None where it is absent."""
        return self.request.query_params.get(name)

    def integer(self, name: str, default: int) -> int:
        """A whole number from 0."""
        value = self.text(name) or str(default)
        if not (value.isascii() and value.isdigit()):
            raise bad_request(f"{name} is not a number: {value}")
        return int(value)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of a few values."""
        value = self.text(name) or default
        if value not in allowed:
            raise bad_request(f"Invalid {name}: {value}")
        return value

    @property
    def limit(self) -> int:
        """How many results are given: never more than the site allows, without a word about it."""
        return min(self.integer("limit", 25), self.edition.most)

    @property
    def expanded(self) -> frozenset[str]:
        """The properties to show in full, each with those on the way to it."""
        asked = self.text("expand")
        paths = ("history,space,version" if asked is None else asked).split(",")
        parts = [path.split(".") for path in paths]
        return frozenset(".".join(part[:end]) for part in parts for end in range(1, len(part) + 1))

    def sees(self, thing: Space | Content) -> bool:
        """Whether the caller may know of a space or content."""
        space = thing if isinstance(thing, Space) else self.site.spaces[thing.space_id]
        is_open = self.caller is not ANONYMOUS or space.key in self.edition.open_spaces
        return is_open and self.site.may_view(self.caller, thing)

    def space(self, key: str) -> Space:
        """A space that the caller may see."""
        for space in list(self.site.spaces.values()):
            if space.key == key and self.sees(space):
                return space
        raise not_found(f"space with key {key}")

    def content(self) -> Content:
        """The page or blog post in the path, if it is current and the caller may see it."""
        content_id = self.request.path_params["id"]
        content = self.site.contents.get(content_id)
        if content is None or content.status != "current" or not self.sees(content):
            raise not_found(f"content with id: ContentId{{id={content_id}}}")
        return content


def received(site: Site, edition: Edition, request: Request) -> Call:
    """The call behind a request, or a refusal."""
    caller = _caller(site, edition, request.headers.get("authorization", ""))
    if caller is ANONYMOUS and not edition.is_open:
        raise Refusal(403, "Not permitted to use Confluence")
    return Call(site, edition, caller, request)


def _caller(site: Site, edition: Edition, authorization: str) -> User:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        return _by_password(site, edition, value)
    # A token that is worth nothing is passed over, and so its bearer is anybody.
    return _owner(site, value) or ANONYMOUS


def _by_password(site: Site, edition: Edition, value: str) -> User:
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized() from None
    user = _owner(site, password)
    if user is None or user.username != username or not edition.takes_passwords:
        raise unauthorized()
    return user


def _owner(site: Site, secret: str) -> User | None:
    token = site.tokens.get(secret)
    user = site.users.get(token.account_id) if token else None
    return user if user and user.status == "active" else None
