"""The pages, files and people that bodies in these tests refer to."""

from ingest.storage_format import LinkContext

_PAGES = {
    ("ENG", "Release Process"): "https://wiki.example.org/release",
    ("OPS", "Release Process"): "https://wiki.example.org/ops-release",
    ("OPS", "On call & rota"): "https://wiki.example.org/rota",
    ("ENG", "We moved"): "https://wiki.example.org/blog/moved",
}
_USERS = {"ann-1": "Ann Lee", "key-2": "Bob Stone"}


def _page_url(space_key: str, title: str) -> str | None:
    return _PAGES.get((space_key, title))


def _attachment_url(filename: str) -> str:
    return f"https://wiki.example.org/files/{filename}"


CONTEXT = LinkContext(
    "ENG",
    _page_url,
    _attachment_url,
    _USERS.get,
    page_title="Set-up of api 2",
    jira_url="https://jira.example.org/browse",
)
