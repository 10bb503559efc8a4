"""What a person may read, as the server lists it: spaces, and pages that changed lately."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from chat_tasks import Task

SPACE = "confluence://space/"
PAGE = "confluence://page/"
STARTERS = 4
LABEL_CHARACTERS = 60

GENERAL = (
    "How many vacation days can I carry over?",
    "Who is on call, and how do I reach them?",
    "What do I need to do in my first week?",
    "How do I ask for access to a system?",
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource that the server lists; `name` is what people call it."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Overview:
    """`spaces` are names by key, `pages` titles; `is_told` is False where the server lists none.

    `tasks` are what the server has ready to ask.
    """

    spaces: Mapping[str, str] = field(default_factory=dict[str, str])
    pages: tuple[str, ...] = ()
    is_told: bool = False
    tasks: tuple[Task, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the server would list spaces, and there is none that the asker may read."""
        return self.is_told and not self.spaces and not self.pages


def overview_of(resources: Iterable[Listed], templates: Iterable[str]) -> Overview:
    """The spaces and pages among a server's resources, in the order in which they are listed."""
    spaces: dict[str, str] = {}
    pages: list[str] = []
    for one in resources:
        if one.address.startswith(SPACE):
            key = unquote(one.address.removeprefix(SPACE))
            spaces[key] = one.name or key
        elif one.address.startswith(PAGE) and one.name:
            pages.append(one.name)
    told = bool(spaces) or any(address.startswith(SPACE) for address in templates)
    return Overview(spaces, tuple(dict.fromkeys(pages)), told)


def starter_questions(overview: Overview) -> list[str]:
    """Questions to begin with: of this wiki where it is known, or else general ones."""
    titles = [title for title in overview.pages if len(title) <= LABEL_CHARACTERS]
    names = [name for key, name in overview.spaces.items() if not key.startswith("~")]
    questions = [f"What does “{title}” say?" for title in titles]
    questions += [f"What is the space “{name}” about?" for name in names]
    return questions[:STARTERS] or list(GENERAL)
