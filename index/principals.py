"""Who may pass a guard: people, groups of them, and classes such as everybody with a licence."""

from dataclasses import dataclass
from enum import StrEnum


class PrincipalKind(StrEnum):
    """What a permission is granted to."""

    USER = "user"
    GROUP = "group"
    CLASS = "class"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """Someone to whom a permission is granted; as text `kind:name`, such as `group:8f2c`.

    `name` is an account id or user key, a group's id (Cloud) or name in lower case (Data Center),
    or a class of people as Confluence Cloud names it, such as `all-licensed-users`.
    """

    kind: PrincipalKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def user(account_id: str) -> Principal:
    """A person."""
    return Principal(PrincipalKind.USER, account_id)


def group(group_id: str) -> Principal:
    """A group of people."""
    return Principal(PrincipalKind.GROUP, group_id)


def class_of_people(name: str) -> Principal:
    """A class of people, to which the site counts accounts by itself."""
    return Principal(PrincipalKind.CLASS, name)


# The classes of Confluence Cloud (its space roles name them so); Data Center's mean the same.
ANONYMOUS = class_of_people("anonymous-users")  # everyone, with or without an account
AUTHENTICATED = class_of_people("authenticated-users")  # every active account, customers too
LICENSED = class_of_people("all-licensed-users")  # those who may use the product, but no guests
# Whoever asks this server, even without an account there: for what an operator makes public.
EVERYBODY = class_of_people("everybody")


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account on a site. `email` is None where it is kept private.

    `username` is what the person signs in with on Data Center. `classes` are the names of the
    classes of people that it counts to while it is active.
    """

    account_id: str
    username: str | None
    email: str | None
    is_active: bool
    classes: frozenset[str]
