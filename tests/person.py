"""A person at a terminal who knows what will be asked, and in which order."""

from collections import deque


class Person:
    """Answers each question that has the words expected next; keeps all that was shown."""

    is_person = True

    def __init__(self, *answers: tuple[str, str | type[BaseException]]) -> None:
        self._answers = deque(answers)
        self._shown: list[str] = []

    @property
    def shown(self) -> str:
        """What stood on the screen, questions too, answers not."""
        return "\n".join(self._shown)

    @property
    def is_done(self) -> bool:
        """Whether all was asked that was expected."""
        return not self._answers

    def say(self, text: str = "") -> None:
        """Reads it."""
        self._shown.append(text)

    def ask(self, question: str, default: str = "") -> str:
        """The next answer."""
        return self._answer(f"{question} ({default})") or default

    def ask_unseen(self, question: str) -> str:
        """The next answer."""
        return self._answer(question)

    def _answer(self, question: str) -> str:
        self._shown.append(question)
        assert self._answers, f"nobody expected to be asked: {question}"
        words, answer = self._answers.popleft()
        assert words in question, f"{words!r} was expected to be asked, not {question!r}"
        if not isinstance(answer, str):
            raise answer
        return answer
