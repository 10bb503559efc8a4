"""What is known about embedding models behind endpoints: prefixes, length, languages.

Endpoints say none of this, and a model that expects prefixes ranks worse without them. A name is
looked up by its last part, so `intfloat/multilingual-e5-large` and `bge-m3:latest` are found. The
words of the prefixes are those of the model cards; an unknown model gets none, 512 tokens and the
benefit of the doubt about languages. 32 texts a request is what every server takes and what a
model on a few cores gives in time; OpenAI takes 2048.
"""

import re
from dataclasses import dataclass

ENGLISH = frozenset({"en"})
RETRIEVE = "Represent this sentence for searching relevant passages: "
INSTRUCT = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
)


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """How a model wants its texts; `languages` is None when it is multilingual or unknown."""

    passage_tokens: int = 512
    query_prefix: str = ""
    passage_prefix: str = ""
    languages: frozenset[str] | None = None
    texts_per_request: int = 32


KNOWN: tuple[tuple[str, EndpointModel], ...] = (
    (r"text-embedding-(3-small|3-large|ada-002)", EndpointModel(8191, texts_per_request=128)),
    (r".*e5.*(instruct|mistral).*", EndpointModel(512, INSTRUCT)),
    (r"multilingual-e5-.*", EndpointModel(512, "query: ", "passage: ")),
    (r"(.*[-_])?e5([-_].*)?", EndpointModel(512, "query: ", "passage: ", ENGLISH)),
    (r"nomic-embed-text-v2.*", EndpointModel(512, "search_query: ", "search_document: ")),
    (r"nomic-embed-text.*", EndpointModel(2048, "search_query: ", "search_document: ", ENGLISH)),
    (r"mxbai-embed-large.*", EndpointModel(512, RETRIEVE, "", ENGLISH)),
    (r"bge-m3.*", EndpointModel(8192)),
    (r"bge-.*-en.*", EndpointModel(512, RETRIEVE, "", ENGLISH)),
    (r"snowflake-arctic-embed(2|-.*-v2).*", EndpointModel(8192, "query: ")),
    (r"snowflake-arctic-embed.*", EndpointModel(512, RETRIEVE, "", ENGLISH)),
    (r"qwen3-embedding.*", EndpointModel(8192, INSTRUCT)),
    (
        r"embeddinggemma.*",
        EndpointModel(2048, "task: search result | query: ", "title: none | text: "),
    ),
    (r"all-minilm.*", EndpointModel(256, languages=ENGLISH)),
)


def known_model(name: str) -> EndpointModel:
    """What is known about a model of that name."""
    last = name.rsplit("/", 1)[-1].lower()
    for pattern, model in KNOWN:
        if re.fullmatch(pattern, last):
            return model
    return EndpointModel()
