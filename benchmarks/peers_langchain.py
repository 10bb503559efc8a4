"""LangChain's vector store on pgvector, used as its documentation does."""

from collections.abc import Iterator

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import (
    HybridSearchConfig,
    reciprocal_rank_fusion,
    weighted_sum_ranking,
)
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.peers_task import CHUNKS, Pipeline, Task
from benchmarks.peers_vectors import Vectors

TABLE = "langchain"
# Characters, as the tutorials have it: the class alone would cut at 4,000, of which the model reads
# a quarter.
CHUNK, OVERLAP = 1_000, 200
FUSIONS = {"weighted sum": weighted_sum_ranking, "RRF": reciprocal_rank_fusion}


class _Embeddings(Embeddings):
    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._vectors.of_passages(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._vectors.of_question(text)


def langchain_pipelines(task: Task, vectors: Vectors) -> Iterator[Pipeline]:
    """By vectors alone, and hybrid with both ways to fuse that the package brings.

    There is no graph index: at such sizes exact search is as quick and finds more.
    """
    documents = RecursiveCharacterTextSplitter(
        chunk_size=CHUNK, chunk_overlap=OVERLAP
    ).split_documents(
        Document(f"{text.title}\n\n{text.markdown}", metadata={"page": text.text_id})
        for text in task.texts
    )
    store = _store(task, vectors)
    store.add_documents(documents)
    store.apply_hybrid_search_index()

    def find(question: str, hybrid: HybridSearchConfig | None) -> list[str]:
        found = store.similarity_search(question, k=CHUNKS, hybrid_search_config=hybrid)
        return [document.metadata["page"] for document in found]

    yield Pipeline("LangChain vectors", len(documents), lambda question: find(question, None))
    for name, fusion in FUSIONS.items():
        # A configuration keeps the first question that it meets, so each gets a new one.
        yield Pipeline(
            f"LangChain hybrid, {name}",
            len(documents),
            lambda question, fusion=fusion: find(
                question, _hybrid(task.words, fusion_function=fusion)
            ),
        )


def _store(task: Task, vectors: Vectors) -> PGVectorStore:
    engine = PGEngine.from_connection_string(task.url("psycopg"))
    hybrid = _hybrid(task.words)
    engine.init_vectorstore_table(TABLE, vectors.dimension, hybrid_search_config=hybrid)
    return PGVectorStore.create_sync(
        engine, _Embeddings(vectors), TABLE, hybrid_search_config=hybrid
    )


def _hybrid(words: str, **options: object) -> HybridSearchConfig:
    return HybridSearchConfig(
        tsv_column="content_tsv",
        tsv_lang=f"pg_catalog.{words}",
        primary_top_k=CHUNKS,
        secondary_top_k=CHUNKS,
        **options,
    )
