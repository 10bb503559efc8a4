"""Schemas as clients get them."""

import jsonschema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from server.schemas import concise


class Book(BaseModel):
    """A model with properties named like words of JSON Schema."""

    title: str
    default: int | None = None
    pages: list["Book"] = []
    copies: int = 1


def test_titles_and_empty_defaults_are_left_out() -> None:
    schema = concise(Book.model_json_schema())

    assert isinstance(schema, dict)
    assert "'title': 'Pages'" not in str(schema)
    assert "'default': None" not in str(schema)
    assert "'default': 1" in str(schema)


def test_properties_called_title_or_default_stay() -> None:
    schema = concise(Book.model_json_schema()["$defs"]["Book"])

    assert isinstance(schema, dict)
    assert schema["properties"] == {
        "title": {"type": "string"},
        "default": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "pages": {"items": {"$ref": "#/$defs/Book"}, "type": "array"},
        "copies": {"default": 1, "type": "integer"},
    }


VALUES = st.none() | st.integers() | st.text(max_size=3)
NAMES = st.sampled_from(["title", "default", "pages", "copies"])
DOCUMENTS: st.SearchStrategy[JsonValue] = st.recursive(
    VALUES,
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(NAMES, parts),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_the_same_documents_are_valid(value: JsonValue) -> None:
    schema = Book.model_json_schema()

    assert is_valid(value, schema) == is_valid(value, concise(schema))


def is_valid(value: JsonValue, schema: JsonValue) -> bool:
    """Whether a document is what a schema says."""
    assert isinstance(schema, dict)
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        return False
    return True
