"""What is given to a pipeline to find, and what it found: JSON between two processes."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

PAGES = 10  # that a pipeline ranks
# Chunks that a pipeline is asked for, so that they are of enough pages.
CHUNKS = 100


@dataclass(frozen=True, slots=True)
class Text:
    """A page in Markdown."""

    text_id: str
    title: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Task:
    """An empty database, the texts to put into it and the questions on them, by id.

    `conninfo` has host, port, user and dbname; `words` is the text search configuration of the
    language.
    """

    conninfo: dict[str, str]
    words: str
    texts: Sequence[Text]
    questions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """As `write` wrote it."""
        entry = json.loads(path.read_text(encoding="utf-8"))
        return cls(**entry | {"texts": [Text(**text) for text in entry["texts"]]})

    def write(self, path: Path) -> None:
        """To a file."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def url(self, driver: str) -> str:
        """Of the database, as SQLAlchemy takes it."""
        conninfo = self.conninfo
        place = f"host={quote(conninfo['host'])}&port={conninfo['port']}"
        return f"postgresql+{driver}://{conninfo['user']}@/{conninfo['dbname']}?{place}"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A filled index; `find` gives the page of each chunk that it finds, best first."""

    name: str
    chunks: int
    find: Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """The pages that a pipeline found for each question, best first, and how long it took."""

    name: str
    chunks: int
    found: dict[str, list[str]]
    milliseconds: list[float]


def runs_of(pipelines: Sequence[Pipeline], task: Task) -> list[Run]:
    """Asks all of them each question twice, in turns, so that what else runs meets all alike.

    The second time counts. A page stands where its best chunk does.
    """
    runs = [Run(pipeline.name, pipeline.chunks, {}, []) for pipeline in pipelines]
    for question_id, text in task.questions.items():
        for pipeline, run in zip(pipelines, runs, strict=True):
            pipeline.find(text)
            started = time.perf_counter()
            found = pipeline.find(text)
            run.milliseconds.append((time.perf_counter() - started) * 1000)
            run.found[question_id] = list(dict.fromkeys(found))[:PAGES]
    return runs


def write_runs(runs: Sequence[Run], path: Path) -> None:
    """To a file."""
    path.write_text(json.dumps([asdict(run) for run in runs]), encoding="utf-8")


def read_runs(path: Path) -> list[Run]:
    """As `write_runs` wrote them."""
    return [Run(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
