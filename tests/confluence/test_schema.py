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
from tests.confluence.permissions import LICENSED, Grant
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
    limit_access(site)
    return site


def limit_access(site: Site) -> None:
    """Permissions, roles and restrictions of every kind."""
    permissions, space = site.permissions, site.space("ENG")
    permissions.role_mode = "ROLES_TRANSITION"
    ada, guest = site.add_user("Ada", email="ada@example.com"), site.add_user("Guest")
    team = permissions.add_group("Team", site.crawler, ada, guest)
    permissions.guests.add(guest.account_id)
    gone: Grant = ("user", "712020:gone")
    grants: list[Grant] = [("user", ada.account_id), ("group", team.id), ("class", LICENSED)]
    permissions.grant(space, *grants)
    permissions.assign(space, permissions.add_role("Reader", can_view=True), *grants)
    permissions.assign(space, permissions.add_role("Exporter", can_view=False), *grants)
    for content in list(site.contents.values()):
        permissions.restrict(content, *grants[:2], gone)


def addresses(site: Site) -> Iterator[tuple[str, str]]:
    """Each simulated GET endpoint with a query that makes its answer rich."""
    comments = [c for c in site.comments.values() if c.parent_id is None]
    ids = {content.kind + "s": content.id for content in reversed(site.contents.values())}
    ids |= {"spaces": site.space("ENG").id, "attachments": ""}
    ids |= {"space-permissions": "", "space-role-mode": ""}
    ids["space-roles"] = next(iter(site.permissions.roles))
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


@pytest.fixture(scope="module")
def description_of_v1() -> JsonValue:
    return TypeAdapter[JsonValue](JsonValue).validate_json(DESCRIPTION_OF_V1.read_bytes())


def compare_v1(description: JsonValue, schema: str, answer: httpx.Response) -> None:
    """Raise ValidationError where an answer of REST v1 differs from a schema."""
    schemas = part(description, "components", "schemas")
    reference: JsonValue = {"$ref": f"#/components/schemas/{schema}"}
    whole = json_schema({**reference, "components": {"schemas": schemas}})
    assert isinstance(whole, dict)
    validate(answer.raise_for_status().json(), whole, cls=Draft202012Validator)


@pytest.mark.parametrize("kind", ["page", "folder", "comment"])
def test_what_a_search_finds_has_the_described_shape(
    description_of_v1: JsonValue, kind: str
) -> None:
    read = "restrictions.read.restrictions"
    expand = f"ancestors,container,metadata.labels,space,version,{read}.user,{read}.group"

    with visiting(rich_site()) as client:
        parameters = {"cql": f"type = {kind}", "expand": expand}
        answer = client.get("/rest/api/content/search", params=parameters)

    assert answer.json()["results"]
    assert ("restrictions" in answer.json()["results"][0]) == (kind != "comment")
    compare_v1(description_of_v1, "ContentArray", answer)


def test_restrictions_have_the_described_shape(description_of_v1: JsonValue) -> None:
    site = rich_site()
    content_id = next(iter(site.contents))

    with visiting(site) as client:
        answer = client.get(f"/rest/api/content/{content_id}/restriction/byOperation/read")

    assert answer.json()["restrictions"]["user"]["size"] == 2
    assert answer.json()["restrictions"]["group"]["size"] == 1
    compare_v1(description_of_v1, "ContentRestriction", answer)


def test_groups_and_members_have_the_described_shape(description_of_v1: JsonValue) -> None:
    site = rich_site()
    group_id = next(iter(site.permissions.site_groups))

    with visiting(site) as client:
        groups = client.get("/rest/api/group?limit=1")
        path = f"/rest/api/group/{group_id}/membersByGroupId"
        members = client.get(path, params={"limit": 2, "shouldReturnTotalSize": "true"})

    assert (groups.json()["size"], members.json()["size"]) == (1, 2)
    compare_v1(description_of_v1, "GroupArrayWithLinks", groups)
    compare_v1(description_of_v1, "UserArray", members)
