"""Tasks that the server has ready (its prompts), and what they ask of a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

ICONS = {
    "brief_me": "book-open",
    "compare_pages": "columns-2",
    "find_owner": "contact",
    "space_changes": "history",
}
ICON = "list-checks"
GIVEN = TypeAdapter(dict[str, str])
# The server's text tells a model to cite as other clients can show it.
CITED = (
    "In this chat, cite as you always do here: by the number of a look-up's result, in square "
    "brackets, and not by title and address. What stands above has no such numbers: look up what "
    "you use of it."
)


@dataclass(frozen=True, slots=True)
class Needed:
    """Something that a task has to be told; `description` is for people."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt of the server; a person chooses it by its title."""

    name: str
    title: str
    description: str = ""
    needs: tuple[Needed, ...] = ()

    @property
    def icon(self) -> str:
        """Name of a Lucide icon."""
        return ICONS.get(self.name, ICON)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked; with `task`, in the words of that prompt of the server's."""

    text: str
    task: str = ""
    given: Mapping[str, str] = field(default_factory=dict[str, str])

    def as_payload(self) -> dict[str, object]:
        """As the page keeps it, to ask it again."""
        return {"question": self.text, "task": self.task, "given": dict(self.given)}


def question_for(task: Task, given: Mapping[str, str]) -> Question:
    """A task with all that it was told."""
    return Question(f"{task.title}: {'; '.join(given.values())}", task.name, given)


def question_from(payload: Mapping[str, object]) -> Question:
    """What `as_payload` gave to the page; a task that cannot be read is a plain question."""
    text = str(payload.get("question", ""))
    try:
        given = GIVEN.validate_python(payload.get("given"))
    except ValidationError:
        return Question(text)
    return Question(text, str(payload.get("task", "")), given)
