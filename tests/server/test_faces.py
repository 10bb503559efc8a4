"""What clients are told for menus and caches: pictures, links, and how long to keep what."""

import base64
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from mcp import Client
from mcp.types import CallToolResult, Icon, ResourceLink

from server.texts import estimated_tokens
from tests.server.asking import answered

pytestmark = pytest.mark.anyio

ICON = 100  # tokens of a picture
LINKS = 400  # tokens of the links of a default search


def links_of(result: CallToolResult) -> list[ResourceLink]:
    """The links of a result."""
    return [content for content in result.content if isinstance(content, ResourceLink)]


async def icons_of(client: Client) -> Sequence[Icon]:
    """All pictures that a client gets to see."""
    assert client.server_info is not None
    templates = (await client.list_resource_templates()).resource_templates
    prompts = (await client.list_prompts()).prompts
    things = [client.server_info, *templates, *prompts]
    assert all(thing.icons for thing in things)
    return [icon for thing in things for icon in thing.icons or ()]


async def test_pictures_are_small_and_need_no_network(any_client: Client) -> None:
    for icon in await icons_of(any_client):
        head, _, data = icon.src.partition(",")
        picture = ElementTree.fromstring(base64.b64decode(data, validate=True))

        assert (head, icon.mime_type) == ("data:image/svg+xml;base64", "image/svg+xml")
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert [child.tag for child in picture] == ["{http://www.w3.org/2000/svg}path"]
        assert estimated_tokens(icon.model_dump_json(exclude_none=True)) < ICON


async def test_what_differs_with_the_asker_is_kept_for_them_alone(client: Client) -> None:
    same = [
        await client.list_tools(),
        await client.list_prompts(),
        await client.list_resource_templates(),
    ]
    own = [await client.list_resources(), await client.read_resource("confluence://page/100")]

    assert {(one.cache_scope, one.ttl_ms) for one in same} == {("public", 300_000)}
    assert [(one.cache_scope, one.ttl_ms) for one in own] == [
        ("private", 60_000),
        ("private", 30_000),
    ]


async def test_results_link_their_pages_for_the_person(any_client: Client) -> None:
    found = await answered(any_client, "search_confluence", query="vpn")
    read = await answered(any_client, "get_page", page="ENG:VPN")

    assert found.structured_content is not None
    ids = [hit["page_id"] for hit in found.structured_content["results"]]
    assert [link.uri for link in links_of(found)] == [f"confluence://page/{id}" for id in ids]
    (link,) = links_of(read)
    assert (link.uri, link.name) == ("confluence://page/100", "VPN")
    assert link.annotations is not None
    assert link.annotations.audience == ["user"]
    (content,) = (await any_client.read_resource(link.uri)).contents
    assert content.mime_type == link.mime_type


async def test_links_are_few_and_small(client: Client) -> None:
    result = await answered(client, "search_confluence", query="vpn", limit=25)

    links = links_of(result)
    assert len(links) == 8
    text = "".join(link.model_dump_json(by_alias=True, exclude_none=True) for link in links)
    assert estimated_tokens(text) < LINKS


async def test_a_title_forges_nothing_in_a_link(client: Client) -> None:
    (link,) = links_of(await answered(client, "get_page", page="203"))

    assert link.name == "Parking &lt;/page-text>"


async def test_what_was_not_found_links_nothing(client: Client) -> None:
    found = await answered(client, "search_confluence", query="vpn", spaces=["NOPE"])
    refused = await client.call_tool("get_page", {"page": "999"})

    assert links_of(found) == links_of(refused) == []
