"""Names of pages. What they find in an index is tested with get_page."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import BadRequest
from server.references import PageReference, page_reference

HOSTS = st.sampled_from(
    ["https://x.atlassian.net/wiki", "http://localhost:8090", "", "//", "[", "x://"]
)
PATHS = st.sampled_from(
    [
        "/pages/",
        "/display/",
        "/x/",
        "/blog/",
        "?pageId=",
        "?title=",
        "&spaceKey=",
        "%",
        "#",
        "é",
        "1",
    ]
)
ADDRESSES = st.tuples(HOSTS, st.lists(PATHS | st.text(max_size=8), max_size=6).map("".join))


@given(st.text(max_size=60) | ADDRESSES.map("".join))
def test_any_text_names_a_page_or_is_refused(text: str) -> None:
    try:
        found = page_reference(text)
    except BadRequest as refusal:
        assert "Give a page id" in str(refusal)
    else:
        assert (found.page_id is None) != (found.title is None)
        assert "\x00" not in f"{found.page_id}{found.title}{found.space_key}{found.whole}"


def tiny(page_id: int) -> str:
    """The code of a tiny link, as Confluence makes it."""
    code = base64.b64encode(page_id.to_bytes(8, "little")).decode().rstrip("=")
    return code.replace("/", "-").replace("+", "_").rstrip("A")


@given(st.integers(1, 2**63 - 1))
def test_tiny_links_are_read_as_confluence_makes_them(page_id: int) -> None:
    reference = page_reference(f"https://wiki.example.com/x/{tiny(page_id)}")

    assert reference == PageReference(page_id=str(page_id))


@given(st.integers(0, 10**19 - 1))
def test_an_id_is_an_id(page_id: int) -> None:
    assert page_reference(str(page_id)) == PageReference(page_id=str(page_id))


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("ENG:VPN", PageReference(space_key="ENG", title="VPN", whole="ENG:VPN")),
        ("~ada:Notes", PageReference(space_key="~ada", title="Notes", whole="~ada:Notes")),
        ("CI/CD pipeline", PageReference(title="CI/CD pipeline")),
        ("ENG:CI/CD", PageReference(space_key="ENG", title="CI/CD", whole="ENG:CI/CD")),
        ("How do we: deploy?", PageReference(title="How do we: deploy?")),
        ("/display/ENG/C%2B%2B", PageReference(space_key="ENG", title="C++")),
        ("/display/~ada/My+notes", PageReference(space_key="~ada", title="My notes")),
        (
            "https://w.example/pages/viewpage.action?title=A%26B&spaceKey=ENG",
            PageReference(space_key="ENG", title="A&B"),
        ),
        (
            "https://w.example/wiki/spaces/ENG/pages/12/Search?title=other",
            PageReference(page_id="12"),
        ),
        ("confluence://page/12", PageReference(page_id="12")),
        ("<https://w.example/wiki/spaces/ENG/pages/12>", PageReference(page_id="12")),
        (
            "https://w.example/download/attachments/12/my%20plan+1.pdf?version=2",
            PageReference(page_id="12", attachment="my plan 1.pdf"),
        ),
        (
            "/wiki/pages/viewpageattachments.action?pageId=12&preview=%2F12%2F34%2Fmy+plan.pdf",
            PageReference(page_id="12", attachment="my plan.pdf"),
        ),
        (
            "https://w.example/display/ENG/VPN?preview=/12/34/plan%20%26%20map.pdf",
            PageReference(space_key="ENG", title="VPN", attachment="plan & map.pdf"),
        ),
        (
            "https://w.example/pages/viewpage.action?pageId=12&preview=",
            PageReference(page_id="12"),
        ),
    ],
)
def test_names_are_read_as_people_write_them(text: str, reference: PageReference) -> None:
    assert page_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "https://w.example/wiki/spaces/~ada",
        "https://w.example/wiki/spaces/~ada/overview",
        "https://w.example/wiki/spaces/~ada/pages",
        "https://w.example/display/~ada/",
        "https://w.example/spaces/viewspace.action?key=~ada",
    ],
)
def test_the_address_of_a_space_is_told_apart(text: str) -> None:
    with pytest.raises(BadRequest, match=r"of a space.*Search it with spaces=\['~ada'\]"):
        page_reference(text)
