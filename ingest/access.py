"""Brings who may read what from a site into the index.

What a site refuses to tell is closed to everybody. Where it gives no answer at all, what was known
before holds until it is too old for the readers.
"""

import logging
from collections import defaultdict
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from index.errors import AuthenticationError, SourceError, SourceUnavailable
from index.guards import Guards, Readers
from index.principals import Account, Principal, PrincipalKind
from index.records import ContentType, Space
from ingest.listing import OpenSpace
from ingest.sources.pace import in_parallel
from ingest.sources.source import Source

logger = logging.getLogger(__name__)

BATCH = 500
AT_ONCE = 4  # requests; the source's own pace holds them back further
SHOWN = 5  # names in a warning
UNANSWERED = 64  # so many nodes in a row without an answer, and the others are left for later

Answer = TypeVar("Answer")
Member = TypeVar("Member", Principal, str)


@dataclass(frozen=True, slots=True)
class Told(Generic[Answer]):
    """That a site answered; `answer` is None where it refused to tell."""

    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Beforehand:
    """Who might use the site, the spaces and groups before the pages were listed, as far as asked.

    `readers` by the key of a space, or "" for the site; `members` by group. None: no answer.
    """

    readers: dict[str, Told[frozenset[Principal]] | None] = field(
        default_factory=dict[str, Told[frozenset[Principal]] | None]
    )
    members: dict[str, Told[frozenset[str]] | None] = field(
        default_factory=dict[str, Told[frozenset[str]] | None]
    )

    @property
    def groups(self) -> set[str]:
        """The groups that these readers name."""
        answers = [told.answer for told in self.readers.values() if told is not None]
        return {
            one.name for some in answers for one in some or () if one.kind is PrincipalKind.GROUP
        }


class AccessReading:
    """One look at who may read what, by one run. `warnings` are sentences for the operator."""

    def __init__(self, source: Source, guards: Guards, run_id: int) -> None:
        self._source = source
        self._access = source.access
        self._guards = guards.for_ever() if self._access.is_snapshot else guards
        self._run_id = run_id
        self._before = Beforehand()
        self._opened: dict[str, int] = {}
        self._untold: defaultdict[str, list[tuple[str, SourceError]]] = defaultdict(list)

    async def beforehand(self, spaces: Sequence[OpenSpace]) -> Beforehand:
        """Asks who may use the site and these spaces, and who is in the groups, before a sweep.

        `all` lets in only who is in then and now. By what is read after the sweep alone, whoever is
        let in meanwhile would see what the sweep has found and somebody has taken away since.
        """
        before = Beforehand()
        if self._access.is_snapshot:
            return before
        before.readers[""] = await self._ask_site()
        for one in spaces:
            before.readers[one.space.key] = await self._ask_space(one.space)
        group_ids = sorted({*await self._guards.groups(), *before.groups})
        asked = [partial(self._ask_group, group_id) for group_id in group_ids]
        async with aclosing(in_parallel(asked, AT_ONCE)) as answers:
            async for group_id, told in answers:
                before.members[group_id] = told
        return before

    async def all(
        self, spaces: Sequence[OpenSpace], before: Beforehand, *, is_whole_site: bool
    ) -> None:
        """Reads everything anew, for these spaces: once they have been swept.

        Once the pages are placed by it, `finish` lets readers believe it. Where the spaces are the
        whole site, others are closed, even if their loss is doubted. An export of spaces of a site
        that is also read live tells nothing of the site's people.
        """
        self._before = before
        tells_people = not (self._access.is_snapshot and await self._guards.is_live())
        if tells_people:
            await self._site()
        for one in spaces:
            await self._space(one)
        if is_whole_site:
            await self._guards.close_other_spaces([one.space.key for one in spaces])
        await self._look_again(spaces)
        if not tells_people:
            return
        await self._groups()
        await self._accounts()
        await self._guards.tidy_up()

    async def of(self, nodes: Mapping[str, str]) -> None:
        """Reads the restrictions of these nodes, each with its type."""
        await self._one_by_one(nodes)

    async def finish(self, spaces: Sequence[OpenSpace]) -> None:
        """Lets readers believe what is known of these spaces, whose sweeps came to their end."""
        for one in spaces:
            await self._guards.finish_space(self._run_id, one.space_id)

    async def news(self, spaces: Sequence[OpenSpace], again: Collection[str]) -> None:
        """Reads what is not known yet, and the restrictions of the nodes named `again`.

        And of those whose text the run is about to take in, with all above them.
        """
        space_ids = [one.space_id for one in spaces]
        again = {*again, *await self._guards.due(self._run_id, space_ids)}
        await self._one_by_one(await self._guards.unread(space_ids, again=again))
        await self._look_again(spaces)
        if await self._guards.has_strangers():
            await self._site()
            await self._groups()
            await self._accounts()

    @property
    def warnings(self) -> list[str]:
        """What could not be read, and why."""
        return [
            f"{_names(what, [name for name, _ in untold])} cannot be told: nobody is let in by "
            f"that, but the ingest account. {untold[0][1]}"
            for what, untold in self._untold.items()
        ]

    async def _ask_site(self) -> Told[frozenset[Principal]] | None:
        return await self._told("Who may use the site", "", self._access.site_readers)

    async def _ask_space(self, space: Space) -> Told[frozenset[Principal]] | None:
        ask = partial(self._access.space_readers, space)
        return await self._told("Who may read the spaces", space.key, ask)

    async def _ask_group(self, group_id: str) -> tuple[str, Told[frozenset[str]] | None]:
        ask = partial(self._access.members, group_id)
        return group_id, await self._told("The members of the groups", group_id, ask)

    async def _site(self) -> None:
        told = _both_times(self._before.readers, "", await self._ask_site())
        if told is not None:
            await self._guards.record_site(told.answer)

    async def _space(self, one: OpenSpace) -> None:
        space = one.space
        told = _both_times(self._before.readers, space.key, await self._ask_space(space))
        if told is not None:
            await self._guards.record_space(space.key, told.answer)
        if not await self._is_listed(space):
            await self._one_by_one(await self._guards.unread([one.space_id]))
            return
        await self._one_by_one(await self._guards.unread([one.space_id], before=self._run_id))
        await self._guards.close_unanswered(one.space_id)

    async def _is_listed(self, space: Space) -> bool:
        """Whether there was an answer; after a refusal each node is to be asked for by itself."""
        try:
            await self._record(self._access.restrictions(space))
        except AuthenticationError:
            raise
        except SourceUnavailable as error:
            self._note("Restrictions in the spaces", space.key, error)
            return False
        except SourceError as error:
            logger.warning("space=%s restrictions are not listed: %s", space.key, error)
        return True

    async def _one_by_one(self, nodes: Mapping[str, str]) -> None:
        async with aclosing(self._answers(nodes)) as answers:
            await self._record(answers)

    async def _record(self, told: AsyncIterator[tuple[str, Readers]]) -> None:
        """Also what came before it broke off."""
        batch: dict[str, Readers] = {}
        try:
            async for node_id, readers in told:
                batch[node_id] = readers
                if len(batch) == BATCH:
                    await self._keep(batch)
                    batch = {}
        finally:
            await self._keep(batch)

    async def _keep(self, restrictions: Mapping[str, Readers]) -> None:
        self._opened |= await self._guards.opened(restrictions)
        await self._guards.record_restrictions(self._run_id, restrictions)

    async def _look_again(self, spaces: Sequence[OpenSpace]) -> None:
        """Closes what has left its place below a page since the sweep, where one was opened.

        It may have gone before that; where this cannot be told, what was opened is closed.
        """
        if self._access.is_snapshot:
            return
        for one in spaces:
            if opened := [
                node for node, space_id in self._opened.items() if space_id == one.space_id
            ]:
                closed = await self._misplaced(one, opened)
                await self._guards.record_restrictions(self._run_id, dict.fromkeys(closed))

    async def _misplaced(self, one: OpenSpace, opened: Collection[str]) -> Collection[str]:
        places = await self._guards.places(one.space_id)
        try:
            async for page in self._source.sweep(one.space):
                if places.get(page.page_id) == page.parent_id:
                    places.pop(page.page_id, None)
        except AuthenticationError:
            raise
        except SourceError as error:
            self._note("What is below opened pages of the spaces", one.space.key, error)
            return opened
        return places

    async def _answers(self, nodes: Mapping[str, str]) -> AsyncGenerator[tuple[str, Readers]]:
        """What the site answers about each of the nodes, as long as it answers."""
        jobs = [partial(self._restriction, node_id, kind) for node_id, kind in nodes.items()]
        unanswered = 0
        async with aclosing(in_parallel(jobs, AT_ONCE)) as answers:
            async for node_id, told in answers:
                if told is not None:
                    unanswered = 0
                    yield node_id, told.answer
                elif (unanswered := unanswered + 1) == UNANSWERED:
                    return

    async def _restriction(
        self, node_id: str, kind: str
    ) -> tuple[str, Told[frozenset[Principal]] | None]:
        ask = partial(self._access.restriction, node_id, ContentType(kind))
        return node_id, await self._told("Restrictions of the pages", node_id, ask)

    async def _groups(self) -> None:
        group_ids = await self._guards.groups()
        await self._guards.keep_groups(group_ids)
        async for _ in in_parallel([partial(self._group, one) for one in group_ids], AT_ONCE):
            pass

    async def _group(self, group_id: str) -> None:
        _, now = await self._ask_group(group_id)
        told = _both_times(self._before.members, group_id, now)
        if told is not None:
            await self._guards.record_group(group_id, told.answer)

    async def _accounts(self) -> None:
        wanted = await self._guards.accounts()
        await self._guards.keep_accounts(wanted)
        for at in range(0, len(wanted), BATCH):
            await self._some_accounts(wanted[at : at + BATCH])

    async def _some_accounts(self, account_ids: Sequence[str]) -> None:
        ask = partial(self._access.accounts, account_ids)
        told = await self._told("The accounts", f"({len(account_ids)})", ask)
        if told is None:
            return
        found = told.answer or ()
        unknown = set(account_ids) - {account.account_id for account in found}
        gone = [Account(account_id, None, None, False, frozenset()) for account_id in unknown]
        await self._guards.record_accounts([*found, *gone])

    async def _told(
        self, what: str, name: str, ask: Callable[[], Awaitable[Answer]]
    ) -> Told[Answer] | None:
        """What the site answers; None when it does not answer."""
        try:
            return Told(await ask())
        except AuthenticationError:
            raise
        except SourceUnavailable as error:
            self._note(what, name, error)
            return None
        except SourceError as error:
            self._note(what, name, error)
            return Told(None)

    def _note(self, what: str, name: str, error: SourceError) -> None:
        self._untold[what].append((name, error))


def _both_times(
    before: Mapping[str, Told[frozenset[Member]] | None],
    name: str,
    now: Told[frozenset[Member]] | None,
) -> Told[frozenset[Member]] | None:
    """Who was told before and now; what was not asked for before is as it is told now."""
    then = before.get(name, now)
    if then is None or now is None:
        if now is not None:
            logger.warning("name=%r there was no answer before the sweep: nothing changes", name)
        return None
    if then.answer is None or now.answer is None:
        return Told(None)
    return Told(then.answer & now.answer)


def _names(what: str, names: Sequence[str]) -> str:
    """What it is about, with its first names."""
    some = ", ".join(name for name in names[:SHOWN] if name)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what} {some}{more}".strip()
