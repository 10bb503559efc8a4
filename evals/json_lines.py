"""Files of JSON lines; what is wrong in them is told with file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from index.errors import BadRequest


class Entry(BaseModel):
    """What a line holds; ids may be numbers, and what is not asked for is passed over."""

    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def read_entries(path: Path, kind: type[AnyEntry]) -> Iterator[tuple[str, AnyEntry]]:
    """Each entry with its place (`file:line`); raises BadRequest for a line that is none."""
    for place, line in read_lines(path):
        try:
            entry = kind.model_validate_json(line)
        except ValidationError as error:
            raise bad_line(place, what_is_wrong(error)) from error
        yield place, entry


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank with its place; raises BadRequest for an unreadable file."""
    try:
        # Other line ends than these stand within the texts.
        with path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}:{number}", line.rstrip("\r\n")
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not text in UTF-8: save it as that.") from error


def bad_line(place: str, reason: str) -> BadRequest:
    """The error of a line that cannot be taken as it is."""
    return BadRequest(f"{place}: {reason}.")


def what_is_wrong(error: ValidationError) -> str:
    """The first thing that is, without the text in which it is."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {first['msg']}" if name else first["msg"]
