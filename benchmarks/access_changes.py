"""What it costs to change who may read what: rows written, and how soon an answer differs."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.asked import ask
from benchmarks.guarded_index import (
    RUN,
    SITE_ID,
    STAFF,
    Flags,
    Scene,
    Someone,
    node,
    space_number,
    staff,
)
from index.database import Database
from index.guards import Guards
from index.nodes import Nodes
from index.principals import Principal, group
from index.search_statement import search_statement
from index.work import WorkList

FLUSH = "SELECT pg_stat_force_next_flush()"
WRITTEN = """
SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
"""
SPACE_ID = "SELECT id FROM space WHERE key = 'T0'"

Change = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Bench:
    owner: Database
    reader: Database
    scene: Scene

    async def report(self, name: str, someone: Someone, chunk: int, change: Change) -> None:
        """A line for a change after which somebody is not shown a page any more."""
        assert await self._is_shown(someone, chunk)
        before = await self._written()
        started = time.perf_counter()
        await change()
        changed = time.perf_counter()
        assert not await self._is_shown(someone, chunk)
        answered = time.perf_counter()
        after = await self._written()
        rows = {table: count - before.get(table, 0) for table, count in after.items()}
        told = ", ".join(f"{count:,} {table}" for table, count in sorted(rows.items()) if count)
        print(f"{name:44}{changed - started:>8.3f}{answered - started:>8.3f}  {told}")

    async def _is_shown(self, someone: Someone, chunk: int) -> bool:
        index = self.scene.index
        question = self.scene.question(np.arange(len(index.vectors)) == chunk, 1)
        statement = search_statement(index.model)
        answer = await ask(self.reader, someone.asker, statement, question)
        return int(index.pages[chunk]) in answer.pages

    async def _written(self) -> dict[str, int]:
        """Rows so far by table, in all."""
        async with self.owner.pool.connection() as connection:
            await connection.execute(FLUSH)
        async with self.owner.pool.connection() as connection:
            return {row[0]: row[1] async for row in await connection.execute(WRITTEN)}


async def measure_changes(owner: Database, reader: Database, scene: Scene) -> None:
    """A table. The owner has a single connection, whose count of rows is the one that is read."""
    bench = _Bench(owner, reader, scene)
    print(f"\n{'change':44}{'seconds':>8}{'answered':>9}  rows written")
    await _change_permissions(bench, scene)
    await _change_tree(bench, scene)


async def _change_permissions(bench: _Bench, scene: Scene) -> None:
    guards = Guards(bench.owner, SITE_ID)
    reads_spaces = scene.person("spaces 10.0%")
    key = reads_spaces.spaces[0]
    chunk = _first_chunk(scene, scene.layout.space == space_number(key))

    async def revoke() -> None:
        await guards.record_space(key, frozenset({STAFF}))

    await bench.report("a group may not read a space any more", reads_spaces, chunk, revoke)
    reads_branches = scene.person("branches 10.0%")
    chunk = int(np.flatnonzero(reads_branches.shown)[0])
    members = staff(scene.people) - {reads_branches.name}

    async def leave() -> None:
        await guards.record_group(STAFF.name, members)

    name = f"one of {len(members) + 1:,} people leaves a group"
    await bench.report(name, reads_branches, chunk, leave)


async def _change_tree(bench: _Bench, scene: Scene) -> None:
    """Restrictions of a few strangers, first on a section, then on where another is moved to."""
    guards, nodes = Guards(bench.owner, SITE_ID), Nodes(bench.owner, SITE_ID)
    place = WorkList(bench.owner, SITE_ID).place
    space_id = await _space_id(bench.owner)
    strangers = frozenset[Principal]({group("team 1")})
    await nodes.saw(RUN, space_id, [node("vault", "top")])
    await guards.record_restrictions(RUN, {"vault": strangers})
    started = time.perf_counter()
    await place()
    print(f"{'nothing (place)':44}{time.perf_counter() - started:>8.3f}")

    async def restrict() -> None:
        await guards.record_restrictions(RUN, {"section 1": strangers})
        await place()

    async def move() -> None:
        await nodes.saw(RUN, space_id, [node("section 2", "vault")])
        await place()

    for number, name, change in (
        (1, "a restriction on a folder of", restrict),
        (2, "to a restricted place moves a folder of", move),
    ):
        in_section = scene.layout.section == number
        name = f"{name} {in_section.sum():,}"
        reads_all = scene.person("branches 100.0%")
        await bench.report(name, reads_all, _first_chunk(scene, in_section), change)


def _first_chunk(scene: Scene, places: Flags) -> int:
    return int(np.flatnonzero(scene.layout.chunks(scene.index, places))[0])


async def _space_id(owner: Database) -> int:
    async with owner.pool.connection() as connection:
        row = await (await connection.execute(SPACE_ID)).fetchone()
    assert row is not None
    return row[0]
