"""Answers of the simulated Data Center compared with Confluence's own description of REST v1.

The description is not part of this project; without a copy beside the checkout, the comparison is
skipped. It leaves out much, so that only the properties that it names are compared.
"""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, validate
from pydantic import JsonValue, TypeAdapter

from tests.confluence.datacenter.app import V1
from tests.confluence.datacenter.visiting import visiting_datacenter
from tests.confluence.permissions import ANONYMOUS
from tests.confluence.site import Site

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT.parent / "shared" / "data" / "openapi" / "confluence-dc-10.0.3.swagger.v3.json"
EXPANDED = (
    "body.storage,version,space,metadata.labels,history,ancestors,container,"
    "children.attachment.version,descendants.comment.version,"
    "restrictions.read.restrictions.user,restrictions.read.restrictions.group"
)
NAMES = {"{key}": "{spaceKey}", "{name}": "{groupName}", "{operation}": "{operationKey}"}

pytestmark = pytest.mark.skipif(
    not DESCRIPTION.exists(), reason="no description of Confluence's REST v1 beside the checkout"
)


@pytest.fixture(scope="module")
def description() -> JsonValue:
    """The whole of it."""
    return TypeAdapter[JsonValue](JsonValue).validate_json(DESCRIPTION.read_bytes())


def part(node: JsonValue, *keys: str) -> JsonValue:
    """What lies at a path of keys."""
    for key in keys:
        assert isinstance(node, dict)
        node = node[key]
    return node


@pytest.mark.parametrize("template", V1)
def test_every_answer_has_the_described_shape(description: JsonValue, template: str) -> None:
    site = Site()
    site.add_space("ENG", "Engineering")
    page = site.add_tree("ENG", {"Home": {"Child": {}}})["Child"]
    site.label(page.id, "howto")
    site.comment(page.id, "<p>Why?</p>", selection="About")
    site.attach(page.id, "plan.pdf", media_type="application/pdf", data=b"%PDF")
    user_key = site.crawler.user_key
    permissions = site.permissions
    outer = permissions.add_group("outer", site.crawler)
    permissions.nest(outer, permissions.users_group)
    permissions.grant(site.space("ENG"), ("user", site.crawler.account_id), ("class", ANONYMOUS))
    permissions.restrict(page, ("user", site.crawler.account_id), ("group", outer.id))
    path = described = f"/rest/api{template}"
    for ours, theirs in NAMES.items():
        described = described.replace(ours, theirs)
    operation = part(description, "paths", described, "get")
    # A listing of attachments is described by mistake as an answer of 201.
    status = "201" if template.endswith("/attachment") else "200"
    schema = part(operation, "responses", status, "content", "application/json", "schema")
    parameters = {"expand": EXPANDED, "limit": "1"}
    if template == "/user":
        parameters = {"key": user_key}
    if template == "/content/search":
        parameters["cql"] = "type in (page, blogpost) order by lastmodified desc"
    if template.startswith("/group/"):
        parameters["expand"] = "status"
    if "/restriction/" in template:
        del parameters["expand"]

    with visiting_datacenter(site) as client:
        placed = path.format(id=page.id, key="ENG", name="outer", operation="read")
        answer = client.get(placed, params=parameters)

    assert answer.status_code == 200
    shown: JsonValue = answer.json()
    assert not isinstance(shown, dict) or shown.get("results") != []
    assert isinstance(schema, dict)
    components = part(description, "components")
    whole = {**schema, "components": components}
    validate(shown, whole, cls=Draft202012Validator)
