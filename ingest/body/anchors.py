"""Fragments of addresses: how each kind of Confluence names headings and anchors."""

from urllib.parse import quote

from ingest.body.blocks import LinkContext
from ingest.sources.source import Deployment


def fragment(name: str, context: LinkContext, *, page_title: str | None = None) -> str:
    """The part after `#` that opens a heading or an anchor, of this page or of the one named.

    Cloud writes spaces as hyphens. Data Center leaves them out and puts the page title in front,
    whose hyphens it leaves out too; an id that begins with anything but a letter of ASCII gets
    `id-` before it.
    """
    if context.deployment is Deployment.CLOUD:
        return _quoted(name.replace(" ", "-"))
    title = context.page_title if page_title is None else page_title
    anchor = f"{_joined(title).replace('-', '')}-{_joined(name)}"
    is_letter = anchor[0].isascii() and anchor[0].isalpha()
    return _quoted(anchor if is_letter else f"id-{anchor}")


def _joined(text: str) -> str:
    return "".join(text.split())


def _quoted(anchor: str) -> str:
    return quote(anchor, safe="!$&'()*+,;=:@/?-._~")
