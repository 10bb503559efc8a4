"""Which Data Center is simulated: its version and what its administrators have set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edition:
    """A release and its settings.

    `most` items come in one part of a listing, whatever is asked for. Visitors without login see
    `open_spaces` if the site `is_open`, else nothing at all. With an `allowance`, every so many
    requests of a user are followed by a refusal to wait for.

    Permissions: whoever asks counts as an administrator if `is_administrator`. The Remote API may
    be off, or want the password again and answer with a page. Members of a group are told with
    those of groups within it if `flattens_groups`.
    """

    version: str = "9.2.1"
    context: str = "/confluence"
    most: int = 100
    is_open: bool = True
    open_spaces: frozenset[str] = frozenset()
    takes_passwords: bool = True
    allowance: int | None = None
    is_administrator: bool = True
    has_remote_api: bool = True
    wants_password_again: bool = False
    flattens_groups: bool = True
    tells_anonymous_briefly: bool = False

    @property
    def has_scan(self) -> bool:
        """Whether content can be scanned."""
        return self._is_from(7, 18)

    @property
    def scans_blogposts(self) -> bool:
        """Whether the scan looks at the type that is asked for; else it gives pages."""
        return self._is_from(8, 3)

    @property
    def tells_version(self) -> bool:
        """Whether there is a resource for that."""
        return self._is_from(8, 0)

    @property
    def has_long_addresses(self) -> bool:
        """Whether web addresses look like those of Cloud."""
        return self._is_from(9, 0)

    @property
    def tells_groups_within(self) -> bool:
        """Whether it is told which groups are members of a group."""
        return self._is_from(8, 0)

    @property
    def tells_space_permissions(self) -> bool:
        """Whether REST knows the permissions of spaces."""
        return self._is_from(9, 1)

    @property
    def tells_permissions(self) -> bool:
        """Whether REST knows the permissions of the whole site."""
        return self._is_from(9, 2)

    def _is_from(self, major: int, minor: int) -> bool:
        numbers = self.version.split(".")
        return (int(numbers[0]), int(numbers[1])) >= (major, minor)
