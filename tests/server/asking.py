"""Calls of the tools as a client makes them, and what they give."""

from dataclasses import dataclass
from pathlib import Path

from mcp import Client
from mcp.types import CallToolResult, ResourceLink, TextContent

from server.app import create_server, open_deps
from server.results import AnswerResult, PageContent, SearchResults
from server.settings import ServerSettings
from tests.openai_endpoint import OpenAIEndpoint

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment of a program under test; an empty value means unset."""

    postgres_url: str
    openai_base_url: str
    openai_api_key: str = "test-key"
    embedding_model: str = "words"
    chat_model: str = "scripted"
    confluence_mcp_user: str = ""

    def as_fields(self) -> dict[str, str | None]:
        """By name of a settings field."""
        names = self.__dataclass_fields__
        return {name: str(getattr(self, name)) or None for name in names}

    def as_environment(self) -> dict[str, str]:
        """By name of a variable."""
        return {name.upper(): value or "" for name, value in self.as_fields().items()}


def variables_for(database_url: str, endpoint: OpenAIEndpoint) -> Variables:
    """The environment of a program that uses this database and this endpoint."""
    return Variables(database_url, endpoint.url)


def serving(variables: Variables, mode: str = "auto") -> Client:
    """A client, to be entered, of a server in memory."""
    settings = ServerSettings.model_validate(variables.as_fields())
    shows_everything = settings.confluence_mcp_user is None
    server = create_server(lambda: open_deps(settings), shows_everything=shows_everything)
    return Client(server, mode=mode)


def text_of(result: CallToolResult) -> str:
    """The text that a model reads; behind it there are but links."""
    content, *links = result.content
    assert isinstance(content, TextContent)
    assert all(isinstance(link, ResourceLink) for link in links)
    return content.text


async def answered(client: Client, tool: str, /, **arguments: object) -> CallToolResult:
    """The result of a call that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result


async def refused(client: Client, tool: str, /, **arguments: object) -> str:
    """The text of the error of a call that fails, without what the library puts before it."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    _, separator, said = text_of(result).partition(f"Error executing tool {tool}: ")
    assert separator and said, text_of(result)
    return said


async def search(client: Client, query: str, **arguments: object) -> SearchResults:
    """The structured result of a search."""
    result = await answered(client, "search_confluence", query=query, **arguments)
    return SearchResults.model_validate(result.structured_content)


async def titles(client: Client, query: str, **arguments: object) -> list[str]:
    """The titles that a search finds, best first."""
    return [hit.title for hit in (await search(client, query, **arguments)).results]


async def get_page(client: Client, page: str, **arguments: object) -> PageContent:
    """The structured result of a reading."""
    result = await answered(client, "get_page", page=page, **arguments)
    return PageContent.model_validate(result.structured_content)


async def ask(client: Client, question: str, **arguments: object) -> AnswerResult:
    """The structured result of a question."""
    result = await answered(client, "answer_question", question=question, **arguments)
    return AnswerResult.model_validate(result.structured_content)
