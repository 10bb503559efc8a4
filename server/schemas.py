"""JSON schemas without what goes without saying. Pure."""

from pydantic import JsonValue


def concise(schema: JsonValue) -> JsonValue:
    """A schema without titles made of names, empty defaults and descriptions of whole models."""
    match schema:
        case dict():
            # What a field means is said at the field.
            is_model = "properties" in schema
            return {
                name: concise(part)
                for name, part in schema.items()
                if not _is_empty(name, part) and not (name == "description" and is_model)
            }
        case list():
            return [concise(part) for part in schema]
        case _:
            return schema


def with_short_nulls(schema: JsonValue) -> JsonValue:
    """The schema with `"type": ["string", "null"]` for a choice of a simple type and null."""
    match schema:
        case {"anyOf": [{"type": str(one), **rest}, {"type": "null"}], **others} if not (
            rest.keys() - {"format"}
        ):
            return {"type": [one, "null"], **rest, **others}
        case dict():
            return {name: with_short_nulls(part) for name, part in schema.items()}
        case list():
            return [with_short_nulls(part) for part in schema]
        case _:
            return schema


def without_nulls(schema: JsonValue) -> JsonValue:
    """The schema of arguments that may be left out, without null as another way to say so."""
    match schema:
        case {"anyOf": [{**one}, {"type": "null"}], **others}:
            return {**one, **others}
        case dict():
            return {name: without_nulls(part) for name, part in schema.items()}
        case list():
            return [without_nulls(part) for part in schema]
        case _:
            return schema


def _is_empty(name: str, part: JsonValue) -> bool:
    # A property that happens to be called `title` or `default` has a schema here.
    return (name == "title" and isinstance(part, str)) or (name == "default" and part in (None, []))
