from collections.abc import Iterable, Iterator
from typing import NamedTuple

class Measure: ...

class Qrel(NamedTuple):
    query_id: str
    doc_id: str
    relevance: int
    iteration: str = ...

class ScoredDoc(NamedTuple):
    query_id: str
    doc_id: str
    score: float

class Metric(NamedTuple):
    query_id: str
    measure: Measure
    value: float

def parse_measure(measure: str) -> Measure: ...
def iter_calc(
    measures: Iterable[Measure], qrels: Iterable[Qrel], run: Iterable[ScoredDoc]
) -> Iterator[Metric]: ...
