"""What the rule adds to a search: the same statement with it, without it, and with a second wall.

Views of the same names in other schemas stand in for those that the statement reads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import LiteralString

import numpy as np
from psycopg import AsyncRawCursor

from benchmarks.asked import Answer, ask, parameters_of
from benchmarks.guarded_index import Scene, Someone
from index.access import read_as
from index.database import Database
from index.search_statement import SearchStatement, search_statement
from tests.index.generated_index import Question

QUESTIONS = 30

# `bare` shows everything to everybody. In `walled`, row-level security applies the rule to whoever
# reads page; in `twofold` the view applies it as well.
STAND_INS: LiteralString = """
CREATE SCHEMA bare;
CREATE VIEW bare.shown_page AS SELECT * FROM page WHERE state <> 'tombstoned';
CREATE VIEW bare.open_space AS SELECT id AS space_id, key FROM space;
CREATE VIEW bare.shown_chunk AS SELECT * FROM chunk;
CREATE VIEW bare.shown_attachment AS SELECT * FROM attachment;
CREATE SCHEMA walled;
CREATE VIEW walled.shown_page WITH (security_invoker) AS
SELECT * FROM page WHERE state <> 'tombstoned';
CREATE VIEW walled.open_space AS SELECT * FROM open_space;
CREATE VIEW walled.shown_chunk WITH (security_invoker) AS
SELECT chunk.* FROM chunk JOIN walled.shown_page USING (page_ref);
CREATE VIEW walled.shown_attachment WITH (security_invoker) AS
SELECT attachment.* FROM attachment JOIN walled.shown_page USING (page_ref);
CREATE SCHEMA twofold;
CREATE VIEW twofold.shown_page WITH (security_invoker) AS
SELECT * FROM page WHERE state <> 'tombstoned'
  AND (space_id IN (SELECT open_spaces())) IS TRUE
  AND (audience_id IS NULL OR audience_id IN (SELECT open_audiences()));
CREATE VIEW twofold.open_space AS SELECT * FROM open_space;
CREATE VIEW twofold.shown_chunk WITH (security_invoker) AS
SELECT chunk.* FROM chunk JOIN twofold.shown_page USING (page_ref);
CREATE VIEW twofold.shown_attachment WITH (security_invoker) AS
SELECT attachment.* FROM attachment JOIN twofold.shown_page USING (page_ref);
GRANT SELECT ON page, chunk, attachment TO confluence_mcp_reader;
GRANT USAGE ON SCHEMA bare, walled, twofold TO confluence_mcp_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bare, walled, twofold TO confluence_mcp_reader;
ALTER TABLE page ENABLE ROW LEVEL SECURITY;
CREATE POLICY shown ON page FOR SELECT TO confluence_mcp_reader USING (
    (space_id IN (SELECT open_spaces())) IS TRUE
    AND (audience_id IS NULL OR audience_id IN (SELECT open_audiences())))
"""
REMOVE: LiteralString = """
DROP SCHEMA bare, walled, twofold CASCADE;
DROP POLICY shown ON page;
ALTER TABLE page DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON page, chunk, attachment FROM confluence_mcp_reader
"""
_VIEWS = re.compile(rb"\b(shown_page|shown_chunk|shown_attachment|open_space)\b")
_PLANNING = re.compile(r"Planning Time: (\S+) ms")


@dataclass(frozen=True, slots=True)
class _Way:
    """A statement, as whom, and with which filters."""

    statement: SearchStatement
    asker: Someone
    filters: Mapping[str, object]


async def measure_cost(
    owner: Database, reader: Database, scene: Scene, questions: int = QUESTIONS
) -> None:
    """A table of medians, of the server's own time where that is known."""
    await _execute(owner, STAND_INS)
    print(f"\n{'asker':18}{'without':>9}{'rule':>9}{'ratio':>7}{'wall':>9}{'ratio':>7}", end="")
    print(f"{'both':>9}{'ratio':>7}   planning without, with")
    statement = search_statement(scene.index.model)
    for someone in scene.people:
        asked = [scene.question(someone.shown, 1_000 + n) for n in range(questions)]
        await _compare(reader, someone, _ways(statement, scene.people[0], someone), asked)
    await _execute(owner, REMOVE)


def _ways(statement: SearchStatement, crawler: Someone, someone: Someone) -> dict[str, _Way]:
    """Without the rule a filter chooses the same pages, where one can."""
    filters = {"spaces": [key.lower() for key in someone.spaces] or None}
    ways = {
        "rule": _Way(statement, someone, {}),
        "wall": _Way(_reading("walled", statement), someone, {}),
        "both": _Way(_reading("twofold", statement), someone, {}),
    }
    if someone.spaces or someone.shown.sum() == crawler.shown.sum():
        ways["without"] = _Way(_reading("bare", statement), crawler, filters)
    return ways


def _reading(schema: str, statement: SearchStatement) -> SearchStatement:
    """The statement over stand-ins for the views."""
    return replace(statement, text=_VIEWS.sub(rb"%s.\1" % schema.encode(), statement.text))


async def _compare(
    reader: Database, someone: Someone, ways: Mapping[str, _Way], questions: Sequence[Question]
) -> None:
    answers: dict[str, list[Answer]] = {name: [] for name in ways}
    for number, question in enumerate(questions):
        # The first for nothing, for whatever comes first fetches what the others find in memory.
        names = [*ways]
        names = names[number % len(ways) :] + names[: number % len(ways)]
        await _ask(reader, ways[names[-1]], question)
        for name in names:
            answers[name].append(await _ask(reader, ways[name], question))
    times = {name: _median(of_way) for name, of_way in answers.items()}
    planning = {name: await _planning(reader, way, questions) for name, way in ways.items()}
    without = times.get("without", float("nan"))
    print(f"{someone.name:18}{without:>9.1f}", end="")
    for name in ("rule", "wall", "both"):
        print(f"{times[name]:>9.1f}{times[name] / without:>7.2f}", end="")
    print(f"{planning.get('without', float('nan')):>9.1f}{planning['rule']:>9.1f}")


async def _ask(reader: Database, way: _Way, question: Question) -> Answer:
    return await ask(reader, way.asker.asker, way.statement, question, **way.filters)


def _median(answers: Sequence[Answer]) -> float:
    return float(np.median([answer.cpu_ms or answer.ms for answer in answers]))


async def _planning(reader: Database, way: _Way, questions: Sequence[Question]) -> float:
    """Milliseconds that the planner says it took."""
    times: list[float] = []
    async with read_as(reader, way.asker.asker) as connection:
        for question in questions[:10]:
            values = {**parameters_of(question), **way.filters}
            cursor = AsyncRawCursor(connection)
            explained = replace(way.statement, text=b"EXPLAIN (SUMMARY) " + way.statement.text)
            await explained.run(cursor, values)
            text = "\n".join([row[0] async for row in cursor])
            times += [float(found) for found in _PLANNING.findall(text)]
    return float(np.median(times))


async def _execute(owner: Database, statements: LiteralString) -> None:
    async with owner.pool.connection() as connection:
        await connection.execute(statements)
