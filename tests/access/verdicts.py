"""What the index may and must show, by the verdict of the simulated site alone."""

from copy import deepcopy
from dataclasses import replace

from ingest.sources.source import Deployment
from tests.confluence.content import Content, User
from tests.confluence.permissions import Grant, Group, Permissions, SpaceGrants
from tests.confluence.site import Site

NOBODY: frozenset[Grant] = frozenset({("user", "nobody")})


class Verdicts:
    """Who may read what of a site as it is now.

    What the crawler cannot see is not in the index, whoever else sees it. `may_read` goes by all
    facts; `must_read` leaves nobody in by those that the site does not tell.
    """

    def __init__(self, site: Site, deployment: Deployment) -> None:
        self._site = site
        states = {"current", "archived"} if deployment is Deployment.CLOUD else {"current"}
        self._indexed = {
            content.id
            for content in site.contents.values()
            if content.status in states
            and site.spaces[content.space_id].status == "current"
            and site.is_allowed(site.crawler, content)
        }
        self._told = as_told(site.permissions)

    def is_indexed(self, content: Content) -> bool:
        """Whether the crawler sees it, in a state that is taken in."""
        return content.id in self._indexed

    def may_read(self, user: User, content: Content) -> bool:
        """Whether everything lets somebody read it."""
        return self.is_indexed(content) and self._site.is_allowed(user, content)

    def must_read(self, user: User, content: Content) -> bool:
        """Whether also what the site tells of itself lets somebody read it."""
        return self.may_read(user, content) and self._is_told(user, content)

    def _is_told(self, user: User, content: Content) -> bool:
        chain = [*self._site.ancestors(content), content]
        if not all(self.is_indexed(node) for node in chain):
            return False  # what lies above is not known, and so is what restricts it
        user = self._site.users[user.account_id]
        space = self._site.spaces[content.space_id]
        told = self._told
        if user.account_id in told.guests:
            told = without_classes(told)  # nothing names a guest who is only of a class
        return told.may_view_space(user, space) and told.may_view_content(user, chain)


def as_told(permissions: Permissions) -> Permissions:
    """The same, with everything closed of which the site does not tell all."""
    told = deepcopy(permissions)
    for group in permissions.groups.values():
        if any(inner in permissions.untold for inner in _within(permissions, group)):
            told.groups[group.id] = replace(group, members=frozenset(), groups=frozenset())
    for space_id, grants in permissions.spaces.items():
        given = {role_id for _, role_id in grants.roles}
        if space_id in permissions.untold or given & permissions.untold:
            told.spaces[space_id] = SpaceGrants()
    for content_id in permissions.untold:
        told.restrictions[content_id] = NOBODY
    return told


def without_classes(permissions: Permissions) -> Permissions:
    """The same, with nothing granted to classes of people."""
    told = deepcopy(permissions)
    for grants in told.spaces.values():
        grants.permissions = {grant for grant in grants.permissions if grant[0] != "class"}
        grants.roles = {given for given in grants.roles if given[0][0] != "class"}
    return told


def _within(permissions: Permissions, group: Group) -> set[str]:
    """The ids of a group and of all groups within it."""
    found: set[str] = set()
    waiting = [group.id]
    while waiting:
        group_id = waiting.pop()
        if group_id not in found and group_id in permissions.groups:
            found.add(group_id)
            waiting += permissions.groups[group_id].groups
    return found
