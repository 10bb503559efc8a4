"""Which requests a simulated site received, so that tests can count them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request; `status` is 0 where the connection broke before an answer."""

    method: str
    path: str
    query: str
    status: int


class RequestLog:
    """All requests in the order of their answers, faulty ones included."""

    def __init__(self) -> None:
        self.entries: list[LoggedRequest] = []
        self.in_flight = 0
        self.most_in_flight = 0

    def matching(
        self, path: str = "*", *, method: str | None = None, status: int | None = None
    ) -> list[LoggedRequest]:
        """The requests whose path fits a shell pattern, such as `*/api/v2/pages/*`."""
        return [
            entry
            for entry in list(self.entries)
            if fnmatchcase(entry.path, path)
            and method in (None, entry.method)
            and status in (None, entry.status)
        ]

    def count(
        self, path: str = "*", *, method: str | None = None, status: int | None = None
    ) -> int:
        """How many requests fit."""
        return len(self.matching(path, method=method, status=status))

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.entries.clear()
        self.most_in_flight = self.in_flight


def recorded(app: ASGIApp, log: RequestLog) -> ASGIApp:
    """The application, writing down each request that it gets."""

    async def recording(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        is_logged = False

        def note(status: int) -> None:
            nonlocal is_logged
            is_logged = True
            query = scope["query_string"].decode()
            log.entries.append(LoggedRequest(scope["method"], scope["path"], query, status))

        async def noting(message: Message) -> None:
            # Before the client can have the answer: a test counts as soon as it has it.
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        log.in_flight += 1
        log.most_in_flight = max(log.most_in_flight, log.in_flight)
        try:
            await app(scope, receive, noting)
        finally:
            log.in_flight -= 1
            if not is_logged:
                note(0)

    return recording
