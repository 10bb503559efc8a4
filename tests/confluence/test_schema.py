"""Answers of the simulated Cloud compared with Confluence's own descriptions of its REST APIs.

They are not part of this project; without copies beside the checkout, the comparison is skipped.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator, ValidationError, validate
from pydantic import JsonValue, TypeAdapter

from tests.confluence.cloud.app import V2
from tests.confluence.content import ContentKind
from tests.confluence.faults import Faults, Json, rewritten
from tests.confluence.site import Site
from tests.confluence.visiting import visiting

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTIONS = ROOT.parent / "shared" / "data" / "openapi"
DESCRIPTION = DESCRIPTIONS / "confluence-v2.openapi-v2.v3.json"
DESCRIPTION_OF_V1 = DESCRIPTIONS / "confluence-v1.swagger.v3.json"

NODE_KINDS: tuple[ContentKind, ...] = ("whiteboard", "database", "embed")

# Null in real answers although the description does not say so.
REALLY_NULLABLE = {
    "parentId",
    "parentType",
    "lastOwnerId",
    "homepageId",
    "description",
    "icon",
    "personalSpaceId",
}

pytestmark = pytest.mark.skipif(
    not DESCRIPTION.exists(), reason="no description of Confluence's REST v2 beside the checkout"
)


def rich_site() -> Site:
    """A site that has one of everything that the endpoints show."""
    site = Site()
    site.add_space("ENG", "Engineering", description="How we build")
    folder = site.add_node("folder", "ENG", "Plans")
    for kind in NODE_KINDS:
        site.add_node(kind, "ENG", kind.title(), parent=folder.id)
    pages = site.add_tree("ENG", {"Home": {"Child": {}}}, parent=folder.id)
    site.set_homepage("ENG", pages["Home"].id)
    site.archive(pages["Child"].id)
    site.add_page("ENG", "Root")
    post = site.add_blogpost("ENG", "News", "<p>Hello</p>")
    for content_id in (pages["Home"].id, post.id):
        site.edit(content_id, "<p>More</p>", message="More")
        site.label(content_id, *(f"label-{number}" for number in range(51)))
        site.attach(content_id, "plan.pdf", data=b"pdf")
        for selection in (None, "Hello"):
            comment = site.comment(content_id, "<p>Why?</p>", selection=selection)
            site.comment(content_id, "<p>So.</p>", parent=comment.id)
    return site


def addresses(site: Site) -> Iterator[tuple[str, str]]:
    """Each simulated GET endpoint with a query that makes its answer rich."""
    comments = [c for c in site.comments.values() if c.parent_id is None]
    ids = {content.kind + "s": content.id for content in reversed(site.contents.values())}
    ids |= {"spaces": site.space("ENG").id, "attachments": ""}
    ids |= {("inline" if c.selection else "footer") + "-comments": c.id for c in comments}
    ids["pages"] = next(iter(site.comments.values())).container_id
    for template in V2:
        room = template.split("/")[1]
        last = template.rsplit("/", 1)[-1]
        query = {
            "pages": "?body-format=storage&limit=1",
            "blogposts": "?body-format=atlas_doc_format",
            "versions": "?body-format=storage",
            "spaces": "?description-format=plain",
            "footer-comments": "?body-format=storage",
            "inline-comments": "?body-format=storage",
            "children": "?body-format=atlas_doc_format",
            "{id}": "?include-labels=true&body-format=view",
        }.get(last, "")
        is_node = room.removesuffix("s") in ("folder", *NODE_KINDS)
        yield template, template.format(id=ids[room]) + ("" if is_node else query)


def json_schema(node: JsonValue) -> JsonValue:
    """A schema of OpenAPI 3.0 as JSON Schema, where null is a type of its own."""
    if isinstance(node, list):
        return [json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    converted = {key: json_schema(value) for key, value in node.items()}
    properties = converted.get("properties")
    if isinstance(properties, dict):
        for name in REALLY_NULLABLE & properties.keys():
            properties[name] = or_null(properties[name])
    return or_null(converted) if converted.pop("nullable", False) is True else converted


def or_null(schema: JsonValue) -> JsonValue:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def strict(node: JsonValue) -> JsonValue:
    """The schema, refusing properties that it does not name."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    stricter = {key: strict(value) for key, value in node.items()}
    if isinstance(stricter.get("properties"), dict) and "type" in stricter:
        stricter["additionalProperties"] = False
    return stricter


def part(node: JsonValue, *keys: str) -> JsonValue:
    """What lies at a path of keys."""
    for key in keys:
        assert isinstance(node, dict)
        node = node[key]
    return node


@pytest.fixture(scope="module")
def description() -> JsonValue:
    return TypeAdapter[JsonValue](JsonValue).validate_json(DESCRIPTION.read_bytes())


def compare(description: JsonValue, template: str, answer: httpx.Response) -> None:
    """Raise ValidationError where an answer differs from the description."""
    operation = part(description, "paths", template, answer.request.method.lower())
    schema = part(operation, "responses", "200", "content", "application/json", "schema")
    assert isinstance(schema, dict)
    schemas = part(description, "components", "schemas")
    whole = json_schema({**schema, "components": {"schemas": schemas}})
    # Single entities add `_links.base` to a closed list of links, so only listings can be strict.
    checked = whole if "allOf" in schema else strict(whole)
    assert isinstance(checked, dict)
    validate(answer.json(), checked, cls=Draft202012Validator)


@pytest.mark.parametrize("template", V2)
def test_every_answer_has_the_described_shape(description: JsonValue, template: str) -> None:
    site = rich_site()
    path = dict(addresses(site))[template]

    with visiting(site) as client:
        answer = client.get(f"/api/v2{path}")

    assert answer.status_code == 200
    assert answer.json().get("results", ["single"]) != []
    compare(description, template, answer)


@pytest.mark.parametrize("wrong", [{"id": 1}, {"status": "live"}, {"unheardOf": "x"}])
def test_the_comparison_notices_a_wrong_answer(description: JsonValue, wrong: Json) -> None:
    site, faults = rich_site(), Faults()
    faults.add(rewritten(lambda answer: {**answer, "results": [wrong]}))

    with visiting(site, faults) as client:
        answer = client.get("/api/v2/pages")

    with pytest.raises(ValidationError):
        compare(description, "/pages", answer)


def test_users_have_the_described_shape(description: JsonValue) -> None:
    site = Site()

    with visiting(site) as client:
        answer = client.post("/api/v2/users-bulk", json={"accountIds": list(site.users)})

    compare(description, "/users-bulk", answer)


def test_kinds_of_content_have_the_described_shape(description: JsonValue) -> None:
    site = rich_site()
    ids = [*site.contents, *site.comments, *site.attachments]

    with visiting(site) as client:
        answer = client.post("/api/v2/content/convert-ids-to-types", json={"contentIds": ids})

    compare(description, "/content/convert-ids-to-types", answer)


@pytest.mark.parametrize("kind", ["page", "folder", "comment"])
def test_what_a_search_finds_has_the_described_shape(kind: str) -> None:
    expand = "ancestors,container,metadata.labels,space,version"

    with visiting(rich_site()) as client:
        parameters = {"cql": f"type = {kind}", "expand": expand}
        answer = client.get("/rest/api/content/search", params=parameters).json()

    description = TypeAdapter[JsonValue](JsonValue).validate_json(DESCRIPTION_OF_V1.read_bytes())
    schemas = part(description, "components", "schemas")
    array: JsonValue = {"$ref": "#/components/schemas/ContentArray"}
    whole = json_schema({**array, "components": {"schemas": schemas}})
    assert isinstance(whole, dict)
    assert answer["results"]
    validate(answer, whole, cls=Draft202012Validator)
