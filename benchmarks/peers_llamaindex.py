"""LlamaIndex's vector store on pgvector, used as its documentation does."""

from collections.abc import Iterator

from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import BaseNode
from llama_index.vector_stores.postgres import PGVectorStore
from pydantic import PrivateAttr

from benchmarks.peers_task import CHUNKS, Pipeline, Task
from benchmarks.peers_vectors import Vectors

# Besides the defaults of the splitter (1,024 tokens, 200 of them twice), of which the model reads a
# quarter: what it reads whole.
SMALL_CHUNK, SMALL_OVERLAP = 256, 20


class _Embedding(BaseEmbedding):
    _vectors: Vectors = PrivateAttr()

    def __init__(self, vectors: Vectors) -> None:
        super().__init__(model_name="local", embed_batch_size=256)
        self._vectors = vectors

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vectors.of_question(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vectors.of_question(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vectors.of_passages([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._vectors.of_passages(texts)


def llamaindex_pipelines(task: Task, vectors: Vectors) -> Iterator[Pipeline]:
    """By vectors alone, hybrid, and hybrid with the fusion that the documentation advises.

    There is no graph index: at such sizes exact search is as quick and finds more.
    """
    yield from _pipelines(task, vectors, SentenceSplitter(), "LlamaIndex")
    small = SentenceSplitter(chunk_size=SMALL_CHUNK, chunk_overlap=SMALL_OVERLAP)
    yield from _pipelines(task, vectors, small, f"LlamaIndex/{SMALL_CHUNK}")


def _pipelines(
    task: Task, vectors: Vectors, splitter: SentenceSplitter, name: str
) -> Iterator[Pipeline]:
    nodes = splitter.get_nodes_from_documents(_documents(task))
    index = _index(task, vectors, nodes, name.lower().replace("/", "_"))
    for mode, retriever in _retrievers(index).items():
        yield Pipeline(
            f"{name} {mode}",
            len(nodes),
            lambda question, retriever=retriever: [
                found.node.ref_doc_id or "" for found in retriever.retrieve(question)
            ],
        )


def _documents(task: Task) -> list[Document]:
    """The title goes with each chunk to the model, as metadata does, and stands in the text."""
    return [
        Document(
            id_=text.text_id,
            text=f"{text.title}\n\n{text.markdown}",
            metadata={"title": text.title},
        )
        for text in task.texts
    ]


def _index(task: Task, vectors: Vectors, nodes: list[BaseNode], table: str) -> VectorStoreIndex:
    store = PGVectorStore.from_params(
        connection_string=task.url("psycopg2"),
        async_connection_string=task.url("asyncpg"),
        table_name=table,
        embed_dim=vectors.dimension,
        hybrid_search=True,
        text_search_config=task.words,
    )
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex(nodes, storage_context=context, embed_model=_Embedding(vectors))


def _retrievers(index: VectorStoreIndex) -> dict[str, BaseRetriever]:
    vectors = index.as_retriever(similarity_top_k=CHUNKS)
    words = index.as_retriever(vector_store_query_mode="sparse", similarity_top_k=CHUNKS)
    hybrid = index.as_retriever(
        vector_store_query_mode="hybrid", similarity_top_k=CHUNKS, sparse_top_k=CHUNKS
    )
    fused = QueryFusionRetriever(
        [vectors, words],
        llm=MockLLM(),
        similarity_top_k=CHUNKS,
        num_queries=1,
        mode="relative_score",
        use_async=False,
    )
    return {"vectors": vectors, "hybrid": hybrid, "hybrid, fused": fused}
