"""Hides what a site does not show any more, but nothing on doubt."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from index.errors import SourceError
from index.records import Space
from ingest.listing import OpenSpace, is_sudden
from ingest.pipeline import Target
from ingest.report import Report
from ingest.sources.source import Source

logger = logging.getLogger(__name__)

LOOK_AGAIN = 100
SHOWN_KEYS = 20


class Hiding:
    """What one run hides. Whatever it doubts becomes one of the report's problems.

    `admits` tells of a space, by its key, whether the index is to hold it. A run that is `believed`
    hides also what others doubt, and one over less than the `whole_site` no other spaces.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        report: Report,
        admits: Callable[[str], bool],
        *,
        run_id: int,
        believed: bool,
        whole_site: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._admits = admits
        self._run_id = run_id
        self._is_believed = believed
        self._is_whole_site = whole_site

    async def hide(
        self,
        swept: Sequence[OpenSpace],
        vanished: int,
        last_account: str | None,
        account_id: str,
    ) -> bool:
        """Hides what complete sweeps did not see; False when that is doubted.

        So many pages more have vanished with their spaces.
        """
        unseen = [
            (one, *await self._target.nodes.unseen(self._run_id, one.space_id)) for one in swept
        ]
        gone = vanished + sum(len(node_ids) for _, node_ids, _ in unseen)
        if gone and not self._is_believed and last_account not in (None, account_id):
            self._report.problems.append(
                f"The site was last read as account {last_account} and now as {account_id}, which "
                f"does not see {gone} pages; nothing was hidden. If the new account sees all that "
                f"it should, run `confluence-mcp ingest --full`."
            )
            return False
        if gone and await self._source.identity() != account_id:
            raise SourceError("The account changed during the run; nothing was hidden. Run again.")
        believed = [await self._hide_in(one, ids, known) for one, ids, known in unseen]
        return all(believed)

    async def hide_in(self, one: OpenSpace) -> None:
        """Hides what a complete sweep of the space did not see."""
        await self._hide_in(one, *await self._target.nodes.unseen(self._run_id, one.space_id))

    async def _hide_in(self, one: OpenSpace, node_ids: Sequence[str], known: int) -> bool:
        if self._is_doubtful(one.space, len(node_ids), known):
            return False
        gone = await self._really_gone(one.space, node_ids)
        self._report.hidden += await self._target.store.tombstone(gone)
        await self._target.store.mark_swept(one.space_id)
        logger.info("space=%s known=%d gone=%d", one.space.key, known, len(gone))
        return True

    def _is_doubtful(self, space: Space, gone: int, before: int) -> bool:
        """Whether so much is missing from a sweep that it is no reason to hide pages."""
        is_doubtful = is_sudden(gone, before) and not self._is_believed
        if is_doubtful:
            self._report.problems.append(
                f"{gone} of {before} pages of space {space.key} are missing from the listing; "
                f"nothing was hidden. Check what the account may see; if they are really gone, "
                f"run `confluence-mcp ingest --full --space {space.key}`."
            )
        return is_doubtful

    async def _really_gone(self, space: Space, node_ids: Sequence[str]) -> list[str]:
        """Those that the site does not show by their ids either, in no space that is taken in.

        Who may read those that are in another one is known when that one is swept, and not before.
        """
        shown: dict[str, str] = {}
        for at in range(0, len(node_ids), LOOK_AGAIN):
            shown |= await self._source.still_shown(node_ids[at : at + LOOK_AGAIN])
        kept = {node_id: key for node_id, key in shown.items() if self._admits(key)}
        left = {node_id: key for node_id, key in kept.items() if key != space.key}
        if left:
            await self._target.nodes.displace(left)
            self._report.warnings.append(
                f"{len(left)} pages have left space {space.key} for {some_of(set(left.values()))}. "
                f"They are kept, but closed to everybody until a run looks at that."
            )
        if len(kept) > len(left):
            self._report.problems.append(
                f"{len(kept) - len(left)} pages of space {space.key} were missing from its "
                f"listing but are there; they were kept. The next run settles it."
            )
        return [node_id for node_id in node_ids if node_id not in kept]

    async def vanished(self, spaces: Sequence[OpenSpace]) -> dict[str, int]:
        """How many pages spaces had, by key, that are to be taken in but are not there any more."""
        if not self._is_whole_site:
            return {}
        sizes = await self._target.nodes.space_sizes()
        keys = sizes.keys() - {one.space.key for one in spaces}
        return {key: sizes[key] for key in keys if self._admits(key)}

    async def leave_other_spaces(
        self, spaces: Sequence[OpenSpace], vanished: Mapping[str, int]
    ) -> None:
        """Hides the pages of spaces that are not taken in any more, or are gone."""
        if not self._is_whole_site:
            return
        kept = await self._doubted(vanished)
        if kept:
            self._report.problems.append(
                f"The spaces {some_of(kept)} are missing from the list of spaces; nothing of them "
                f"was hidden. Check what the account may see; if they are really gone, run "
                f"`confluence-mcp ingest --full`."
            )
        left = sorted({one.space.key for one in spaces} | kept)
        self._report.hidden += await self._target.store.tombstone_other_spaces(left)

    async def _doubted(self, vanished: Mapping[str, int]) -> set[str]:
        """Those of the vanished spaces that are not believed to be gone."""
        if self._is_believed or not vanished:
            return set()
        sizes = await self._target.nodes.space_sizes()
        if is_sudden(sum(vanished.values()), sum(sizes.values())):
            return set(vanished)
        doubted: set[str] = set()
        for key in vanished:
            some = await self._target.nodes.some_of(key, LOOK_AGAIN)
            if key in (await self._source.still_shown(some)).values():
                doubted.add(key)
        return doubted


def some_of(keys: Collection[str]) -> str:
    """The first keys of many, for a person."""
    more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return (", ".join(sorted(keys)[:SHOWN_KEYS]) or "none") + more
