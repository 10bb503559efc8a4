"""Links, mentions and images: every kind of target that the storage format can name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ingest.body.anchors import fragment
from ingest.body.names import AC, RI, Element, raw_text
from ingest.body.text import SEAM, image, is_safe, link, one_line, prose, title_in_url
from ingest.body.walk import Flow, Handler, Walk

_TEXT_PARENTS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "span", "a", "strong", "em"))
_KINDS = ("page", "blog-post", "attachment", "user", "space", "url", "shortcut", "content-entity")
_BODIES = (AC + "link-body", AC + "plain-text-link-body")
_LINK_PARTS = frozenset((*_BODIES, *(RI + kind for kind in _KINDS)))
_IMAGE_PARTS = frozenset((AC + "caption", AC + "adf-mark", *(RI + kind for kind in _KINDS)))


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference points to: a name to show (Markdown), and an address if one is known."""

    name: str
    url: str | None = None


def target_of(walk: Walk, reference: Element) -> Target | None:
    """What a resource identifier (`ri:…`) points to; None when it is of an unknown kind."""
    kind = reference.tag.removeprefix(RI)
    if kind in ("page", "blog-post"):
        return _page(walk, reference)
    if kind == "attachment":
        return _attachment(walk, reference)
    if kind == "user":
        return Target(mention(walk, reference))
    if kind == "space":
        return Target(prose(reference.get(RI + "space-key", "")))
    if kind == "url":
        url = reference.get(RI + "value", "")
        return Target("" if is_safe(url) else prose(url), url)
    if kind == "shortcut":
        return Target(prose(reference.get(RI + "parameter", "") or reference.get(RI + "key", "")))
    return Target(prose(reference.get(RI + "content-title", "")))


def _page(walk: Walk, reference: Element) -> Target:
    title = reference.get(RI + "content-title", "")
    space_key = reference.get(RI + "space-key") or walk.context.space_key
    return Target(prose(title), walk.context.page_url(space_key, title) if title else None)


def _attachment(walk: Walk, reference: Element) -> Target:
    filename = reference.get(RI + "filename", "")
    # An attachment of another page: only that page has an address here.
    owner = first_reference(reference)
    if owner is None:
        return Target(prose(filename), walk.context.attachment_url(filename))
    target = target_of(walk, owner)
    return Target(prose(filename), target.url if target else None)


def mention(walk: Walk, reference: Element) -> str:
    """A person as `@Name`; an unreadable id is not shown."""
    names = (reference.get(RI + key) for key in ("account-id", "userkey", "username"))
    user_id = next((name for name in names if name), "")
    name = walk.context.user_name(user_id) or reference.get(RI + "username") or "unknown user"
    return "@" + prose(name)


def first_reference(element: Element) -> Element | None:
    """The first resource identifier inside an element, at any depth."""
    return next(iter(element.iterdescendants(f"{RI}*")), None)


def confluence_link(walk: Walk, element: Element, flow: Flow) -> None:
    """A link that names its target instead of its address."""
    reference, body = _parts(element, _BODIES)
    anchor = element.get(AC + "anchor", "")
    target = Target(prose(anchor), "") if reference is None else target_of(walk, reference)
    target = target or Target(prose(anchor))
    url = target.url
    if anchor and url is not None and "#" not in url:
        title = None if reference is None else reference.get(RI + "content-title")
        url = f"{url}#{fragment(anchor, walk.context, page_title=title)}"
    _write_link(walk, element if body is None else body, flow, Target(target.name, url))
    if body is not None:
        walk.rest(element, flow, _LINK_PARTS)


def _parts(element: Element, names: Collection[str]) -> tuple[Element | None, Element | None]:
    """The first resource identifier among the children, and the first child with such a name."""
    reference: Element | None = None
    named: Element | None = None
    for child in element:
        tag = child.tag
        if tag in names:
            named = child if named is None else named
        elif reference is None and tag.startswith(RI):
            reference = child
    return reference, named


def _write_link(walk: Walk, body: Element, flow: Flow, target: Target) -> None:
    """The body as a link; where it is empty, the target's own name."""
    start, blocks = len(flow.inline), len(flow.blocks)
    walk.children(body, flow)
    if len(flow.blocks) > blocks:
        flow.inline.append(link("", target.url) if target.url else "")
        return
    text = flow.cut(start)
    if not one_line(text):
        flow.inline.append(SEAM + link(target.name, target.url) + SEAM)
        return
    before = " " if text[0].isspace() else ""
    after = " " if text[-1].isspace() else ""
    flow.inline.append(before + link(text, target.url) + after)


def web_link(walk: Walk, element: Element, flow: Flow) -> None:
    """A link to an address; a smart link shows the title of its page."""
    url = element.get("href", "").strip()
    if element.get("data-card-appearance") and raw_text(element).strip() in ("", url):
        title = prose(title_in_url(url))
        flow.inline.append(SEAM + link(title, url) + SEAM)
        return
    _write_link(walk, element, flow, Target("", url))


def confluence_image(walk: Walk, element: Element, flow: Flow) -> None:
    """A picture with its alternative text or file name, and its caption behind it."""
    reference, caption = _parts(element, (AC + "caption",))
    target = (target_of(walk, reference) if reference is not None else None) or Target("")
    alt = prose(element.get(AC + "alt", "")) or prose(element.get(AC + "title", ""))
    text = "" if caption is None else walk.line(caption)
    url = target.url
    if reference is not None and reference.tag == RI + "attachment":
        filename = reference.get(RI + "filename", "")
        has_owner = first_reference(reference) is not None
        url = filename if has_owner or not url else url
    _write_image(element, flow, alt or target.name, url, "" if text == alt else text)
    walk.rest(element, flow, _IMAGE_PARTS)


def _write_image(element: Element, flow: Flow, alt: str, url: str | None, caption: str) -> None:
    parent = element.getparent()
    markdown = image(alt, url)
    if parent is not None and parent.tag in _TEXT_PARENTS and not caption:
        flow.inline.append(SEAM + markdown + SEAM)
        return
    flow.flush()
    flow.inline.append("\n".join(part for part in (markdown, caption) if part))
    flow.flush()


def web_image(walk: Walk, element: Element, flow: Flow) -> None:
    """An HTML image."""
    alt = prose(element.get("alt", "") or element.get("title", ""))
    flow.inline.append(SEAM + image(alt, element.get("src")) + SEAM)


def embedded(walk: Walk, element: Element, flow: Flow) -> None:
    """Something shown from elsewhere: its address, and what is written inside."""
    url = element.get("src") or element.get("data")
    flow.inline.append(SEAM + link("", url) + SEAM if url else "")
    walk.children(element, flow)


def bare_reference(walk: Walk, element: Element, flow: Flow) -> None:
    """A resource identifier that stands in the text without a link around it."""
    parent = element.getparent()
    if parent is not None and parent.tag == AC + "link":
        return
    target = target_of(walk, element)
    if target:
        flow.inline.append(SEAM + link(target.name, target.url) + SEAM)


HANDLERS: Mapping[str, Handler] = {
    "a": web_link,
    "img": web_image,
    **dict.fromkeys(("iframe", "embed", "object", "video", "audio"), embedded),
    AC + "link": confluence_link,
    AC + "image": confluence_image,
    **dict.fromkeys((RI + kind for kind in _KINDS), bare_reference),
}
