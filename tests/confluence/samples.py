"""Sites that are quick to build and the same each time."""

from collections.abc import Mapping

from tests.confluence.content import Content
from tests.confluence.site import Site

CHILDREN_PER_PAGE = 5


def site_with_space() -> Site:
    """A site whose only space, ENG, is still empty."""
    site = Site()
    site.add_space("ENG", "Engineering")
    return site


def filled_site(pages_by_space: Mapping[str, int], *, blogposts: int = 0) -> Site:
    """Spaces with a homepage and so many pages in all, each page with up to five children.

    Each space gets `blogposts` blog posts besides. Bodies and titles tell their number.
    """
    site = Site()
    for key, count in pages_by_space.items():
        site.add_space(key, f"Space {key}")
        pages: list[Content] = []
        for number in range(count):
            parent = pages[(number - 1) // CHILDREN_PER_PAGE].id if pages else None
            pages.append(
                site.add_page(key, f"{key} page {number}", sample_body(number), parent=parent)
            )
        if pages:
            site.set_homepage(key, pages[0].id)
        for number in range(blogposts):
            site.add_blogpost(key, f"{key} news {number}", sample_body(number))
    return site


def sample_body(number: int) -> str:
    """A short body in storage format that no other number has."""
    return (
        f"<h1>Section {number}</h1>"
        f"<p>Paragraph {number} about matter {number % 17}.</p>"
        f"<ul><li>Step {number}</li><li>Step {number + 1}</li></ul>"
    )
