"""Holds what clients were shown against the wiki: who may see what, which version, which text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.load_calls import ANSWER, READ, SEARCH, Call, Shown, digest_of
from benchmarks.load_wiki import ANYBODY, Wiki, markdown_of, word_of

NO_PAGE = "No page "  # how the answer begins for a page that is not there, or not for the asker


@dataclass(slots=True)
class Checker:
    """Knows when whole runs of the ingest had begun and ended, which the index must have caught.

    An index may be as old as the start of the last run that had ended when a call began, and as new
    as the end of the call. `wrong` has a sentence for each wrong answer.
    """

    wiki: Wiki
    runs: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    wrong: list[str] = field(default_factory=list[str])
    checked: int = 0
    found: int = 0

    def check(self, calls: Sequence[Call]) -> None:
        """Looks at calls that have ended, and at each page that they show."""
        for call in calls:
            if call.outcome == "ok" or call.said.startswith(NO_PAGE):
                self.checked += 1
                self.wrong += [
                    f"{call.ended:.1f} {call.tool} of page {call.wanted.page_id} for "
                    f"{call.person}: {fault}"
                    for fault in self._faults(call)
                ]

    def _faults(self, call: Call) -> list[str]:
        since = max((began for began, ended in self.runs if ended < call.began), default=0.0)
        faults = [fault for one in call.shown if (fault := self._fault_of(call, one, since))]
        possible = self.wiki.open_between(call.person, call.wanted.page_id, since, call.ended)
        first = call.shown[0].page_id if call.shown else None
        is_steady = len(possible) == 1 and None not in possible
        if call.tool in (SEARCH, ANSWER) and is_steady:
            self.found += 1
            if first != call.wanted.page_id:
                faults.append(f"not found, but {first}")
        if call.said.startswith(NO_PAGE) and None not in possible:
            faults.append(f"not shown, though open in versions {possible}")
        return faults

    def _fault_of(self, call: Call, shown: Shown, since: float) -> str | None:
        number = self.wiki.number_of(shown.page_id)
        if number is None:
            return f"shows {shown.page_id}, which never was"
        when = since, call.ended
        if self.wiki.open_between(call.person, shown.page_id, *when) == {None}:
            return f"shows {shown.page_id}, closed since {since:.1f}"
        versions = self.wiki.open_between(ANYBODY, shown.page_id, *when)
        if shown.version not in versions:
            return (
                f"shows version {shown.version} of {shown.page_id}, since {since:.1f} there were "
                f"{versions}"
            )
        own = {word_of(number), word_of(number, shown.version)}
        if strange := shown.marks - own:
            return f"shows words of other pages or versions as of {shown.page_id}: {strange}"
        if call.tool == READ and call.digest != digest_of(markdown_of(number, shown.version)):
            return f"shows another text than version {shown.version} has"
        return None
