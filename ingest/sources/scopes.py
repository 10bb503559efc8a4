"""Which scope of a Cloud API token a request needs."""

import re

# The first that fits counts.
_SCOPES = (
    (r"/byOperation/", "read:content-details:confluence"),
    (r"/rest/api/group", "read:group:confluence"),
    (r"/space-role-mode$", "read:configuration:confluence"),
    (r"/space-(?:roles|permissions)|/role-assignments$", "read:space.permission:confluence"),
    (r"/user/current$|/users-bulk$", "read:user:confluence"),
    (r"attachment|/download", "read:attachment:confluence"),
    (r"comments", "read:comment:confluence"),
    (r"/convert-ids-to-types$", "read:content.metadata:confluence"),
    (r"/(?:pages|blogposts)", "read:page:confluence"),
    (r"/folders", "read:folder:confluence"),
    (r"/whiteboards", "read:whiteboard:confluence"),
    (r"/databases", "read:database:confluence"),
    (r"/embeds", "read:embed:confluence"),
    (r"/spaces", "read:space:confluence"),
    (r"/rest/api/(?:search|content)", "search:confluence"),
)


def scope_of(request_name: str) -> str:
    """The scope in parentheses after a space, or nothing when it is not known."""
    for pattern, scope in _SCOPES:
        if re.search(pattern, request_name):
            return f" ({scope})"
    return ""
