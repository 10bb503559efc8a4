"""Schemas as clients get them."""

from datetime import datetime

import jsonschema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from server.schemas import concise, with_short_nulls, without_nulls


class Book(BaseModel):
    """A model with properties named like words of JSON Schema."""

    title: str
    default: int | None = None
    pages: list["Book"] = []
    copies: int = 1


class Described(BaseModel):
    """A model with a property named as what is left out of models."""

    description: str = Field(description="Its words.")
    when: datetime | None = Field(description="Its time.")


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
    assert is_valid(value, schema) == is_valid(value, with_short_nulls(schema))


@given(DOCUMENTS)
def test_without_nulls_the_same_documents_without_nulls_are_valid(value: JsonValue) -> None:
    schema = Book.model_json_schema()

    assert is_valid(value, without_nulls(schema)) == (
        is_valid(value, schema) and not has_null_default(value)
    )


def has_null_default(value: JsonValue) -> bool:
    """Whether a book, or one of its pages, says that it has no default."""
    match value:
        case {"default": None}:
            return True
        case {"pages": [*pages]}:
            return any(has_null_default(page) for page in pages)
        case _:
            return False


def test_descriptions_are_kept_of_fields_only() -> None:
    schema = concise(Described.model_json_schema())

    assert isinstance(schema, dict)
    assert schema["properties"] == {
        "description": {"type": "string", "description": "Its words."},
        "when": {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
            "description": "Its time.",
        },
    }
    assert "description" not in schema


def test_a_choice_of_a_simple_type_and_null_is_a_list_of_types() -> None:
    schema = with_short_nulls(Described.model_json_schema()["properties"]["when"])

    assert schema == {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "Its time.",
        "title": "When",
    }


def is_valid(value: JsonValue, schema: JsonValue) -> bool:
    """Whether a document is what a schema says."""
    assert isinstance(schema, dict)
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        return False
    return True
