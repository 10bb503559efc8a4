"""Errors that a person can act on: every message says what happened and what to do next.

ConfluenceMcpError
├── ConfigurationError       a setting is missing or wrong (exit code 2)
├── DatabaseError            Postgres cannot be used as it is
├── EmbeddingError           the embedding endpoint or model failed
│   └── ModelMismatchError   the index was filled by another embedding model
├── RerankingError           the re-ranking endpoint or model failed
├── ChatError                the chat model failed
├── SourceError              Confluence or an export could not be read
│   ├── AuthenticationError  Confluence refused the credentials
│   └── SourceUnavailable    Confluence did not answer, after every retry
├── Busy                     more is under way than the server takes on at once
├── BadRequest               a tool was called with something that cannot be answered
└── NotFound                 no such page, or none that may be shown
"""


class ConfluenceMcpError(Exception):
    """Base of all errors whose text is meant for the person at the keyboard."""


class ConfigurationError(ConfluenceMcpError):
    """A setting is missing or wrong."""


class DatabaseError(ConfluenceMcpError):
    """Postgres cannot be used as it is."""


class EmbeddingError(ConfluenceMcpError):
    """The embedding endpoint or the bundled model failed."""


class ModelMismatchError(EmbeddingError):
    """The index was filled by another embedding model than the one in use."""


class RerankingError(ConfluenceMcpError):
    """The re-ranking endpoint or model failed."""


class ChatError(ConfluenceMcpError):
    """The chat model failed to answer."""


class SourceError(ConfluenceMcpError):
    """Confluence or an export could not be read."""


class AuthenticationError(SourceError):
    """Confluence refused the credentials."""


class SourceUnavailable(SourceError):
    """Confluence did not answer, after every retry."""


class Busy(ConfluenceMcpError):
    """More is under way than the server takes on at once; a little later there is room."""


class BadRequest(ConfluenceMcpError):
    """A question or an argument that cannot be answered as it is."""


class NotFound(ConfluenceMcpError):
    """No such page in the index, or none that may be shown."""
