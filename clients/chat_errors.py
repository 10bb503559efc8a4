"""Errors of the chat: the text says what happened and what to do, and is shown as it is."""


class ChatFailure(Exception):
    """Base of all errors whose text is meant for the reader."""


class ModelError(ChatFailure):
    """The chat model did not answer."""


class WikiError(ChatFailure):
    """The MCP server cannot be used as it is."""


class NotLetIn(WikiError):
    """The MCP server does not take the token that it was shown."""


def root_cause(error: BaseException) -> BaseException:
    """The first single error within nested exception groups."""
    match error:
        case BaseExceptionGroup(exceptions=(BaseException() as first, *_)):
            return root_cause(first)
        case _:
            return error
