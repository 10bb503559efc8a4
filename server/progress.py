"""What a client may show while an answer is made: words on the way through four steps."""

from collections.abc import Awaitable, Callable, Sequence

from server.texts import one_line

STEPS = 4
SHOWN = 160  # characters of what is looked for or read
EVERY = 200  # characters that a model writes between two notifications
HALF = 2_000  # characters after which the bar of the writing is half way

Progress = Callable[[float, str], Awaitable[None]]


class Steps:
    """Tells a client how far an answer is; the number grows with each notification."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._at = 0.0
        self._written = 0

    async def searching(self, *queries: str) -> None:
        """What is looked for."""
        await self._tell(1, f"Searching the wiki: {_short(queries)}")

    async def reading(self, titles: Sequence[str], passages: int) -> None:
        """Which pages are read."""
        names = list(dict.fromkeys(titles))
        await self._tell(2, f"Reading {passages} passages of {len(names)} pages: {_short(names)}")

    async def written(self, characters: int) -> None:
        """How much the model has written; told now and then."""
        if characters < self._written:  # it began anew
            self._written = 0
        if characters >= self._written + EVERY:
            self._written = characters
            part = characters / (characters + HALF)
            await self._tell(2 + part, f"Writing the answer: {characters} characters")

    async def checking(self) -> None:
        """The last step, also where it is taken again."""
        await self._tell(3, "Checking the quotes")

    async def _tell(self, step: float, message: str) -> None:
        self._at = step if step > self._at else self._at + 0.001
        await self._progress(round(self._at, 3), message)


def _short(names: Sequence[str]) -> str:
    text = one_line("; ".join(names))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"
