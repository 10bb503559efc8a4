"""The MCP server as each person is shown it: a connection of their own, with their own token."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from chat_connection import Connection
from chat_errors import NotLetIn
from chat_identity import PASSWORD, Identities, SignInNeeded
from chat_server import RemoteServer

SIGN_IN_AGAIN = "Your sign-in has ended. Reload the page and sign in again."
KEY_ENDED = (
    "The MCP server does not take your key any more. Whoever runs this chat can give you a new one."
)


class PersonalServer:
    """Opens a connection for whoever asks, and closes it with the turn."""

    def __init__(self, url: str, identities: Identities, asking: Callable[[], str | None]) -> None:
        self._url = url
        self._identities = identities
        self._asking = asking

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection]:
        """A session that shows what this person may see; raises SignInNeeded and WikiError."""
        person = self._asking()
        token = self._identities.token_of(person) if person is not None else None
        if person is None or token is None:
            raise SignInNeeded(SIGN_IN_AGAIN)
        try:
            async with RemoteServer(self._url, token.get_secret_value()).connected() as connection:
                yield connection
        except NotLetIn as error:
            if person.startswith(PASSWORD):
                raise SignInNeeded(KEY_ENDED) from error
            self._identities.end(person)
            raise SignInNeeded(SIGN_IN_AGAIN) from error

    async def close(self) -> None:
        """Nothing is kept between turns."""
