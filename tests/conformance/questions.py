"""Tools and a prompt by the names that the suite calls, which ask the client before they answer."""

from typing import Annotated

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.types import (
    INVALID_PARAMS,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

from server.deps import Deps

STEPS = ("first", "second")


def register_questions(mcp: MCPServer[Deps]) -> None:
    """Puts them on the server."""
    for tool in (
        test_input_required_result_elicitation, test_input_required_result_sampling,
        test_input_required_result_list_roots, test_input_required_result_request_state,
        test_input_required_result_multiple_inputs, test_input_required_result_multi_round,
        test_input_required_result_tampered_state, test_input_required_result_capabilities,
        test_missing_capability,
    ):  # fmt: skip
        mcp.tool()(tool)
    mcp.prompt()(test_input_required_result_prompt)


async def test_input_required_result_elicitation(ctx: Context[Deps]) -> str | InputRequiredResult:
    """Asks for a name."""
    return _asked(ctx, user_name=_form("What is your name?", "name"))


async def test_input_required_result_sampling(ctx: Context[Deps]) -> str | InputRequiredResult:
    """Asks the client's model."""
    return _asked(ctx, capital_question=_sample("What is the capital of France?"))


async def test_input_required_result_list_roots(ctx: Context[Deps]) -> str | InputRequiredResult:
    """Asks for the client's roots."""
    return _asked(ctx, client_roots=ListRootsRequest())


async def test_input_required_result_request_state(
    ctx: Context[Deps],
) -> str | InputRequiredResult:
    """Asks, and wants its state back."""
    answer = _asked(ctx, "asked", confirm=_form("Please confirm", "ok", "boolean"))
    return f"state-ok: {answer}" if isinstance(answer, str) else answer


async def test_input_required_result_multiple_inputs(
    ctx: Context[Deps],
) -> str | InputRequiredResult:
    """Asks for three things at once."""
    return _asked(
        ctx,
        "asked",
        user_name=_form("What is your name?", "name"),
        greeting=_sample("Generate a greeting"),
        client_roots=ListRootsRequest(),
    )


async def test_input_required_result_multi_round(ctx: Context[Deps]) -> str | InputRequiredResult:
    """Asks twice."""
    match ctx.request_state, ctx.input_responses:
        case "second", {"step2": _}:
            return "done"
        case "first", {"step1": _}:
            return _question("second", step2=_form("Step 2: your favourite colour?", "color"))
        case _:
            return _question("first", step1=_form("Step 1: What is your name?", "name"))


async def test_input_required_result_tampered_state(
    ctx: Context[Deps],
) -> str | InputRequiredResult:
    """Asks, and takes back no other state."""
    return _asked(ctx, "asked", confirm=_form("Please confirm", "ok", "boolean"))


async def test_input_required_result_capabilities(
    ctx: Context[Deps],
) -> str | InputRequiredResult:
    """Asks for what the client says it can give."""
    can = ctx.client_capabilities
    requests: dict[str, InputRequest] = {}
    if can is not None and can.elicitation is not None:
        requests["user_name"] = _form("What is your name?", "name")
    if can is not None and can.sampling is not None:
        requests["greeting"] = _sample("Generate a greeting")
    return _asked(ctx, None, **requests)


def _capital() -> Sample:
    text = TextContent(type="text", text="What is the capital of France?")
    return Sample([SamplingMessage(role="user", content=text)], max_tokens=100)


async def test_missing_capability(
    answer: Annotated[CreateMessageResult, Resolve(_capital)],
) -> str:
    """Cannot do without the client's model."""
    return answer.model


async def test_input_required_result_prompt(ctx: Context[Deps]) -> str | InputRequiredResult:
    """Asks for a context."""
    return _asked(ctx, user_context=_form("What context should the prompt use?", "context"))


def _asked(
    ctx: Context[Deps], state: str | None = None, **requests: InputRequest
) -> str | InputRequiredResult:
    """What was answered, once all of it has been; the questions until then."""
    answers = ctx.input_responses or {}
    if not requests.keys() <= answers.keys():
        return _question(state, **requests)
    if ctx.request_state != state:
        raise MCPError(INVALID_PARAMS, "This is not the state that was given.")
    given = [answers[name].model_dump_json(exclude_none=True) for name in requests]
    return f"Answers: {', '.join(given)}"


def _question(state: str | None, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {name: {"type": kind}},
        "required": [name],
    }
    params = ElicitRequestFormParams(message=message, requested_schema=schema)
    return ElicitRequest(params=params)


def _sample(question: str) -> CreateMessageRequest:
    text = TextContent(type="text", text=question)
    params = CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=text)], max_tokens=100
    )
    return CreateMessageRequest(params=params)
