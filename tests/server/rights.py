"""Who may read what of the small wiki, as its site tells it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from index.principals import AUTHENTICATED, LICENSED, Account, Principal, group, user
from index.records import ContentType, Space

_LICENSED = frozenset({LICENSED.name, AUTHENTICATED.name})
PEOPLE = (
    Account("acc-ada", "ada", "ada@example.com", True, _LICENSED),
    Account("acc-bob", "bob", "bob@example.com", True, _LICENSED),
    Account("acc-gus", "gus", "gus@example.com", True, frozenset({AUTHENTICATED.name})),
    Account("acc-old", "old", "old@example.com", False, _LICENSED),
)


@dataclass(slots=True)
class Rights:
    """By default Ada reads all; Bob all but the handbook (103), its child 104, and 102; Gus PEOPLE.

    Spaces that are not named are open to everybody with a licence.
    """

    site: frozenset[Principal] = frozenset({LICENSED, user("acc-gus")})
    spaces: Mapping[str, frozenset[Principal]] = field(
        default_factory=lambda: {
            "ENG": frozenset({group("engineers")}),
            "PEOPLE": frozenset({LICENSED, user("acc-gus")}),
        }
    )
    nodes: Mapping[str, frozenset[Principal]] = field(
        default_factory=lambda: {
            "102": frozenset({user("acc-ada")}),
            "103": frozenset({user("acc-ada")}),
        }
    )
    groups: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: {"engineers": frozenset({"acc-ada", "acc-bob", "acc-old"})}
    )
    people: Sequence[Account] = PEOPLE
    is_snapshot: bool = False

    async def site_readers(self) -> frozenset[Principal]:
        """Who may use the wiki."""
        return self.site

    async def space_readers(self, space: Space) -> frozenset[Principal]:
        """Who may view a space."""
        return self.spaces.get(space.key, frozenset({LICENSED}))

    async def restrictions(self, space: Space) -> AsyncIterator[tuple[str, frozenset[Principal]]]:
        """Nothing: each node is asked for."""
        for _ in ():
            yield _

    async def restriction(self, node_id: str, content_type: ContentType) -> frozenset[Principal]:
        """Who alone may view a node."""
        return self.nodes.get(node_id, frozenset())

    async def members(self, group_id: str) -> frozenset[str]:
        """Who is in a group."""
        return self.groups[group_id]

    async def accounts(self, account_ids: Collection[str]) -> Sequence[Account]:
        """Those who are known."""
        return [one for one in self.people if one.account_id in account_ids]
