"""JSON schemas without what goes without saying. Pure."""

from pydantic import JsonValue


def concise(schema: JsonValue) -> JsonValue:
    """A schema without titles made of names (`Page Id` of `page_id`) and without empty defaults."""
    match schema:
        case dict():
            return {
                name: concise(part) for name, part in schema.items() if not _is_empty(name, part)
            }
        case list():
            return [concise(part) for part in schema]
        case _:
            return schema


def _is_empty(name: str, part: JsonValue) -> bool:
    # A property that happens to be called `title` or `default` has a schema here.
    return (name == "title" and isinstance(part, str)) or (name == "default" and part in (None, []))
