"""Who asks with which filters, what they should find, and what they do: recall and time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from benchmarks.asked import ask
from benchmarks.guarded_index import Flags, Scene, Someone, key_of, some_spaces
from benchmarks.search_times import Times
from index.database import Database
from index.search_statement import search_statement
from tests.index.generated_index import (
    CHUNKS_OF_PAGE,
    FIRST_DAY,
    LABELS,
    Floats,
    GeneratedIndex,
    Question,
)

TOP = 10
SHARES = (0.5, 0.25, 0.1, 0.05, 0.01, 0.001)
MOST = TOP * CHUNKS_OF_PAGE  # chunks that ten pages may have
BLOCK = 50_000  # chunks that are compared at a time


@dataclass(frozen=True, slots=True)
class Cell:
    """Somebody with filters, whose questions are about what passes them or about anything."""

    name: str
    is_inside: bool
    someone: Someone
    filters: Mapping[str, object]
    shown: Flags


@dataclass(frozen=True, slots=True)
class Found:
    """What came of the questions of a cell; a recall is a share of the ten best pages."""

    cell: Cell
    times: Times
    recalls: list[float]


def cells_of(scene: Scene) -> list[Cell]:
    """The crawler, other askers, and the crawler with filters; none that see nothing."""
    crawler = scene.people[0]
    cells = [Cell("crawler", False, crawler, {}, crawler.shown)]
    choices = [(one.name, one, dict[str, object](), one.shown) for one in scene.people[1:]]
    choices += [
        (name, crawler, filters, crawler.shown & passed)
        for name, filters, passed in _filters(scene)
    ]
    for name, someone, filters, shown in choices:
        if shown.any():
            cells += [Cell(name, inside, someone, filters, shown) for inside in (True, False)]
    return cells


async def measure_cells(
    database: Database, scene: Scene, cells: Sequence[Cell], count: int
) -> list[Found]:
    """Each question is asked twice in each cell: once as it is, once of the vectors alone."""
    statement = search_statement(scene.index.model)
    questions = [_questions(scene, cell, count) for cell in cells]
    expected = [
        best_pages(scene.index, cell.shown, asked)
        for cell, asked in zip(cells, questions, strict=True)
    ]
    found = [Found(cell, Times(), []) for cell in cells]
    for number in range(-1, count):
        for at, (cell, of_cell) in enumerate(zip(cells, found, strict=True)):
            question = questions[at][number]
            asker, filters = cell.someone.asker, cell.filters
            answer = await ask(database, asker, statement, question, **filters)
            if number < 0:  # to warm up
                continue
            of_cell.times.add(answer.ms, answer.cpu_ms)
            by_vector = await ask(
                database, asker, statement, question, dense_share=1.0, limit=TOP, **filters
            )
            best = expected[at][number]
            of_cell.recalls.append(len({*by_vector.pages} & {*best}) / len(best))
    return found


def best_pages(
    index: GeneratedIndex, shown: Flags, questions: Sequence[Question]
) -> list[list[int]]:
    """The ten pages with the nearest chunks for each question, by comparing all that is shown."""
    asked: Floats = np.stack([question.vector for question in questions])
    places = np.flatnonzero(shown)
    best, cosines = np.empty((len(asked), 0), np.int64), np.empty((len(asked), 0), np.float32)
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        best = np.hstack([best, np.broadcast_to(block, (len(asked), len(block)))])
        cosines = np.hstack([cosines, asked @ index.vectors[block].T])
        some = np.argpartition(-cosines, min(MOST, cosines.shape[1]) - 1, axis=1)[:, :MOST]
        best = np.take_along_axis(best, some, axis=1)
        cosines = np.take_along_axis(cosines, some, axis=1)
    best = np.take_along_axis(best, np.argsort(-cosines, axis=1), axis=1)
    return [_pages(row.tolist()) for row in best]


def _pages(chunks: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(chunk // CHUNKS_OF_PAGE for chunk in chunks))[:TOP]


def _questions(scene: Scene, cell: Cell, count: int) -> list[Question]:
    about = cell.shown if cell.is_inside else scene.people[0].shown
    return [scene.question(about, seed) for seed in range(count)]


def _filters(scene: Scene) -> Iterator[tuple[str, dict[str, object], Flags]]:
    """By space, by label and by date, for each share of pages."""
    layout, pages = scene.layout, scene.index.pages
    random = np.random.default_rng(6)
    for share in SHARES:
        chosen = some_spaces(layout, share, random)
        places = np.isin(layout.space, chosen)
        keys = [key_of(space).lower() for space in chosen]
        yield f"in spaces {share:.1%}", {"spaces": keys}, layout.chunks(scene.index, places)
    for label, step in LABELS.items():
        yield f"labelled {1 / step:.1%}", {"labels": [label]}, pages % step == 0
    for share in SHARES:
        last = int(pages[-1] * (1 - share))
        after = FIRST_DAY + timedelta(minutes=last)
        yield f"changed {share:.1%}", {"updated_after": after}, pages > last
