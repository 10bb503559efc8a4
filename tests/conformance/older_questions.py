"""Tools by the names that the suite calls, which ask clients of the older protocol meanwhile."""

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitResult,
    SamplingMessage,
    TextContent,
)

from server.deps import Deps

CHOICES = ["option1", "option2", "option3"]
DEFAULTS: dict[str, object] = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {
        "type": "string",
        "enum": ["active", "inactive", "pending"],
        "default": "active",
    },
    "verified": {"type": "boolean", "default": True},
}
TITLED = [
    {"const": "value1", "title": "First"},
    {"const": "value2", "title": "Second"},
    {"const": "value3", "title": "Third"},
]
CHOOSING: dict[str, object] = {
    "untitledSingle": {"type": "string", "enum": CHOICES},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": CHOICES}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}


def register_older_questions(mcp: MCPServer[Deps]) -> None:
    """Puts them on the server."""
    for tool in (
        test_sampling, test_elicitation, test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
    ):  # fmt: skip
        mcp.tool()(tool)


async def test_sampling(prompt: str, ctx: Context[Deps]) -> str:
    """Asks the client's model."""
    text = TextContent(type="text", text=prompt)
    params = CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=text)], max_tokens=100
    )
    answer = await ctx.session.send_request(
        CreateMessageRequest(params=params),
        CreateMessageResult,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )
    return f"LLM response: {answer.content}"


async def test_elicitation(message: str, ctx: Context[Deps]) -> str:
    """Asks the person at the client."""
    form: dict[str, object] = {"username": {"type": "string"}, "email": {"type": "string"}}
    return _told(await _ask(ctx, message, form, required=list(form)))


async def test_elicitation_sep1034_defaults(ctx: Context[Deps]) -> str:
    """Asks with answers that are there already."""
    return _told(await _ask(ctx, "Who is it?", DEFAULTS))


async def test_elicitation_sep1330_enums(ctx: Context[Deps]) -> str:
    """Asks to choose, in all the ways there are."""
    return _told(await _ask(ctx, "Which ones?", CHOOSING))


async def _ask(
    ctx: Context[Deps], message: str, form: dict[str, object], *, required: list[str] | None = None
) -> ElicitResult:
    schema: dict[str, object] = {"type": "object", "properties": form, "required": required or []}
    return await ctx.session.elicit_form(message, schema, ctx.request_id)


def _told(answer: ElicitResult) -> str:
    return f"Elicitation completed: action={answer.action}, content={answer.content}"
