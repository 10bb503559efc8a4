"""One authenticated request: who asks, and what exactly is asked for."""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import Request

from tests.confluence.cloud.answers import bad_request, not_found, unauthorized
from tests.confluence.content import Content, ContentKind, Space, User
from tests.confluence.site import Site


@dataclass(frozen=True, slots=True)
class Call:
    """A request by an account that is known; parameters are checked as they are read."""

    site: Site
    caller: User
    request: Request

    @property
    def path(self) -> str:
        """The path below the site, `/wiki/...`, also for requests through the gateway."""
        return self.request.url.path.removeprefix(f"/ex/confluence/{self.site.cloud_id}")

    @property
    def base(self) -> str:
        """The address of the wiki, for `_links.base`."""
        return f"{self.request.base_url.scheme}://{self.request.base_url.netloc}/wiki"

    @property
    def path_id(self) -> str:
        """The id in the path."""
        return self._number("id", self.request.path_params["id"])

    def text(self, name: str) -> str | None:
        """A parameter as it is, or None where it is absent."""
        return self.request.query_params.get(name)

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, and false where it is absent."""
        return self.choice(name, ("true", "false")) == "true"

    def integer(self, name: str) -> int | None:
        """A whole number, or None where it is absent."""
        value = self.text(name)
        return None if value is None else int(self._number(name, value))

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of a few values, or None where it is absent."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise bad_request(f"Provided value {value!r} for '{name}' is not one of {allowed}")
        return value

    def choices(self, name: str, allowed: Collection[str]) -> list[str]:
        """Several of a few values."""
        values = self.several(name)
        for value in values:
            if value not in allowed:
                raise bad_request(f"Provided value {value!r} for '{name}' is not one of {allowed}")
        return values

    def several(self, name: str, *, most: int = 250) -> list[str]:
        """A list, separated by commas or given by repeating the parameter."""
        given = self.request.query_params.getlist(name)
        values = [part for value in given for part in value.split(",") if part]
        if len(values) > most:
            raise bad_request(f"'{name}' takes at most {most} values, {len(values)} were given")
        return values

    def ids(self, name: str, *, most: int = 250) -> list[str]:
        """A list of numeric ids."""
        return [self._number(name, value) for value in self.several(name, most=most)]

    def limit(self, default: int = 25) -> int:
        """How many results are wanted."""
        limit = self.integer("limit")
        if limit is None:
            return default
        if not 1 <= limit <= 250:
            raise bad_request(f"Provided value {limit} for 'limit' must be between 1 and 250")
        return limit

    def sees(self, thing: Space | Content) -> bool:
        """Whether the caller may know of a space or content."""
        return self.site.may_view(self.caller, thing)

    def sees_items_of(self, content_id: str) -> bool:
        """Whether the caller may know of what hangs on a content, which is not in the trash."""
        content = self.site.contents.get(content_id)
        is_there = content is not None and content.status in ("current", "archived")
        return content is not None and is_there and self.sees(content)

    def space(self, space_id: str) -> Space:
        """A space that the caller may see."""
        space = self.site.spaces.get(space_id)
        if space is None or not self.sees(space):
            raise not_found()
        return space

    def content(self, kind: ContentKind) -> Content:
        """The content named in the path, if the caller may see it and it is of this kind."""
        content = self.site.contents.get(self.path_id)
        if content is None or content.kind != kind or not self.sees(content):
            raise not_found()
        return content

    @staticmethod
    def _number(name: str, value: str) -> str:
        if not (value.isascii() and value.isdigit()):
            raise bad_request(f"Provided value {value!r} for '{name}' is not a number")
        return value


def authenticated(site: Site, request: Request, scope: str) -> Call:
    """The call behind a request, or a refusal.

    A token with scopes works through the gateway only; there it may also come as a bearer token.
    """
    through_gateway = request.url.path.startswith("/ex/")
    if through_gateway and request.path_params["cloud_id"] != site.cloud_id:
        raise not_found()
    email, secret = _credentials(request)
    token = site.tokens.get(secret)
    user = site.users.get(token.account_id) if token else None
    if token is None or user is None or user.status != "active":
        raise unauthorized()
    if (email is None and not through_gateway) or email not in (None, user.email):
        raise unauthorized()
    if token.scopes is not None and not through_gateway:
        raise unauthorized()
    if token.scopes is not None and scope not in token.scopes:
        raise unauthorized("Unauthorized; scope does not match")
    return Call(site, user, request)


def _credentials(request: Request) -> tuple[str | None, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None, value
    try:
        email, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, ""
    return email, secret
