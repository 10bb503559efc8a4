"""What a person limited a chat to, laid on each tool call whatever the model asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import TypeAdapter, ValidationError

from chat_results import ANSWER, READ, SEARCH, Passage

ANY_TIME = "any"
PERIODS = {
    "Any time": ANY_TIME,
    "In the last week": "7",
    "In the last month": "31",
    "In the last three months": "92",
    "In the last year": "366",
    "In the last three years": "1096",
}

DAYS = frozenset(PERIODS.values()) - {ANY_TIME}
NAMES = TypeAdapter(list[str])


@dataclass(frozen=True, slots=True)
class ChatFilters:
    """Spaces by key, and the first day of changes; empty and None limit nothing."""

    spaces: tuple[str, ...] = ()
    changed_since: date | None = None

    def __bool__(self) -> bool:
        return bool(self.spaces or self.changed_since)

    def applied_to(self, tool: str, arguments: Mapping[str, object]) -> dict[str, object]:
        """The arguments that stay within the filters; the model may only narrow them further."""
        limited = dict(arguments)
        if tool not in (SEARCH, ANSWER):
            return limited
        if self.spaces:
            limited["spaces"] = self._narrowed(limited.get("spaces"))
        if self.changed_since is not None:
            since = _day(limited.get("updated_after")) or self.changed_since
            limited["updated_after"] = max(since, self.changed_since).isoformat()
        return limited

    def refusal_of(self, tool: str, passage: Passage) -> str | None:
        """Why a page that was asked for by name may not be used, or None."""
        if tool != READ or self.admit(passage):
            return None
        return f"The page is outside the filters of this chat ({self.in_words()})."

    def admit(self, passage: Passage) -> bool:
        """Whether a passage is within the filters."""
        keys = {key.casefold() for key in self.spaces}
        if keys and passage.space_key.casefold() not in keys:
            return False
        if self.changed_since is None:
            return True
        changed = _day(passage.updated_at)
        return changed is not None and changed >= self.changed_since

    def in_words(self) -> str:
        """Such as `in ENG and OPS, changed since 2026-01-31`; empty without limits."""
        since = f"changed since {self.changed_since}" if self.changed_since else ""
        where = f"in {_listed(self.spaces)}" if self.spaces else ""
        return ", ".join(part for part in (where, since) if part)

    def _narrowed(self, asked: object) -> list[str]:
        wanted = {key.casefold() for key in _names(asked)}
        common = [key for key in self.spaces if key.casefold() in wanted]
        return common or list(self.spaces)


NO_FILTERS = ChatFilters()


def filters_from(spaces: object, period: object, today: date) -> ChatFilters:
    """The filters that the settings of a chat stand for; what cannot be read limits nothing."""
    days = int(period) if isinstance(period, str) and period in DAYS else None
    since = today - timedelta(days=days) if days is not None else None
    return ChatFilters(tuple(_names(spaces)), since)


def _names(given: object) -> list[str]:
    """The names in a list that came from outside, each once; none if it is no such list."""
    try:
        names = (name.strip() for name in NAMES.validate_python(given))
    except ValidationError:
        return []
    return list(dict.fromkeys(name for name in names if name))


def _day(given: object) -> date | None:
    try:
        return date.fromisoformat(str(given)[:10])
    except ValueError:
        return None


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
